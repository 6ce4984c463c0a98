//! The server's side of one connection.
//!
//! ```text
//!            ┌── STLS ──▶ StartingTls ── TlsStarted ──┐
//!            │                                        ▼
//!  greeting ─┴▶ Authorization ◀───── Refused ── CheckingPassword ◀─ PASS
//!                 │  ▲    └─ AUTH ─▶ SaslDeciding ◀──▶ SaslListening   (Challenge / line)
//!                 │  │                     │ LoggedIn
//!                 │  └── Refused ────── Opening
//!                QUIT                      │ Maildrop
//!                 │                        ▼
//!                 │   LIST, UIDL ─▶ Transaction ◀─▶ Fetching ─ Message ─▶ Sending ─ end ─▶ Transaction
//!                 │   (Listing)            │ QUIT
//!                 ▼                        ▼
//!               Closing ◀── Committed ── Committing (RFC 1939's UPDATE state)
//! ```
//!
//! Every state but Committing ends without a message removed: only an answered QUIT removes.

mod authorization;
mod command;
mod config;
mod context;
mod decision;
mod state;
mod transaction;

use std::time::{Duration, Instant};

use bytes::Bytes;

use self::context::Context;
use self::state::State;
use crate::line::Lines;

pub use self::config::{Config, Expire};
pub use self::decision::{Decision, Event, Part, Reason, Refusal};

/// A session that has heard no command for this long is closed (RFC 1939 §3: at least 10 minutes).
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Commands that are unknown, malformed or out of order before the session is closed. A person who types by hand
/// makes a few; a program that makes this many speaks another protocol.
pub const MAX_ERRORS: u32 = 20;

/// Failed logins before the session is closed. Slowing and shutting out is the driver's.
pub const MAX_LOGIN_FAILURES: u32 = 5;

/// Commands before login before the session is closed: a client needs about eight.
pub const MAX_COMMANDS_BEFORE_LOGIN: u32 = 100;

/// Above this [`Session::wants_input`] is false: the longest SASL line and some pipelined commands.
pub const INPUT_LIMIT: usize = 16 * 1024;

/// A session that is given more than this, against `wants_input`, is closed.
pub const INPUT_HARD_LIMIT: usize = 128 * 1024;

/// Above this no further command is looked at and [`Session::message_flow`] is `Paused`.
pub const OUTPUT_LIMIT: usize = 64 * 1024;

/// One POP3 connection, seen by the server. See the [crate's run loop](crate).
#[derive(Debug)]
pub struct Session {
    state: State,
    context: Context,
    lines: Lines,
    deadline: Instant,
    /// The client will send nothing more.
    ended: bool,
}

/// Whether the driver should go on with the message that [`Event::Fetch`] asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFlow {
    /// No message is being sent, or nothing more of it is needed (TOP has its lines): let go of it.
    Closed,
    /// Write what `poll_transmit` gives first.
    Paused,
    /// Hand in the next piece, or its end.
    Open,
}

impl Session {
    /// A session at its start: the greeting waits in [`Self::poll_transmit`].
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            state: State::start(),
            context: Context::new(config),
            lines: Lines::default(),
            deadline: now + IDLE_TIMEOUT,
            ended: false,
        }
    }

    /// Whether a read from the socket would be of use now.
    pub fn wants_input(&self) -> bool {
        !(self.ended || self.state.is_over() || matches!(self.state, State::StartingTls))
            && self.lines.len() < INPUT_LIMIT
    }

    /// Whether TLS protects the connection.
    pub fn is_tls(&self) -> bool {
        self.context.config.tls
    }

    /// Takes octets from the client, decrypted where TLS is on.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if bytes.is_empty() || self.state.is_over() {
            return;
        }
        if matches!(self.state, State::StartingTls) {
            return self.close(Reason::InputAfterStls);
        }
        if self.lines.len().saturating_add(bytes.len()) > INPUT_HARD_LIMIT {
            return self.close(Reason::TooMuchInput);
        }
        // A command, not an octet, is a sign of life: a slow drip is not.
        if bytes.contains(&b'\n') {
            self.deadline = now + IDLE_TIMEOUT;
        }
        self.lines.push(bytes);
        self.run();
    }

    /// The client has closed its side. Complete commands that it sent before are still carried out.
    pub fn handle_end(&mut self) {
        self.ended = true;
        self.run();
    }

    /// To be called at or after [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            // RFC 1939 §3: without removing any messages or sending any response.
            self.context.output.clear();
            self.close(Reason::Idle);
        }
    }

    /// Answers the last event that asked. An answer that does not fit it is a fault of the driver: the session ends
    /// with `-ERR [SYS/PERM]` and [`Reason::WrongAnswer`].
    pub fn answer(&mut self, now: Instant, decision: Decision) {
        if self.context.event.is_some() {
            // Answered before it was asked.
            return self.close(Reason::WrongAnswer);
        }
        self.deadline = now + IDLE_TIMEOUT;
        if matches!((&self.state, &decision), (State::StartingTls, Decision::TlsStarted { .. })) {
            self.lines.clear();
        }
        self.change(|state, context| state.answer(decision, context));
        self.run();
    }

    /// Whether the message being fetched should go on.
    pub fn message_flow(&self) -> MessageFlow {
        match &self.state {
            State::Sending(_) if !self.context.has_room() => MessageFlow::Paused,
            State::Sending(_) => MessageFlow::Open,
            _ => MessageFlow::Closed,
        }
    }

    /// The next octets of the message, from its first: at most some 64 KiB at once, as they are buffered. Octets
    /// beyond what TOP asked for are passed over.
    pub fn handle_message(&mut self, now: Instant, piece: &[u8]) {
        self.deadline = now + IDLE_TIMEOUT;
        self.change(|state, context| state.message(piece, context));
        self.run();
    }

    /// The message is complete.
    pub fn finish_message(&mut self, now: Instant) {
        self.deadline = now + IDLE_TIMEOUT;
        self.change(State::finish_message);
        self.run();
    }

    /// The rest of the message cannot be had. There is no way to say so inside a response, so the connection is
    /// closed without ending it, and the client does not take the part for the whole.
    pub fn abort_message(&mut self) {
        if matches!(self.state, State::Sending(_)) {
            self.close(Reason::MessageAborted);
        }
    }

    /// Octets for the client, until there are none.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        let bytes = self.context.take_output();
        self.run();
        bytes
    }

    /// What the driver has to do next.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.context.event.take();
        if event.is_some() {
            self.run();
        }
        event
    }

    /// When [`Self::handle_timeout`] is due. `None` while the driver has a question to answer.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.state.is_parked()).then_some(self.deadline)
    }

    fn close(&mut self, reason: Reason) {
        self.change(|state, context| state.close(reason, context));
        self.run();
    }

    fn change(&mut self, step: impl FnOnce(State, &mut Context) -> State) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        self.state = step(state, &mut self.context);
    }

    /// Goes on until something is missing: input, an answer, or room for output.
    fn run(&mut self) {
        while self.context.event.is_none() && self.context.has_room() {
            match &self.state {
                State::Listing(_) => self.change(State::list),
                State::Closing(reason) => {
                    if !self.context.output.is_empty() {
                        return;
                    }
                    self.context.event = Some(Event::Closed(*reason));
                    self.state = State::Closed;
                }
                state => {
                    let Some(limit) = state.line_limit() else { return };
                    let Some(line) = self.lines.next(limit) else { return self.starve() };
                    let pipelined = !self.lines.is_empty();
                    self.change(|state, context| state.line(line, pipelined, context));
                }
            }
        }
    }

    fn starve(&mut self) {
        if self.ended {
            self.close(Reason::Ended);
        }
    }
}
