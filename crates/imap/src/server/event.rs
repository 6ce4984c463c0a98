//! What a session asks of its driver, and what the driver answers.

use address::Secret;
use bytes::Bytes;

use crate::command::{AppendMessage, AppendTarget, Command};
use crate::response::{Code, Status};

/// What the driver has to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The tagged OK is in `poll_transmit`: write it, do the TLS handshake, [answer](super::Session::answer)
    /// [`Decision::TlsStarted`]; if the handshake fails, close.
    StartTls,
    /// LOGIN. Answer [`Decision::LoggedIn`] or [`Decision::Refused`].
    Login { user: String, password: Secret<String> },
    /// AUTHENTICATE with an offered mechanism, in upper case: begin an exchange, forgetting one that may have been
    /// cancelled. Answer [`Decision::Challenge`] (empty, if the mechanism needs an initial response and there is
    /// none), [`Decision::LoggedIn`] or [`Decision::Refused`].
    Auth { mechanism: String, initial: Option<Secret<Vec<u8>>> },
    /// The client's response to the last challenge, decoded. Answer as for `Auth`.
    AuthResponse(Secret<Vec<u8>>),
    /// A command that the session does not answer by itself and that is allowed in the state. Tell
    /// [data](super::Session::data), then [finish](super::Session::finish). Two change the connection:
    ///
    /// - `CompressDeflate` (RFC 4978): finish with OK, write what `poll_transmit` gives, and compress both ways from
    ///   there on, before anything else is read;
    /// - `Unauthenticate` (RFC 8437): forget who is logged in, the mailbox, NOTIFY and the saved search result, then
    ///   finish with OK.
    Command(Command),
    /// The client has made itself aware of CONDSTORE while a mailbox is selected: tell it
    /// `* OK [HIGHESTMODSEQ n]` (RFC 7162 §3.1). Asks for nothing else; the command itself follows, unless it was
    /// ENABLE, which is answered.
    CondstoreEnabled,
    /// A message of APPEND or REPLACE is to come. Answer [`Decision::Take`] or [`Decision::Refuse`].
    Message { target: AppendTarget, message: AppendMessage },
    /// The message's next octets; together as many as [`AppendMessage::size`]. While one is not polled the client is
    /// not read.
    MessageData(Bytes),
    /// The message is complete. Another `Message` follows, or [`Event::Command`] with the whole APPEND or REPLACE, or
    /// `MessageAborted`.
    MessageEnd,
    /// The command turned out bad and has been refused: forget all messages of it. Nothing is to be finished.
    MessageAborted,
    /// A search that was to save its result was answered NO, as it was read: the saved result is empty now (RFC 5182
    /// §2.1). Nothing is to be finished.
    SearchRefused,
    /// IDLE has begun and is answered: tell [data](super::Session::data) as it comes, until `IdleEnd`.
    Idle,
    /// The client is done: tell what is new and [finish](super::Session::finish).
    IdleEnd,
    /// All is written: close the connection and let everything go.
    Closed(Reason),
}

/// The driver's answer to an [`Event`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// The handshake is done; these mechanisms are offered from now on.
    TlsStarted { mechanisms: Vec<String> },
    /// The mechanism's next challenge, not encoded. What a mechanism says along with success is sent so too, and an
    /// empty response awaited.
    Challenge(Vec<u8>),
    /// The credentials are good.
    LoggedIn,
    /// No, and why.
    Refused(Refusal),
    /// The message may come.
    Take,
    /// It may not: this is the tagged answer to the whole command (`NO`, with TRYCREATE, OVERQUOTA, TOOBIG …). Messages
    /// before it in the same command are forgotten.
    Refuse(Status),
}

/// Why a login failed. Each has one fixed answer, so that it tells nothing about the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Unknown user, wrong password, disabled account: all the same to the client.
    Credentials,
    /// The client's messages do not follow the SASL mechanism.
    Malformed,
    /// The user may not act for whom it asked, or not here.
    Unauthorized,
    /// Too many connections or commands of this user.
    Limit,
    /// A fault here that may pass.
    Temporary,
    /// A fault here that needs the administrator.
    Permanent,
}

impl Refusal {
    /// The one place where refusals become answers (RFC 5530, RFC 9051 §6.2.2).
    pub(super) fn status(self) -> Status {
        match self {
            Self::Credentials => Status::no(Code::AuthenticationFailed, "wrong name or password"),
            Self::Malformed => Status::bad("that does not follow the authentication mechanism"),
            Self::Unauthorized => Status::no(Code::AuthorizationFailed, "you may not log in here"),
            Self::Limit => Status::no(Code::Limit, "too many connections; try again later"),
            Self::Temporary => Status::no(Code::Unavailable, "trouble on the server; try again later"),
            Self::Permanent => {
                Status::no(Code::ContactAdmin, "trouble on the server; tell its administrator")
            }
        }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The client said LOGOUT and was answered.
    Logout,
    /// The client closed the connection without LOGOUT.
    Ended,
    /// See [`IDLE_TIMEOUT`](super::IDLE_TIMEOUT) and [`LOGIN_TIMEOUT`](super::LOGIN_TIMEOUT).
    Idle,
    /// See [`MAX_ERRORS`](super::MAX_ERRORS).
    TooManyErrors,
    /// See [`MAX_LOGIN_FAILURES`](super::MAX_LOGIN_FAILURES).
    TooManyLogins,
    /// See [`MAX_COMMANDS_BEFORE_LOGIN`](super::MAX_COMMANDS_BEFORE_LOGIN).
    TooManyCommands,
    /// Plain text came after STARTTLS, or uncompressed text after COMPRESS: a broken client, or somebody between.
    InputBehind,
    /// See [`INPUT_HARD_LIMIT`](super::INPUT_HARD_LIMIT).
    TooMuchInput,
    /// Where the client's next command begins could not be told: an endless line, a refused literal that was too long
    /// to be skipped, a literal's size that cannot be read.
    OutOfStep,
    /// [`Session::bye`](super::Session::bye).
    Bye,
    /// [`Session::abort`](super::Session::abort).
    Aborted,
    /// The driver did what did not fit: a bug.
    WrongAnswer,
}
