//! What a session tells its driver.

use super::{Outcome, ReplyError, Stage};
use crate::Reply;

/// See the run loop in [the module's doc](super).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The peer's greeting; EHLO follows by itself.
    Greeting(Reply),
    /// The reply that ended `after`, and it is the driver's turn: STARTTLS, AUTH, XCLIENT, a transaction, QUIT.
    Ready { after: Stage, reply: Reply },
    /// STARTTLS, AUTH, XCLIENT or XFORWARD was refused, and it is the driver's turn: to go on without it, or not.
    Refused { at: Stage, reply: Reply },
    /// Begin the TLS handshake, then call [`Session::tls_started`](super::Session::tls_started).
    StartTls,
    /// A SASL challenge, decoded: answer with [`Session::auth_response`](super::Session::auth_response) or
    /// [`Session::auth_cancel`](super::Session::auth_cancel).
    Challenge(Vec<u8>),
    /// A piece of the body is wanted, of at most `remaining` octets (64 KiB is a good size):
    /// [`Session::provide_body`](super::Session::provide_body).
    WantBody { remaining: u64 },
    /// The transaction is over; unless [`Ended`](Event::Ended) follows it is the driver's turn.
    Outcome(Outcome),
    /// [`Config::stop_after`](super::Config::stop_after) was reached. Only raw lines and QUIT can follow.
    Stopped(Stage),
    /// A reply to a raw line.
    Reply(Reply),
    /// A line left (trace only): commands without their secrets, and the body's lines.
    Sent(String),
    /// A line came (trace only).
    Received(String),
    /// The last event: close the connection, after the last of [`Session::poll_transmit`](super::Session::poll_transmit).
    Ended(Ended),
}

impl Event {
    /// Whether the driver is to go on with a call. Such an event is void once the session has ended; what was done, or
    /// said, up to then is not: the fate of a message, and that AUTH was refused.
    pub(super) fn asks(&self) -> bool {
        match self {
            Self::Ready { .. } | Self::StartTls | Self::Challenge(_) | Self::WantBody { .. } => true,
            Self::Refused { at, .. } => *at != Stage::Auth,
            Self::Greeting(_) | Self::Outcome(_) | Self::Stopped(_) | Self::Reply(_) => false,
            Self::Sent(_) | Self::Received(_) | Self::Ended(_) => false,
        }
    }
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// QUIT was sent, and answered or not.
    #[error("the session was closed with QUIT")]
    Quit,
    /// The peer will not talk to us, or refused what cannot be refused.
    #[error("the server refused {at}: {reply}")]
    Refused { at: Stage, reply: Reply },
    /// 421 (RFC 5321 §3.8): the peer closes the connection.
    #[error("the server is closing the connection: {0}")]
    Shutdown(Reply),
    #[error("the server did not answer {0} in time")]
    Timeout(Stage),
    #[error("the connection was lost while waiting for {0}")]
    Lost(Stage),
    #[error("the server does not speak SMTP: {0}")]
    Malformed(#[from] ReplyError),
    /// Nobody knows any more which reply answers which command.
    #[error("the server sent a reply that answers nothing: {0}")]
    OutOfTurn(Reply),
    /// RFC 3207 §5, CVE-2011-0411: what came unencrypted would be taken for what came over TLS.
    #[error("the server, or somebody in between, sent more after its reply to STARTTLS and before TLS")]
    PlaintextAfterStartTls,
    /// [`Session::abort`](super::Session::abort).
    #[error("the session was given up")]
    Aborted,
}

/// A call at the wrong moment or with an impossible argument: a bug of the driver, and nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    #[error("{0} cannot be called now")]
    NotNow(&'static str),
    #[error("the server did not offer {0}")]
    NotOffered(Stage),
    #[error("{0:?} cannot stand in a command")]
    Text(String),
    #[error("a transaction needs a recipient")]
    NoRecipient,
    #[error("a piece of {0} octets is empty or more than what remains of the body")]
    Piece(usize),
}

/// Why [`Session::send`](super::Session::send) sent nothing. The session is as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Unsendable(#[from] super::Unsendable),
    /// MAILMAX (RFC 9422): another connection is needed.
    #[error("the server takes no more transactions in this session")]
    UsedUp,
    #[error(transparent)]
    Misuse(#[from] Misuse),
}
