//! What a session tells its driver, and what the driver answers.

use super::body::BodyFacts;
use crate::command::{Attribute, Auth, Bdat, Hello, Mail, Rcpt};
use crate::reply::Reply;
use address::Secret;
use bytes::Bytes;

/// Something happened. Those marked *asks* park the session until [`super::Session::answer`].
#[derive(Debug)]
pub enum Event {
    /// *Asks.* The first event: shall the client be greeted?
    Connect,
    /// *Asks.* HELO, EHLO or LHLO.
    Hello(Hello),
    /// *Asks.* After `Accept` the driver sends what is to be sent, does the handshake and calls
    /// [`super::Session::tls_started`].
    StartTls,
    /// *Asks.* AUTH: answered with [`Decision::Challenge`], `Accept` (authenticated) or `Refuse`.
    Auth(Auth),
    /// *Asks.* The response to a challenge, decoded. Answered as [`Event::Auth`].
    AuthResponse(Secret<Vec<u8>>),
    /// The exchange ended without result: cancelled, or the response could not be read. (AUTH is over too
    /// when [`Event::Closed`] comes.)
    AuthEnded,
    /// *Asks.* MAIL, its parameters offered and within the limits.
    Mail(Mail),
    /// *Asks.*
    Rcpt(Rcpt),
    /// *Asks.* DATA, or the first BDAT of a message: may the message come?
    Data(Transfer),
    /// A piece of the message: dots taken off, lines ended by CRLF (but `BODY=BINARYMIME`, which is as it is).
    Body(Bytes),
    /// *Asks.* The message is complete. A positive answer is a promise to deliver it.
    EndOfMessage(BodyFacts),
    /// The transaction is over without its message: forget what came since MAIL. (A message that is found
    /// wanting is read to its end first; no piece of it comes any more.)
    Aborted(Abort),
    /// *Asks.* After `Accept` the session is as new: greeted again, no EHLO, not authenticated.
    Xclient(Vec<Attribute>),
    /// *Asks.*
    Xforward(Vec<Attribute>),
    /// The last event. A transaction that was open is over. Send what is to be sent and close the connection.
    Closed(Closed),
}

/// How a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    Data,
    /// With the first chunk's announcement.
    Bdat(Bdat),
}

/// Why a transaction is over. The reply is, or will be, the session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// RSET, HELO, EHLO or LHLO, or LMTP's BDAT LAST for nobody, which has no reply (RFC 2033 §4.3).
    Reset,
    /// DATA amid BDAT, or a BDAT that cannot be read.
    Sequence,
    /// Larger than [`super::Limits::message_size`].
    TooLarge,
    /// A CR or LF stood alone, and [`super::BareNewline::Reject`].
    BareNewline,
    /// A line longer than [`super::Limits::text_line`].
    LongLine,
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// QUIT.
    Quit,
    /// The peer closed the connection; nothing can be sent.
    Disconnected,
    /// The driver decided so.
    Decision,
    /// [`super::Session::shut_down`].
    Shutdown,
    /// The peer was silent for too long.
    Timeout,
    /// The peer sent a message too slowly.
    Slow,
    /// Too many errors, commands or messages, or too much to throw away.
    Limit,
    /// The peer sent on where it had to wait for a reply, or lost count of octets.
    Synchronization,
}

/// The answer to an event that asks.
#[derive(Debug)]
pub enum Decision {
    /// Yes, in our usual words.
    Accept,
    /// Yes, in these words, which are 2xx (DATA: 354); a reply that is not counts as [`Decision::Refuse`].
    AcceptWith(Reply),
    /// No, or not now: 4xx or 5xx. Another code is a mistake, and 451 is said instead.
    Refuse(Reply),
    /// This and no more: the connection is closed. Usually 421.
    Close(Reply),
    /// AUTH: the client is asked this, not yet encoded.
    Challenge(Vec<u8>),
    /// [`Event::EndOfMessage`] with LMTP: a reply for each accepted recipient, in their order.
    Recipients(Vec<Reply>),
}
