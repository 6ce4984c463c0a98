//! A whole session of the server's half, with a driver that answers by rules.

use super::{Settings, dialogue, has_bare_newline};
use smtp::Reply;
use smtp::command::{Auth, Mail};
use smtp::parameter::Body;
use smtp::server::{BareNewline, Config, Decision, Event, Protocol, Session};
use std::time::Instant;

pub fn run(data: &[u8]) {
    let Some((settings, pieces)) = dialogue(data) else { return };
    let now = Instant::now();
    let mut driver = Driver::new(settings, now);
    driver.drive(now);
    for piece in pieces {
        if driver.session.is_closed() {
            break;
        }
        // All is answered and sent: a session that wants nothing now would wait for ever.
        assert!(driver.session.wants_input(), "stuck");
        driver.session.handle_input(now, piece);
        driver.drive(now);
    }
    if settings.bit(5) {
        while let Some(at) = driver.session.poll_timeout() {
            driver.session.handle_timeout(at);
            driver.drive(at);
        }
    }
    driver.session.handle_disconnect();
    driver.drive(now);
    assert!(driver.session.is_closed());
    assert!(driver.closed, "the session is closed, and nobody was told");
}

struct Driver {
    session: Session,
    settings: Settings,
    recipients: usize,
    /// `BODY=BINARYMIME`: line ends stay as they are.
    binary: bool,
    message: Vec<u8>,
    closed: bool,
}

impl Driver {
    fn new(settings: Settings, now: Instant) -> Self {
        let protocol = match (settings.bit(0), settings.bit(1)) {
            (false, _) => Protocol::Smtp,
            (true, false) => Protocol::Submission,
            (true, true) => Protocol::Lmtp,
        };
        let mut config = Config::new("mx.example".parse().expect("a domain"), protocol);
        config.bare_newline = if settings.bit(2) { BareNewline::Normalise } else { BareNewline::Reject };
        config.strict_pipelining = settings.bit(3);
        config.limits.message_size = 1000;
        config.extensions.starttls = true;
        config.extensions.xclient = settings.bit(4);
        config.extensions.xforward = settings.bit(4);
        config.mechanisms = vec!["PLAIN".into(), "LOGIN".into()];
        let session = Session::new(config, now);
        Self { session, settings, recipients: 0, binary: false, message: Vec::new(), closed: false }
    }

    /// The run loop of `smtp::server`.
    fn drive(&mut self, now: Instant) {
        loop {
            let (mut idle, mut handshake) = (true, false);
            while let Some(event) = self.session.poll_event() {
                idle = false;
                assert!(!self.closed, "{event:?} after the last event");
                handshake |= matches!(event, Event::StartTls);
                if let Some(decision) = self.decide(event) {
                    self.session.answer(decision);
                }
            }
            while let Some(sent) = self.session.poll_transmit() {
                idle = false;
                check_replies(&sent);
            }
            if handshake && !self.session.is_closed() {
                self.session.tls_started(now);
            } else if idle {
                return;
            }
        }
    }

    fn decide(&mut self, event: Event) -> Option<Decision> {
        Some(match event {
            Event::Auth(Auth { initial: None, .. }) => Decision::Challenge(b"Username:".to_vec()),
            Event::AuthResponse(response) if response.reveal().is_empty() => refuse(535),
            Event::Mail(mail) => self.mail(&mail),
            Event::Rcpt(rcpt) if rcpt.to.to_string().starts_with("<no") => refuse(550),
            Event::Rcpt(_) => {
                self.recipients += 1;
                Decision::Accept
            }
            Event::Body(octets) => {
                self.message.extend_from_slice(&octets);
                return None;
            }
            Event::EndOfMessage(facts) => {
                assert!(self.recipients > 0, "a message for nobody");
                assert_eq!(facts.octets, self.message.len() as u64);
                assert!(facts.octets <= 1000, "{facts:?}");
                assert!(self.binary || !has_bare_newline(&self.message), "smuggled: {:?}", self.message);
                assert!(self.binary || self.settings.bit(2) || !facts.has_bare_newline);
                Decision::Recipients(vec![Reply::new(250, (2, 0, 0), "kept"); self.end()])
            }
            Event::Aborted(_) => {
                self.end();
                return None;
            }
            Event::AuthEnded => return None,
            Event::Closed(_) => {
                self.closed = true;
                return None;
            }
            _ => Decision::Accept,
        })
    }

    fn mail(&mut self, mail: &Mail) -> Decision {
        if mail.from.to_string().starts_with("<no") {
            return refuse(550);
        }
        self.end();
        self.binary = mail.parameters.body == Some(Body::BinaryMime);
        Decision::Accept
    }

    /// The transaction is over; how many recipients it had.
    fn end(&mut self) -> usize {
        self.message.clear();
        self.binary = false;
        std::mem::take(&mut self.recipients)
    }
}

fn refuse(code: u16) -> Decision {
    Decision::Refuse(Reply::new(code, (5, 7, 0), "no"))
}

/// RFC 5321 §4.2: whole lines, each with a code and a space or a hyphen.
fn check_replies(sent: &[u8]) {
    assert!(!has_bare_newline(sent) && sent.ends_with(b"\r\n"), "{:?}", String::from_utf8_lossy(sent));
    for line in sent.split_inclusive(|octet| *octet == b'\n') {
        let coded = matches!(line, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..]);
        assert!(coded, "{:?}", String::from_utf8_lossy(line));
    }
}
