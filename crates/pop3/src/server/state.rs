//! The states, and what moves a session from one to the next.

use super::authorization::{self, Login};
use super::command::Command;
use super::context::Context;
use super::decision::{Decision, Event, Reason};
use super::transaction::{Listing, Maildrop, Sending};
use crate::line::Line;
use crate::{MAX_COMMAND, MAX_SASL, ResponseCode};

/// See the diagram of the [module](super). Parked states wait for the driver.
#[derive(Debug)]
pub(super) enum State {
    Authorization(Login),
    /// Parked.
    StartingTls,
    /// Parked.
    CheckingPassword,
    /// Parked.
    SaslDeciding,
    SaslListening,
    /// Parked.
    Opening,
    Transaction(Maildrop),
    Listing(Listing),
    /// Parked.
    Fetching(Sending),
    Sending(Sending),
    /// Parked. RFC 1939's UPDATE.
    Committing,
    /// Output is on its way; then the session is over.
    Closing(Reason),
    Closed,
}

impl State {
    pub(super) fn start() -> Self {
        Self::Authorization(Login::Anonymous)
    }

    pub(super) fn is_parked(&self) -> bool {
        matches!(
            self,
            Self::StartingTls
                | Self::CheckingPassword
                | Self::SaslDeciding
                | Self::Opening
                | Self::Fetching(_)
                | Self::Committing
                | Self::Closed
        )
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Closing(_) | Self::Closed)
    }

    /// How long a line may be now, with its CRLF; `None` when none is wanted.
    pub(super) fn line_limit(&self) -> Option<usize> {
        match self {
            Self::Authorization(_) | Self::Transaction(_) => Some(MAX_COMMAND),
            Self::SaslListening => Some(MAX_SASL + 2),
            _ => None,
        }
    }

    /// Takes a line, which [`Self::line_limit`] asked for. `pipelined`: more input is already there.
    pub(super) fn line(self, line: Line, pipelined: bool, context: &mut Context) -> Self {
        let text = match line {
            Line::Text(text) => text,
            Line::BareLf => return context.close(Reason::BareLf),
            Line::TooLong => return context.bad("the line is too long", self.without_exchange()),
        };
        if let Self::SaslListening = self {
            return authorization::sasl_line(&text, context);
        }
        match (self, Command::parse(&text)) {
            (Self::Authorization(_), _) if !context.count_command() => context.close(Reason::TooManyCommands),
            (state, Err(fault)) => context.bad(fault, state),
            (Self::Authorization(login), Ok(command)) => login.command(command, pipelined, context),
            (Self::Transaction(maildrop), Ok(command)) => maildrop.command(command, context),
            (other, Ok(_)) => other,
        }
    }

    /// A line that cannot be read ends a SASL exchange (RFC 5034 §4); elsewhere it changes nothing.
    fn without_exchange(self) -> Self {
        if let Self::SaslListening = self { Self::start() } else { self }
    }

    pub(super) fn answer(self, decision: Decision, context: &mut Context) -> Self {
        match (self, decision) {
            (Self::StartingTls, Decision::TlsStarted { mechanisms }) => {
                context.config.tls = true;
                context.config.mechanisms = mechanisms;
                Self::start()
            }
            (Self::CheckingPassword | Self::SaslDeciding, Decision::LoggedIn) => {
                context.ask(Event::OpenMaildrop, Self::Opening)
            }
            (Self::SaslDeciding, Decision::Challenge(challenge)) => {
                authorization::challenge(&challenge, context)
            }
            (Self::CheckingPassword | Self::SaslDeciding, Decision::Refused(refusal)) => {
                context.refuse_login(refusal)
            }
            (Self::Opening, Decision::Maildrop(messages)) => Maildrop::open(messages, context),
            (Self::Opening, Decision::Refused(refusal)) => context.refuse_login(refusal),
            (Self::Fetching(sending), Decision::Message) => sending.begin(context),
            (Self::Fetching(sending), Decision::Refused(refusal)) => sending.refuse(refusal, context),
            (Self::Committing, Decision::Committed { all }) => farewell(all, context),
            (state @ (Self::Closing(_) | Self::Closed), _) => state,
            (state, _) => state.close(Reason::WrongAnswer, context),
        }
    }

    /// Ends the session from any state. In the middle of a response, or of TLS, there is no room for a last word.
    pub(super) fn close(self, reason: Reason, context: &mut Context) -> Self {
        context.event = None;
        match self {
            Self::Sending(_) | Self::Listing(_) | Self::StartingTls => Self::Closing(reason),
            state @ (Self::Closing(_) | Self::Closed) if reason != Reason::Idle => state,
            _ => context.close(reason),
        }
    }

    /// The next step of a listing.
    pub(super) fn list(self, context: &mut Context) -> Self {
        match self {
            Self::Listing(listing) => listing.step(context),
            other => other,
        }
    }

    pub(super) fn message(self, piece: &[u8], context: &mut Context) -> Self {
        match self {
            Self::Sending(sending) => sending.push(piece, context),
            other => other,
        }
    }

    pub(super) fn finish_message(self, context: &mut Context) -> Self {
        match self {
            Self::Sending(sending) => sending.finish(context),
            other => other,
        }
    }
}

/// The end of the UPDATE state (RFC 1939 §6).
fn farewell(all: bool, context: &mut Context) -> State {
    if all {
        return authorization::quit(context);
    }
    context.err(Some(ResponseCode::SysTemp), "some deleted messages not removed");
    State::Closing(Reason::Quit)
}
