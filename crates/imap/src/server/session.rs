//! The run loop's face: what goes in, what comes out.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::context::Context;
use super::event::{Decision, Event, Reason};
use super::fetch::Writing;
use super::state::{Level, Selected, State};
use super::{
    Config, IDLE_TIMEOUT, INPUT_HARD_LIMIT, INPUT_LIMIT, LOGIN_TIMEOUT, MAX_LINE_BEFORE_LOGIN,
    MESSAGE_TIMEOUT, append, command, login,
};
use crate::Enabled;
use crate::command::Tag;
use crate::framing::{Frame, Framer, Limits, Line};
use crate::parse::{Context as ParseContext, Refused, Stage};
use crate::response::{Code, Data, Status, StatusKind};

/// One IMAP connection, seen by the server. See the [crate's run loop](crate).
///
/// - In: [`handle_input`](Self::handle_input), [`handle_end`](Self::handle_end),
///   [`handle_timeout`](Self::handle_timeout).
/// - Out: [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event),
///   [`poll_timeout`](Self::poll_timeout).
/// - To questions: [`answer`](Self::answer).
/// - To commands: [`data`](Self::data), [`begin_fetch`](Self::begin_fetch) and its pieces,
///   [`progress`](Self::progress), [`select`](Self::select), then [`finish`](Self::finish).
/// - Seen: [`wants_input`](Self::wants_input), [`is_output_full`](Self::is_output_full), [`may_tell`](Self::may_tell),
///   [`enabled`](Self::enabled), [`tag`](Self::tag).
#[derive(Debug)]
pub struct Session {
    state: State,
    pub(super) context: Context,
    pub(super) framer: Framer,
    /// When the client last gave a sign of life, or the driver an answer.
    heard: Instant,
    /// The client will send nothing more.
    ended: bool,
}

impl Session {
    /// A session at its start: the greeting waits in [`Self::poll_transmit`].
    pub fn new(config: Config, now: Instant) -> Self {
        let mut session = Self {
            framer: Framer::new(Limits::BEFORE_LOGIN),
            state: State::Ready,
            context: Context::new(config),
            heard: now,
            ended: false,
        };
        session.set_framing();
        session
    }

    /// Takes octets from the client, decrypted and decompressed.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if bytes.is_empty() || self.state.is_over() {
            return;
        }
        if self.state.is_changing_layer() {
            return self.close(Reason::InputBehind);
        }
        if self.framer.len().saturating_add(bytes.len()) > INPUT_HARD_LIMIT {
            return self.close(Reason::TooMuchInput);
        }
        // A command, not an octet, is a sign of life: a slow drip is not, unless it is a message's.
        if matches!(self.state, State::Appending(_)) || bytes.contains(&b'\n') {
            self.heard = now;
        }
        self.framer.push(bytes);
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
            self.close(Reason::Idle);
        }
    }

    /// Answers the last event that asked. An answer that does not fit it is a fault of the driver: the session ends
    /// with BYE and [`Reason::WrongAnswer`].
    pub fn answer(&mut self, now: Instant, decision: Decision) {
        if self.context.has_events() {
            // Answered before it was asked.
            return self.close(Reason::WrongAnswer);
        }
        self.heard = now;
        let state = self.take_state();
        self.state = self.decide(state, decision);
        self.set_framing();
        self.run();
    }

    /// One untagged response: while a command is carried out, or when [`Self::may_tell`].
    pub fn data(&mut self, data: &Data) {
        if self.may_write() {
            self.context.data(data);
        }
    }

    /// How far a long command is, for clients that are getting impatient (RFC 9585).
    pub fn progress(&mut self, done: Option<u32>, total: Option<u32>) {
        let tag = self.tag().map(|tag| tag.as_str().to_owned());
        let code = Code::InProgress { tag, done, total };
        self.data(&Data::Status(Status::ok("still at it").with(code)));
    }

    /// What has begun to be sent cannot be had to its end. There is no way to say so inside a response, so the
    /// connection is closed, and the client does not take the part for the whole.
    pub fn abort(&mut self) {
        self.close(Reason::Aborted);
    }

    /// A mailbox is open now, or none. To be said before [`Self::finish`].
    pub fn select(&mut self, selected: Option<Selected>) {
        self.context.level = match (self.context.level, selected) {
            (Level::NotAuthenticated, _) => Level::NotAuthenticated,
            (_, Some(selected)) => Level::Selected(selected),
            (_, None) => Level::Authenticated,
        };
    }

    /// Ends the command, or IDLE; the next one may come. The status is OK, NO or BAD.
    pub fn finish(&mut self, now: Instant, status: Status) {
        let done = matches!(status.kind, StatusKind::Ok | StatusKind::No | StatusKind::Bad);
        if self.state.is_over() {
            return;
        }
        if !done || self.context.has_events() || !matches!(self.context.writing, Writing::Nothing) {
            return self.close(Reason::WrongAnswer);
        }
        self.heard = now;
        self.state = match self.take_state() {
            State::Working(tag) | State::IdleEnding(tag, None) => self.context.conclude(Some(&tag), &status),
            State::Compressing(tag) => self.context.compressing(&tag, &status),
            State::Unauthenticating(tag) => self.context.unauthenticated(&tag, status),
            State::IdleEnding(tag, Some(status)) => self.context.conclude(Some(&tag), &status),
            _ => self.context.close(Reason::WrongAnswer),
        };
        self.set_framing();
        self.run();
    }

    /// The server's last word, `* BYE …`; `Closed` follows.
    pub fn bye(&mut self, status: Status) {
        if !self.state.is_over() {
            self.state = self.context.bye(&status, Reason::Bye);
            self.run();
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
        let event = self.context.take_event();
        // What this one tells the client comes before what follows.
        if !matches!(event, None | Some(Event::CondstoreEnabled)) {
            self.run();
        }
        event
    }

    /// When [`Self::handle_timeout`] is due. `None` while the driver has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waits = !self.state.is_parked() && !self.context.has_events();
        waits.then(|| self.heard + self.patience())
    }

    /// Whether a read from the socket would be of use now.
    pub fn wants_input(&self) -> bool {
        let undelivered = matches!(self.state, State::Appending(_)) && self.context.has_events();
        !(self.ended || undelivered || self.state.is_over() || self.state.is_changing_layer())
            && self.framer.len() < INPUT_LIMIT
    }

    /// Write what [`Self::poll_transmit`] gives before telling more.
    pub fn is_output_full(&self) -> bool {
        !self.context.has_room()
    }

    /// Whether untagged data may be sent though no command is carried out: in IDLE, or, for NOTIFY, between commands
    /// (where RFC 9051 §7.5.1 forbids EXPUNGE to those who have not asked for it).
    pub fn may_tell(&self) -> bool {
        let between = matches!(self.state, State::Idling(_) | State::Ready) && !self.context.has_events();
        between && self.context.level != Level::NotAuthenticated
    }

    pub fn is_idling(&self) -> bool {
        matches!(self.state, State::Idling(_))
    }

    pub fn enabled(&self) -> Enabled {
        self.context.enabled
    }

    pub fn selected(&self) -> Option<Selected> {
        match self.context.level {
            Level::Selected(selected) => Some(selected),
            _ => None,
        }
    }

    /// Of the command that is being carried out, for ESEARCH.
    pub fn tag(&self) -> Option<&Tag> {
        match &self.state {
            State::Working(tag) | State::Idling(tag) | State::IdleEnding(tag, _) => Some(tag),
            _ => None,
        }
    }

    /// Whether TLS protects the connection.
    pub fn is_tls(&self) -> bool {
        self.context.config.tls
    }
}

/// The steps.
impl Session {
    /// Goes on until something is missing: input, an answer, or room for output.
    fn run(&mut self) {
        while !self.context.has_events() && self.context.has_room() && !self.state.is_parked() {
            if let State::Closing(reason) = self.state {
                if self.context.has_output() {
                    return;
                }
                self.context.tell(Event::Closed(reason));
                self.state = State::Closed;
                return;
            }
            let frame = match self.state {
                State::SaslListening(_) | State::Idling(_) => self.framer.poll_reply(),
                _ => self.framer.poll(),
            };
            let Some(frame) = frame else {
                if self.ended {
                    self.close(Reason::Ended);
                }
                return;
            };
            let state = self.take_state();
            self.state = self.frame(state, frame);
            self.set_framing();
        }
    }

    fn frame(&mut self, state: State, frame: Frame) -> State {
        let context = &mut self.context;
        match (state, frame) {
            (_, Frame::Lost(text)) => {
                let status = Status { kind: StatusKind::Bye, code: None, text: text.into() };
                context.bye(&status, Reason::OutOfStep)
            }
            (State::SaslListening(tag), Frame::Line(line)) => login::sasl_line(tag, line.octets(), context),
            (State::SaslListening(tag), Frame::Refused(refused)) => {
                context.conclude(Some(&tag), &refused.status())
            }
            (State::Idling(tag), frame) => idle_line(tag, &frame, context),
            (State::Appending(incoming), frame) => append::frame(incoming, frame, &mut self.framer, context),
            (State::Refusing(status), frame) => append::unwanted(status, frame, &mut self.framer, context),
            (_, Frame::Message(message)) => append::offered(message, 0, &mut self.framer, context),
            (_, Frame::Line(line)) => self.line(&line),
            (_, Frame::Refused(refused)) => refuse(&refused, context),
            (state, Frame::Continue) => {
                context.encoder().continuation("go ahead");
                state
            }
            (state, _) => state,
        }
    }

    fn line(&mut self, line: &Line) -> State {
        if !self.context.count_command() {
            return self.context.close(Reason::TooManyCommands);
        }
        let behind = !self.framer.is_empty();
        match crate::parse::parse(line, &self.parse_context()) {
            Ok((tag, command)) => command::command(tag, command, behind, &mut self.context),
            Err(refused) => refuse(&refused, &mut self.context),
        }
    }

    fn decide(&mut self, state: State, decision: Decision) -> State {
        let context = &mut self.context;
        match (state, decision) {
            (State::StartingTls, Decision::TlsStarted { mechanisms }) => {
                context.config.tls = true;
                context.config.mechanisms = mechanisms;
                State::Ready
            }
            (State::CheckingPassword(tag) | State::SaslDeciding(tag), Decision::LoggedIn) => {
                context.logged_in(&tag)
            }
            (State::CheckingPassword(tag) | State::SaslDeciding(tag), Decision::Refused(refusal)) => {
                context.refuse_login(&tag, refusal)
            }
            (State::SaslDeciding(tag), Decision::Challenge(challenge)) => {
                context.encoder().challenge(&challenge);
                State::SaslListening(tag)
            }
            (State::Asking(incoming), Decision::Take) => append::take(incoming, &mut self.framer, context),
            (State::Asking(_), Decision::Refuse(status)) => append::refuse(status, &mut self.framer),
            (state, _) if state.is_over() => state,
            _ => context.close(Reason::WrongAnswer),
        }
    }

    /// What may come depends on who is there and what is enabled.
    fn set_framing(&mut self) {
        let limits = match self.context.level {
            Level::NotAuthenticated => Limits { line: MAX_LINE_BEFORE_LOGIN, ..Limits::BEFORE_LOGIN },
            _ => Limits { literal_plus: self.context.config.literal_plus, ..Limits::AFTER_LOGIN },
        };
        self.framer.set_limits(limits);
        self.framer.set_context(self.parse_context());
    }

    fn parse_context(&self) -> ParseContext {
        let enabled = self.context.enabled;
        let stage = match self.context.level {
            Level::NotAuthenticated => Stage::NotAuthenticated,
            Level::Authenticated => Stage::Authenticated,
            Level::Selected(_) => Stage::Selected,
        };
        ParseContext { utf8: enabled.unicode(), no_charset: enabled.utf8, stage: Some(stage) }
    }

    fn patience(&self) -> Duration {
        match (self.context.level, &self.state) {
            (Level::NotAuthenticated, _) => LOGIN_TIMEOUT,
            (_, State::Appending(_)) => MESSAGE_TIMEOUT,
            _ => IDLE_TIMEOUT,
        }
    }

    /// Whether an untagged response may begin here; a driver that tries when not has a fault, which ends the session.
    pub(super) fn may_write(&mut self) -> bool {
        if self.state.is_over() {
            return false;
        }
        let logged_in = self.context.level != Level::NotAuthenticated;
        if !logged_in || !matches!(self.context.writing, Writing::Nothing) {
            self.close(Reason::WrongAnswer);
            return false;
        }
        true
    }

    fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Closed)
    }

    /// Ends the session from any state. In the middle of a handshake nobody would understand a last word.
    pub(super) fn close(&mut self, reason: Reason) {
        if self.state.is_over() {
            return;
        }
        self.state = match self.take_state() {
            State::StartingTls => self.context.end(reason),
            _ => self.context.close(reason),
        };
        self.run();
    }
}

/// Answers a command that was not understood.
fn refuse(refused: &Refused, context: &mut Context) -> State {
    let status = refused.status();
    if refused.saves && status.kind == StatusKind::No && matches!(context.level, Level::Selected(_)) {
        context.tell(Event::SearchRefused);
    }
    context.conclude(refused.tag.as_ref(), &status)
}

/// RFC 2177 §3: anything but DONE is a fault, and ends IDLE as well.
fn idle_line(tag: Tag, frame: &Frame, context: &mut Context) -> State {
    let fault = match frame {
        Frame::Line(line) if line.octets().eq_ignore_ascii_case(b"DONE") => None,
        Frame::Refused(refused) => Some(Box::new(refused.status())),
        _ => Some(Box::new(Status::bad("only DONE may follow IDLE"))),
    };
    context.ask(Event::IdleEnd, State::IdleEnding(tag, fault))
}
