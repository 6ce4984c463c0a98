//! The states, and what each knows.

use super::event::Reason;
use crate::command::Tag;
use crate::response::Status;

/// Who the client is to the server (RFC 9051 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    NotAuthenticated,
    Authenticated,
    Selected(Selected),
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotAuthenticated => "not authenticated",
            Self::Authenticated => "authenticated",
            Self::Selected(_) => "selected",
        }
    }
}

/// See the diagram of the [module](super). Parked states wait for the driver.
#[derive(Debug)]
pub(super) enum State {
    /// Between commands, or while one comes.
    Ready,
    /// Parked.
    StartingTls,
    /// Parked.
    CheckingPassword(Tag),
    /// Parked.
    SaslDeciding(Tag),
    SaslListening(Tag),
    /// Parked: a command is carried out.
    Working(Tag),
    Idling(Tag),
    /// Parked: IDLE ends. With a status that the client is told instead of the driver's.
    IdleEnding(Tag, Option<Box<Status>>),
    /// Parked: may the message come?
    Asking(Incoming),
    /// The message comes, or what follows it in its command.
    Appending(Incoming),
    /// A message was refused, and its command is not over. The tagged answer waits for that.
    Refusing(Box<Status>),
    /// Parked.
    Compressing(Tag),
    /// Parked.
    Unauthenticating(Tag),
    /// Output is on its way; then the session is over.
    Closing(Reason),
    Closed,
}

/// A message of APPEND or REPLACE.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming {
    /// Which of its command, from 1.
    pub(super) number: u32,
    /// May hold NUL.
    pub(super) binary: bool,
    /// The client waits for `+`.
    pub(super) synchronizing: bool,
}

/// The mailbox that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// By EXAMINE, or for want of rights.
    pub read_only: bool,
}

impl State {
    pub(super) fn is_parked(&self) -> bool {
        matches!(
            self,
            Self::StartingTls
                | Self::CheckingPassword(_)
                | Self::SaslDeciding(_)
                | Self::Working(_)
                | Self::IdleEnding(..)
                | Self::Asking(_)
                | Self::Compressing(_)
                | Self::Unauthenticating(_)
                | Self::Closed
        )
    }

    /// Nothing of the client's may come now that is meant for what comes next.
    pub(super) fn is_changing_layer(&self) -> bool {
        matches!(self, Self::StartingTls | Self::Compressing(_))
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Closing(_) | Self::Closed)
    }
}
