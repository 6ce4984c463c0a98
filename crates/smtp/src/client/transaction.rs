//! What is to be sent, and what became of it.

use super::{Capabilities, Ended, Stage};
use crate::command::{Mail, Rcpt};
use crate::parameter::{Body, ByMode, MailParameters, Notify, RcptParameters};
use crate::{EnhancedCode, Reply};
use address::{Address, ForwardPath};

/// One message for one or more recipients: MAIL, RCPT…, DATA or BDAT.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// All that is wanted; what the peer does not offer is left out (see [`Dropped`]) or makes the
    /// transaction [`Unsendable`]. `body` says what the message holds (`None`: lines of ASCII); `size` is
    /// overwritten by `length`.
    pub mail: Mail,
    /// At least one.
    pub recipients: Vec<Rcpt>,
    /// Octets that [`Session::provide_body`](super::Session::provide_body) will be given, exactly: before
    /// dots are stuffed and line ends are made CRLF.
    pub length: u64,
}

/// Why a message cannot be sent over this session at all. Nothing was said to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The caller may encode it again as 7-bit.
    #[error("the message holds 8-bit text and the server does not offer 8BITMIME")]
    Needs8Bit,
    /// The caller may encode it again as 8-bit or 7-bit.
    #[error("the message holds binary parts and the server does not offer BINARYMIME and CHUNKING")]
    NeedsBinary,
    #[error("an address or the header needs SMTPUTF8, which the server does not offer")]
    NeedsSmtpUtf8,
    #[error("the message requires TLS all the way and the server does not offer REQUIRETLS over TLS")]
    NeedsRequireTls,
    /// RFC 2852 §4.1.4.1.
    #[error(
        "the message must be returned if it is late and the server does not offer DELIVERBY for that time"
    )]
    NeedsDeliverBy,
    #[error("the message is to be held for later and the server does not offer FUTURERELEASE")]
    NeedsFutureRelease,
    #[error("the message has {length} octets and the server takes {limit}")]
    TooBig { length: u64, limit: u64 },
}

impl Unsendable {
    /// The enhanced code for a notification.
    pub fn enhanced(&self) -> EnhancedCode {
        let (subject, detail) = match self {
            Self::Needs8Bit | Self::NeedsBinary => (6, 3),
            Self::NeedsSmtpUtf8 => (6, 7),
            Self::NeedsRequireTls => (7, 30),
            Self::NeedsDeliverBy | Self::NeedsFutureRelease => (3, 3),
            Self::TooBig { .. } => (3, 4),
        };
        EnhancedCode::new(5, subject, detail)
    }
}

/// What was wanted but not offered, and so not said to the peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Some of RET, ENVID, NOTIFY, ORCPT: for recipients with NOTIFY=SUCCESS the caller owes a `relayed` DSN
    /// (RFC 3461 §5.2.2).
    pub dsn: bool,
    /// BY with mode N: a `relayed` DSN is owed, too (RFC 2852 §4.1.4.2).
    pub deliver_by: bool,
    /// MT-PRIORITY (RFC 6710 §4.3).
    pub mt_priority: bool,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// In the order of [`Transaction::recipients`].
    pub recipients: Vec<RecipientOutcome>,
    /// The reply to MAIL, if it came.
    pub mail: Option<Reply>,
    pub dropped: Dropped,
    /// Why the session ended in the middle of it.
    pub ended: Option<Ended>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientOutcome {
    /// The reply to RCPT, if it came.
    pub rcpt: Option<Reply>,
    pub fate: Fate,
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The peer has the message: its reply to the end of data.
    Accepted(Reply),
    /// The peer will not take it, now (4xx) or ever (5xx). At [`Stage::Rcpt`], and with LMTP at
    /// [`Stage::EndOfData`], it speaks of this recipient, else of the whole transaction.
    Refused { at: Stage, reply: Reply },
    /// Was one too many: to be sent again in a transaction of its own.
    NotTried(TooMany),
    /// The session ended while waiting for `at`, before the end of data was sent: the peer cannot have
    /// delivered it.
    Broken { at: Stage },
    /// The session ended after the end of data was sent, and no reply came: the peer may have it
    /// (RFC 5321 §4.5.3.2.6).
    Unknown,
}

/// Which limit put a recipient off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TooMany {
    /// 452 4.5.3, its own or that of a recipient before it: another transaction on the same session will do.
    Refused(Reply),
    /// RCPTMAX: likewise.
    Recipients,
    /// RCPTDOMAINMAX, which counts over a session: another connection is needed.
    Domains,
}

impl Transaction {
    /// Whether it can be sent to a peer with `capabilities`, over TLS or not.
    pub fn check(&self, capabilities: &Capabilities, tls: bool) -> Result<(), Unsendable> {
        match self.mail.parameters.body {
            Some(Body::BinaryMime) if !(capabilities.binary_mime && capabilities.chunking) => {
                return Err(Unsendable::NeedsBinary);
            }
            Some(Body::EightBitMime) if !capabilities.eight_bit_mime => return Err(Unsendable::Needs8Bit),
            _ => {}
        }
        if self.needs_smtputf8() && !capabilities.smtputf8 {
            return Err(Unsendable::NeedsSmtpUtf8);
        }
        if self.mail.parameters.requiretls && !(capabilities.require_tls && tls) {
            return Err(Unsendable::NeedsRequireTls);
        }
        if self.mail.parameters.hold.is_some() && capabilities.future_release.is_none() {
            return Err(Unsendable::NeedsFutureRelease);
        }
        if !self.deliver_by_can_be_kept(capabilities) {
            return Err(Unsendable::NeedsDeliverBy);
        }
        match capabilities.max_size() {
            Some(limit) if self.length > limit => Err(Unsendable::TooBig { length: self.length, limit }),
            _ => Ok(()),
        }
    }

    /// Mode R is a promise that only a server with DELIVERBY, and a minimum below the time left, can keep
    /// (RFC 2852 §4.1.4.1).
    fn deliver_by_can_be_kept(&self, capabilities: &Capabilities) -> bool {
        match (self.mail.parameters.by, capabilities.deliver_by) {
            (Some(by), None) => by.mode() != ByMode::Return,
            (Some(by), Some(offer)) if by.mode() == ByMode::Return => {
                offer.minimum.is_none_or(|minimum| i64::from(minimum) <= i64::from(by.seconds()))
            }
            _ => true,
        }
    }

    /// MAIL with the parameters that the peer understands, and what is left out.
    pub(super) fn offered(&self, capabilities: &Capabilities) -> (Mail, Dropped) {
        let wanted = &self.mail.parameters;
        let dsn_wanted = wanted.ret.is_some()
            || wanted.envid.is_some()
            || self.recipients.iter().any(|r| r.parameters != RcptParameters::default());
        let dropped = Dropped {
            dsn: dsn_wanted && !capabilities.dsn,
            deliver_by: wanted.by.is_some() && capabilities.deliver_by.is_none(),
            mt_priority: wanted.priority.is_some() && capabilities.mt_priority.is_none(),
        };
        let parameters = MailParameters {
            size: capabilities.size.map(|_| self.length),
            body: wanted.body.filter(|_| capabilities.eight_bit_mime || capabilities.binary_mime),
            smtputf8: self.needs_smtputf8(),
            auth: wanted.auth.clone().filter(|_| capabilities.auth.is_some()),
            ret: wanted.ret.filter(|_| capabilities.dsn),
            envid: wanted.envid.clone().filter(|_| capabilities.dsn),
            requiretls: wanted.requiretls,
            by: wanted.by.filter(|_| capabilities.deliver_by.is_some()),
            hold: wanted.hold,
            priority: wanted.priority.filter(|_| capabilities.mt_priority.is_some()),
        };
        (Mail { from: self.mail.from.clone(), parameters }, dropped)
    }

    /// What a recipient's server is told of notifications when DSN is offered.
    pub(super) fn rcpt_parameters(&self, recipient: &Rcpt, dropped: Dropped) -> RcptParameters {
        let mut parameters = recipient.parameters.clone();
        // RFC 2852 §4.1.4.2: who cannot be told of the time is to tell of delays.
        let in_time = self.mail.parameters.by.is_some_and(|by| by.seconds() > 0);
        if dropped.deliver_by && in_time && parameters.notify != Some(Notify::NEVER) {
            let usual = Notify { failure: true, ..Notify::NEVER };
            parameters.notify = Some(Notify { delay: true, ..parameters.notify.unwrap_or(usual) });
        }
        parameters
    }

    pub(super) fn needs_smtputf8(&self) -> bool {
        let path_needs = |path: &ForwardPath| match path {
            ForwardPath::Address(address) => address.needs_smtputf8(),
            ForwardPath::Unqualified(local) => !local.as_str().is_ascii(),
        };
        self.mail.parameters.smtputf8
            || self.mail.from.address().is_some_and(Address::needs_smtputf8)
            || self.recipients.iter().any(|recipient| path_needs(&recipient.to))
    }
}
