//! A driver for tests: what `access` does with a store and a socket, done with a list and a string.

#![allow(dead_code, reason = "each test program uses its part")]

use std::time::{Duration, Instant};

use pop3::server::{Config, Decision, Event, MessageFlow, Refusal, Session};
use pop3::{Message, Octets, UniqueId};

pub(crate) const USER: &str = "mrose";
pub(crate) const PASSWORD: &str = "secret";

pub(crate) struct Driver {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    /// What the server sent and nobody has read.
    pub(crate) sent: Vec<u8>,
    /// Events worth a test's look.
    pub(crate) log: Vec<String>,
    pub(crate) mail: Vec<Vec<u8>>,
    /// Taken instead of the ordinary answer to the next event.
    pub(crate) next: Option<Decision>,
    /// How messages are fed.
    pub(crate) piece: usize,
    pub(crate) largest_transmit: usize,
}

impl Driver {
    pub(crate) fn new(config: Config, mail: Vec<Vec<u8>>) -> Self {
        let now = Instant::now();
        let session = Session::new(config, now);
        Self { session, now, sent: vec![], log: vec![], mail, next: None, piece: 7, largest_transmit: 0 }
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
        let fetched = if let Event::Fetch { index, .. } = &event { Some(*index) } else { None };
        match &event {
            Event::StartTls => self.log.push("starttls".into()),
            Event::Commit { deleted } => self.log.push(format!("commit {deleted:?}")),
            Event::Closed(reason) => return self.log.push(format!("closed {reason:?}")),
            _ => {}
        }
        let decision = self.next.take().unwrap_or_else(|| self.decide(event));
        let feed = matches!(decision, Decision::Message);
        self.session.answer(self.now, decision);
        if let (true, Some(index)) = (feed, fetched) {
            self.feed(index);
        }
    }

    fn decide(&self, event: Event) -> Decision {
        match event {
            Event::StartTls => Decision::TlsStarted { mechanisms: vec!["PLAIN".into()] },
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
            Event::OpenMaildrop => Decision::Maildrop(self.list()),
            Event::Fetch { index, utf8, .. } => match (utf8, self.mail[index].is_ascii()) {
                (false, false) => Decision::Refused(Refusal::NeedsUtf8),
                _ => Decision::Message,
            },
            Event::Commit { .. } => Decision::Committed { all: true },
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn list(&self) -> Vec<Message> {
        let message = |(index, text): (usize, &Vec<u8>)| {
            let mut octets = Octets::new();
            octets.push(text);
            let unique_id = UniqueId::new(&format!("id{}", index + 1)).unwrap();
            Message { octets: octets.finish(), unique_id }
        };
        self.mail.iter().enumerate().map(message).collect()
    }

    fn feed(&mut self, index: usize) {
        let text = self.mail[index].clone();
        let mut pieces = text.chunks(self.piece);
        loop {
            match (self.session.message_flow(), pieces.len()) {
                (MessageFlow::Closed, _) => return,
                (MessageFlow::Paused, _) => self.transmit(),
                (MessageFlow::Open, 0) => return self.session.finish_message(self.now),
                (MessageFlow::Open, _) => {
                    self.session.handle_message(self.now, pieces.next().unwrap());
                }
            }
        }
    }
}

fn plain(response: &[u8]) -> Decision {
    let expected = format!("\0{USER}\0{PASSWORD}");
    if response == expected.as_bytes() { Decision::LoggedIn } else { Decision::Refused(Refusal::Credentials) }
}

/// A configuration that allows everything in the clear.
pub(crate) fn open_config() -> Config {
    let mechanisms = vec!["PLAIN".into(), "WHO".into()];
    Config { require_tls: false, mechanisms, ..Config::new("mx.example") }
}
