//! The client's side of one connection.
//!
//! ```text
//!  Greeting ─ +OK ─▶ Status ◀──────────────────────────────────────────────┐
//!                      │ +OK to CAPA, LIST, UIDL, RETR, TOP ──▶ Text ─ . ──┤
//!                      │ +OK to STLS ──▶ StartingTls ─ tls_started ────────┤
//!                      │ "+ …" in AUTH ──▶ Challenged ─ respond, cancel ───┘
//!                      │ +OK to QUIT, the connection's end, or what is no POP3 ──▶ Closed
//! ```
//!
//! [`Session::command`] sends; the answer comes as events, of which the last is one of those that
//! [`Event::ends_command`] names. Commands may be sent before earlier ones are answered where the server allows it.

mod capabilities;
mod command;
mod event;
mod response;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use address::Secret;
use bytes::{Bytes, BytesMut};
use data_encoding::BASE64;

use self::command::Asked;
use self::response::Text;
use crate::line::{Line, Lines};
use crate::{Error, MAX_SASL};

pub use self::capabilities::{Capabilities, MAX_CAPABILITIES};
pub use self::command::Command;
pub use self::event::{Event, Reason};

/// How long the server may take to say the next thing. RFC 1939 names no time; this is the one of RFC 5321 §4.5.3.2
/// for an answer to a command.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Commands under way at once.
pub const MAX_PIPELINED: usize = 64;

/// Above this [`Session::wants_input`] is false.
pub const INPUT_LIMIT: usize = 64 * 1024;

/// A session that is given more than this, against `wants_input`, is closed.
pub const INPUT_HARD_LIMIT: usize = 256 * 1024;

/// How the connection was made, and what may cross it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    /// TLS protects the connection from its start (port 995).
    pub tls: bool,
    /// USER, PASS and AUTH are sent without TLS too. For loopback and tests.
    pub allow_clear_login: bool,
}

/// One POP3 connection, seen by the client. See the [crate's run loop](crate).
#[derive(Debug)]
pub struct Session {
    config: Config,
    phase: Phase,
    reading: Reading,
    asked: VecDeque<Asked>,
    /// The server announced PIPELINING.
    pipelining: bool,
    lines: Lines,
    output: BytesMut,
    events: VecDeque<Event>,
    deadline: Instant,
    ended: bool,
}

/// RFC 1939's states, as the server's answers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Authorization,
    Transaction,
}

#[derive(Debug)]
enum Reading {
    Greeting,
    Status,
    /// The rest of a multi-line response.
    Text(Text),
    StartingTls,
    /// The server waits for [`Session::respond`].
    Challenged,
    Closed,
}

impl Session {
    /// A session that waits for the greeting.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            config,
            phase: Phase::Authorization,
            reading: Reading::Greeting,
            asked: VecDeque::new(),
            pipelining: false,
            lines: Lines::default(),
            output: BytesMut::new(),
            events: VecDeque::new(),
            deadline: now + RESPONSE_TIMEOUT,
            ended: false,
        }
    }

    /// Whether a read from the socket would be of use now. Events not yet taken hold input back.
    pub fn wants_input(&self) -> bool {
        !self.ended
            && self.events.is_empty()
            && self.lines.len() < INPUT_LIMIT
            && !matches!(self.reading, Reading::Closed | Reading::StartingTls)
    }

    /// Sends a command.
    ///
    /// # Errors
    /// Nothing was sent: the command does not fit the state, an answer must be awaited first, a value cannot be
    /// written in a command, or a password would cross the network in the clear.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), Error> {
        let name = command.name();
        match &self.reading {
            Reading::Closed => return Err(Error::Closed),
            Reading::Status | Reading::Text(_) => {}
            _ => return Err(Error::Busy(name)),
        }
        command.check_phase(self.phase)?;
        if command.carries_password() && !(self.config.tls || self.config.allow_clear_login) {
            return Err(Error::NeedsTls(name));
        }
        if !self.asked.is_empty() && !self.may_pipeline(&command) {
            return Err(Error::Busy(name));
        }
        let asked = command.write(&mut self.output)?;
        self.asked.push_back(asked);
        self.deadline = now + RESPONSE_TIMEOUT;
        Ok(())
    }

    /// STLS, AUTH and QUIT stand alone, and PASS changes the state, so that what follows waits for its answer.
    fn may_pipeline(&self, command: &Command) -> bool {
        self.pipelining
            && self.asked.len() < MAX_PIPELINED
            && !command.stands_alone()
            && self.asked.iter().all(Asked::may_be_followed)
    }

    /// Answers [`Event::Challenge`].
    ///
    /// # Errors
    /// [`Error::Busy`] when there is no challenge, [`Error::TooLong`] past [`MAX_SASL`].
    pub fn respond(&mut self, now: Instant, response: &Secret<Vec<u8>>) -> Result<(), Error> {
        let line = BASE64.encode(response.reveal());
        if line.len() > MAX_SASL {
            return Err(Error::TooLong("AUTH"));
        }
        self.respond_line(now, line.as_bytes())
    }

    /// Gives up the exchange; the server answers with [`Event::Refused`].
    ///
    /// # Errors
    /// [`Error::Busy`] when there is no challenge.
    pub fn cancel(&mut self, now: Instant) -> Result<(), Error> {
        self.respond_line(now, b"*")
    }

    fn respond_line(&mut self, now: Instant, line: &[u8]) -> Result<(), Error> {
        if !matches!(self.reading, Reading::Challenged) {
            return Err(Error::Busy("AUTH"));
        }
        self.put_line(line);
        self.reading = Reading::Status;
        self.deadline = now + RESPONSE_TIMEOUT;
        self.run();
        Ok(())
    }

    fn put_line(&mut self, line: &[u8]) {
        self.output.extend_from_slice(line);
        self.output.extend_from_slice(b"\r\n");
    }

    /// The handshake that [`Event::StartTls`] asked for is done. What the server said before is forgotten (RFC 2595
    /// §4): ask CAPA again.
    pub fn tls_started(&mut self) {
        if matches!(self.reading, Reading::StartingTls) {
            self.config.tls = true;
            self.pipelining = false;
            self.lines.clear();
            self.reading = Reading::Status;
        }
    }

    /// Takes octets from the server, decrypted where TLS is on.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if matches!(self.reading, Reading::Closed | Reading::StartingTls) {
            return;
        }
        if self.lines.len().saturating_add(bytes.len()) > INPUT_HARD_LIMIT {
            return self.close(Reason::NotPop3("more octets than were wanted".into()));
        }
        self.deadline = now + RESPONSE_TIMEOUT;
        self.lines.push(bytes);
        self.run();
    }

    /// The server has closed the connection.
    pub fn handle_end(&mut self) {
        self.ended = true;
        self.run();
    }

    /// To be called at or after [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.close(Reason::Timeout);
        }
    }

    /// Octets for the server, until there are none.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        (!self.output.is_empty()).then(|| self.output.split().freeze())
    }

    /// What the server said.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            self.run();
        }
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] is due: while the server owes an answer.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let owes = match self.reading {
            Reading::Greeting | Reading::Text(_) => true,
            Reading::Status => !self.asked.is_empty(),
            Reading::StartingTls | Reading::Challenged | Reading::Closed => false,
        };
        owes.then_some(self.deadline)
    }

    fn close(&mut self, reason: Reason) {
        if !matches!(self.reading, Reading::Closed) {
            self.reading = Reading::Closed;
            self.output.clear();
            self.events.push_back(Event::Closed(reason));
        }
    }

    /// Goes on until an event is there or input is missing. One event at a time, so that a long response waits in
    /// the network and not here.
    fn run(&mut self) {
        while self.events.is_empty() {
            let more = match &mut self.reading {
                Reading::Text(text) => {
                    let step = text.read(&mut self.lines);
                    self.text(step)
                }
                Reading::Greeting | Reading::Status => match self.lines.next(response::MAX_LINE) {
                    Some(Line::Text(line)) => {
                        self.status(&line);
                        true
                    }
                    Some(_) => {
                        self.close(Reason::NotPop3("a line that is too long or ends with LF alone".into()));
                        true
                    }
                    None => false,
                },
                Reading::StartingTls | Reading::Challenged | Reading::Closed => false,
            };
            if !more {
                break;
            }
        }
        if self.ended && self.events.is_empty() {
            self.close(Reason::Ended);
        }
    }
}
