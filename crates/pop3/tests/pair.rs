//! The client and the server of this crate against each other, in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use address::Secret;
use common::{Driver, PASSWORD, USER, open_config};
use pop3::client::{Capabilities, Command, Config, Event, Reason, Session};
use pop3::server::{self, Decision, Refusal};
use pop3::{Error, ResponseCode};

struct Pair {
    client: Session,
    server: Driver,
    events: Vec<Event>,
}

impl Pair {
    fn new(client: Config, server: server::Config, mail: Vec<Vec<u8>>) -> Self {
        let server = Driver::new(server, mail);
        let client = Session::new(client, server.now);
        Self { client, server, events: vec![] }
    }

    fn clear(mail: Vec<Vec<u8>>) -> Self {
        Self::new(Config { allow_clear_login: true, tls: false }, open_config(), mail)
    }

    /// Lets both talk until neither has more to say.
    fn settle(&mut self) {
        loop {
            self.server.drain();
            let mut quiet = self.server.sent.is_empty();
            for piece in std::mem::take(&mut self.server.sent).chunks(5) {
                self.client.handle_input(self.server.now, piece);
                while let Some(event) = self.client.poll_event() {
                    self.events.push(event);
                }
            }
            while let Some(bytes) = self.client.poll_transmit() {
                quiet = false;
                self.server.input(&bytes);
            }
            if quiet {
                return;
            }
        }
    }

    fn ask(&mut self, command: Command) -> Vec<Event> {
        self.client.command(self.server.now, command).unwrap();
        self.settle();
        std::mem::take(&mut self.events)
    }

    fn login(&mut self) {
        self.settle();
        assert!(matches!(self.events.pop(), Some(Event::Greeting(_))));
        self.ask(Command::User(USER.into()));
        let events = self.ask(Command::Pass(Secret::new(PASSWORD.into())));
        assert!(matches!(events[..], [Event::LoggedIn(_)]), "{events:?}");
    }

    fn capabilities(&mut self) -> Capabilities {
        match self.ask(Command::Capa).pop() {
            Some(Event::Capabilities(capabilities)) => capabilities,
            other => panic!("{other:?}"),
        }
    }
}

fn text(events: &[Event]) -> Vec<u8> {
    events
        .iter()
        .flat_map(|event| if let Event::Data(data) = event { data.to_vec() } else { vec![] })
        .collect()
}

const ONE: &[u8] = b"Subject: one\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n";

#[test]
fn a_session_reads_and_deletes() {
    let mut pair = Pair::clear(vec![ONE.to_vec(), b"A: b\r\n\r\nx\r\n".to_vec()]);
    pair.login();
    let shown = |events: Vec<Event>| format!("{events:?}");
    assert_eq!(shown(pair.ask(Command::Stat)), "[Stat { count: 2, octets: 45 }]");
    let sizes = shown(pair.ask(Command::List(None)));
    assert_eq!(sizes, "[Size { number: 1, octets: 34 }, Size { number: 2, octets: 11 }, End]");
    assert_eq!(shown(pair.ask(Command::List(Some(2)))), "[Size { number: 2, octets: 11 }, End]");
    let id = shown(pair.ask(Command::Uidl(Some(2))));
    assert_eq!(id, "[UniqueId { number: 2, unique_id: \"id2\" }, End]");
    assert_eq!(pair.ask(Command::Uidl(None)).len(), 3);
    let message = pair.ask(Command::Retr(1));
    assert_eq!(text(&message), ONE);
    assert!(matches!(message.last(), Some(Event::End)));
    assert_eq!(text(&pair.ask(Command::Top(1, 1))), b"Subject: one\r\n\r\n.dot\r\n");
    assert!(matches!(pair.ask(Command::Retr(3))[..], [Event::Refused { code: None, .. }]));
    for command in [Command::Dele(2), Command::Rset, Command::Noop, Command::Dele(1)] {
        assert!(matches!(pair.ask(command)[..], [Event::Done(_)]));
    }
    assert!(matches!(pair.ask(Command::Quit)[..], [Event::Closed(Reason::Quit)]));
    assert_eq!(pair.server.log, ["commit [0]", "closed Quit"]);
}

#[test]
fn commands_are_pipelined_where_the_server_says_so() {
    let mut pair = Pair::clear(vec![ONE.to_vec()]);
    pair.login();
    let now = pair.server.now;
    pair.client.command(now, Command::Stat).unwrap();
    assert_eq!(pair.client.command(now, Command::Stat), Err(Error::Busy("STAT")));
    pair.settle();
    assert!(pair.capabilities().has("pipelining"));
    for command in [Command::Retr(1), Command::Dele(1), Command::Quit] {
        pair.client.command(now, command).unwrap();
    }
    assert_eq!(pair.client.command(now, Command::Noop), Err(Error::Busy("NOOP")));
    pair.events.clear();
    pair.settle();
    assert_eq!(text(&pair.events), ONE);
    assert!(matches!(pair.events[..], [.., Event::End, Event::Done(_), Event::Closed(Reason::Quit)]));
}

#[test]
fn stls_comes_before_the_password() {
    let server = server::Config { require_tls: true, ..open_config() };
    let mut pair = Pair::new(Config::default(), server, vec![]);
    pair.settle();
    pair.events.clear();
    assert!(pair.capabilities().has("STLS"));
    let now = pair.server.now;
    let user = || Command::User(USER.into());
    assert_eq!(pair.client.command(now, user()), Err(Error::NeedsTls("USER")));
    assert!(matches!(pair.ask(Command::Stls)[..], [Event::StartTls]));
    assert_eq!(pair.client.command(now, Command::Capa), Err(Error::Busy("CAPA")));
    pair.client.tls_started();
    let mechanisms: Vec<String> = pair.capabilities().mechanisms().map(String::from).collect();
    assert_eq!(mechanisms, ["PLAIN"]);
    assert!(matches!(pair.ask(user())[..], [Event::Done(_)]));
    assert!(pair.server.session.is_tls());
}

#[test]
fn sasl_runs_in_both_directions() {
    let mut pair = Pair::clear(vec![]);
    pair.settle();
    pair.events.clear();
    let auth = |mechanism: &str, initial: Option<&[u8]>| Command::Auth {
        mechanism: mechanism.into(),
        initial: initial.map(|bytes| Secret::new(bytes.to_vec())),
    };
    let now = pair.server.now;
    let events = pair.ask(auth("WHO", None));
    assert!(matches!(&events[..], [Event::Challenge(challenge)] if challenge == b"who?"));
    pair.client.cancel(now).unwrap();
    pair.settle();
    assert!(matches!(pair.events.pop(), Some(Event::Refused { code: None, .. })));
    // Too long for the line: sent after the empty challenge, which the caller does not see.
    let events = pair.ask(auth("PLAIN", Some(&[b'x'; 300])));
    assert!(matches!(events[..], [Event::Refused { code: Some(ResponseCode::Auth), .. }]), "{events:?}");
    pair.ask(auth("WHO", None));
    pair.client.respond(now, &Secret::new(b"me".to_vec())).unwrap();
    pair.settle();
    assert!(matches!(pair.events.pop(), Some(Event::LoggedIn(_))));
}

#[test]
fn refusals_keep_their_codes() {
    let mut pair = Pair::clear(vec![]);
    pair.settle();
    pair.ask(Command::User(USER.into()));
    pair.server.next = Some(Decision::Refused(Refusal::InUse));
    let events = pair.ask(Command::Pass(Secret::new(PASSWORD.into())));
    assert!(matches!(events[..], [Event::Refused { code: Some(ResponseCode::InUse), .. }]));
    pair.server.wait(600);
    pair.client.handle_end();
    assert!(matches!(pair.client.poll_event(), Some(Event::Closed(Reason::Ended))));
}

#[test]
fn what_a_command_cannot_carry_is_refused_before_it_is_sent() {
    let mut pair = Pair::clear(vec![]);
    pair.settle();
    let now = pair.server.now;
    let mut check = |command, error| assert_eq!(pair.client.command(now, command), Err(error));
    check(Command::User("a\r\nDELE 1".into()), Error::Character("user name"));
    check(Command::User("a b".into()), Error::Character("user name"));
    check(Command::Pass(Secret::new("a\nb".into())), Error::Character("password"));
    check(Command::User("x".repeat(249)), Error::TooLong("USER"));
    check(Command::Stat, Error::State("STAT", "log in first"));
    assert!(pair.client.poll_transmit().is_none());
}

/// Feeds a client with a server's words, after which it asks RETR, and shows what came of it.
fn against(script: &[&[u8]]) -> String {
    let now = std::time::Instant::now();
    let mut client = Session::new(Config { tls: true, allow_clear_login: false }, now);
    let mut commands =
        [Command::User("a".into()), Command::Pass(Secret::new("b".into())), Command::Retr(1)].into_iter();
    let mut events = Vec::new();
    for words in script {
        client.handle_input(now, words);
        events.extend(std::iter::from_fn(|| client.poll_event()));
        if let Some(command) = commands.next() {
            let _ = client.command(now, command);
        }
    }
    client.handle_end();
    events.extend(std::iter::from_fn(|| client.poll_event()));
    format!("{:?}", events.last().unwrap())
}

#[test]
fn servers_that_are_none_are_told_apart() {
    let check = |script: &[&[u8]], expected: &str| assert_eq!(against(script), expected);
    check(&[b"220 mx ESMTP\r\n"], "Closed(NotPop3(\"220 mx ESMTP\"))");
    check(&[b"+OKAY\r\n"], "Closed(NotPop3(\"+OKAY\"))");
    check(&[b"-ERR busy\r\n"], "Closed(Unwelcome)");
    check(&[b""], "Closed(Ended)");
    check(&[b"+OK\n"], "Closed(NotPop3(\"a line that is too long or ends with LF alone\"))");
    check(&[&[b'x'; 20_000]], "Closed(Ended)");
    check(&[b"+OK\r\n", b"+ abc\r\n"], "Closed(NotPop3(\"+ abc\"))");
    check(&[b"+OK\r\n", b"+OK\r\n", b"+OK\r\n", b"+OK\r\nhalf"], "Closed(Ended)");
    check(&[b"+OK hi\r\n+OK unasked\r\n"], "Closed(NotPop3(\"+OK unasked\"))");
}

#[test]
fn what_came_with_the_answer_to_stls_is_thrown_away() {
    let now = std::time::Instant::now();
    let mut client = Session::new(Config::default(), now);
    client.handle_input(now, b"+OK\r\n");
    client.poll_event();
    client.command(now, Command::Stls).unwrap();
    client.handle_input(now, b"+OK go\r\n+OK injected\r\n");
    assert!(matches!(client.poll_event(), Some(Event::StartTls)));
    client.tls_started();
    client.command(now, Command::Capa).unwrap();
    assert!(client.poll_event().is_none());
}

#[test]
fn a_silent_server_is_given_up() {
    let now = std::time::Instant::now();
    let mut client = Session::new(Config::default(), now);
    let at = client.poll_timeout().unwrap();
    client.handle_timeout(at);
    assert!(matches!(client.poll_event(), Some(Event::Closed(Reason::Timeout))));
}
