//! Sessions that bring mail, each in its own way, until the server is gone.

use super::Shared;
use super::letter::{Flaw, Letter, SUBMITTER};
use crate::installation::{self, HOSTNAME, Installation, PASSWORD};
use crate::random::Random;
use crate::wire::{Reply, Wire, stuffed};
use data_encoding::BASE64;
use std::io;
use std::time::Duration;

/// Of those who do not submit. Notifications go there, so to the sink.
const SENDER: &str = "harness@sender.example";
/// Once in so many recipients here, its delivery is to be notified: the queue delivers it then.
const ONE_IN_NOTIFIED: u64 = 10;
/// Octets written at once.
const PIECE: usize = 64 << 10;
/// Before another connection is tried.
const PAUSE: Duration = Duration::from_millis(5);

/// How a session speaks.
#[derive(Debug, Clone, Copy)]
struct Way {
    port: u16,
    tls: Tls,
    lmtp: bool,
    /// BDAT, else DATA.
    chunks: bool,
    /// MAIL, RCPT and DATA at once.
    pipelined: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    Never,
    Upgrade,
    Implicit,
}

const PLAIN: Way =
    Way { port: installation::SMTP, tls: Tls::Never, lmtp: false, chunks: false, pipelined: false };
const LMTP: Way = Way { port: installation::LMTP, lmtp: true, ..PLAIN };
const SUBMISSION: Way = Way { port: installation::SUBMISSION, tls: Tls::Upgrade, ..PLAIN };

/// Sessions take turns with these.
const WAYS: [Way; 8] = [
    PLAIN,
    Way { pipelined: true, ..PLAIN },
    Way { chunks: true, ..PLAIN },
    LMTP,
    Way { port: installation::SUBMISSIONS, tls: Tls::Implicit, ..SUBMISSION },
    Way { chunks: true, pipelined: true, ..PLAIN },
    Way { chunks: true, ..LMTP },
    Way { chunks: true, ..SUBMISSION },
];

/// Brings mail over one connection after another until the server is killed.
pub(super) fn run(installation: &Installation, shared: &Shared, round: u32, session: usize, random: &Random) {
    let way = WAYS[session % WAYS.len()];
    let mut random = random.branch(session as u64);
    let mut number = 0;
    while !shared.is_killed() {
        let opened = Sender::open(installation, way, &mut random);
        let ended = opened.and_then(|mut sender| {
            loop {
                let name = format!("r{round}s{session}n{number}");
                number += 1;
                let letter = Letter::new(name, !way.lmtp, sender.random);
                if !sender.send(&letter, shared)? {
                    return Ok(());
                }
            }
        });
        let Err(error) = ended else { continue };
        // Whatever a kill breaks is broken after it.
        if !shared.is_killed() {
            shared.ledger().fail(format!("r{round}s{session}n{number}, while the server lived: {error}"));
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Brings one message of 5 MB beside the others, and returns when it is answered. Rounds with one take turns with the
/// ways to speak.
pub(super) fn large(installation: &Installation, shared: &Shared, round: u32, turn: u32, random: &Random) {
    let way = WAYS[turn as usize % WAYS.len()];
    let mut random = random.branch(u64::MAX);
    let letter = Letter::large(format!("r{round}large"), !way.lmtp);
    let sent =
        Sender::open(installation, way, &mut random).and_then(|mut sender| sender.send(&letter, shared));
    if let Err(error) = sent {
        shared.ledger().fail(format!("{}, while the server lived: {error}", letter.name));
    }
}

struct Sender<'a> {
    wire: Wire,
    way: Way,
    random: &'a mut Random,
}

impl<'a> Sender<'a> {
    fn open(installation: &Installation, way: Way, random: &'a mut Random) -> io::Result<Self> {
        let mut wire = Wire::connect(installation.place(way.port))?;
        let hello = if way.lmtp { "LHLO client.example\r\n" } else { "EHLO client.example\r\n" };
        if way.tls == Tls::Implicit {
            wire = wire.start_tls(installation.tls(), HOSTNAME)?;
        }
        positive(&wire.reply()?)?;
        positive(&wire.ask(hello)?)?;
        if way.tls == Tls::Upgrade {
            positive(&wire.ask("STARTTLS\r\n")?)?;
            wire = wire.start_tls(installation.tls(), HOSTNAME)?;
            positive(&wire.ask(hello)?)?;
        }
        if way.tls != Tls::Never {
            let words = BASE64.encode(format!("\0{SUBMITTER}\0{PASSWORD}").as_bytes());
            positive(&wire.ask(format!("AUTH PLAIN {words}\r\n"))?)?;
        }
        Ok(Self { wire, way, random })
    }

    /// False when the session is over because the message asked for that.
    fn send(&mut self, letter: &Letter, shared: &Shared) -> io::Result<bool> {
        shared.ledger().begin(letter);
        let envelope = self.envelope(letter);
        if self.way.pipelined {
            self.wire.send(envelope.concat().as_bytes())?;
            for _ in &envelope {
                positive(&self.wire.reply()?)?;
            }
        } else {
            for command in &envelope {
                positive(&self.wire.ask(command)?)?;
            }
        }
        if self.way.chunks { self.chunks(letter, shared) } else { self.lines(letter, shared) }
    }

    /// The commands before the message.
    fn envelope(&mut self, letter: &Letter) -> Vec<String> {
        let from = if self.way.tls == Tls::Never { SENDER } else { SUBMITTER };
        let mut commands = vec![format!("MAIL FROM:<{from}>\r\n")];
        for address in &letter.recipients {
            let here = address.ends_with(installation::DOMAIN);
            let notified = here && !self.way.lmtp && self.random.one_in(ONE_IN_NOTIFIED);
            let notify = if notified { " NOTIFY=SUCCESS" } else { "" };
            commands.push(format!("RCPT TO:<{address}>{notify}\r\n"));
        }
        if !self.way.chunks {
            commands.push("DATA\r\n".to_owned());
        }
        commands
    }

    fn lines(&mut self, letter: &Letter, shared: &Shared) -> io::Result<bool> {
        const DOT: usize = 3;
        let message = stuffed(&letter.content);
        if matches!(letter.flaw, Some(Flaw::Unfinished | Flaw::Reset)) {
            self.wire.send(&message[..message.len() / 2])?;
            return Ok(false);
        }
        let (body, dot) = message.split_at(message.len() - DOT);
        body.chunks(PIECE).try_for_each(|piece| self.wire.send(piece))?;
        shared.ledger().end(&letter.name);
        self.wire.send(dot)?;
        self.answers(letter, shared)
    }

    fn chunks(&mut self, letter: &Letter, shared: &Shared) -> io::Result<bool> {
        let mut rest = &letter.content[..];
        // A flaw in the content is to be answered at the end, so there is only that.
        let whole = matches!(letter.flaw, Some(Flaw::BareNewline | Flaw::Loop));
        while !whole && self.random.one_in(2) {
            let middle = usize::try_from(self.random.below(rest.len() as u64)).unwrap_or(0);
            let (chunk, after) = rest.split_at(middle);
            self.wire.send(format!("BDAT {}\r\n", chunk.len()).as_bytes())?;
            self.wire.send(chunk)?;
            positive(&self.wire.reply()?)?;
            rest = after;
        }
        match letter.flaw {
            Some(Flaw::Unfinished) => {
                self.wire.send(format!("BDAT {} LAST\r\n", rest.len()).as_bytes())?;
                self.wire.send(&rest[..rest.len() / 2])?;
                return Ok(false);
            }
            Some(Flaw::Reset) => {
                positive(&self.wire.ask("RSET\r\n")?)?;
                return Ok(true);
            }
            Some(Flaw::BareNewline | Flaw::Loop) | None => {}
        }
        self.wire.send(format!("BDAT {} LAST\r\n", rest.len()).as_bytes())?;
        let (body, last) = rest.split_at(rest.len().saturating_sub(1));
        body.chunks(PIECE).try_for_each(|piece| self.wire.send(piece))?;
        shared.ledger().end(&letter.name);
        self.wire.send(last)?;
        self.answers(letter, shared)
    }

    /// One answer, or in LMTP one for each recipient (RFC 2033 §4.2).
    fn answers(&mut self, letter: &Letter, shared: &Shared) -> io::Result<bool> {
        let mut reply = self.wire.reply()?;
        for (index, address) in letter.recipients.iter().enumerate() {
            if self.way.lmtp && index > 0 {
                reply = self.wire.reply()?;
            }
            let mut ledger = shared.ledger();
            ledger.answer(&letter.name, address, reply.code == 250);
            let expected = if letter.flaw.is_some() { reply.code / 100 == 5 } else { reply.code == 250 };
            if !expected {
                ledger.fail(format!("{} ({:?}): {} {}", letter.name, letter.flaw, reply.code, reply.text));
            }
        }
        Ok(true)
    }
}

fn positive(reply: &Reply) -> io::Result<()> {
    match reply.is_positive() {
        true => Ok(()),
        false => Err(io::Error::other(format!("the server says {} {}", reply.code, reply.text))),
    }
}
