//! Dialogues of `smtp::client` with a scripted server: `tests/client/*.smtp`.
//!
//! ```text
//! ! lmtp, tls, no-pipelining, no-chunking, trace, stop=rcpt      settings, before anything else
//! S: 220 mx.example           the server says a line
//! C: EHLO client.example      the client must have sent this line, and no other before it
//! E: ready EHLO 250 mx        the session must have given this event, and no other before it
//! D: send from=<a@b.example> to=<c@d.example> text=Hello\r\n     the driver calls a command
//! T: 300                      so many seconds pass
//! X:                          the connection is closed
//! ```
//!
//! Before each `S:`, `D:`, `T:` and `X:` all that was sent and given must have been named, so a file says
//! what is pipelined and what is not. Each file runs twice: the server's octets come a line at a time, and
//! one at a time.

#![allow(clippy::unwrap_used, reason = "tests")]

use smtp::client::{Config, Event, Fate, Outcome, Protocol, Session, Stage, Timeouts, TooMany, Transaction};
use smtp::command::{Attribute, AttributeName, AttributeValue, HelloName, Mail, Rcpt};
use smtp::parameter::{MailParameters, RcptParameters};
use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn dialogues() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for piecewise in [false, true] {
            Run::new(&name, &text, piecewise).play(&text);
        }
        count += 1;
    }
    assert!(count > 20, "only {count} dialogues were found");
}

/// What came in the same read as the end of the session asks nothing of the driver any more: it could only answer too
/// late. What was done and said up to then it is told all the same.
#[test]
fn an_event_that_asks_is_void_once_the_session_has_ended() {
    #[track_caller]
    fn check(commands: &[&str], read: &str, events: &[&str]) {
        let mut run = Run::new("one read", "", false);
        run.session.handle_input(run.now, b"220 mx\r\n");
        run.drive();
        if !commands.is_empty() {
            run.session.handle_input(run.now, b"250-mx\r\n250 STARTTLS\r\n");
        }
        run.drive();
        commands.iter().for_each(|command| run.command(command));
        run.drive();
        run.events.clear();
        run.session.handle_input(run.now, unescape(read).as_bytes());
        run.drive();
        assert_eq!(run.events, events);
    }
    let out_of_turn = |reply: &str| format!("ended the server sent a reply that answers nothing: {reply}");
    check(&["auth PLAIN"], "334 \\r\\n334 \\r\\n", &[&out_of_turn("334")]);
    check(&["auth PLAIN"], "235 in\\r\\n250 what?\\r\\n", &[&out_of_turn("250 what?")]);
    let no = "535 5.7.8 no\\r\\n421 4.7.0 go\\r\\n";
    let bye = "ended the server is closing the connection: 421 4.7.0 go";
    check(&["auth PLAIN"], no, &["refused AUTH 535 5.7.8 no", bye]);
    check(&["starttls"], "454 no\\r\\n250 yes\\r\\n", &[&out_of_turn("250 yes")]);
    check(&[], "250 mx\\r\\n421 4.7.0 go\\r\\n", &[bye]);
}

struct Run {
    name: String,
    piecewise: bool,
    session: Session,
    now: Instant,
    sent: String,
    events: VecDeque<String>,
    body: Vec<u8>,
}

impl Run {
    fn new(name: &str, text: &str, piecewise: bool) -> Self {
        let settings = text.lines().find_map(|line| line.strip_prefix("! ")).unwrap_or_default();
        let now = Instant::now();
        let mut run = Self {
            name: name.to_owned(),
            piecewise,
            session: Session::new(config(settings), now),
            now,
            sent: String::new(),
            events: VecDeque::new(),
            body: Vec::new(),
        };
        run.drive();
        run
    }

    fn play(mut self, text: &str) {
        for (number, line) in text.lines().enumerate() {
            let place =
                format!("{}:{}{}", self.name, number + 1, if self.piecewise { " (piecewise)" } else { "" });
            let Some((what, rest)) = line.split_once(':').filter(|(what, _)| what.len() == 1) else {
                continue;
            };
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            match what {
                "C" => self.expect_sent(rest, &place),
                "E" => assert_eq!(
                    self.events.pop_front().as_deref(),
                    Some(rest),
                    "{place}; sent: {:?}",
                    self.sent
                ),
                _ => {
                    self.expect_nothing(&place);
                    self.act(what, rest);
                    self.drive();
                }
            }
        }
        let name = self.name.clone();
        self.expect_nothing(&name);
    }

    fn expect_sent(&mut self, line: &str, place: &str) {
        let expected = format!("{line}\r\n");
        let rest = self.sent.strip_prefix(&expected);
        let rest = rest.unwrap_or_else(|| panic!("{place}: sent {:?}, events {:?}", self.sent, self.events));
        self.sent = rest.to_owned();
    }

    fn expect_nothing(&self, place: &str) {
        assert_eq!((self.sent.as_str(), &self.events), ("", &VecDeque::new()), "{place}: unnamed before");
    }

    fn act(&mut self, what: &str, rest: &str) {
        let now = self.now;
        match what {
            "S" => {
                let line = format!("{}\r\n", unescape(rest));
                if !self.piecewise {
                    return self.session.handle_input(now, line.as_bytes());
                }
                for byte in line.as_bytes() {
                    self.session.handle_input(now, std::slice::from_ref(byte));
                    self.drive();
                }
            }
            "T" => {
                self.now += Duration::from_secs(rest.parse().unwrap());
                self.session.handle_timeout(self.now);
            }
            "X" => self.session.handle_closed(now),
            "D" => self.command(rest),
            other => panic!("{}: {other}?", self.name),
        }
    }

    fn command(&mut self, line: &str) {
        let now = self.now;
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let secret = |text: &str| address::Secret::new(unescape(text).into_bytes());
        let done = match verb {
            "starttls" => self.session.starttls(now),
            "tls-started" => self.session.tls_started(now),
            "auth" => match rest.split_once(' ') {
                Some((mechanism, initial)) => self.session.auth(now, mechanism, Some(secret(initial))),
                None => self.session.auth(now, rest, None),
            },
            "respond" => self.session.auth_response(now, &secret(rest)),
            "cancel" => self.session.auth_cancel(now),
            "xclient" => self.session.xclient(now, &attributes()),
            "xforward" => self.session.xforward(now, &attributes()),
            "raw" => self.session.raw_line(now, rest),
            "raw-starttls" => self.session.raw_starttls(now),
            "quit" => self.session.quit(now),
            "abort" => {
                self.session.abort();
                Ok(())
            }
            "send" => {
                let (transaction, body) = transaction(rest);
                self.body = body;
                if let Err(error) = self.session.send(now, transaction) {
                    self.events.push_back(format!("error {error}"));
                }
                Ok(())
            }
            _ => panic!("{}: {verb}?", self.name),
        };
        if let Err(error) = done {
            self.events.push_back(format!("error {error}"));
        }
    }

    /// The module's run loop, over a connection that takes everything.
    fn drive(&mut self) {
        loop {
            while let Some(event) = self.session.poll_event() {
                if let Event::WantBody { remaining } = event {
                    assert_eq!(remaining, self.body.len() as u64);
                    let length = self.body.len().min(64 * 1024);
                    let piece: Vec<u8> = self.body.drain(..length).collect();
                    self.session.provide_body(self.now, &piece).unwrap();
                } else {
                    self.events.extend(show(&event));
                }
            }
            let mut wrote = false;
            while let Some(block) = self.session.poll_transmit() {
                self.sent.push_str(std::str::from_utf8(&block).unwrap());
                wrote = true;
            }
            if !wrote {
                return;
            }
        }
    }
}

fn config(settings: &str) -> Config {
    let mut config = Config::new(HelloName::new("client.example").unwrap());
    config.timeouts = Timeouts::default().scaled(1.0);
    for word in settings.split(", ").filter(|word| !word.is_empty()) {
        match word {
            "lmtp" => config.protocol = Protocol::Lmtp,
            "tls" => config.tls = true,
            "no-pipelining" => config.pipelining = false,
            "no-chunking" => config.chunking = false,
            "trace" => config.trace = true,
            "stop=connect" => config.stop_after = Some(Stage::Connect),
            "stop=mail" => config.stop_after = Some(Stage::Mail),
            "stop=rcpt" => config.stop_after = Some(Stage::Rcpt),
            "stop=data" => config.stop_after = Some(Stage::Data),
            _ => panic!("{word}?"),
        }
    }
    config
}

fn attributes() -> Vec<Attribute> {
    let known = |value: &str| AttributeValue::Known(value.to_owned());
    vec![
        Attribute { name: AttributeName::Addr, value: known("192.0.2.7") },
        Attribute { name: AttributeName::Login, value: known("a b") },
        Attribute { name: AttributeName::Ident, value: known("q1") },
    ]
}

/// `from=<…> [mail=PARAMETER]… (to=<…> [rcpt=PARAMETER]…)… [size=N] text=…`, the text to the end of the line;
/// with `size` it is repeated to that length.
fn transaction(line: &str) -> (Transaction, Vec<u8>) {
    let (head, text) = line.split_once("text=").unwrap();
    let mut body = unescape(text).into_bytes();
    let mut mail = String::new();
    let mut from = "";
    let mut recipients: Vec<(&str, String)> = Vec::new();
    for word in head.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap();
        let path = value.trim_start_matches('<').trim_end_matches('>');
        match name {
            "from" => from = path,
            "mail" => mail = format!("{mail} {value}"),
            "to" => recipients.push((path, String::new())),
            "rcpt" => recipients.last_mut().unwrap().1 += &format!(" {value}"),
            "size" => body = body.iter().copied().cycle().take(value.parse().unwrap()).collect(),
            _ => panic!("{word}?"),
        }
    }
    let mail = Mail { from: from.parse().unwrap(), parameters: MailParameters::parse(&mail).unwrap() };
    let rcpt = |(to, parameters): &(&str, String)| Rcpt {
        to: to.parse().unwrap(),
        parameters: RcptParameters::parse(parameters).unwrap(),
    };
    let recipients = recipients.iter().map(rcpt).collect();
    (Transaction { mail, recipients, length: body.len() as u64 }, body)
}

fn unescape(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n")
}

/// An event in words; an outcome is a line a recipient.
fn show(event: &Event) -> Vec<String> {
    let one = match event {
        Event::Greeting(reply) => format!("greeting {reply}"),
        Event::Ready { after, reply } => format!("ready {after} {reply}"),
        Event::Refused { at, reply } => format!("refused {at} {reply}"),
        Event::StartTls => "handshake".to_owned(),
        Event::Challenge(challenge) => format!("challenge {}", String::from_utf8_lossy(challenge)),
        Event::Stopped(stage) => format!("stopped {stage}"),
        Event::Reply(reply) => format!("reply {reply}"),
        Event::Sent(line) => format!("> {line}"),
        Event::Received(line) => format!("< {line}"),
        Event::Ended(why) => format!("ended {why}"),
        Event::Outcome(outcome) => return show_outcome(outcome),
        Event::WantBody { .. } => unreachable!("answered in drive"),
    };
    vec![one]
}

fn show_outcome(outcome: &Outcome) -> Vec<String> {
    let fates = outcome.recipients.iter().map(|recipient| match &recipient.fate {
        Fate::Accepted(reply) => format!("accepted {reply}"),
        Fate::Refused { at, reply } => format!("refused at {at} {reply}"),
        Fate::NotTried(TooMany::Refused(reply)) => format!("not tried {reply}"),
        Fate::NotTried(why) => format!("not tried {why:?}"),
        Fate::Broken { at } => format!("broken at {at}"),
        Fate::Unknown => "unknown".to_owned(),
    });
    let mut lines: Vec<String> = fates.collect();
    let dropped = &outcome.dropped;
    let names = [(dropped.dsn, "DSN"), (dropped.deliver_by, "BY"), (dropped.mt_priority, "MT-PRIORITY")];
    lines.extend(names.iter().filter(|(set, _)| *set).map(|(_, name)| format!("dropped {name}")));
    lines
}
