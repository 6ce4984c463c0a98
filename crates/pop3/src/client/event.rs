//! What the server said.

use bytes::Bytes;

use super::Capabilities;
use crate::ResponseCode;

/// What the server said, in the order of the commands.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The server is ready; its words.
    Greeting(String),
    /// `+OK` to a command that has no more to say; the server's words.
    Done(String),
    Capabilities(Capabilities),
    /// Do the TLS handshake, verify the certificate, then call
    /// [`Session::tls_started`](super::Session::tls_started).
    StartTls,
    /// Call [`Session::respond`](super::Session::respond) or [`Session::cancel`](super::Session::cancel).
    Challenge(Vec<u8>),
    /// PASS or AUTH succeeded.
    LoggedIn(String),
    /// STAT.
    Stat {
        count: u64,
        octets: u64,
    },
    /// A line of LIST.
    Size {
        number: u64,
        octets: u64,
    },
    /// A line of UIDL. The text is the server's: printable, at most 1 KiB.
    UniqueId {
        number: u64,
        unique_id: String,
    },
    /// A piece of the message that RETR or TOP asked for, without stuffing, with CRLF.
    Data(Bytes),
    /// LIST, UIDL, RETR or TOP is complete.
    End,
    /// `-ERR`.
    Refused {
        code: Option<ResponseCode>,
        text: String,
    },
    /// Nothing more will come.
    Closed(Reason),
}

impl Event {
    /// Whether this is the last event of the command that asked for it.
    pub fn ends_command(&self) -> bool {
        !matches!(
            self,
            Self::Greeting(_)
                | Self::Challenge(_)
                | Self::Size { .. }
                | Self::UniqueId { .. }
                | Self::Data(_)
        )
    }
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// QUIT was answered with `+OK`: deletions are done.
    Quit,
    /// QUIT was answered with `-ERR`: some messages were not removed. The `Refused` before it tells.
    QuitRefused,
    /// The greeting was `-ERR`. The `Refused` before it tells.
    Unwelcome,
    /// The server closed the connection. Nothing was removed, unless QUIT was under way: then it is not known.
    Ended,
    /// See [`RESPONSE_TIMEOUT`](super::RESPONSE_TIMEOUT).
    Timeout,
    /// The server does not speak POP3; what it said.
    NotPop3(String),
}
