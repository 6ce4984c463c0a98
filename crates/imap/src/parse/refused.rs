//! Why a command was not understood, in words for whoever wrote the client.

use super::cursor::Cursor;
use crate::command::Tag;
use crate::response::{Code, Status, StatusKind};

/// A command that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// `None`: it has none, so the answer has none either.
    pub tag: Option<Tag>,
    /// `UID FETCH`; empty when it was not read as far as that.
    pub verb: String,
    pub problem: Problem,
    /// A search that was to save its result: answered NO, it leaves an empty one (RFC 5182 §2.1).
    pub saves: bool,
}

/// What is wrong with it. Octets are counted from 1, from the tag's first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// `found` is what stands there, shortened; never of a password.
    #[error("expected {expected} at octet {at}, found {found}")]
    Expected { expected: &'static str, at: usize, found: String },
    /// Well-formed, but without meaning.
    #[error("{0}")]
    Senseless(&'static str),
    #[error("the line is empty")]
    Empty,
    #[error("a command begins with a tag of at most 64 characters and a space")]
    Tag,
    #[error("unknown command {0}")]
    Unknown(String),
    /// Allowed by the grammar, more than we hold.
    #[error("at most {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
    /// RFC 9051 §7.1, BADCHARSET.
    #[error("charset {0} is not known here")]
    Charset(String),
    /// RFC 5465 §5, BADEVENT.
    #[error("event {0} is not known here")]
    Event(String),
    #[error("the line is too long")]
    LineTooLong,
    #[error("a line ends with CR and LF, this one with LF alone")]
    BareLf,
    #[error("no literal may stand here")]
    LiteralMisplaced,
    #[error("literal is too long: at most {0} octets in a command")]
    LiteralTooLong(usize),
    /// RFC 7888 §5.
    #[error("a literal without waiting for + has at most 4096 octets")]
    LiteralNotSynchronized,
}

/// Charsets to name in BADCHARSET: others are known, these are enough for everybody.
const CHARSETS: [&str; 2] = ["UTF-8", "US-ASCII"];
/// RFC 5465 §8, event-name: each [`NotifyEvent`](crate::command::NotifyEvent), as BADEVENT names them.
const EVENTS: [&str; 7] = [
    "MessageNew",
    "MessageExpunge",
    "FlagChange",
    "MailboxName",
    "SubscriptionChange",
    "MailboxMetadataChange",
    "ServerMetadataChange",
];

impl Refused {
    /// Of a command, or of its beginning.
    pub(crate) fn of(octets: &[u8], problem: Problem) -> Self {
        let mut cursor = Cursor::new(octets, false);
        let tag = cursor.tag().ok();
        let verb = tag.as_ref().map(|_| super::verb(&mut cursor)).unwrap_or_default();
        let saves = super::saves(&verb, &mut cursor);
        Self { tag, verb, problem, saves }
    }

    /// The answer: BAD, or NO where the command was right and cannot be had here.
    pub fn status(&self) -> Status {
        let text = match (self.verb.as_str(), &self.problem) {
            ("", problem) | (_, problem @ Problem::Unknown(_)) => problem.to_string(),
            (verb, problem) => format!("{verb}: {problem}"),
        };
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (kind, code) = match self.problem {
            Problem::Charset(_) => (StatusKind::No, Some(Code::BadCharset(list(&CHARSETS)))),
            Problem::Event(_) => (StatusKind::No, Some(Code::BadEvent(list(&EVENTS)))),
            Problem::TooMany { .. } => (StatusKind::No, Some(Code::Limit)),
            // RFC 5464 §4.3.
            Problem::LiteralTooLong(limit) if self.verb == "SETMETADATA" => {
                (StatusKind::No, Some(Code::MetadataMaxSize(limit as u64)))
            }
            Problem::LiteralNotSynchronized | Problem::LiteralTooLong(_) => {
                (StatusKind::Bad, Some(Code::TooBig))
            }
            _ => (StatusKind::Bad, None),
        };
        Status { kind, code, text }
    }
}
