//! What outlives a session's states: its settings, its output and its counts.

use std::fmt::Display;

use bytes::{BufMut, Bytes, BytesMut};

use super::decision::{Event, Reason, Refusal};
use super::state::State;
use super::{Config, MAX_COMMANDS_BEFORE_LOGIN, MAX_ERRORS, MAX_LOGIN_FAILURES, OUTPUT_LIMIT};
use crate::ResponseCode;

/// Longest first line of a response, without its CRLF (RFC 2449 §4).
const MAX_REPLY: usize = 510;

#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: Config,
    pub(super) output: BytesMut,
    pub(super) event: Option<Event>,
    /// The UTF8 command was given (RFC 6856 §2.1).
    pub(super) utf8: bool,
    commands: u32,
    errors: u32,
    login_failures: u32,
}

impl Context {
    pub(super) fn new(config: Config) -> Self {
        let output = BytesMut::new();
        let mut context =
            Self { config, output, event: None, utf8: false, commands: 0, errors: 0, login_failures: 0 };
        let greeting = format!("{} POP3 server ready", context.config.hostname);
        context.ok(greeting);
        context
    }

    pub(super) fn has_room(&self) -> bool {
        self.output.len() < OUTPUT_LIMIT
    }

    pub(super) fn take_output(&mut self) -> Option<Bytes> {
        (!self.output.is_empty()).then(|| self.output.split().freeze())
    }

    /// Asks the driver, and names the state that waits for its answer.
    pub(super) fn ask(&mut self, event: Event, parked: State) -> State {
        self.event = Some(event);
        parked
    }

    pub(super) fn ok(&mut self, text: impl Display) {
        self.put_line(&format!("+OK {text}"));
    }

    pub(super) fn err(&mut self, code: Option<ResponseCode>, text: impl Display) {
        match code {
            Some(code) => self.put_line(&format!("-ERR {code} {text}")),
            None => self.put_line(&format!("-ERR {text}")),
        }
    }

    /// A whole multi-line response of short lines of ours, none of which begins with a dot.
    pub(super) fn multi_line(&mut self, first: &str, lines: &[String]) {
        self.ok(first);
        for line in lines {
            self.put_line(line);
        }
        self.put_line(".");
    }

    /// A line, whatever settings may have put into it.
    pub(super) fn put_line(&mut self, text: &str) {
        let clean = text.chars().filter(|c| !c.is_control());
        let mut left = MAX_REPLY;
        for c in clean {
            let Some(rest) = left.checked_sub(c.len_utf8()) else { break };
            left = rest;
            self.output.put_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.output.put_slice(b"\r\n");
    }

    /// Counts a command before login; `false` when there have been too many.
    pub(super) fn count_command(&mut self) -> bool {
        self.commands += 1;
        self.commands <= MAX_COMMANDS_BEFORE_LOGIN
    }

    /// Answers a command that is unknown, malformed or out of order.
    pub(super) fn bad(&mut self, text: impl Display, back: State) -> State {
        self.errors += 1;
        if self.errors >= MAX_ERRORS {
            return self.close(Reason::TooManyErrors);
        }
        self.err(None, text);
        back
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        let (code, text) = refusal.reply();
        self.err(code, text);
    }

    /// Answers a login that failed.
    pub(super) fn refuse_login(&mut self, refusal: Refusal) -> State {
        self.login_failures += 1;
        self.refuse(refusal);
        if self.login_failures >= MAX_LOGIN_FAILURES {
            return State::Closing(Reason::TooManyLogins);
        }
        State::start()
    }

    /// Ends the session, with a last word where the client is owed one.
    pub(super) fn close(&mut self, reason: Reason) -> State {
        let code = (reason == Reason::WrongAnswer).then_some(ResponseCode::SysPerm);
        let text = match reason {
            Reason::TooManyErrors => "too many errors; closing",
            Reason::TooManyCommands => "too many commands before login; closing",
            Reason::BareLf => "a line must end with CR LF, not with LF alone; closing",
            Reason::InputAfterStls => "nothing may follow STLS before its answer; closing",
            Reason::TooMuchInput => "too many commands at once; closing",
            Reason::WrongAnswer => "trouble on the server; tell its administrator",
            _ => return State::Closing(reason),
        };
        self.err(code, text);
        State::Closing(reason)
    }
}
