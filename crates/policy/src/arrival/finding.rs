//! What a check found, in words and as what follows.

use smtp::reply::Reply;

/// The checks, in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// The client's address has a name that leads back to it (RFC 8601 §3).
    Iprev,
    /// The name in HELO or EHLO is one, or an address (RFC 5321 §4.1.1.1).
    Helo,
    /// The name in HELO or EHLO is of a host that, its domain says, never sends mail.
    HeloSends,
    /// Mail to the envelope's sender could be delivered.
    SenderDomain,
    Spf,
    /// SPF of the name in HELO or EHLO (RFC 7208 §2.3).
    SpfHelo,
    Dkim,
    Arc,
    Dmarc,
    /// Nobody else writes in the name of a domain of ours.
    OwnDomain,
    /// Lists of addresses and domains (RFC 5782).
    List,
    /// It comes back when it is told to (RFC 6647).
    Greylist,
    Rate,
}

impl Check {
    /// As log, trail and settings name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Iprev => "iprev",
            Self::Helo => "helo",
            Self::HeloSends => "helo-sends",
            Self::SenderDomain => "sender-domain",
            Self::Spf => "spf",
            Self::SpfHelo => "spf-helo",
            Self::Dkim => "dkim",
            Self::Arc => "arc",
            Self::Dmarc => "dmarc",
            Self::OwnDomain => "own-domain",
            Self::List => "list",
            Self::Greylist => "greylist",
            Self::Rate => "rate",
        }
    }

    /// The code that tells the sender which check refuses its mail (RFC 7372; RFC 5321 and 3463 for the others).
    fn code(self) -> (u8, u16, u16) {
        match self {
            Self::Dkim => (5, 7, 20),
            Self::Spf | Self::SpfHelo | Self::HeloSends => (5, 7, 23),
            Self::Iprev => (5, 7, 25),
            Self::SenderDomain => (5, 1, 8),
            Self::Arc => (5, 7, 29),
            Self::Helo | Self::Dmarc | Self::OwnDomain | Self::List | Self::Greylist | Self::Rate => {
                (5, 7, 1)
            }
        }
    }

    /// The code that asks it to come back, as what had to be known could not be learnt.
    fn code_for_later(self) -> (u8, u16, u16) {
        match self {
            Self::Spf | Self::SpfHelo | Self::HeloSends => (4, 7, 24),
            Self::Iprev => (4, 7, 25),
            // RFC 6376 §6.1.2.
            Self::Dkim => (4, 7, 5),
            Self::Greylist | Self::Rate => (4, 7, 1),
            _ => (4, 4, 3),
        }
    }
}

/// What follows from a finding, as far as the settings let it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Weight {
    /// Nothing.
    Fine,
    /// The check failed.
    Bad,
    /// The check failed, and whoever set its rule asks for no more than this.
    AtMostQuarantine,
    /// The DNS could not be asked: another try may end otherwise.
    Unknown,
    /// So many points on the scale of the lists; below 0 for the good.
    Points(i32),
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) check: Check,
    pub(super) weight: Weight,
    /// The result and why, as the trail has it: `spf=fail: 192.0.2.1 may not send for example.org (-all)`.
    pub(super) words: String,
    /// A code more precise than the check's own.
    pub(super) code: Option<(u8, u16, u16)>,
}

impl Finding {
    /// `result` is a word of RFC 8601 where there is one.
    pub(super) fn new(check: Check, weight: Weight, result: &str, reason: &str) -> Self {
        let colon = if reason.is_empty() { "" } else { ": " };
        Self { check, weight, words: format!("{}={result}{colon}{reason}", check.name()), code: None }
    }

    #[must_use]
    pub(super) fn with_code(mut self, code: (u8, u16, u16)) -> Self {
        self.code = Some(code);
        self
    }

    pub(super) fn rejection(&self, words: &str) -> Reply {
        Reply::new(550, self.code.unwrap_or_else(|| self.check.code()), words)
    }

    pub(super) fn deferral(&self) -> Reply {
        let words = format!("{} cannot be checked now, try again later", self.check.name());
        Reply::new(451, self.check.code_for_later(), words)
    }
}
