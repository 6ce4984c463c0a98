//! The machine.
//!
//! ```text
//!  Greeting ─▶ Hello ─▶ Ready ◀─┬─▶ StartTls ─▶ Handshake ─▶ Hello
//!     │                         ├─▶ Xclient ─▶ Hello     Xforward, Auth ─▶ Ready
//!     │                         ├─▶ Sending ─▶ Ready
//!     ▼                         ▼        │
//!    Raw ◀── stop_after, raw_line ◀──────┘        quit: Quit ─▶ Ended; any: Ended
//! ```

use super::auth::{Exchange, Step, is_mechanism};
use super::output::Output;
use super::parser::{MAX_CHALLENGE_LINE, MAX_LINE};
use super::sending::Sending;
use super::{
    Capabilities, Config, Ended, Event, Misuse, Protocol, ReplyParser, SendError, Stage, Transaction,
};
use crate::Reply;
use crate::command::{Attribute, Command, Hello, HelloVerb};
use address::Secret;
use bytes::Bytes;
use std::collections::{HashSet, VecDeque};
use std::time::Instant;

/// A piece of the body is asked for only while less than this waits to be sent: one piece on its way while
/// the next is fetched.
const LOW_WATER: usize = 32 * 1024;

/// One connection to one server. The [module's doc](super) has the run loop.
///
/// - Getters: [`capabilities`](Self::capabilities), [`is_tls`](Self::is_tls),
///   [`is_authenticated`](Self::is_authenticated), [`is_ready`](Self::is_ready), [`is_used_up`](Self::is_used_up).
/// - From below: [`handle_input`](Self::handle_input), [`handle_closed`](Self::handle_closed),
///   [`handle_timeout`](Self::handle_timeout).
/// - Commands: [`starttls`](Self::starttls), [`tls_started`](Self::tls_started), [`xclient`](Self::xclient),
///   [`xforward`](Self::xforward), [`auth`](Self::auth), [`send`](Self::send),
///   [`provide_body`](Self::provide_body), [`raw_line`](Self::raw_line), [`raw_starttls`](Self::raw_starttls),
///   [`quit`](Self::quit), [`abort`](Self::abort).
/// - To be polled: [`poll_event`](Self::poll_event), [`poll_transmit`](Self::poll_transmit),
///   [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Session {
    config: Config,
    state: State,
    input: ReplyParser,
    output: Output,
    events: VecDeque<Event>,
    deadline: Option<Instant>,
    capabilities: Capabilities,
    tls: bool,
    authenticated: bool,
    /// The peer may still have a transaction open: RSET before the next.
    open: bool,
    /// MAIL commands so far (MAILMAX counts refused ones, too).
    mails: u32,
    /// Recipient domains so far, if RCPTDOMAINMAX bounds them.
    domains: HashSet<String>,
}

#[derive(Debug)]
enum State {
    Greeting,
    Hello(HelloVerb),
    Ready,
    /// `typed`: by a person, who goes on typing after it.
    StartTls {
        typed: bool,
    },
    Handshake {
        typed: bool,
    },
    Xclient,
    Xforward,
    Auth(Exchange),
    Sending(Box<Sending>),
    /// A person types.
    Raw,
    Quit,
    Ended,
}

/// Getters.
impl Session {
    /// What the peer offers, from its latest reply to EHLO; nothing before that.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Whether it is the driver's turn.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    /// Whether MAILMAX transactions were sent: only QUIT is left (RFC 9422 §4.1).
    pub fn is_used_up(&self) -> bool {
        self.capabilities.limits.transactions.is_some_and(|limit| self.mails >= limit)
    }
}

/// From below.
impl Session {
    /// A session on a connection that was just made.
    pub fn new(config: Config, now: Instant) -> Self {
        let mut session = Self {
            state: State::Greeting,
            input: ReplyParser::default(),
            output: Output::new(config.trace),
            events: VecDeque::new(),
            deadline: None,
            capabilities: Capabilities::default(),
            tls: config.tls,
            authenticated: false,
            open: false,
            mails: 0,
            domains: HashSet::new(),
            config,
        };
        session.arm(now);
        session
    }

    /// Octets came from the peer.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if matches!(self.state, State::Ended) || bytes.is_empty() {
            return;
        }
        if matches!(self.state, State::Handshake { .. }) {
            return self.end(Ended::PlaintextAfterStartTls);
        }
        self.input.push(bytes);
        while !matches!(self.state, State::Ended | State::Handshake { .. }) {
            match self.next_reply() {
                Ok(Some(reply)) => self.on_reply(now, reply),
                Ok(None) => return,
                Err(error) => return self.end(error.into()),
            }
        }
    }

    fn next_reply(&mut self) -> Result<Option<Reply>, super::ReplyError> {
        let max_line = if matches!(self.state, State::Auth(_)) { MAX_CHALLENGE_LINE } else { MAX_LINE };
        let (events, trace) = (&mut self.events, self.config.trace);
        self.input.next(max_line, |line| {
            if trace {
                events.push_back(Event::Received(line.to_owned()));
            }
        })
    }

    /// The connection is closed, by the peer or by an error.
    pub fn handle_closed(&mut self, _now: Instant) {
        match self.state {
            State::Ended => {}
            State::Quit => self.end(Ended::Quit),
            _ => self.end(Ended::Lost(self.stage())),
        }
    }

    /// The instant that [`poll_timeout`](Self::poll_timeout) named has come. Calls before it do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.end(Ended::Timeout(self.stage()));
        }
    }
}

/// To be polled.
impl Session {
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        match &mut self.state {
            State::Sending(sending) if self.output.len() < LOW_WATER => {
                sending.ask_body().map(|remaining| Event::WantBody { remaining })
            }
            _ => None,
        }
    }

    /// Octets for the peer.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.output.next()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. `None` while it is the driver's turn: how long an
    /// idle connection is kept is its decision (a server may close it after five minutes, RFC 5321 §4.5.3.2.7).
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

/// Commands.
impl Session {
    /// Asks for TLS (RFC 3207). [`Event::StartTls`] or [`Event::Refused`] follows.
    pub fn starttls(&mut self, now: Instant) -> Result<(), Misuse> {
        self.must_be_ready("starttls")?;
        if self.tls {
            return Err(Misuse::NotNow("starttls"));
        }
        if !self.capabilities.starttls {
            return Err(Misuse::NotOffered(Stage::StartTls));
        }
        self.issue(now, "STARTTLS", State::StartTls { typed: false });
        Ok(())
    }

    /// The handshake after [`Event::StartTls`] is done: from now on all octets go through TLS. What was
    /// known of the peer is forgotten (RFC 3207 §4.2), and EHLO sent again, unless a person types.
    pub fn tls_started(&mut self, now: Instant) -> Result<(), Misuse> {
        let State::Handshake { typed } = self.state else { return Err(Misuse::NotNow("tls_started")) };
        self.tls = true;
        self.input.clear();
        if typed {
            self.forget();
            self.state = State::Raw;
        } else {
            self.hello(now);
        }
        Ok(())
    }

    /// Says who the client behind us is, to a server that believes us. Attributes it does not take are left
    /// out. The session begins anew: [`Event::Ready`] after EHLO, or [`Event::Refused`], follows.
    pub fn xclient(&mut self, now: Instant, attributes: &[Attribute]) -> Result<(), Misuse> {
        self.must_be_ready("xclient")?;
        let taken = self.capabilities.xclient.as_ref().ok_or(Misuse::NotOffered(Stage::Xclient))?;
        let line = to_line(&Command::Xclient(offered(attributes, taken)));
        self.issue(now, &line, State::Xclient);
        Ok(())
    }

    /// Says, for the log of the server, where the next message comes from. [`Event::Ready`] or
    /// [`Event::Refused`] follows.
    pub fn xforward(&mut self, now: Instant, attributes: &[Attribute]) -> Result<(), Misuse> {
        self.must_be_ready("xforward")?;
        let taken = self.capabilities.xforward.as_ref().ok_or(Misuse::NotOffered(Stage::Xforward))?;
        let line = to_line(&Command::Xforward(offered(attributes, taken)));
        self.issue(now, &line, State::Xforward);
        Ok(())
    }

    /// Begins a SASL exchange (RFC 4954). `initial` is the initial response; one too long for the AUTH line
    /// is sent after an empty challenge. [`Event::Challenge`], then [`Event::Ready`] or [`Event::Refused`]
    /// follow. Whether `mechanism` is safe without TLS is the driver's decision.
    pub fn auth(
        &mut self,
        now: Instant,
        mechanism: &str,
        initial: Option<Secret<Vec<u8>>>,
    ) -> Result<(), Misuse> {
        self.must_be_ready("auth")?;
        if self.authenticated {
            return Err(Misuse::NotNow("auth"));
        }
        if !is_mechanism(mechanism) {
            return Err(Misuse::Text(mechanism.to_owned()));
        }
        self.state = State::Auth(Exchange::begin(mechanism, initial, &mut self.output));
        self.sent(now);
        Ok(())
    }

    /// Answers [`Event::Challenge`].
    pub fn auth_response(&mut self, now: Instant, response: &Secret<Vec<u8>>) -> Result<(), Misuse> {
        let exchange = challenged(&mut self.state, "auth_response")?;
        exchange.send(response, &mut self.output);
        self.sent(now);
        Ok(())
    }

    /// Gives the exchange up after [`Event::Challenge`]; [`Event::Refused`] follows.
    pub fn auth_cancel(&mut self, now: Instant) -> Result<(), Misuse> {
        let exchange = challenged(&mut self.state, "auth_cancel")?;
        exchange.cancel(&mut self.output);
        self.sent(now);
        Ok(())
    }

    /// Sends a message. [`Event::WantBody`]s, then [`Event::Outcome`] follow.
    ///
    /// # Errors
    /// What the message needs and the peer lacks; then nothing was said, and another can be sent.
    pub fn send(&mut self, now: Instant, transaction: Transaction) -> Result<(), SendError> {
        self.must_be_ready("send")?;
        if transaction.recipients.is_empty() {
            return Err(Misuse::NoRecipient.into());
        }
        if self.is_used_up() {
            return Err(SendError::UsedUp);
        }
        transaction.check(&self.capabilities, self.tls)?;
        let sending =
            Sending::new(transaction, &self.config, &self.capabilities, self.open, &mut self.domains);
        if !sending.is_done() {
            self.mails = self.mails.saturating_add(1);
        }
        self.go_on(now, Box::new(sending));
        Ok(())
    }

    /// Answers [`Event::WantBody`] with the next piece; what is no longer wanted is ignored.
    pub fn provide_body(&mut self, now: Instant, piece: &[u8]) -> Result<(), Misuse> {
        let State::Sending(sending) = &mut self.state else { return Ok(()) };
        if !sending.send_body(piece, &mut self.output) {
            return Err(Misuse::Piece(piece.len()));
        }
        self.sent(now);
        Ok(())
    }

    /// Sends a line that a person typed. From now on the session only passes on lines and replies.
    pub fn raw_line(&mut self, _now: Instant, line: &str) -> Result<(), Misuse> {
        if !matches!(self.state, State::Ready | State::Raw) {
            return Err(Misuse::NotNow("raw_line"));
        }
        if line.contains(['\r', '\n']) {
            return Err(Misuse::Text(line.to_owned()));
        }
        self.state = State::Raw;
        self.deadline = None;
        self.output.line(line);
        self.show_sent();
        Ok(())
    }

    /// Asks for TLS because a person typed so, when all that was typed before is answered. [`Event::StartTls`] or, if
    /// it is refused, [`Event::Reply`] follows; after both the person goes on typing.
    pub fn raw_starttls(&mut self, now: Instant) -> Result<(), Misuse> {
        if self.tls || !matches!(self.state, State::Ready | State::Raw) {
            return Err(Misuse::NotNow("raw_starttls"));
        }
        self.issue(now, "STARTTLS", State::StartTls { typed: true });
        Ok(())
    }

    /// Takes leave; [`Event::Ended`] follows.
    pub fn quit(&mut self, now: Instant) -> Result<(), Misuse> {
        if !matches!(self.state, State::Ready | State::Raw) {
            return Err(Misuse::NotNow("quit"));
        }
        self.issue(now, "QUIT", State::Quit);
        Ok(())
    }

    /// Gives the session up at once, in the middle of anything (the body cannot be read, the program stops).
    pub fn abort(&mut self) {
        if !matches!(self.state, State::Ended) {
            self.end(Ended::Aborted);
        }
    }

    fn must_be_ready(&self, what: &'static str) -> Result<(), Misuse> {
        if self.is_ready() { Ok(()) } else { Err(Misuse::NotNow(what)) }
    }
}

/// What replies do.
impl Session {
    fn on_reply(&mut self, now: Instant, reply: Reply) {
        if reply.code() == 421 && !self.takes_421() {
            return self.end(Ended::Shutdown(reply));
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Greeting => self.on_greeting(now, reply),
            State::Hello(verb) => self.on_hello(now, verb, reply),
            State::StartTls { typed } => self.on_starttls(now, typed, reply),
            // As after the greeting (XCLIENT_README).
            State::Xclient if reply.is_positive() => self.hello(now),
            State::Xclient => self.ready(now, Stage::Xclient, reply),
            State::Xforward => self.ready(now, Stage::Xforward, reply),
            State::Auth(exchange) => self.on_auth(now, exchange, reply),
            State::Sending(sending) => self.on_sending(now, sending, reply),
            State::Raw => {
                self.state = State::Raw;
                self.events.push_back(Event::Reply(reply));
            }
            State::Quit => self.end(Ended::Quit),
            state @ (State::Ready | State::Handshake { .. } | State::Ended) => {
                self.state = state;
                self.end(Ended::OutOfTurn(reply));
            }
        }
    }

    /// Whether a 421 is a reply like others now: to a person, or to the end of data, whose fate it decides.
    fn takes_421(&self) -> bool {
        match &self.state {
            State::Raw | State::StartTls { typed: true } | State::Quit => true,
            State::Sending(sending) => sending.awaits_end(),
            _ => false,
        }
    }

    fn on_greeting(&mut self, now: Instant, reply: Reply) {
        if !reply.is_positive() {
            return self.refuse(Stage::Connect, reply);
        }
        self.events.push_back(Event::Greeting(reply));
        if self.config.stop_after == Some(Stage::Connect) {
            return self.stop(Stage::Connect);
        }
        self.hello(now);
    }

    /// EHLO or LHLO: what was known of the peer is forgotten.
    fn hello(&mut self, now: Instant) {
        self.forget();
        let verb = match self.config.protocol {
            Protocol::Smtp => HelloVerb::Ehlo,
            Protocol::Lmtp => HelloVerb::Lhlo,
        };
        self.hello_with(now, verb);
    }

    fn forget(&mut self) {
        self.capabilities = Capabilities::default();
        self.authenticated = false;
        self.open = false;
    }

    fn hello_with(&mut self, now: Instant, verb: HelloVerb) {
        let line = to_line(&Command::Hello(Hello { verb, name: self.config.helo.clone() }));
        self.issue(now, &line, State::Hello(verb));
    }

    fn on_hello(&mut self, now: Instant, verb: HelloVerb, reply: Reply) {
        match verb {
            // RFC 5321 §3.2: a server that does not know EHLO gets HELO.
            HelloVerb::Ehlo if reply.is_permanent() => self.hello_with(now, HelloVerb::Helo),
            _ if !reply.is_positive() => self.refuse(Stage::Hello, reply),
            HelloVerb::Helo => self.ready(now, Stage::Hello, reply),
            HelloVerb::Ehlo | HelloVerb::Lhlo => {
                self.capabilities = Capabilities::parse(&reply);
                self.ready(now, Stage::Hello, reply);
            }
        }
    }

    fn on_starttls(&mut self, now: Instant, typed: bool, reply: Reply) {
        if !reply.is_positive() {
            if !typed {
                return self.ready(now, Stage::StartTls, reply);
            }
            self.state = State::Raw;
            self.deadline = None;
            return self.events.push_back(Event::Reply(reply));
        }
        if !self.input.is_empty() {
            return self.end(Ended::PlaintextAfterStartTls);
        }
        self.state = State::Handshake { typed };
        self.deadline = None;
        self.events.push_back(Event::StartTls);
    }

    fn on_auth(&mut self, now: Instant, mut exchange: Exchange, reply: Reply) {
        if exchange.is_challenged() {
            return self.end(Ended::OutOfTurn(reply));
        }
        if !reply.is_intermediate() {
            self.authenticated = reply.is_positive();
            return self.ready(now, Stage::Auth, reply);
        }
        match exchange.on_challenge(&reply, &mut self.output) {
            Step::OutOfTurn => return self.end(Ended::OutOfTurn(reply)),
            Step::Answered => {}
            Step::Challenge(challenge) => self.events.push_back(Event::Challenge(challenge)),
        }
        self.state = State::Auth(exchange);
        self.sent(now);
    }

    fn on_sending(&mut self, now: Instant, mut sending: Box<Sending>, reply: Reply) {
        let shutdown = (reply.code() == 421).then(|| Ended::Shutdown(reply.clone()));
        let ended = sending.on_reply(reply, &mut self.output).err().or(shutdown);
        match ended {
            None => self.go_on(now, sending),
            Some(ended) => {
                self.state = State::Sending(sending);
                self.end(ended);
            }
        }
    }

    /// Sends what the transaction may send now, or ends it.
    fn go_on(&mut self, now: Instant, mut sending: Box<Sending>) {
        if !sending.is_done() {
            sending.pump(&mut self.output);
        }
        if sending.is_done() {
            self.open = sending.is_open();
            self.state = State::Ready;
            self.deadline = None;
            self.show_sent();
            return self.events.push_back(Event::Outcome(sending.into_outcome(None, true)));
        }
        if sending.is_stopped() {
            return self.stop(self.config.stop_after.unwrap_or(Stage::Mail));
        }
        self.state = State::Sending(sending);
        self.sent(now);
    }

    /// The driver's turn.
    fn ready(&mut self, now: Instant, at: Stage, reply: Reply) {
        if reply.is_intermediate() {
            return self.end(Ended::OutOfTurn(reply));
        }
        let positive = reply.is_positive();
        self.state = State::Ready;
        self.arm(now);
        self.events.push_back(match positive {
            true => Event::Ready { after: at, reply },
            false => Event::Refused { at, reply },
        });
    }

    fn stop(&mut self, at: Stage) {
        self.state = State::Raw;
        self.deadline = None;
        self.show_sent();
        self.events.push_back(Event::Stopped(at));
    }

    /// The session cannot go on; RFC 5321 §3.1 asks for QUIT all the same.
    fn refuse(&mut self, at: Stage, reply: Reply) {
        self.output.line("QUIT");
        self.show_sent();
        self.finish(Ended::Refused { at, reply });
    }

    /// Ends the session in the middle: what was not taken yet is not sent.
    fn end(&mut self, ended: Ended) {
        let all_taken = self.output.len() == 0;
        self.show_sent();
        self.output.clear();
        if let State::Sending(sending) = std::mem::replace(&mut self.state, State::Ended) {
            self.events.push_back(Event::Outcome(sending.into_outcome(Some(ended.clone()), all_taken)));
        }
        self.finish(ended);
    }

    fn finish(&mut self, ended: Ended) {
        self.state = State::Ended;
        self.deadline = None;
        self.input.clear();
        // What came in the same read as the fault: an answer to it could only be a misuse.
        self.events.retain(|event| !event.asks());
        self.events.push_back(Event::Ended(ended));
    }

    fn issue(&mut self, now: Instant, line: &str, state: State) {
        self.output.line(line);
        self.state = state;
        self.sent(now);
    }

    /// Something was, perhaps, sent: shows it, and winds the clock.
    fn sent(&mut self, now: Instant) {
        self.show_sent();
        self.arm(now);
    }

    fn show_sent(&mut self) {
        self.events.extend(self.output.take_shown().into_iter().map(Event::Sent));
    }

    /// Each reply, and each piece of the body, winds the clock for what is awaited next (RFC 5321 §4.5.3.2).
    fn arm(&mut self, now: Instant) {
        let idle = match &self.state {
            State::Ready | State::Handshake { .. } | State::Raw | State::Ended => true,
            State::Auth(exchange) => exchange.is_challenged(),
            _ => false,
        };
        self.deadline = (!idle).then(|| now + self.config.timeouts.of(self.stage()));
    }

    fn stage(&self) -> Stage {
        match &self.state {
            State::Greeting => Stage::Connect,
            State::Hello(_) => Stage::Hello,
            State::StartTls { .. } | State::Handshake { .. } => Stage::StartTls,
            State::Xclient => Stage::Xclient,
            State::Xforward => Stage::Xforward,
            State::Auth(_) => Stage::Auth,
            State::Sending(sending) => sending.stage(),
            State::Ready | State::Raw | State::Quit | State::Ended => Stage::Quit,
        }
    }
}

fn challenged<'a>(state: &'a mut State, what: &'static str) -> Result<&'a mut Exchange, Misuse> {
    match state {
        State::Auth(exchange) if exchange.is_challenged() => Ok(exchange),
        _ => Err(Misuse::NotNow(what)),
    }
}

/// Those of `attributes` that the server takes.
fn offered(attributes: &[Attribute], taken: &[String]) -> Vec<Attribute> {
    let takes = |attribute: &&Attribute| taken.iter().any(|name| name == attribute.name.as_str());
    attributes.iter().filter(takes).cloned().collect()
}

/// The command without its CRLF.
fn to_line(command: &Command) -> String {
    String::from_utf8_lossy(&command.encode()).trim_end().to_owned()
}
