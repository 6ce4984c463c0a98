//! What the server said.

use super::WireName;
use crate::response::{ContentName, Data, FetchData, ListEntry, Status};
use bytes::Bytes;

/// What the server said, in its order. A command is over with [`Done`](Self::Done), [`Refused`](Self::Refused),
/// [`StartTls`](Self::StartTls) or [`Closed`](Self::Closed).
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The server is ready. [`StatusKind::PreAuth`](crate::response::StatusKind::PreAuth): nobody need log in.
    Greeting(Status),
    /// Do the TLS handshake, verify the certificate, then call [`Session::tls_started`](super::Session::tls_started).
    StartTls,
    /// Call [`Session::respond`](super::Session::respond) or [`Session::cancel`](super::Session::cancel).
    Challenge(Vec<u8>),
    /// The server takes the message of APPEND: give it to [`Session::send_message`](super::Session::send_message).
    SendMessage,
    /// LIST and LSUB.
    Listed {
        entry: ListEntry,
        name: WireName,
        lsub: bool,
    },
    /// Anything else that is untagged, asked for or not.
    Data(Data),
    /// A section of a FETCH comes in pieces: [`Octets`](Self::Octets), then [`SectionEnd`](Self::SectionEnd). `before` is what
    /// came before it; all items but those in pieces come again, and with what is behind them, as
    /// [`Data::Fetch`](crate::response::Data::Fetch) after them.
    Section {
        number: u32,
        before: Vec<FetchData>,
        name: ContentName,
        size: u64,
    },
    Octets(Bytes),
    SectionEnd,
    /// An untagged response that is not known, or not as it should be: it was passed over. Safe to show.
    NotUnderstood(String),
    /// OK.
    Done(Status),
    /// NO, or BAD.
    Refused(Status),
    /// Nothing more will come.
    Closed(Reason),
}

impl Event {
    /// Whether this is the last event of the command that asked for it.
    pub fn ends_command(&self) -> bool {
        matches!(self, Self::StartTls | Self::Done(_) | Self::Refused(_) | Self::Closed(_))
    }
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// After LOGOUT.
    LoggedOut,
    /// The server closed the connection; its BYE, if there was one, is among the events before.
    Ended,
    /// See [`RESPONSE_TIMEOUT`](super::RESPONSE_TIMEOUT).
    Timeout,
    /// The greeting was PREAUTH though TLS is asked for, which can then not be started (RFC 9051 §7.1.4).
    Unprotected,
    /// The server breaks a bound or does not speak IMAP: what it said, or what was wrong. Safe to show.
    NotImap(String),
}
