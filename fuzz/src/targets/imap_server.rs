//! A whole session of the IMAP server, with a driver that agrees to nearly everything.

use super::{Settings, dialogue, has_bare_newline};
use imap::command::Command;
use imap::response::{Code, ContentName, Data, Status};
use imap::server::{Config, Decision, Event, Refusal, Selected, Session};
use std::time::Instant;

const MESSAGE: &[u8] = b"Subject: x\r\n\r\ntext\r\n";

pub fn run(data: &[u8]) {
    let Some((settings, pieces)) = dialogue(data) else { return };
    let now = Instant::now();
    let message = Incoming::Nothing;
    let mut driver = Driver { session: Session::new(config(settings), now), now, message, closed: false };
    driver.drive();
    for piece in pieces {
        if driver.closed {
            break;
        }
        // All is answered and sent: a session that wants nothing now would wait for ever.
        assert!(driver.session.wants_input(), "stuck");
        driver.session.handle_input(now, piece);
        driver.drive();
    }
    match driver.session.poll_timeout() {
        Some(at) if settings.bit(2) => driver.session.handle_timeout(at),
        _ => driver.session.handle_end(),
    }
    driver.drive();
    assert!(driver.closed, "the client is gone, and the session goes on");
}

fn config(settings: Settings) -> Config {
    Config {
        require_tls: settings.bit(0),
        tls: settings.bit(1),
        literal_plus: settings.bit(3),
        append_limit: Some(1_000),
        mechanisms: vec!["PLAIN".into()],
        ..Config::new("imap.example")
    }
}

struct Driver {
    session: Session,
    now: Instant,
    message: Incoming,
    closed: bool,
}

/// What APPEND and REPLACE have said, to be held against what follows.
#[derive(Debug, PartialEq)]
enum Incoming {
    Nothing,
    /// So many octets are to come.
    Coming(u64),
    Complete,
}

impl Driver {
    /// The run loop of `imap`.
    fn drive(&mut self) {
        loop {
            while let Some(sent) = self.session.poll_transmit() {
                assert!(!has_bare_newline(&sent), "{:?}", String::from_utf8_lossy(&sent));
            }
            let Some(event) = self.session.poll_event() else { return };
            assert!(!self.closed, "{event:?} after the last event");
            self.on_event(event);
        }
    }

    fn on_event(&mut self, event: Event) {
        let decision = match event {
            Event::StartTls => Decision::TlsStarted { mechanisms: vec!["PLAIN".into()] },
            Event::Login { user, .. } if user.starts_with('x') => Decision::Refused(Refusal::Credentials),
            Event::Auth { initial: None, .. } => Decision::Challenge(Vec::new()),
            Event::Login { .. } | Event::Auth { .. } | Event::AuthResponse(_) => Decision::LoggedIn,
            Event::Message { message, .. } => {
                assert!(!matches!(self.message, Incoming::Coming(_)), "a message in a message");
                assert!(message.size > 0 && message.size <= 1_000, "{} octets", message.size);
                match message.flags.is_empty() {
                    true => {
                        self.message = Incoming::Coming(message.size);
                        Decision::Take
                    }
                    false => {
                        self.message = Incoming::Nothing;
                        Decision::Refuse(Status::no(Code::TryCreate, "no"))
                    }
                }
            }
            other => return self.on_order(other),
        };
        self.session.answer(self.now, decision);
    }

    /// Events that are not answered, but carried out.
    fn on_order(&mut self, event: Event) {
        match event {
            Event::MessageData(data) => match &mut self.message {
                Incoming::Coming(left) if data.len() as u64 <= *left => *left -= data.len() as u64,
                other => panic!("{} octets, {other:?}", data.len()),
            },
            Event::MessageEnd => {
                assert_eq!(self.message, Incoming::Coming(0));
                self.message = Incoming::Complete;
            }
            Event::SearchRefused => {}
            Event::MessageAborted => {
                assert_ne!(self.message, Incoming::Nothing);
                self.message = Incoming::Nothing;
            }
            Event::Command(command) => self.command(&command),
            Event::IdleEnd => self.session.finish(self.now, Status::ok("done")),
            Event::Idle => self.session.data(&Data::Exists(1)),
            Event::CondstoreEnabled => {
                self.session.data(&Data::Status(Status::ok("so").with(Code::HighestModSeq(7))));
            }
            Event::Closed(_) => self.closed = true,
            other => panic!("{other:?}"),
        }
    }

    fn command(&mut self, command: &Command) {
        let with_message = matches!(command, Command::Append(_) | Command::Replace { .. });
        assert_eq!(with_message, self.message == Incoming::Complete, "{command:?}");
        self.message = Incoming::Nothing;
        match command {
            Command::Select(select) => {
                self.session.select(Some(Selected { read_only: select.read_only }));
            }
            Command::Close | Command::Unselect => self.session.select(None),
            Command::Fetch { .. } => self.fetch(),
            _ => {}
        }
        self.session.finish(self.now, Status::ok("done"));
    }

    fn fetch(&mut self) {
        self.session.begin_fetch(1);
        self.session.fetch_literal(&ContentName::Rfc822, MESSAGE.len() as u64, false);
        MESSAGE.chunks(7).for_each(|piece| self.session.fetch_octets(piece));
        self.session.end_fetch();
    }
}
