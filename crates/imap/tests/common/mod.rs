//! A driver for tests: what `access` does with a store and a socket, done with two messages and a string.

#![allow(dead_code, reason = "each test program uses its part")]

use std::time::{Duration, Instant};

use imap::command::{AppendTarget, Command};
use imap::response::{Code, ContentName, Data, FetchData, Status};
use imap::server::{Config, Decision, Event, Refusal, Selected, Session};

pub(crate) const USER: &str = "mrose";
pub(crate) const PASSWORD: &str = "secret";
/// Of which a FETCH gives two.
const MESSAGE: &[u8] = b"Subject: one\r\n\r\ntext\r\n";

pub(crate) struct Driver {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    /// What the server sent and nobody has read.
    pub(crate) sent: Vec<u8>,
    /// Events worth a test's look.
    pub(crate) log: Vec<String>,
    /// Taken instead of the ordinary answer to the next command or message.
    pub(crate) next: Option<Status>,
    /// Octets of the message that is coming.
    message: Vec<u8>,
    pub(crate) largest_transmit: usize,
}

impl Driver {
    pub(crate) fn new(config: Config) -> Self {
        let now = Instant::now();
        let session = Session::new(config, now);
        let (sent, log, message) = (vec![], vec![], vec![]);
        Self { session, now, sent, log, next: None, message, largest_transmit: 0 }
    }

    pub(crate) fn input(&mut self, bytes: &[u8]) {
        self.session.handle_input(self.now, bytes);
        self.drain();
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.session.handle_timeout(self.now);
        self.drain();
    }

    pub(crate) fn transmit(&mut self) {
        while let Some(bytes) = self.session.poll_transmit() {
            self.largest_transmit = self.largest_transmit.max(bytes.len());
            self.sent.extend_from_slice(&bytes);
        }
    }

    /// The run loop of the crate's documentation.
    pub(crate) fn drain(&mut self) {
        loop {
            self.transmit();
            let Some(event) = self.session.poll_event() else { break };
            self.carry_out(event);
        }
    }

    fn carry_out(&mut self, event: Event) {
        match event {
            Event::StartTls => {
                self.log.push("starttls".into());
                self.session.answer(self.now, Decision::TlsStarted { mechanisms: vec!["PLAIN".into()] });
            }
            Event::Closed(reason) => self.log.push(format!("closed {reason:?}")),
            Event::CondstoreEnabled => {
                let status = Status::ok("now you know").with(Code::HighestModSeq(715));
                self.session.data(&Data::Status(status));
            }
            Event::Command(command) => self.command(command),
            Event::Message { target, message } => {
                let target = match target {
                    AppendTarget::Append(mailbox) => format!("append {mailbox}"),
                    AppendTarget::Replace { uid, number, to } => format!("replace {uid} {number:?} {to}"),
                };
                self.log.push(format!("message {target} {:?} {}", message.flags, message.size));
                let decision = self.next.take().map_or(Decision::Take, Decision::Refuse);
                self.session.answer(self.now, decision);
            }
            Event::MessageData(bytes) => self.message.extend_from_slice(&bytes),
            Event::MessageEnd => {
                let message = std::mem::take(&mut self.message);
                self.log.push(format!("end {:?}", String::from_utf8_lossy(&message)));
            }
            Event::SearchRefused => self.log.push("search refused".into()),
            Event::MessageAborted => {
                self.message.clear();
                self.log.push("aborted".into());
            }
            Event::Idle => self.log.push("idle".into()),
            Event::IdleEnd => {
                self.session.data(&Data::Exists(4));
                self.finish(Status::ok("IDLE completed"));
            }
            login => {
                let decision = decide(login);
                self.session.answer(self.now, decision);
            }
        }
    }

    fn finish(&mut self, status: Status) {
        let status = self.next.take().unwrap_or(status);
        self.session.finish(self.now, status);
    }

    fn command(&mut self, command: Command) {
        let debug = format!("{command:?}");
        let name = debug.split([' ', '(', '{']).next().unwrap().to_owned();
        match command {
            _ if self.next.is_some() => {}
            Command::Select(select) => {
                self.session.data(&Data::Exists(2));
                self.session.select(Some(Selected { read_only: select.read_only }));
            }
            Command::Close | Command::Unselect => self.session.select(None),
            Command::Fetch { .. } => (1..=2).for_each(|number| self.fetch(number)),
            _ => {}
        }
        self.finish(Status::ok(format!("{name} completed")));
    }

    /// By pieces, written as soon as there is much.
    fn fetch(&mut self, number: u32) {
        self.session.begin_fetch(number);
        self.session.fetch_item(&FetchData::Uid(number + 100));
        self.session.fetch_literal(&ContentName::Rfc822, MESSAGE.len() as u64, false);
        for piece in MESSAGE.chunks(7) {
            if self.session.is_output_full() {
                self.transmit();
            }
            self.session.fetch_octets(piece);
        }
        self.session.fetch_item(&FetchData::Flags { flags: vec![imap::Flag::Seen], recent: false });
        self.session.end_fetch();
    }
}

fn decide(event: Event) -> Decision {
    match event {
        Event::Login { user, .. } if user == "busy" => Decision::Refused(Refusal::Temporary),
        Event::Login { user, password } if user == USER && password.reveal() == PASSWORD => {
            Decision::LoggedIn
        }
        Event::Login { .. } => Decision::Refused(Refusal::Credentials),
        Event::Auth { mechanism, initial } if mechanism == "PLAIN" => match initial {
            Some(response) => plain(response.reveal()),
            None => Decision::Challenge(vec![]),
        },
        // A mechanism in which the server speaks first.
        Event::Auth { initial: None, .. } => Decision::Challenge(b"who?".to_vec()),
        Event::Auth { .. } => Decision::Refused(Refusal::Malformed),
        Event::AuthResponse(response) if response.reveal() == b"me" => Decision::LoggedIn,
        Event::AuthResponse(response) => plain(response.reveal()),
        other => panic!("{other:?}"),
    }
}

fn plain(response: &[u8]) -> Decision {
    let expected = format!("\0{USER}\0{PASSWORD}");
    match response == expected.as_bytes() {
        true => Decision::LoggedIn,
        false => Decision::Refused(Refusal::Credentials),
    }
}

/// A configuration that allows everything in the clear.
pub(crate) fn open_config() -> Config {
    let mechanisms = vec!["PLAIN".into(), "WHO".into()];
    let id = std::sync::Arc::new([("name".to_owned(), "Waypost".to_owned())]);
    Config { require_tls: false, mechanisms, id, ..Config::new("mx.example") }
}
