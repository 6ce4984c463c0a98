//! What a session asks of its driver, and what the driver answers.

use address::Secret;

use crate::{Message, ResponseCode};

/// What the driver has to do. All but `Closed` park the session until [`Session::answer`](super::Session::answer).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// `+OK` is in `poll_transmit`: write it, do the TLS handshake, answer [`Decision::TlsStarted`]; if the
    /// handshake fails, close.
    StartTls,
    /// USER and PASS. Both may hold any Unicode and want SASLprep (RFC 6856 §2.2). Answer [`Decision::LoggedIn`] or
    /// [`Decision::Refused`].
    Login { user: String, password: Secret<String> },
    /// AUTH with an offered mechanism, in upper case: begin an exchange, forgetting one that may have been
    /// cancelled. Answer [`Decision::Challenge`] (empty, if the mechanism needs an initial response and there is none),
    /// [`Decision::LoggedIn`] or [`Decision::Refused`].
    Auth { mechanism: String, initial: Option<Secret<Vec<u8>>> },
    /// The client's response to the last challenge, decoded. Answer as for `Auth`.
    AuthResponse(Secret<Vec<u8>>),
    /// Lock and list the maildrop of the user who has just logged in. Answer [`Decision::Maildrop`] or
    /// [`Decision::Refused`].
    OpenMaildrop,
    /// Find the message, `index` counting from 0 in the list of [`Decision::Maildrop`]. Without `utf8` the client
    /// cannot read internationalized headers (RFC 6856 §2.1): send a surrogate, or refuse with
    /// [`Refusal::NeedsUtf8`]. Answer [`Decision::Message`], then feed it, or [`Decision::Refused`].
    Fetch { index: usize, part: Part, utf8: bool },
    /// QUIT: remove these messages, by index in the list of [`Decision::Maildrop`] and ascending, and release the
    /// maildrop. Comes also when there are none. Answer [`Decision::Committed`].
    Commit { deleted: Vec<usize> },
    /// All is written: close the connection and let the maildrop go. Unless a `Commit` came before, nothing is
    /// removed.
    Closed(Reason),
}

/// How much of a message the client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// The header and so many lines of the body (TOP).
    Top(u64),
}

/// The driver's answer to an [`Event`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// The handshake is done; these mechanisms are offered from now on.
    TlsStarted { mechanisms: Vec<String> },
    /// The mechanism's next challenge, not encoded. What a mechanism says along with success is sent so too, and an
    /// empty response awaited: `+OK` carries no data (RFC 5034 §4).
    Challenge(Vec<u8>),
    /// The credentials are good. `OpenMaildrop` follows.
    LoggedIn,
    /// The maildrop is locked and holds these, oldest first.
    Maildrop(Vec<Message>),
    /// The message is there and will be fed.
    Message,
    /// The deletions are durable, or some of them could not be made.
    Committed { all: bool },
    /// No, and why. Fits every event but `StartTls` and `Commit`.
    Refused(Refusal),
}

/// Why not. Each has one fixed reply, so that it tells nothing about the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Unknown user, wrong password, disabled account, policy: all the same to the client.
    Credentials,
    /// The client's messages do not follow the SASL mechanism.
    Malformed,
    /// Another session holds the maildrop.
    InUse,
    /// Logged in too recently.
    LoginDelay,
    /// The message needs UTF-8 mode.
    NeedsUtf8,
    /// The message has vanished since the maildrop was listed.
    Gone,
    /// A fault here that may pass.
    Temporary,
    /// A fault here that needs the administrator.
    Permanent,
}

impl Refusal {
    /// The one place where refusals become replies.
    pub(super) fn reply(self) -> (Option<ResponseCode>, &'static str) {
        match self {
            Self::Credentials => (Some(ResponseCode::Auth), "wrong name or password"),
            Self::Malformed => (None, "that does not follow the authentication mechanism"),
            Self::InUse => {
                (Some(ResponseCode::InUse), "another session has the maildrop open; try again later")
            }
            Self::LoginDelay => {
                (Some(ResponseCode::LoginDelay), "you logged in a moment ago; try again later")
            }
            Self::NeedsUtf8 => (
                Some(ResponseCode::Utf8),
                "the message has internationalized headers; send UTF8 before login",
            ),
            Self::Gone => (None, "the message has been removed by another session"),
            Self::Temporary => (Some(ResponseCode::SysTemp), "trouble on the server; try again later"),
            Self::Permanent => (Some(ResponseCode::SysPerm), "trouble on the server; tell its administrator"),
        }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The client said QUIT and was answered.
    Quit,
    /// The client closed the connection without QUIT.
    Ended,
    /// See [`IDLE_TIMEOUT`](super::IDLE_TIMEOUT).
    Idle,
    /// See [`MAX_ERRORS`](super::MAX_ERRORS).
    TooManyErrors,
    /// See [`MAX_LOGIN_FAILURES`](super::MAX_LOGIN_FAILURES).
    TooManyLogins,
    /// See [`MAX_COMMANDS_BEFORE_LOGIN`](super::MAX_COMMANDS_BEFORE_LOGIN).
    TooManyCommands,
    /// A line ended with LF alone. What follows could be meant as text or as a command; neither is guessed.
    BareLf,
    /// Plain text came after STLS: a broken client, or somebody between.
    InputAfterStls,
    /// See [`INPUT_HARD_LIMIT`](super::INPUT_HARD_LIMIT).
    TooMuchInput,
    /// [`Session::abort_message`](super::Session::abort_message).
    MessageAborted,
    /// The driver's answer did not fit the event: a bug.
    WrongAnswer,
}
