//! Memory of a connection in IDLE with a folder open, beside Dovecot's process for it, and how soon all who wait in a
//! folder hear of a delivery.

use super::at_once::at_once;
use super::figure::Figure;
use super::idle::{OTHER_FILES, PER_ADDRESS, QUIET_LIMIT, allowed, connect_from};
use super::letters::Letters;
use super::lmtp::{self, Lmtp};
use super::probe::{Latency, latency};
use super::process::{self, Memory};
use super::versus::{Side, Versus};
use super::{Context, Findings};
use crate::Error;
use crate::installation::{DOMAIN, HOSTNAME, Installation};
use crate::wire::Wire;
use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const CONNECTIONS: u64 = 10_000;
/// Who share them out.
const ACCOUNTS: u64 = 100;
/// In the folder of each, before.
const MESSAGES: u64 = 100;
/// Of Dovecot, which has a process for each.
const THEIR_CONNECTIONS: u64 = 50;
/// Deliveries to each account whose news are waited for, and sessions that make them.
const DELIVERIES: u64 = 5;
const SESSIONS: usize = 4;
/// For all that was delivered to be in the index.
const INDEX_LIMIT: Duration = Duration::from_secs(600);

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let count = allowed(context.connections.unwrap_or(CONNECTIONS))?;
    let letters = Letters::new();
    let (plain, notified, theirs) = {
        let waiting = Waiting::start(context, &letters, count)?;
        let mut plain = waiting.memory(count, false)?;
        let notified = waiting.notify(&waiting.versus.ours, &mut plain.held)?;
        let theirs = waiting.versus.theirs.as_ref().map(|theirs| waiting.theirs(theirs)).transpose()?;
        (plain, notified, theirs)
    };
    let alone = Context { alone: true, ..*context };
    let tls = Waiting::start(&alone, &letters, count)?.memory(count, true)?;
    let mut figures = vec![
        Figure::new("connections", count as f64, "connections"),
        Figure::new("plain_pss", plain.pss, "KiB a connection").at_most(30.0),
        Figure::new("plain_rss", plain.rss, "KiB a connection"),
        Figure::new("tls_pss", tls.pss, "KiB a connection"),
    ];
    figures.extend(times("notified", &notified, Some(100.0)));
    if let Some((each, notified)) = theirs {
        figures.push(Figure::new("dovecot_pss", each, "KiB a connection"));
        figures.push(Figure::new("dovecot_vs_plain", each / plain.pss, "times").at_least(20.0));
        figures.extend(times("dovecot_notified", &notified, None));
    }
    Ok(Findings::of(figures))
}

fn times(name: &str, latency: &Latency, p99_at_most: Option<f64>) -> [Figure; 4] {
    let p99 = Figure::new(format!("{name}_p99"), latency.p99, "ms");
    [
        Figure::new(name, latency.count as f64, "times"),
        Figure::new(format!("{name}_p50"), latency.p50, "ms"),
        match p99_at_most {
            Some(most) => p99.at_most(most),
            None => p99,
        },
        Figure::new(format!("{name}_max"), latency.max, "ms"),
    ]
}

/// Servers whose accounts have a few messages each.
struct Waiting<'a> {
    context: &'a Context<'a>,
    letters: &'a Letters,
    accounts: u64,
    messages: u64,
    versus: Versus<'a>,
}

/// Connections in IDLE, those of an account together, and what they cost.
struct Held {
    held: Vec<Vec<TcpStream>>,
    /// KiB for each.
    pss: f64,
    rss: f64,
}

impl<'a> Waiting<'a> {
    fn start(context: &'a Context<'a>, letters: &'a Letters, count: u64) -> Result<Self, Error> {
        let limits = format!("connections = {}\nidle = \"1 h\"", count + OTHER_FILES);
        let accounts = ACCOUNTS.min(count);
        let names: Vec<String> = (0..accounts).map(|number| format!("waiting{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        context.tell("adding accounts".to_owned());
        let versus = Versus::start(context, &limits, &names)?;
        let messages = context.messages(MESSAGES);
        let waiting = Self { context, letters, accounts, messages, versus };
        for side in [Some(&waiting.versus.ours), waiting.versus.theirs.as_ref()].into_iter().flatten() {
            context.tell(format!("{}: filling their folders", side.name));
            waiting.fill(side)?;
        }
        process::wait_until_idle(waiting.versus.ours.process, INDEX_LIMIT)?;
        Ok(waiting)
    }

    fn account(&self, number: u64) -> String {
        format!("waiting{}@{DOMAIN}", number % self.accounts)
    }

    fn fill(&self, side: &Side) -> Result<(), Error> {
        (0..self.accounts).try_for_each(|number| {
            let letters = self.letters.batch(number * self.messages..(number + 1) * self.messages);
            lmtp::deliver(side.lmtp, SESSIONS, letters, |_session| self.account(number))
        })
    }

    /// What so many connections add to the memory of Waypost.
    fn memory(&self, count: u64, tls: bool) -> Result<Held, Error> {
        let ours = &self.versus.ours;
        let tls = tls.then_some(&self.versus.site.installation);
        // What the first connection of an account brings about for all is no memory of a connection.
        for number in 0..ACCOUNTS {
            drop(self.wait_in_folder(ours, number, tls)?);
        }
        process::wait_until_idle(ours.process, QUIET_LIMIT)?;
        let before = process::memory(ours.process)?;
        let held = self.hold(ours, count, tls)?;
        process::wait_until_idle(ours.process, QUIET_LIMIT)?;
        let after = process::memory(ours.process)?;
        let each =
            |pick: fn(&Memory) -> u64| pick(&after).saturating_sub(pick(&before)) as f64 / count as f64;
        Ok(Held { held, pss: each(|memory| memory.pss), rss: each(|memory| memory.rss) })
    }

    /// KiB of each of Dovecot's processes that serve a connection, and how soon they tell of a delivery.
    fn theirs(&self, side: &Side) -> Result<(f64, Latency), Error> {
        let mut held = self.hold(side, THEIR_CONNECTIONS, None)?;
        let tree = process::tree(side.process)?;
        let serving = tree.into_iter().filter(|id| process::name(*id).is_ok_and(|name| name == "imap"));
        let memory = serving.map(|id| Ok(process::memory(id)?.pss)).collect::<Result<Vec<u64>, Error>>()?;
        if memory.len() as u64 != THEIR_CONNECTIONS {
            return Err(Error::Stuck(format!("{} processes of Dovecot serve IMAP", memory.len())));
        }
        let each = memory.iter().sum::<u64>() as f64 / memory.len() as f64;
        Ok((each, self.notify(side, &mut held)?))
    }

    fn hold(
        &self,
        side: &Side,
        count: u64,
        tls: Option<&Installation>,
    ) -> Result<Vec<Vec<TcpStream>>, Error> {
        let mut held: Vec<Vec<TcpStream>> = (0..self.accounts).map(|_| Vec::new()).collect();
        for number in 0..count {
            if number % 100 == 0 {
                let kind = if tls.is_some() { "TLS" } else { "plain" };
                self.context.tell(format!("{}, {kind}: {number} of {count}", side.name));
            }
            let stream = self
                .wait_in_folder(side, number, tls)
                .map_err(|error| Error::Stuck(format!("{}, connection {number}: {error}", side.name)))?;
            if let Some(of_account) = held.get_mut((number % self.accounts) as usize) {
                of_account.push(stream);
            }
        }
        Ok(held)
    }

    /// The socket of a connection that is in IDLE in the account's INBOX; what TLS needs at this end is forgotten.
    fn wait_in_folder(
        &self,
        side: &Side,
        number: u64,
        tls: Option<&Installation>,
    ) -> Result<TcpStream, Error> {
        let mut wire = Wire::over(connect_from(number / PER_ADDRESS, side.imap)?)?;
        until(&mut wire, "* OK")?;
        if let Some(site) = tls {
            say(&mut wire, "a STARTTLS", "a OK")?;
            wire = wire.start_tls(site.tls(), HOSTNAME)?;
        }
        say(&mut wire, &format!("b LOGIN {} \"{}\"", self.account(number), side.password), "b OK")?;
        say(&mut wire, "c SELECT INBOX", "c OK")?;
        say(&mut wire, "d IDLE", "+")?;
        Ok(wire.socket().try_clone()?)
    }

    /// Delivers to the accounts in turn, and waits each time until all who are connected have heard of it.
    fn notify(&self, side: &Side, held: &mut [Vec<TcpStream>]) -> Result<Latency, Error> {
        self.context.tell(format!("{}: delivering", side.name));
        let part = held.len().div_ceil(SESSIONS);
        let sessions = (0..).step_by(part).zip(held.chunks_mut(part));
        let times = at_once(sessions, |(first, accounts)| self.news(side, first, accounts))?;
        Ok(latency(times.concat()))
    }

    /// Times from a delivery's 250 to its news, as they are read one after another.
    fn news(&self, side: &Side, first: u64, accounts: &mut [Vec<TcpStream>]) -> Result<Vec<Duration>, Error> {
        let mut lmtp = Lmtp::connect(side.lmtp)?;
        let mut times = Vec::new();
        for delivery in 1..=DELIVERIES {
            for (number, streams) in (first..).zip(accounts.iter_mut()) {
                lmtp.deliver(&self.account(number), self.letters.letter(number))?;
                let accepted = Instant::now();
                let news = format!("* {} EXISTS\r\n", self.messages + delivery);
                for stream in streams {
                    hear(stream, &news)?;
                    times.push(accepted.elapsed());
                }
            }
        }
        Ok(times)
    }
}

/// Reads until this line comes.
fn hear(stream: &mut TcpStream, news: &str) -> Result<(), Error> {
    let (mut heard, mut piece) = (Vec::new(), [0; 512]);
    while !heard.windows(news.len()).any(|window| window == news.as_bytes()) {
        match stream.read(&mut piece)? {
            0 => return Err(Error::Stuck("a connection in IDLE was closed".to_owned())),
            octets => heard.extend_from_slice(&piece[..octets]),
        }
    }
    Ok(())
}

fn say(wire: &mut Wire, words: &str, wanted: &str) -> Result<(), Error> {
    wire.send(format!("{words}\r\n").as_bytes())?;
    until(wire, wanted)
}

/// Reads untagged responses up to the line that begins like this.
fn until(wire: &mut Wire, wanted: &str) -> Result<(), Error> {
    loop {
        let line = wire.line()?;
        if line.starts_with(wanted.as_bytes()) {
            return Ok(());
        }
        if !line.starts_with(b"* ") {
            return Err(Error::Stuck(format!("IMAP says {:?}", String::from_utf8_lossy(&line))));
        }
    }
}
