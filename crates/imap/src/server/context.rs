//! What outlives a session's states: its settings, its output and its counts.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::event::{Event, Reason};
use super::fetch::Writing;
use super::state::{Level, State};
use super::{Config, MAX_COMMANDS_BEFORE_LOGIN, MAX_ERRORS, MAX_LOGIN_FAILURES, OUTPUT_LIMIT, Refusal};
use crate::command::Tag;
use crate::response::{Code, Data, Status, StatusKind};
use crate::{Enabled, Encoder};

#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: Config,
    pub(super) level: Level,
    pub(super) enabled: Enabled,
    pub(super) compressed: bool,
    pub(super) writing: Writing,
    output: BytesMut,
    /// One that asks, at most, and before it those that only tell.
    events: VecDeque<Event>,
    commands: u32,
    errors: u32,
    login_failures: u32,
}

impl Context {
    pub(super) fn new(config: Config) -> Self {
        let mut context = Self {
            config,
            level: Level::NotAuthenticated,
            enabled: Enabled::default(),
            compressed: false,
            writing: Writing::Nothing,
            output: BytesMut::new(),
            events: VecDeque::new(),
            commands: 0,
            errors: 0,
            login_failures: 0,
        };
        let greeting = format!("{} IMAP server ready", context.config.hostname);
        let code = Code::Capability(context.capabilities());
        context.untagged(&Status::ok(greeting).with(code));
        context
    }

    pub(super) fn capabilities(&self) -> Vec<String> {
        self.config.capabilities(self.level != Level::NotAuthenticated, self.compressed)
    }

    pub(super) fn encoder(&mut self) -> Encoder<'_> {
        Encoder::new(&mut self.output, self.enabled)
    }

    pub(super) fn has_room(&self) -> bool {
        self.output.len() < OUTPUT_LIMIT
    }

    pub(super) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// All of it: an idle session holds no buffer.
    pub(super) fn take_output(&mut self) -> Option<Bytes> {
        self.has_output().then(|| std::mem::take(&mut self.output).freeze())
    }

    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn take_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        event
    }

    /// Octets of memory, and places for events.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.output.capacity() + self.events.capacity()
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Asks the driver, and names the state that waits for its answer.
    pub(super) fn ask(&mut self, event: Event, parked: State) -> State {
        self.tell(event);
        parked
    }

    pub(super) fn data(&mut self, data: &Data) {
        self.encoder().data(data);
    }

    pub(super) fn untagged(&mut self, status: &Status) {
        self.encoder().untagged(status);
    }

    /// The end of a command that was not a fault.
    pub(super) fn tagged(&mut self, tag: &Tag, status: &Status) {
        self.encoder().tagged(tag, status);
    }

    pub(super) fn ok(&mut self, tag: &Tag, text: &str) -> State {
        self.tagged(tag, &Status::ok(text));
        State::Ready
    }

    /// The end of a command, as the driver or the parser has it. BAD counts; enough of them in a row end the session.
    pub(super) fn conclude(&mut self, tag: Option<&Tag>, status: &Status) -> State {
        match tag {
            Some(tag) => self.tagged(tag, status),
            None => self.untagged(status),
        }
        if status.kind != StatusKind::Bad {
            self.errors = 0;
            return State::Ready;
        }
        self.errors += 1;
        match self.errors >= MAX_ERRORS {
            true => self.close(Reason::TooManyErrors),
            false => State::Ready,
        }
    }

    pub(super) fn bad(&mut self, tag: &Tag, text: impl Into<String>) -> State {
        self.conclude(Some(tag), &Status::bad(text))
    }

    /// Counts a command before login; `false` when there have been too many.
    pub(super) fn count_command(&mut self) -> bool {
        self.commands += 1;
        self.level != Level::NotAuthenticated || self.commands <= MAX_COMMANDS_BEFORE_LOGIN
    }

    pub(super) fn logged_in(&mut self, tag: &Tag) -> State {
        self.level = Level::Authenticated;
        (self.errors, self.login_failures) = (0, 0);
        let code = Code::Capability(self.capabilities());
        self.tagged(tag, &Status::ok("logged in").with(code));
        State::Ready
    }

    pub(super) fn refuse_login(&mut self, tag: &Tag, refusal: Refusal) -> State {
        self.tagged(tag, &refusal.status());
        self.login_failures += 1;
        match self.login_failures >= MAX_LOGIN_FAILURES {
            true => self.close(Reason::TooManyLogins),
            false => State::Ready,
        }
    }

    /// RFC 8437 §3: as at the start, but for TLS.
    pub(super) fn unauthenticated(&mut self, tag: &Tag, status: Status) -> State {
        self.level = Level::NotAuthenticated;
        self.enabled = Enabled::default();
        self.commands = 0;
        let code = Code::Capability(self.capabilities());
        self.tagged(tag, &status.with(code));
        State::Ready
    }

    pub(super) fn compressing(&mut self, tag: &Tag, status: &Status) -> State {
        self.compressed = status.kind == StatusKind::Ok;
        self.conclude(Some(tag), status)
    }

    /// Ends the session, with a last word where the client is owed one and it would be understood.
    pub(super) fn close(&mut self, reason: Reason) -> State {
        let text = match reason {
            Reason::Idle => "you have been silent for too long",
            Reason::TooManyErrors => "too many errors",
            Reason::TooManyLogins => "too many failed logins",
            Reason::TooManyCommands => "too many commands before login",
            Reason::InputBehind => "nothing may follow STARTTLS or COMPRESS before its answer",
            Reason::TooMuchInput => "too many commands at once",
            Reason::WrongAnswer => "trouble on the server; tell its administrator",
            _ => return self.end(reason),
        };
        self.bye(&Status { kind: StatusKind::Bye, code: None, text: text.into() }, reason)
    }

    /// In the middle of a response the last word would be taken for a part of it.
    pub(super) fn bye(&mut self, status: &Status, reason: Reason) -> State {
        if matches!(self.writing, Writing::Nothing) {
            let status = Status { kind: StatusKind::Bye, ..status.clone() };
            self.untagged(&status);
        }
        self.end(reason)
    }

    /// Without a word.
    pub(super) fn end(&mut self, reason: Reason) -> State {
        self.events = VecDeque::new();
        State::Closing(reason)
    }
}
