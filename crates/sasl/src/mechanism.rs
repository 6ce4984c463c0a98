//! The names of the mechanisms, and what each of them needs.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Hash};

/// A mechanism that this crate speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// No RFC: name and password, each after a prompt. Old Outlook versions know nothing else.
    Login,
    /// RFC 5802 and RFC 7677; `plus` binds the exchange to the TLS connection beneath.
    Scram { hash: Hash, plus: bool },
    /// RFC 2195. Needs a reversible secret at the server.
    CramMd5,
    /// RFC 4422 appendix A: the identity of the client's certificate.
    External,
    /// RFC 7628. Client only.
    OAuthBearer,
    /// What OAUTHBEARER was before the RFC; Gmail and Outlook.com. Client only.
    XOAuth2,
}

impl Mechanism {
    /// Every mechanism, the ones that protect a password best first.
    pub const ALL: [Self; 10] = [
        Self::Scram { hash: Hash::Sha256, plus: true },
        Self::Scram { hash: Hash::Sha1, plus: true },
        Self::Scram { hash: Hash::Sha256, plus: false },
        Self::Scram { hash: Hash::Sha1, plus: false },
        Self::External,
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::Plain,
        Self::Login,
        Self::CramMd5,
    ];

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::Scram { hash: Hash::Sha1, plus: false } => "SCRAM-SHA-1",
            Self::Scram { hash: Hash::Sha1, plus: true } => "SCRAM-SHA-1-PLUS",
            Self::Scram { hash: Hash::Sha256, plus: false } => "SCRAM-SHA-256",
            Self::Scram { hash: Hash::Sha256, plus: true } => "SCRAM-SHA-256-PLUS",
            Self::CramMd5 => "CRAM-MD5",
            Self::External => "EXTERNAL",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
        }
    }

    /// Whether what is sent lets whoever hears it log in: such a mechanism is neither offered nor used where
    /// [`Channel::is_private`](crate::Channel::is_private) is false (RFC 4616 §5, RFC 7628 §3).
    pub fn needs_privacy(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::OAuthBearer | Self::XOAuth2)
    }

    /// Whether the client speaks first, so that it may send an initial response (RFC 4422 §5).
    pub fn is_client_first(self) -> bool {
        !matches!(self, Self::Login | Self::CramMd5)
    }

    /// Whether the exchange is bound to the TLS connection: offered only where
    /// [`Channel::can_bind`](crate::Channel::can_bind) is true.
    pub fn is_plus(self) -> bool {
        matches!(self, Self::Scram { plus: true, .. })
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mechanism {
    type Err = Error;

    /// Takes a name in any case: SMTP and IMAP parameters are case-insensitive.
    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|m| m.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| Error::UnknownMechanism(name.chars().take(crate::error::QUOTED).collect()))
    }
}
