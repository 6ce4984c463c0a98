//! A whole session of the POP3 client; the octets are what the server says.

use super::{Settings, dialogue, has_bare_newline};
use address::Secret;
use pop3::client::{Command, Config, Event, Session};
use std::time::Instant;

pub fn run(data: &[u8]) {
    let Some((settings, pieces)) = dialogue(data) else { return };
    let now = Instant::now();
    let config = Config { tls: settings.bit(0), allow_clear_login: settings.bit(1) };
    let mut driver = Driver { session: Session::new(config, now), settings, now, turn: 0, closed: false };
    driver.drive();
    for piece in pieces {
        driver.session.handle_input(now, piece);
        driver.drive();
    }
    match driver.session.poll_timeout() {
        Some(at) if settings.bit(2) => driver.session.handle_timeout(at),
        _ => driver.session.handle_end(),
    }
    driver.drive();
    // After a time-out the session is over; so it is when the server has gone.
    assert!(driver.closed, "the server is gone, and the session goes on");
}

struct Driver {
    session: Session,
    settings: Settings,
    now: Instant,
    /// Commands that were given, or could not be.
    turn: usize,
    closed: bool,
}

impl Driver {
    /// The run loop of `pop3`.
    fn drive(&mut self) {
        loop {
            let mut idle = true;
            while let Some(event) = self.session.poll_event() {
                idle = false;
                assert!(!self.closed, "{event:?} after the last event");
                self.on_event(event);
            }
            while let Some(sent) = self.session.poll_transmit() {
                idle = false;
                assert!(!has_bare_newline(&sent), "{:?}", String::from_utf8_lossy(&sent));
            }
            if idle {
                return;
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match &event {
            Event::StartTls => self.session.tls_started(),
            Event::Challenge(text) if text.is_empty() => {
                self.session.cancel(self.now).expect("there is a challenge");
                return;
            }
            Event::Challenge(text) => {
                // It may be too long to be given back.
                let given = self.session.respond(self.now, &Secret::new(text.clone()));
                given.or_else(|_| self.session.cancel(self.now)).expect("there is a challenge");
                return;
            }
            Event::UniqueId { unique_id, .. } => assert!(!unique_id.contains(char::is_control)),
            Event::Data(octets) => assert!(!octets.is_empty()),
            Event::Capabilities(capabilities) => {
                let _ = (capabilities.has("UIDL"), capabilities.mechanisms().count());
            }
            Event::Closed(_) => self.closed = true,
            _ => {}
        }
        if event.ends_command() || matches!(event, Event::Greeting(_)) {
            self.act();
        }
    }

    /// The next commands; several at once as long as the session lets us.
    fn act(&mut self) {
        while let Some(command) = command(self.turn, self.settings) {
            self.turn += 1;
            if self.session.command(self.now, command).is_ok() && !self.settings.bit(3) {
                return;
            }
        }
    }
}

fn command(turn: usize, settings: Settings) -> Option<Command> {
    let auth = || Command::Auth {
        mechanism: "PLAIN".into(),
        initial: settings.bit(5).then(|| Secret::new(b"\0user\0secret".to_vec())),
    };
    Some(match turn {
        0 | 2 => Command::Capa,
        1 => Command::Stls,
        3 if settings.bit(4) => auth(),
        3 => Command::User("user".into()),
        4 => Command::Pass(Secret::new("secret".into())),
        5 => Command::Capa,
        6 => Command::Stat,
        7 => Command::List(None),
        8 => Command::Uidl(None),
        9 => Command::Retr(1),
        10 => Command::Top(2, 0),
        11 => Command::Dele(1),
        12 => Command::List(Some(2)),
        13 => Command::Uidl(Some(2)),
        14 => Command::Quit,
        _ => return None,
    })
}
