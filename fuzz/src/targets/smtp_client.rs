//! A whole session of the client's half; the octets are what the server says.

use super::{Settings, dialogue, has_bare_newline};
use address::Secret;
use smtp::Reply;
use smtp::client::{Config, Ended, Event, Fate, Outcome, Protocol, Session, Transaction};
use smtp::command::{HelloName, Mail, Rcpt};
use smtp::parameter::{MailParameters, RcptParameters};
use std::time::Instant;

const BODY: &[u8] = b"Subject: x\n\n.\n..\r\nlast";

pub fn run(data: &[u8]) {
    let Some((settings, pieces)) = dialogue(data) else { return };
    let now = Instant::now();
    let session = Session::new(config(settings), now);
    let mut driver = Driver {
        session,
        now,
        turn: 0,
        given: 0,
        owed: 0,
        traced: settings.bit(3),
        received: Vec::new(),
        ended: false,
    };
    driver.drive();
    for piece in pieces {
        driver.session.handle_input(now, piece);
        driver.drive();
    }
    match driver.session.poll_timeout() {
        Some(at) if settings.bit(4) => driver.session.handle_timeout(at),
        _ => driver.session.handle_closed(now),
    }
    driver.drive();
    assert!(driver.ended, "the connection is gone, and the session goes on");
    assert_eq!(driver.owed, 0, "a transaction was begun, and nobody was told its outcome");
}

fn config(settings: Settings) -> Config {
    let mut config = Config::new(HelloName::new("client.example").expect("a name"));
    config.protocol = if settings.bit(0) { Protocol::Lmtp } else { Protocol::Smtp };
    config.pipelining = !settings.bit(1);
    config.chunking = !settings.bit(2);
    config.trace = settings.bit(3);
    config
}

struct Driver {
    session: Session,
    now: Instant,
    /// How often it was the driver's turn.
    turn: usize,
    /// Octets of [`BODY`] that were handed in.
    given: usize,
    /// Transactions that were taken, and whose outcome is still to come: before the end, however that comes.
    owed: usize,
    traced: bool,
    /// The lines that came, when they are traced.
    received: Vec<String>,
    ended: bool,
}

impl Driver {
    /// The run loop of `smtp::client`.
    fn drive(&mut self) {
        loop {
            while let Some(event) = self.session.poll_event() {
                assert!(!self.ended, "{event:?} after the last event");
                self.on_event(event);
            }
            let mut wrote = false;
            while let Some(block) = self.session.poll_transmit() {
                wrote = true;
                // A piece may end between CR and LF only if it is of the body; ours never is.
                assert!(!has_bare_newline(&block), "{:?}", String::from_utf8_lossy(&block));
            }
            if !wrote {
                return;
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Ready { .. } | Event::Refused { .. } => self.act(),
            Event::StartTls => self.session.tls_started(self.now).expect("it was asked for"),
            // What came behind it may have ended the session already; then the answer is not wanted.
            Event::Challenge(challenge) if challenge.is_empty() => {
                let _ = self.session.auth_cancel(self.now);
            }
            Event::Challenge(challenge) => {
                let _ = self.session.auth_response(self.now, &Secret::new(challenge));
            }
            Event::WantBody { remaining } => {
                assert_eq!(remaining, (BODY.len() - self.given) as u64);
                let piece = &BODY[self.given..BODY.len().min(self.given + 7)];
                self.given += piece.len();
                self.session.provide_body(self.now, piece).expect("it was wanted");
            }
            Event::Outcome(outcome) => {
                check(&outcome);
                self.owed = self.owed.checked_sub(1).expect("an outcome of nothing");
                self.act();
            }
            Event::Received(line) => self.received.push(line),
            Event::Ended(why) => {
                assert_eq!(self.owed, 0, "{why}: the end came before the outcome");
                self.was_traced(&why);
                self.ended = true;
            }
            _ => {}
        }
    }

    /// With a trace, the reply that ended the session is among the lines that came.
    fn was_traced(&self, why: &Ended) {
        let (Ended::Refused { reply, .. } | Ended::Shutdown(reply)) = why else { return };
        let code = reply.code().to_string();
        let seen = self.received.iter().any(|line| line.starts_with(&code));
        assert!(!self.traced || seen, "{why}: {:?}", self.received);
    }

    /// STARTTLS, AUTH, two messages, QUIT; what cannot be done now is passed over.
    fn act(&mut self) {
        while self.turn < 5 {
            self.turn += 1;
            let done = match self.turn {
                1 => self.session.starttls(self.now).is_ok(),
                2 => self
                    .session
                    .auth(self.now, "PLAIN", Some(Secret::new(b"\0user\0secret".to_vec())))
                    .is_ok(),
                3 | 4 => {
                    self.given = 0;
                    let taken = self.session.send(self.now, transaction()).is_ok();
                    self.owed += usize::from(taken);
                    taken
                }
                _ => self.session.quit(self.now).is_ok(),
            };
            if done {
                return;
            }
        }
    }
}

fn transaction() -> Transaction {
    let parameters = |text| RcptParameters::parse(text).expect("parameters");
    let rcpt = |to: &str, text| Rcpt { to: to.parse().expect("a path"), parameters: parameters(text) };
    Transaction {
        mail: Mail {
            from: "a@client.example".parse().expect("a path"),
            parameters: MailParameters::parse("RET=HDRS ENVID=q1").expect("parameters"),
        },
        recipients: vec![rcpt("b@mx.example", "NOTIFY=FAILURE"), rcpt("c@mx.example", "")],
        length: BODY.len() as u64,
    }
}

fn check(outcome: &Outcome) {
    assert_eq!(outcome.recipients.len(), 2);
    for recipient in &outcome.recipients {
        match &recipient.fate {
            Fate::Accepted(reply) => {
                assert!(reply.is_positive(), "{reply} is no acceptance");
                assert!(recipient.rcpt.as_ref().is_some_and(Reply::is_positive), "accepted without RCPT");
            }
            Fate::Refused { reply, .. } => assert!(!reply.is_positive(), "{reply} is no refusal"),
            _ => {}
        }
    }
}
