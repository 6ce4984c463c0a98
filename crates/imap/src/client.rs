//! The client's side of one connection.
//!
//! ```text
//!  Greeting ─ OK, PREAUTH ─▶ Idle ─ command ─▶ Waiting ─ tagged OK, NO, BAD ─▶ Idle
//!                              ▲                 │ "+" in AUTHENTICATE ──▶ Challenged ─ respond, cancel ─▶ Waiting
//!                              │                 │ "+" to APPEND ──▶ Sending ─ send_message ─▶ Waiting
//!                              └── tls_started ──┤ OK to STARTTLS ──▶ StartingTls
//!                                                │ OK to LOGOUT, the connection's end, or what is no IMAP ──▶ Closed
//! ```
//!
//! One command is under way at a time. Driven as the other protocols' sessions are:
//!
//! 1. write what [`poll_transmit`](Session::poll_transmit) gives, until it gives nothing;
//! 2. take what [`poll_event`](Session::poll_event) gives, and send the next [`command`](Session::command) after an event that
//!    [`ends_command`](Event::ends_command), or the greeting; go back to 1;
//! 3. wait for input, if [`wants_input`](Session::wants_input), or for the instant of [`poll_timeout`](Session::poll_timeout);
//!    hand either in; go back to 1.
//!
//! ```
//! use std::time::Instant;
//! use imap::client::{Command, Config, Event, Session, WireName};
//! use imap::response::Data;
//!
//! let now = Instant::now();
//! let mut session = Session::new(Config { tls: true, ..Config::default() }, now);
//! session.handle_input(now, b"* PREAUTH [CAPABILITY IMAP4rev1] ready\r\n");
//! assert!(matches!(session.poll_event(), Some(Event::Greeting(_))));
//! session.command(now, Command::Select { mailbox: WireName::default(), read_only: true, condstore: false }).unwrap();
//! assert_eq!(&session.poll_transmit().unwrap()[..], b"w1 EXAMINE \"INBOX\"\r\n");
//! session.handle_input(now, b"* 3 EXISTS\r\nw1 OK [READ-ONLY] done\r\n");
//! assert_eq!(session.poll_event(), Some(Event::Data(Data::Exists(3))));
//! assert!(matches!(session.poll_event(), Some(Event::Done(_))));
//! ```

mod command;
mod error;
mod event;
mod name;
mod parse;
mod read;
mod search;
#[cfg(test)]
mod tests;
mod write;

pub use command::{Command, List};
pub use error::Error;
pub use event::{Event, Reason};
pub use name::WireName;
pub use parse::Response;
pub use read::{MAX_LITERALS, MAX_RESPONSE, MAX_SECTIONS, Read, ReadError, Reader};
pub use write::MAX_STRING;

use crate::response::{Code, Data, Status, StatusKind};
use address::Secret;
use bytes::{Bytes, BytesMut};
use command::Asked;
use data_encoding::BASE64;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use write::{Literals, Writer};

/// How long the server may take to say the next thing, as a search of all texts in a large mailbox does.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Above this [`Session::wants_input`] is false.
pub const INPUT_LIMIT: usize = 64 * 1024;
/// A session that is given more than this, against `wants_input`, is closed.
pub const INPUT_HARD_LIMIT: usize = 1024 * 1024;
/// Capabilities kept; servers of all extensions have about ninety.
pub const MAX_CAPABILITIES: usize = 500;
/// Longest base64 line of a SASL exchange, as for the other protocols (RFC 4954 §4).
pub const MAX_SASL: usize = 12_288;

/// How the connection was made, and what may cross it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    /// TLS protects the connection from its start (port 993).
    pub tls: bool,
    /// LOGIN and AUTHENTICATE are sent without TLS too. For loopback and tests.
    pub allow_clear_login: bool,
    /// See [`Reader::stream_from`]. 0: all sections of FETCH that are literals are given out in pieces.
    pub stream_from: u64,
}

/// One IMAP connection, seen by the client.
#[derive(Debug)]
pub struct Session {
    config: Config,
    phase: Phase,
    state: State,
    reader: Reader,
    capabilities: Vec<String>,
    tag: u32,
    output: BytesMut,
    events: VecDeque<Event>,
    deadline: Instant,
    ended: bool,
}

/// RFC 9051 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    NotAuthenticated,
    Authenticated,
    Selected,
}

#[derive(Debug)]
enum State {
    Greeting,
    Idle,
    /// For the answer to a command, whose `rest` goes when the server says so.
    Waiting {
        asked: Asked,
        rest: VecDeque<Bytes>,
    },
    Challenged,
    /// So many octets of APPEND's message are to come from the caller.
    Sending {
        left: u64,
    },
    StartingTls,
    Closed,
}

impl Session {
    /// A session that waits for the greeting.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            config,
            phase: Phase::NotAuthenticated,
            state: State::Greeting,
            reader: Reader::new(config.stream_from),
            capabilities: Vec::new(),
            tag: 0,
            output: BytesMut::new(),
            events: VecDeque::new(),
            deadline: now + RESPONSE_TIMEOUT,
            ended: false,
        }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What the server has said that it can do, as it wrote it. Empty when it has not yet, since the greeting, TLS or login:
    /// ask [`Command::Capability`].
    pub fn capabilities(&self) -> &[String] {
        &self.capabilities
    }

    /// Whether the server has the capability, its name in any case.
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known.eq_ignore_ascii_case(capability))
    }

    /// The SASL mechanisms.
    pub fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.capabilities.iter().filter_map(|known| {
            let (auth, mechanism) = known.split_at_checked(5)?;
            auth.eq_ignore_ascii_case("AUTH=").then_some(mechanism)
        })
    }

    /// Whether names of mailboxes are UTF-8, since the server has enabled it.
    pub fn unicode(&self) -> bool {
        self.reader.unicode
    }

    /// Whether a read from the socket would be of use now. Events not yet taken hold input back.
    pub fn wants_input(&self) -> bool {
        !self.ended
            && self.events.is_empty()
            && self.reader.waiting() < INPUT_LIMIT
            && !matches!(self.state, State::Closed | State::StartingTls)
    }

    /// Sends a command.
    ///
    /// # Errors
    /// Nothing was sent: see [`Error`].
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), Error> {
        let name = command.name();
        match &self.state {
            State::Closed => return Err(Error::Closed),
            State::Idle => {}
            _ => return Err(Error::Busy(name)),
        }
        self.check(&command)?;
        let writer = Writer::new(&format!("w{}", self.tag + 1), self.literals(), self.unicode());
        let sasl_ir = self.has("SASL-IR") || self.has("IMAP4rev2");
        let mut rest = command.write(writer, sasl_ir)?;
        self.tag += 1;
        let mut asked = command.asked();
        if let (Asked::Authenticate { held_back }, Command::Authenticate { initial, .. }) =
            (&mut asked, command)
        {
            *held_back = initial.filter(|_| !sasl_ir);
        }
        if matches!(asked, Asked::Login | Asked::Authenticate { .. }) {
            // They are others after login; the answer may name them.
            self.capabilities.clear();
        }
        self.put(rest.pop_front());
        self.state = State::Waiting { asked, rest };
        self.deadline = now + RESPONSE_TIMEOUT;
        Ok(())
    }

    fn check(&self, command: &Command) -> Result<(), Error> {
        let (name, before) = (command.name(), self.phase == Phase::NotAuthenticated);
        match command {
            Command::Capability | Command::Noop | Command::Logout | Command::Id(_) => Ok(()),
            Command::StartTls if self.config.tls => Err(Error::State(name, "TLS is on")),
            Command::StartTls | Command::Login { .. } | Command::Authenticate { .. } if !before => {
                Err(Error::State(name, "it belongs before login"))
            }
            Command::StartTls => Ok(()),
            Command::Login { .. } | Command::Authenticate { .. }
                if !(self.config.tls || self.config.allow_clear_login) =>
            {
                Err(Error::NeedsTls(name))
            }
            Command::Login { .. } if self.has("LOGINDISABLED") => {
                Err(Error::State(name, "the server has disabled it; use TLS or AUTHENTICATE"))
            }
            Command::Login { .. } => Ok(()),
            Command::Authenticate { initial, .. } => {
                let len = initial.as_ref().map_or(0, |initial| BASE64.encode_len(initial.reveal().len()));
                if len > MAX_SASL { Err(Error::TooLong("initial response", MAX_SASL)) } else { Ok(()) }
            }
            _ if before => Err(Error::State(name, "log in first")),
            Command::Close
            | Command::Unselect
            | Command::Search { .. }
            | Command::Fetch { .. }
            | Command::Store { .. }
                if self.phase != Phase::Selected =>
            {
                Err(Error::State(name, "select a mailbox first"))
            }
            _ => Ok(()),
        }
    }

    fn literals(&self) -> Literals {
        if self.has("LITERAL+") {
            Literals::Plus
        } else if self.has("LITERAL-") || self.has("IMAP4rev2") {
            Literals::Minus
        } else {
            Literals::Synchronizing
        }
    }

    fn put(&mut self, octets: Option<Bytes>) {
        self.output.extend_from_slice(&octets.unwrap_or_default());
    }

    /// Answers [`Event::Challenge`].
    ///
    /// # Errors
    /// [`Error::Busy`] when there is no challenge, [`Error::TooLong`] past [`MAX_SASL`].
    pub fn respond(&mut self, now: Instant, response: &Secret<Vec<u8>>) -> Result<(), Error> {
        let line = BASE64.encode(response.reveal());
        if line.len() > MAX_SASL {
            return Err(Error::TooLong("response", MAX_SASL));
        }
        self.respond_line(now, &line)
    }

    /// Gives up the exchange; the server answers with [`Event::Refused`].
    ///
    /// # Errors
    /// [`Error::Busy`] when there is no challenge.
    pub fn cancel(&mut self, now: Instant) -> Result<(), Error> {
        self.respond_line(now, "*")
    }

    fn respond_line(&mut self, now: Instant, line: &str) -> Result<(), Error> {
        if !matches!(self.state, State::Challenged) {
            return Err(Error::Busy("AUTHENTICATE"));
        }
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.state = State::Waiting { asked: Asked::Authenticate { held_back: None }, rest: VecDeque::new() };
        self.deadline = now + RESPONSE_TIMEOUT;
        Ok(())
    }

    /// Octets of the message that [`Event::SendMessage`] asks for, in pieces; in all as many as APPEND said. Take what
    /// [`poll_transmit`](Self::poll_transmit) gives in between: here they are only held.
    ///
    /// # Errors
    /// [`Error::Busy`] when none is asked for, [`Error::TooLong`] when there are too many; none of them is sent then.
    pub fn send_message(&mut self, now: Instant, octets: &[u8]) -> Result<(), Error> {
        let State::Sending { left } = &mut self.state else { return Err(Error::Busy("APPEND")) };
        *left = left.checked_sub(octets.len() as u64).ok_or(Error::TooLong("message", 0))?;
        let done = *left == 0;
        self.output.extend_from_slice(octets);
        self.deadline = now + RESPONSE_TIMEOUT;
        if done {
            self.output.extend_from_slice(b"\r\n");
            self.state = State::Waiting { asked: Asked::Simple, rest: VecDeque::new() };
        }
        Ok(())
    }

    /// The handshake that [`Event::StartTls`] asked for is done. What the server said before is forgotten (RFC 9051 §6.2.1):
    /// ask CAPABILITY again.
    pub fn tls_started(&mut self) {
        if matches!(self.state, State::StartingTls) {
            self.config.tls = true;
            self.capabilities.clear();
            self.reader.clear();
            self.state = State::Idle;
        }
    }

    /// Takes octets from the server, decrypted where TLS is on.
    pub fn handle_input(&mut self, now: Instant, octets: &[u8]) {
        if matches!(self.state, State::Closed | State::StartingTls) {
            return;
        }
        if self.reader.waiting().saturating_add(octets.len()) > INPUT_HARD_LIMIT {
            return self.close(Reason::NotImap("more octets than were wanted".into()));
        }
        self.deadline = now + RESPONSE_TIMEOUT;
        self.reader.push(octets);
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
        matches!(self.state, State::Greeting | State::Waiting { .. }).then_some(self.deadline)
    }

    fn close(&mut self, reason: Reason) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Closed;
            self.output.clear();
            self.events.push_back(Event::Closed(reason));
        }
    }

    /// Goes on until an event is there or input is missing. One event at a time, so that a long answer waits in the network and
    /// not here.
    fn run(&mut self) {
        while self.events.is_empty() && !matches!(self.state, State::Closed | State::StartingTls) {
            match self.reader.read() {
                Ok(Some(read)) => self.on_read(read),
                Ok(None) => break,
                Err(error) => self.close(Reason::NotImap(error.to_string())),
            }
        }
        if self.ended && self.events.is_empty() {
            self.close(Reason::Ended);
        }
    }

    fn on_read(&mut self, read: Read) {
        let event = match read {
            Read::Response(response) => return self.on_response(response),
            // Not asked for, and of no message that is known (RFC 9051 §11.3).
            _ if self.phase != Phase::Selected => return,
            Read::Section { number, before, name, size } => Event::Section { number, before, name, size },
            Read::Octets(octets) => Event::Octets(octets),
            Read::SectionEnd => Event::SectionEnd,
        };
        self.events.push_back(event);
    }

    fn on_response(&mut self, response: Response) {
        match response {
            Response::Data(Data::Status(status)) if matches!(self.state, State::Greeting) => {
                self.on_greeting(status)
            }
            _ if matches!(self.state, State::Greeting) => self.close(Reason::NotImap("no greeting".into())),
            Response::Data(data) => self.on_data(data),
            Response::Listed { entry, name, lsub } => {
                if self.phase != Phase::NotAuthenticated {
                    self.events.push_back(Event::Listed { entry, name, lsub });
                }
            }
            Response::Unknown(text) => self.events.push_back(Event::NotUnderstood(text)),
            Response::Continue(text) => self.on_continue(&text),
            Response::Tagged { tag, status } => self.on_tagged(&tag, status),
        }
    }

    fn on_greeting(&mut self, status: Status) {
        self.learn(status.code.as_ref());
        match status.kind {
            StatusKind::Ok => self.state = State::Idle,
            StatusKind::PreAuth if self.config.tls || self.config.allow_clear_login => {
                (self.state, self.phase) = (State::Idle, Phase::Authenticated);
            }
            StatusKind::PreAuth => {
                self.events.push_back(Event::Greeting(status));
                return self.close(Reason::Unprotected);
            }
            // BYE, and what no server says.
            _ => {
                self.events.push_back(Event::Refused(status));
                return self.close(Reason::Ended);
            }
        }
        self.events.push_back(Event::Greeting(status));
    }

    /// Keeps what a code says of the server.
    fn learn(&mut self, code: Option<&Code>) {
        if let Some(Code::Capability(capabilities)) = code {
            self.keep_capabilities(capabilities);
        }
    }

    fn keep_capabilities(&mut self, capabilities: &[String]) {
        self.capabilities = capabilities.iter().take(MAX_CAPABILITIES).cloned().collect();
    }

    fn on_data(&mut self, data: Data) {
        match &data {
            Data::Capability(capabilities) => self.keep_capabilities(capabilities),
            Data::Status(status) => self.learn(status.code.as_ref()),
            Data::Id(_) => {}
            // RFC 9051 §11.3.
            _ if self.phase == Phase::NotAuthenticated => return,
            Data::Enabled(words) => {
                let unicode = |word: &String| {
                    ["UTF8=ACCEPT", "IMAP4rev2"].iter().any(|one| one.eq_ignore_ascii_case(word))
                };
                self.reader.unicode |= words.iter().any(unicode);
            }
            Data::Exists(_)
            | Data::Recent(_)
            | Data::Expunge(_)
            | Data::Flags(_)
            | Data::Fetch { .. }
            | Data::Vanished { .. }
                if self.phase != Phase::Selected
                    && !matches!(self.state, State::Waiting { asked: Asked::Select, .. }) =>
            {
                return;
            }
            _ => {}
        }
        self.events.push_back(Event::Data(data));
    }

    fn on_continue(&mut self, text: &[u8]) {
        let State::Waiting { asked, rest } = &mut self.state else { return };
        if let Some(next) = rest.pop_front() {
            return self.put(Some(next));
        }
        match asked {
            Asked::Append { size } => {
                let size = *size;
                self.state = State::Sending { left: size };
                if size > 0 {
                    return self.events.push_back(Event::SendMessage);
                }
                self.output.extend_from_slice(b"\r\n");
                self.state = State::Waiting { asked: Asked::Simple, rest: VecDeque::new() };
            }
            Asked::Authenticate { held_back } => {
                let challenge = BASE64.decode(text.trim_ascii());
                match (held_back.take(), challenge) {
                    (Some(initial), Ok(challenge)) if challenge.is_empty() => {
                        let line = BASE64.encode(initial.reveal());
                        self.output.extend_from_slice(line.as_bytes());
                        self.output.extend_from_slice(b"\r\n");
                    }
                    (_, Ok(challenge)) => {
                        self.state = State::Challenged;
                        self.events.push_back(Event::Challenge(challenge));
                    }
                    (_, Err(_)) => self.output.extend_from_slice(b"*\r\n"),
                }
            }
            // Not asked for; some servers say so in other places too.
            _ => {}
        }
    }

    fn on_tagged(&mut self, tag: &str, status: Status) {
        if tag != format!("w{}", self.tag) {
            return self
                .close(Reason::NotImap(format!("the answer to a command that was not sent: {tag:?}")));
        }
        self.learn(status.code.as_ref());
        let ok = status.kind == StatusKind::Ok;
        let asked = match std::mem::replace(&mut self.state, State::Idle) {
            State::Waiting { asked, .. } => asked,
            // The exchange, or the message, is broken off; of the message the server would take what is still sent as commands.
            State::Challenged => Asked::Simple,
            State::Sending { .. } => {
                self.events.push_back(Event::Refused(status));
                return self.close(Reason::NotImap("an answer in the middle of a message".into()));
            }
            other => {
                self.state = other;
                return self.close(Reason::NotImap("the answer to no command".into()));
            }
        };
        match asked {
            Asked::StartTls if ok => {
                self.state = State::StartingTls;
                self.reader.clear();
                return self.events.push_back(Event::StartTls);
            }
            Asked::Login | Asked::Authenticate { .. } if ok => self.phase = Phase::Authenticated,
            // Also when it fails none is selected any more (RFC 9051 §6.3.2).
            Asked::Select => self.phase = if ok { Phase::Selected } else { Phase::Authenticated },
            Asked::Unselect if ok => self.phase = Phase::Authenticated,
            _ => {}
        }
        self.events.push_back(if ok { Event::Done(status) } else { Event::Refused(status) });
        if ok && matches!(asked, Asked::Logout) {
            self.close(Reason::LoggedOut);
        }
    }
}
