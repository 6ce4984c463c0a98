//! What a session offers and how much it bears.

use super::body::BareNewline;
use crate::parameter::MAX_SECONDS;
use address::Domain;
use jiff::Timestamp;
use std::time::Duration;

/// Everything a session must know beforehand. [`Config::new`] has the defaults; the fields are plain data.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our name in the greeting and in replies.
    pub hostname: Domain,
    pub protocol: Protocol,
    /// Whether the connection is encrypted from the start (port 465).
    pub tls: bool,
    /// 530 to all but EHLO, NOOP, STARTTLS, QUIT and the like until the connection is encrypted (RFC 3207 §4).
    pub require_tls: bool,
    /// SASL mechanisms offered now, in upper case; empty: no AUTH. What is offered after STARTTLS is set then,
    /// with [`super::Session::config_mut`].
    pub mechanisms: Vec<String>,
    pub extensions: Extensions,
    pub limits: Limits,
    pub timeouts: Timeouts,
    pub bare_newline: BareNewline,
    /// Ends the session of a client that sends on before it has the reply to EHLO (RFC 2920 §3.1). After
    /// STARTTLS that is never allowed.
    pub strict_pipelining: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    /// RFC 6409.
    Submission,
    /// RFC 2033: LHLO, and a reply for each recipient.
    Lmtp,
}

/// What EHLO's reply offers. PIPELINING, SIZE, 8BITMIME and ENHANCEDSTATUSCODES always are.
#[derive(Debug, Clone)]
pub struct Extensions {
    /// Only while the connection is not encrypted.
    pub starttls: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030); only with `chunking`.
    pub binarymime: bool,
    pub smtputf8: bool,
    pub dsn: bool,
    /// RFC 8689; only while the connection is encrypted.
    pub requiretls: bool,
    /// LIMITS (RFC 9422), from [`Limits`].
    pub limits: bool,
    /// RFC 2852.
    pub deliver_by: Option<DeliverByOffer>,
    /// RFC 4865; submission only.
    pub future_release: Option<FutureRelease>,
    pub mt_priority: Option<PriorityOffer>,
    /// The peer is listed as one that may speak for others.
    pub xclient: bool,
    pub xforward: bool,
}

/// DELIVERBY.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliverByOffer {
    /// The least seconds taken with mode R.
    pub minimum: Option<u32>,
}

/// FUTURERELEASE: how far off a message may be released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FutureRelease {
    /// In seconds, 1 to 999,999,999.
    pub interval: u32,
    /// The same as a time; a session has no calendar, so the driver says it.
    pub until: Timestamp,
}

impl FutureRelease {
    /// From an interval in seconds and the time now.
    pub fn new(interval: u32, now: Timestamp) -> Self {
        let interval = interval.clamp(1, MAX_SECONDS.unsigned_abs());
        let span = jiff::SignedDuration::from_secs(interval.into());
        Self { interval, until: now.saturating_add(span).unwrap_or(Timestamp::MAX) }
    }

    /// The time at which the offer was made.
    pub(super) fn made(&self) -> Timestamp {
        let span = jiff::SignedDuration::from_secs(self.interval.into());
        self.until.saturating_sub(span).unwrap_or(Timestamp::MIN)
    }
}

/// MT-PRIORITY (RFC 6710).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriorityOffer {
    /// The name of the profile, if one is followed: 1–20 letters, digits, `-`, `_` and `.`.
    pub profile: Option<String>,
}

/// How much of each a session bears.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Octets of a message; 0: no limit.
    pub message_size: u64,
    /// Octets of a command line with its CRLF (RFC 5321 §4.5.3.1.4). MAIL and RCPT may be longer by
    /// [`EXTENSION_ALLOWANCE`], XCLIENT and XFORWARD by [`XCLIENT_ALLOWANCE`].
    pub command_line: usize,
    /// Octets of a line of AUTH (RFC 4954 §4).
    pub sasl_line: usize,
    /// Octets of a line of text, if longer ones shall be refused. RFC 5321 §4.5.3.1.6 lets senders use 1000,
    /// but many use more.
    pub text_line: Option<u64>,
    /// Accepted recipients of a message; RFC 5321 §4.5.3.1.8 asks for at least 100.
    pub recipients: usize,
    /// Different domains of a message's recipients.
    pub recipient_domains: Option<usize>,
    /// Messages of a session.
    pub messages: usize,
    /// Protocol errors before the session ends with 421.
    pub errors: usize,
    /// Commands that bring no message nearer (RSET, NOOP, VRFY, …) between two messages.
    pub idle_commands: usize,
    /// The least that a sender of a message must manage.
    pub rate: Option<MinimumRate>,
}

/// At least so many octets in each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinimumRate {
    pub octets: u64,
    pub window: Duration,
}

/// How long a session waits for its peer (RFC 5321 §4.5.3.2.7: 5 minutes at least).
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// For a whole command.
    pub command: Duration,
    /// For any octets of a message.
    pub data: Duration,
}

/// What all extensions together add to MAIL and RCPT: SIZE 26 (RFC 1870 §3), BODY 17, SMTPUTF8 10, AUTH 500
/// (RFC 4954 §3), RET and ENVID 117 (RFC 3461), BY 17, HOLDUNTIL 34, MT-PRIORITY 15, REQUIRETLS 11; ORCPT 500.
pub const EXTENSION_ALLOWANCE: usize = 1024;
/// Eight attributes of some 200 octets.
pub const XCLIENT_ALLOWANCE: usize = 1536;

impl Config {
    /// The defaults for a port: port 25, submission or LMTP.
    pub fn new(hostname: Domain, protocol: Protocol) -> Self {
        Self {
            hostname,
            protocol,
            tls: false,
            require_tls: false,
            mechanisms: Vec::new(),
            extensions: Extensions::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            bare_newline: BareNewline::default(),
            strict_pipelining: true,
        }
    }
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            starttls: false,
            chunking: true,
            binarymime: true,
            smtputf8: true,
            dsn: true,
            requiretls: true,
            limits: true,
            deliver_by: None,
            future_release: None,
            mt_priority: None,
            xclient: false,
            xforward: false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 50 * 1024 * 1024,
            command_line: 512,
            sasl_line: 12_288,
            text_line: None,
            recipients: 1000,
            recipient_domains: None,
            messages: 1000,
            errors: 20,
            idle_commands: 100,
            rate: Some(MinimumRate { octets: 1024, window: Duration::from_secs(60) }),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { command: Duration::from_secs(300), data: Duration::from_secs(300) }
    }
}
