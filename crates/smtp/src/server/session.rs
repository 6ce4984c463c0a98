//! The run loop's face: what goes in, what comes out.

use super::clock::{Clock, Expired};
use super::config::{Config, EXTENSION_ALLOWANCE, Limits, XCLIENT_ALLOWANCE};
use super::event::{Closed, Event};
use super::line::{LineFault, LineReader};
use super::state::{Question, State};
use super::words;
use crate::command::{Command, Mode};
use crate::reply::Reply;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::time::Instant;

/// From so many octets of unread input on a session wants no more. It holds at most this and what was given
/// to it last: the driver's size of a read.
pub const MAX_INPUT: usize = 64 * 1024;
/// From so many octets of untaken replies on, no further command is carried out: a peer that does not read
/// gets nothing to read.
pub const MAX_OUTPUT: usize = 64 * 1024;

/// One connection, seen from the server. See [the module](super) for the run loop.
///
/// - In: [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout),
///   [`handle_disconnect`](Self::handle_disconnect), [`answer`](Self::answer),
///   [`tls_started`](Self::tls_started), [`shut_down`](Self::shut_down).
/// - Out: [`poll_event`](Self::poll_event), [`poll_transmit`](Self::poll_transmit),
///   [`poll_timeout`](Self::poll_timeout).
/// - Seen: [`wants_input`](Self::wants_input), [`is_closed`](Self::is_closed), [`is_tls`](Self::is_tls),
///   [`is_authenticated`](Self::is_authenticated), [`talked_early`](Self::talked_early).
#[derive(Debug)]
pub struct Session {
    pub(super) config: Config,
    pub(super) state: State,
    pub(super) input: BytesMut,
    pub(super) lines: LineReader,
    pub(super) output: BytesMut,
    pub(super) events: VecDeque<Event>,
    pub(super) clock: Clock,
    pub(super) begun: Instant,
    pub(super) tls: bool,
    pub(super) authenticated: bool,
    pub(super) counts: Counts,
    early: bool,
    shutdown: bool,
    closed: bool,
}

/// What the limits count.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) errors: usize,
    pub(super) idle_commands: usize,
    pub(super) messages: usize,
    /// So many commands that follow a refused MAIL in a pipeline are no errors: the client could not know.
    pub(super) forgiven: usize,
}

impl Session {
    /// A connection was opened; the first event is [`Event::Connect`].
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            clock: Clock::new(now, config.timeouts.clone()),
            begun: now,
            tls: config.tls,
            config,
            state: State::Waiting(Question::Connect),
            input: BytesMut::new(),
            lines: LineReader::default(),
            output: BytesMut::new(),
            events: VecDeque::from([Event::Connect]),
            authenticated: false,
            counts: Counts::default(),
            early: false,
            shutdown: false,
            closed: false,
        }
    }

    /// Octets came from the peer. Call it while [`Session::wants_input`]; whoever gives more all the same ends
    /// the session. What comes between STARTTLS's reply and [`Session::tls_started`] is thrown away.
    pub fn handle_input(&mut self, now: Instant, octets: &[u8]) {
        self.clock.input(now, octets.len());
        match self.state {
            _ if self.closed => return,
            State::Handshake => return,
            State::Waiting(Question::Connect) => self.early |= !octets.is_empty(),
            _ => {}
        }
        if self.input.len() >= MAX_INPUT && !octets.is_empty() {
            return self.close(&Reply::new(421, (4, 7, 0), "too much input at once"), Closed::Limit);
        }
        self.input.extend_from_slice(octets);
    }

    /// The time of [`Session::poll_timeout`] has come; called early it does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none() {
            return;
        }
        match self.clock.expired(now) {
            Some(Expired::Silent) => {
                self.close(&Reply::new(421, (4, 4, 2), "timeout, closing the connection"), Closed::Timeout);
            }
            Some(Expired::Slow) => {
                self.close(&Reply::new(421, (4, 4, 2), "the message comes too slowly"), Closed::Slow);
            }
            None => {}
        }
    }

    /// The peer closed the connection. A message that is not complete is lost.
    pub fn handle_disconnect(&mut self) {
        self.end(Closed::Disconnected);
    }

    /// TLS is up: the dialogue begins anew (RFC 3207 §4.2). Set what is offered now with
    /// [`Session::config_mut`].
    pub fn tls_started(&mut self, now: Instant) {
        if matches!(self.state, State::Handshake) {
            self.clock = Clock::new(now, self.config.timeouts.clone());
            self.tls = true;
            self.authenticated = false;
            self.restart();
            self.state = State::Fresh;
        }
    }

    /// The server stops: a message whose octets are coming is still taken, then 421 is said.
    pub fn shut_down(&mut self) {
        self.shutdown = true;
    }

    /// What comes next. `None`: everything is said for now; when an event before asked, it wants its answer.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.output.len() >= MAX_OUTPUT || !self.step() {
                if self.input.is_empty() {
                    // An idle connection holds no buffer.
                    self.input = BytesMut::new();
                }
                return None;
            }
        }
    }

    /// All replies that are to be sent now. Afterwards poll for events again.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        (!self.output.is_empty()).then(|| std::mem::take(&mut self.output).freeze())
    }

    /// When to call [`Session::handle_timeout`]. `None` while the driver is asked or does the handshake.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            _ if self.closed => None,
            State::Waiting(_) | State::Handshake => None,
            _ => Some(self.clock.next()),
        }
    }

    /// Whether the driver should go on reading.
    pub fn wants_input(&self) -> bool {
        self.input.len() < MAX_INPUT && !self.closed && !matches!(self.state, State::Handshake)
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Whether the peer spoke before it was greeted. To know it, keep [`Event::Connect`] unanswered a while.
    pub fn talked_early(&self) -> bool {
        self.early
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Changes what is offered, from the next EHLO on: after STARTTLS or XCLIENT, say.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }
}

/// The steps. Each returns whether there was anything to do.
impl Session {
    fn step(&mut self) -> bool {
        match &self.state {
            _ if self.closed => false,
            // `Closed` without `closed` is only a handler's place-holder.
            State::Waiting(_) | State::Handshake | State::Closed => false,
            State::Data(_) | State::Chunk { .. } | State::Skip { .. } => self.receive(),
            State::Sasl(_) => self.sasl_line(),
            State::Unwelcome
            | State::Fresh
            | State::Ready(_)
            | State::Mailing(_)
            | State::BetweenChunks(_) => self.command_line(),
        }
    }

    fn command_line(&mut self) -> bool {
        if self.shutdown {
            self.close(
                &Reply::new(421, (4, 3, 2), "the server is stopping, come back later"),
                Closed::Shutdown,
            );
            return true;
        }
        let limits = &self.config.limits;
        let Some(line) = self.lines.next(&mut self.input, |line| longest(limits, line)) else { return false };
        self.clock.command();
        match line {
            Ok(line) => self.command(&line),
            Err(LineFault::TooLong) => self.refuse(&words::line_too_long()),
            Err(LineFault::BareNewline) => self.refuse(&words::bare_newline()),
            Err(LineFault::Flood) => self.close(&words::line_too_long(), Closed::Limit),
        }
        true
    }

    fn command(&mut self, line: &[u8]) {
        let mode = match &self.state {
            State::Mailing(transaction) if transaction.mail.parameters.smtputf8 => Mode::Utf8,
            _ => Mode::Ascii,
        };
        match Command::parse(line, mode) {
            Ok(command) => self.carry_out(command),
            Err(error) => {
                self.refuse(&error.reply());
                // What follows such a BDAT is data, and nobody knows how much.
                if line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT")) {
                    self.close(&Reply::new(421, (4, 5, 2), "lost count of octets"), Closed::Synchronization);
                }
            }
        }
    }

    /// A response to a challenge (RFC 4954 §4).
    fn sasl_line(&mut self) -> bool {
        let limit = self.config.limits.sasl_line;
        let Some(line) = self.lines.next(&mut self.input, |_| limit) else { return false };
        self.clock.command();
        let State::Sasl(hello) = self.take_state() else { return false };
        let reply = match line.as_deref() {
            Ok(b"*") => Reply::new(501, (5, 0, 0), "authentication cancelled"),
            Ok(response) => match crate::command::decode_response(response) {
                Ok(response) => {
                    self.ask(Question::Auth(hello), Event::AuthResponse(response));
                    return true;
                }
                Err(error) => error.reply(),
            },
            Err(LineFault::TooLong) => Reply::new(500, (5, 5, 6), "the response is too long"),
            Err(LineFault::BareNewline) => words::bare_newline(),
            Err(LineFault::Flood) => {
                self.close(&words::line_too_long(), Closed::Limit);
                return true;
            }
        };
        self.state = State::Ready(hello);
        self.events.push_back(Event::AuthEnded);
        self.refuse(&reply);
        true
    }
}

/// What the steps are made of.
impl Session {
    /// The state, to be replaced by the next one.
    pub(super) fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Closed)
    }

    pub(super) fn ask(&mut self, question: Question, event: Event) {
        self.state = State::Waiting(question);
        self.events.push_back(event);
    }

    pub(super) fn say(&mut self, reply: &Reply) {
        self.output.extend_from_slice(&reply.encode(false));
    }

    /// Says what the peer did wrong; too many of that and the session ends.
    pub(super) fn refuse(&mut self, reply: &Reply) {
        self.say(reply);
        self.counts.errors += 1;
        if self.counts.errors >= self.config.limits.errors {
            self.close(&Reply::new(421, (4, 7, 0), "too many errors"), Closed::Limit);
        }
    }

    /// Refuses RCPT, DATA or BDAT for want of a transaction.
    pub(super) fn refuse_follower(&mut self, reply: &Reply) {
        match self.counts.forgiven.checked_sub(1) {
            Some(left) => {
                self.counts.forgiven = left;
                self.say(reply);
            }
            None => self.refuse(reply),
        }
    }

    pub(super) fn close(&mut self, reply: &Reply, reason: Closed) {
        if !self.is_closed() {
            self.say(reply);
        }
        self.end(reason);
    }

    pub(super) fn end(&mut self, reason: Closed) {
        if !std::mem::replace(&mut self.closed, true) {
            self.events.push_back(Event::Closed(reason));
        }
        self.state = State::Closed;
        self.input = BytesMut::new();
    }

    /// Nothing is kept of what was read and not carried out.
    pub(super) fn restart(&mut self) {
        self.input = BytesMut::new();
        self.lines = LineReader::default();
    }
}

/// The most octets of a line that begins like this, with its CRLF.
fn longest(limits: &Limits, line: &[u8]) -> usize {
    let verb = line.split(|octet| matches!(octet, b' ' | b'\t')).next().unwrap_or_default();
    let is = |name: &str| verb.eq_ignore_ascii_case(name.as_bytes());
    match verb {
        _ if is("AUTH") => limits.sasl_line,
        _ if is("MAIL") || is("RCPT") => limits.command_line + EXTENSION_ALLOWANCE,
        _ if is("XCLIENT") || is("XFORWARD") => limits.command_line + XCLIENT_ALLOWANCE,
        _ => limits.command_line,
    }
}
