//! What can be wrong with what a caller asks of a client's session.

use thiserror::Error;

/// Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{0} cannot be sent now; wait for the answer to the command before it")]
    Busy(&'static str),
    #[error("{0} cannot be sent in this state; {1}")]
    State(&'static str, &'static str),
    /// A password would have crossed the network in the clear.
    #[error("{0} would send the password unencrypted; use TLS, or allow it explicitly")]
    NeedsTls(&'static str),
    /// A value, which may be secret and so is not shown.
    #[error("the {0} holds a character that an IMAP command cannot carry")]
    Character(&'static str),
    #[error("the {0} is longer than {1} octets")]
    TooLong(&'static str, usize),
    #[error("{0} has nothing to name")]
    Nothing(&'static str),
    #[error("the connection is closed")]
    Closed,
}
