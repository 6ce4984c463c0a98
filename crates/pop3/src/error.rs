//! What can be wrong with what a caller asks of this crate. A peer's faults are replies and events, not errors.

use thiserror::Error;

/// Why a value or a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// RFC 1939 §7 (UIDL).
    #[error("unique-id {0:?} is not 1 to 70 characters between ! and ~")]
    UniqueId(String),
    /// A value, which may be secret and so is not shown, cannot stand in a command (RFC 2449 §3).
    #[error("the {0} holds a character that a POP3 command cannot carry; use AUTH, or change it")]
    Character(&'static str),
    /// RFC 2449 §4.
    #[error("the {0} command is longer than 255 octets; use AUTH for long names and passwords")]
    TooLong(&'static str),
    /// The command does not fit what the session is doing.
    #[error("{0} cannot be sent now; wait for the answer to the command before it")]
    Busy(&'static str),
    /// The command needs a maildrop, or must come before one is open.
    #[error("{0} cannot be sent in this state; {1}")]
    State(&'static str, &'static str),
    /// A password would have crossed the network in the clear.
    #[error("{0} would send the password unencrypted; use TLS, or allow it explicitly")]
    NeedsTls(&'static str),
    #[error("the connection is closed")]
    Closed,
}
