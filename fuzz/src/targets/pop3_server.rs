//! A whole session of the POP3 server, with a maildrop of two messages.

use super::{Settings, dialogue, has_bare_newline};
use pop3::server::{Config, Decision, Event, MessageFlow, Refusal, Session};
use pop3::{Message, UniqueId};
use std::time::Instant;

const MESSAGE: &[u8] = b"Subject: x\r\n\r\n.\r\n..\r\nlast";
const MESSAGES: usize = 2;

pub fn run(data: &[u8]) {
    let Some((settings, pieces)) = dialogue(data) else { return };
    let now = Instant::now();
    let mut driver =
        Driver { session: Session::new(config(settings), now), now, committed: false, closed: false };
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
    let mut config = Config::new("pop.example");
    config.require_tls = settings.bit(0);
    config.tls = settings.bit(1);
    config.mechanisms = vec!["PLAIN".into()];
    config
}

struct Driver {
    session: Session,
    now: Instant,
    committed: bool,
    closed: bool,
}

impl Driver {
    /// The run loop of `pop3`.
    fn drive(&mut self) {
        loop {
            let mut idle = true;
            while let Some(sent) = self.session.poll_transmit() {
                idle = false;
                assert!(!has_bare_newline(&sent), "{:?}", String::from_utf8_lossy(&sent));
            }
            while let Some(event) = self.session.poll_event() {
                idle = false;
                assert!(!self.closed, "{event:?} after the last event");
                self.on_event(event);
            }
            if idle && self.session.message_flow() == MessageFlow::Open {
                idle = false;
                self.feed();
            }
            if idle {
                return;
            }
        }
    }

    /// The message, or as much of it as TOP wants.
    fn feed(&mut self) {
        for piece in MESSAGE.chunks(7) {
            if self.session.message_flow() == MessageFlow::Open {
                self.session.handle_message(self.now, piece);
            }
        }
        if self.session.message_flow() == MessageFlow::Open {
            self.session.finish_message(self.now);
        }
    }

    fn on_event(&mut self, event: Event) {
        let decision = match event {
            Event::StartTls => Decision::TlsStarted { mechanisms: vec!["PLAIN".into()] },
            Event::Login { user, .. } if user.starts_with('x') => Decision::Refused(Refusal::Credentials),
            Event::Auth { initial: None, .. } => Decision::Challenge(Vec::new()),
            Event::OpenMaildrop => Decision::Maildrop(maildrop()),
            Event::Fetch { index, .. } => {
                assert!(index < MESSAGES, "message {index} was never listed");
                Decision::Message
            }
            Event::Commit { deleted } => {
                assert!(!self.committed, "removed twice");
                assert!(deleted.is_sorted_by(|a, b| a < b) && deleted.iter().all(|index| *index < MESSAGES));
                self.committed = true;
                Decision::Committed { all: true }
            }
            Event::Closed(_) => {
                self.closed = true;
                return;
            }
            _ => Decision::LoggedIn,
        };
        self.session.answer(self.now, decision);
    }
}

fn maildrop() -> Vec<Message> {
    let message = |number| Message {
        octets: MESSAGE.len() as u64 + 2,
        unique_id: UniqueId::new(&format!("id{number}")).expect("printable"),
    };
    (0..MESSAGES).map(message).collect()
}
