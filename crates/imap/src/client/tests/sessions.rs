//! Whole sessions: `S:` is what the server says, `C:` what must have been sent by then, `E:` an event that must have come.

use crate::client::{
    Command, Config, Error, Event, INPUT_HARD_LIMIT, List, Phase, Reason, Session, WireName,
};
use crate::fetch::FetchItem;
use crate::response::{Code, Data, Status};
use crate::section::Section;
use crate::{SeqNumber, SequenceSet};
use address::Secret;
use std::time::Instant;

struct Pair {
    session: Session,
    now: Instant,
}

impl Pair {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        Self { session: Session::new(config, now), now }
    }

    /// Logged in, with these capabilities.
    fn ready(capabilities: &str) -> Self {
        let mut pair = Self::new(Config { tls: true, ..Config::default() });
        pair.says(&format!("* PREAUTH [CAPABILITY IMAP4rev1 {capabilities}] hello"));
        assert!(matches!(pair.event(), Event::Greeting(_)));
        pair
    }

    fn says(&mut self, line: &str) {
        self.session.handle_input(self.now, format!("{line}\r\n").as_bytes());
    }

    fn asks(&mut self, command: Command, expected: &str) {
        self.session.command(self.now, command).unwrap();
        self.sent(expected);
    }

    /// Without the line's last end.
    fn sent(&mut self, expected: &str) {
        let mut sent = Vec::new();
        while let Some(octets) = self.session.poll_transmit() {
            sent.extend_from_slice(&octets);
        }
        assert_eq!(String::from_utf8_lossy(&sent).trim_end(), expected);
    }

    fn event(&mut self) -> Event {
        self.session.poll_event().expect("an event")
    }

    fn done(&mut self, line: &str) {
        self.says(line);
        assert!(matches!(self.event(), Event::Done(_)));
        assert_eq!(self.session.poll_event(), None);
    }

    fn refused(&mut self, command: Command) -> Error {
        self.session.command(self.now, command).unwrap_err()
    }
}

fn login() -> Command {
    Command::Login { user: "fred".into(), password: Secret::new("pa\"ss".into()) }
}

fn select() -> Command {
    Command::Select { mailbox: WireName::new("Entw\u{fc}rfe", false), read_only: false, condstore: true }
}

#[test]
fn tls_then_login() {
    let mut pair = Pair::new(Config::default());
    pair.says("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello");
    assert!(matches!(pair.event(), Event::Greeting(_)));
    assert!(pair.session.has("starttls"));
    assert_eq!(pair.refused(login()), Error::NeedsTls("LOGIN"));
    assert!(matches!(pair.refused(select()), Error::State("SELECT", _)));
    pair.asks(Command::StartTls, "w1 STARTTLS");
    assert_eq!(pair.refused(Command::Noop), Error::Busy("NOOP"));
    // What comes behind the answer is not the server's.
    pair.says("w1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN");
    assert_eq!(pair.event(), Event::StartTls);
    assert!(!pair.session.wants_input());
    pair.session.tls_started();
    assert_eq!(pair.session.poll_event(), None);
    assert!(pair.session.capabilities().is_empty());
    pair.asks(Command::Capability, "w2 CAPABILITY");
    pair.says("* CAPABILITY IMAP4rev1 AUTH=PLAIN auth=x\r\n* LIST () \"/\" INBOX\r\n* 5 EXISTS");
    assert!(matches!(pair.event(), Event::Data(Data::Capability(_))));
    assert_eq!(pair.session.mechanisms().collect::<Vec<_>>(), ["PLAIN", "x"]);
    // Before login nothing else counts.
    pair.done("w2 OK done");
    pair.asks(login(), "w3 LOGIN \"fred\" \"pa\\\"ss\"");
    pair.done("w3 OK [CAPABILITY IMAP4rev1 IDLE] in");
    assert_eq!(pair.session.phase(), Phase::Authenticated);
    assert!(pair.session.has("IDLE"));
    pair.asks(Command::Logout, "w4 LOGOUT");
    pair.says("* BYE bye\r\nw4 OK done");
    assert!(matches!(pair.event(), Event::Data(Data::Status(_))));
    assert!(matches!(pair.event(), Event::Done(_)));
    assert_eq!(pair.event(), Event::Closed(Reason::LoggedOut));
}

#[test]
fn a_password_that_is_not_ascii_is_a_literal() {
    let user = || Command::Login { user: "j\u{f6}rg".into(), password: Secret::new("x".into()) };
    let mut pair = Pair::new(Config { tls: true, ..Config::default() });
    pair.says("* OK hello");
    pair.event();
    pair.asks(user(), "w1 LOGIN {5}");
    pair.says("+ go on");
    pair.sent("j\u{f6}rg \"x\"");
    pair.says("w1 NO [AUTHENTICATIONFAILED] no");
    assert_eq!(pair.event(), Event::Refused(Status::no(Code::AuthenticationFailed, "no")));
    pair.asks(Command::Capability, "w2 CAPABILITY");
    pair.says("* CAPABILITY LITERAL-");
    pair.event();
    pair.done("w2 OK x");
    pair.asks(user(), "w3 LOGIN {5+}\r\nj\u{f6}rg \"x\"");
    // Refused without its rest: nothing of it goes.
    let mut pair = Pair::new(Config { tls: true, ..Config::default() });
    pair.says("* OK hello");
    pair.event();
    pair.asks(user(), "w1 LOGIN {5}");
    pair.says("w1 BAD no");
    pair.event();
    pair.asks(Command::Noop, "w2 NOOP");
}

#[test]
fn authenticate() {
    let command = || Command::Authenticate {
        mechanism: "PLAIN".into(),
        initial: Some(Secret::new(b"\0u\0p".to_vec())),
    };
    let greeted = |line: &str| {
        let mut pair = Pair::new(Config { tls: true, ..Config::default() });
        pair.says(line);
        pair.event();
        pair
    };
    let mut pair = greeted("* OK [CAPABILITY IMAP4rev1 SASL-IR] x");
    pair.asks(command(), "w1 AUTHENTICATE PLAIN AHUAcA==");
    pair.done("w1 OK x");
    // Without SASL-IR the response waits for the first, empty, challenge.
    let mut pair = greeted("* OK [CAPABILITY IMAP4rev1] x");
    pair.asks(command(), "w1 AUTHENTICATE PLAIN");
    pair.says("+");
    pair.sent("AHUAcA==");
    pair.says("+ aGk=");
    assert_eq!(pair.event(), Event::Challenge(b"hi".to_vec()));
    pair.session.respond(pair.now, &Secret::new(b"ho".to_vec())).unwrap();
    pair.sent("aG8=");
    pair.says("+ !");
    pair.sent("*");
    pair.says("w1 BAD cancelled");
    assert!(matches!(pair.event(), Event::Refused(_)));
    assert_eq!(pair.session.phase(), Phase::NotAuthenticated);
}

#[test]
fn lists_and_names() {
    let mut pair = Pair::ready("LIST-EXTENDED SPECIAL-USE");
    let list =
        List { pattern: WireName::new("*", false), subscribed: true, special_use: true, ..List::default() };
    pair.asks(Command::List(list), "w1 LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE)");
    pair.says("* LIST (\\Sent \\Subscribed) \".\" \"A&B\"");
    let Event::Listed { name, .. } = pair.event() else { panic!() };
    pair.done("w1 OK x");
    pair.asks(Command::Subscribe(name), "w2 SUBSCRIBE \"A&B\"");
    pair.done("w2 OK x");
    pair.asks(Command::Enable(vec!["UTF8=ACCEPT".into()]), "w3 ENABLE UTF8=ACCEPT");
    pair.says("* ENABLED UTF8=ACCEPT");
    pair.event();
    pair.done("w3 OK x");
    let name = WireName::new("\u{e4}", pair.session.unicode());
    pair.asks(Command::Create(name), "w4 CREATE \"\u{e4}\"");
    pair.says("* LIST () \"/\" \"\u{e4}&-\"");
    let Event::Listed { entry, .. } = pair.event() else { panic!() };
    assert_eq!(entry.mailbox, "\u{e4}&-");
}

#[test]
fn messages_are_fetched_in_pieces() {
    let mut pair = Pair::ready("");
    // Not asked for: no mailbox is selected.
    pair.says("* 1 FETCH (BODY[] {2}\r\nab)\r\n* 9 EXISTS");
    assert_eq!(pair.session.poll_event(), None);
    pair.asks(select(), "w1 SELECT \"Entw&APw-rfe\" (CONDSTORE)");
    pair.says("* 9 EXISTS\r\nw1 OK [READ-WRITE] x");
    assert_eq!(pair.event(), Event::Data(Data::Exists(9)));
    pair.event();
    let items =
        vec![FetchItem::Uid, FetchItem::Section { section: Section::default(), partial: None, peek: true }];
    let uids = SequenceSet::Numbers(vec![(SeqNumber::Number(4), SeqNumber::Last)]);
    let fetch = Command::Fetch { uids, items, changed_since: Some(7) };
    pair.asks(fetch, "w2 UID FETCH 4:* (UID BODY.PEEK[]) (CHANGEDSINCE 7)");
    pair.session.handle_input(pair.now, b"* 2 FETCH (UID 40 BODY[] {6}\r\nab");
    let Event::Section { number: 2, before, size: 6, .. } = pair.event() else { panic!() };
    assert_eq!(before, [crate::response::FetchData::Uid(40)]);
    assert_eq!(pair.event(), Event::Octets("ab".into()));
    pair.says("cd\r\n FLAGS ())");
    assert_eq!(pair.event(), Event::Octets("cd\r\n".into()));
    assert_eq!(pair.event(), Event::SectionEnd);
    let Event::Data(Data::Fetch { number: 2, items }) = pair.event() else { panic!() };
    assert_eq!(items.len(), 2);
    pair.done("w2 OK x");
    pair.asks(Command::Close, "w3 CLOSE");
    pair.done("w3 OK x");
    assert_eq!(pair.session.phase(), Phase::Authenticated);
    assert!(matches!(pair.refused(Command::Close), Error::State(..)));
}

#[test]
fn append() {
    let command = |size| Command::Append {
        mailbox: WireName::default(),
        flags: vec![crate::Flag::Seen],
        date: None,
        size,
    };
    let mut pair = Pair::ready("LITERAL+");
    pair.asks(command(4), "w1 APPEND \"INBOX\" (\\Seen) {4}");
    assert_eq!(pair.session.send_message(pair.now, b"ab"), Err(Error::Busy("APPEND")));
    pair.says("+ go");
    assert_eq!(pair.event(), Event::SendMessage);
    pair.session.send_message(pair.now, b"ab").unwrap();
    assert!(pair.session.send_message(pair.now, b"cde").is_err());
    pair.session.send_message(pair.now, b"cd").unwrap();
    pair.sent("abcd");
    pair.done("w1 OK [APPENDUID 1 2] x");
    pair.asks(command(9), "w2 APPEND \"INBOX\" (\\Seen) {9}");
    pair.says("w2 NO [TRYCREATE] no");
    assert!(matches!(pair.event(), Event::Refused(_)));
    pair.asks(command(9), "w3 APPEND \"INBOX\" (\\Seen) {9}");
    pair.says("+ go");
    pair.event();
    pair.says("w3 NO too much");
    assert!(matches!(pair.event(), Event::Refused(_)));
    assert!(matches!(pair.event(), Event::Closed(Reason::NotImap(_))));
}

#[test]
fn sessions_end() {
    let end = |lines: &str| {
        let mut pair = Pair::new(Config::default());
        pair.says(lines);
        pair.session.handle_end();
        let mut last = None;
        while let Some(event) = pair.session.poll_event() {
            last = Some(event);
        }
        assert!(!pair.session.wants_input());
        assert_eq!(pair.refused(Command::Noop), Error::Closed);
        match last {
            Some(Event::Closed(reason)) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(end("* BYE too many"), Reason::Ended);
    assert_eq!(end("* OK hello"), Reason::Ended);
    assert_eq!(end("* PREAUTH hello"), Reason::Unprotected);
    for lines in [
        "220 mx.example ESMTP",
        "* LIST () \"/\" x",
        "w1 OK x",
        "* OK hello\r\nw1 OK x",
        "* OK hello\r\n* OK",
    ] {
        match end(lines) {
            Reason::NotImap(_) => {}
            other => assert_eq!((other, lines), (Reason::Ended, "* OK hello\r\n* OK")),
        }
    }
    let mut pair = Pair::new(Config::default());
    let at = pair.session.poll_timeout().unwrap();
    pair.session.handle_timeout(at);
    assert_eq!(pair.event(), Event::Closed(Reason::Timeout));
    let mut pair = Pair::new(Config::default());
    pair.session.handle_input(pair.now, &vec![b'x'; INPUT_HARD_LIMIT + 1]);
    assert!(matches!(pair.event(), Event::Closed(Reason::NotImap(_))));
}
