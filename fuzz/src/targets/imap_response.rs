//! What an IMAP server says, read by the client: by itself, then in a session that asks for all that there is.

use super::{Settings, dialogue};
use address::Secret;
use bytes::BytesMut;
use imap::client::{Command, Config, Event, List, Read, Reader, Response, Session, WireName};
use imap::command::{FlagChange, StatusItem};
use imap::fetch::FetchItem;
use imap::response::{Data, FetchData};
use imap::search::SearchKey;
use imap::section::Section;
use imap::{Enabled, Encoder, Flag, SeqNumber, SequenceSet};
use std::time::Instant;

pub fn run(data: &[u8]) {
    let Some((settings, pieces)) = dialogue(data) else { return };
    let all = data.get(2..).unwrap_or_default();
    let in_pieces = read(pieces, settings);
    assert_eq!(in_pieces, read(std::iter::once(all), settings), "read otherwise in other pieces");
    in_pieces.iter().for_each(|read| writes_the_same(read, settings));
    if let Some((_, pieces)) = dialogue(data) {
        session(pieces, settings);
    }
}

/// Everything but the octets of sections, which come as they come.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, settings: Settings) -> Vec<Read> {
    let mut reader = Reader::new(if settings.bit(6) { 0 } else { 8 });
    reader.unicode = settings.bit(7);
    let mut all = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.read() {
                Ok(Some(Read::Octets(octets))) => assert!(!octets.is_empty()),
                Ok(Some(read)) => all.push(read),
                Ok(None) => break,
                Err(_) => return all,
            }
        }
    }
    all
}

/// What the server's side makes of it is understood, and is the same again.
fn writes_the_same(read: &Read, settings: Settings) {
    let Read::Response(Response::Data(data)) = read else { return };
    let fit = match data {
        Data::Fetch { items, .. } => {
            !items.iter().any(|item| matches!(item, FetchData::EmailId(_) | FetchData::ThreadId(_)))
        }
        Data::Esearch(_)
        | Data::Thread(_)
        | Data::Search { .. }
        | Data::Sort { .. }
        | Data::Vanished { .. } => true,
        _ => false,
    };
    if !fit {
        return;
    }
    let written = write(data, settings);
    let mut reader = Reader::new(u64::MAX);
    reader.unicode = settings.bit(7);
    reader.push(&written);
    match reader.read() {
        Ok(Some(Read::Response(Response::Data(again)))) => {
            assert_eq!(write(&again, settings), written, "{data:?}");
        }
        // Literals may make it longer than it was.
        Err(_) if written.len() > imap::client::MAX_RESPONSE => {}
        other => panic!("{other:?} from {data:?}"),
    }
}

fn write(data: &Data, settings: Settings) -> BytesMut {
    let mut out = BytesMut::new();
    Encoder::new(&mut out, Enabled { utf8: settings.bit(7), ..Enabled::default() }).data(data);
    out
}

fn session<'a>(pieces: impl Iterator<Item = &'a [u8]>, settings: Settings) {
    let now = Instant::now();
    let stream_from = if settings.bit(6) { 0 } else { 8 };
    let config = Config { tls: settings.bit(0), allow_clear_login: settings.bit(1), stream_from };
    let mut driver =
        Driver { session: Session::new(config, now), settings, now, turn: 0, sections: 0, closed: false };
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
    assert!(driver.closed, "the server is gone, and the session goes on");
}

struct Driver {
    session: Session,
    settings: Settings,
    now: Instant,
    /// Commands that were given, or could not be.
    turn: usize,
    /// Octets of a section that are to come.
    sections: u64,
    closed: bool,
}

impl Driver {
    /// The run loop of `imap::client`.
    fn drive(&mut self) {
        loop {
            let mut idle = true;
            while let Some(event) = self.session.poll_event() {
                idle = false;
                assert!(!self.closed, "{event:?} after the last event");
                self.on_event(event);
            }
            while self.session.poll_transmit().is_some() {
                idle = false;
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
                return self.session.cancel(self.now).expect("a challenge");
            }
            Event::Challenge(text) => {
                // It may be too long to be given back.
                let given = self.session.respond(self.now, &Secret::new(text.clone()));
                return given.or_else(|_| self.session.cancel(self.now)).expect("a challenge");
            }
            Event::SendMessage => return self.session.send_message(self.now, b"a\r\nb").expect("a message"),
            Event::Section { size, .. } => self.sections = *size,
            Event::Octets(octets) => {
                self.sections =
                    self.sections.checked_sub(octets.len() as u64).expect("no more than was said");
            }
            Event::SectionEnd => assert_eq!(self.sections, 0),
            Event::NotUnderstood(text) => assert!(!text.contains(char::is_control)),
            Event::Listed { entry, name, .. } => {
                let _ = (entry, name.decoded(true), name.decoded(false));
            }
            Event::Closed(_) => self.closed = true,
            _ => {}
        }
        if event.ends_command() || matches!(event, Event::Greeting(_)) {
            self.act();
        }
    }

    fn act(&mut self) {
        while let Some(command) = command(self.turn, self.settings) {
            self.turn += 1;
            if self.session.command(self.now, command).is_ok() {
                return;
            }
        }
    }
}

fn command(turn: usize, settings: Settings) -> Option<Command> {
    let inbox = WireName::default;
    let all = || SequenceSet::Numbers(vec![(SeqNumber::Number(1), SeqNumber::Last)]);
    let body = || FetchItem::Section { section: Section::default(), partial: None, peek: true };
    Some(match turn {
        0 | 2 | 4 => Command::Capability,
        1 => Command::StartTls,
        3 if settings.bit(4) => Command::Authenticate {
            mechanism: "PLAIN".into(),
            initial: settings.bit(5).then(|| Secret::new(b"\0user\0secret".to_vec())),
        },
        3 => Command::Login { user: "us\u{e9}r".into(), password: Secret::new("secret".into()) },
        5 => Command::Id(vec![("name".into(), None)]),
        6 => Command::Enable(vec!["UTF8=ACCEPT".into()]),
        7 => Command::Namespace,
        8 => Command::List(List {
            pattern: WireName::new("*", false),
            subscribed: true,
            special_use: true,
            status: vec![StatusItem::Messages],
        }),
        9 => Command::Status { mailbox: inbox(), items: vec![StatusItem::Messages, StatusItem::Size] },
        10 => Command::Append { mailbox: inbox(), flags: vec![Flag::Seen], date: None, size: 4 },
        11 => Command::Select { mailbox: inbox(), read_only: false, condstore: true },
        12 => Command::Search { key: SearchKey::Text("\u{e9}".into()), extended: true },
        13 => Command::Fetch { uids: all(), items: vec![FetchItem::Uid, body()], changed_since: None },
        14 => Command::Store { uids: all(), change: FlagChange::Add, silent: true, flags: vec![Flag::Seen] },
        15 => Command::Close,
        16 => Command::Logout,
        _ => return None,
    })
}
