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
use crate::installation::{DOMAIN, HOSTNAME};
use crate::wire::Wire;
use std::ops::Range;
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
    let waiting = Waiting::start(context, &letters, count)?;
    let mut ours = waiting.memory(count)?;
    let notified = waiting.notify(&waiting.versus.ours, &mut ours.held)?;
    let theirs = waiting.versus.theirs.as_ref().map(|theirs| waiting.theirs(theirs)).transpose()?;
    let mut figures = vec![
        Figure::new("connections", count as f64, "connections"),
        Figure::new("tls_pss", ours.pss, "KiB a connection").at_most(30.0),
        Figure::new("tls_rss", ours.rss, "KiB a connection"),
        Figure::new("process_pss", ours.process, "MiB"),
    ];
    figures.extend(times("notified", &notified, Some(100.0)));
    if let Some((each, notified)) = theirs {
        figures.push(Figure::new("dovecot_pss", each, "KiB a connection"));
        figures.push(Figure::new("dovecot_vs_tls", each / ours.pss, "times").at_least(20.0));
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
    held: Vec<Vec<Wire>>,
    /// KiB for each.
    pss: f64,
    rss: f64,
    /// MiB of the process with all of them.
    process: f64,
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
        let mut waiting = Self { context, letters, accounts, messages, versus };
        for side in [Some(&waiting.versus.ours), waiting.versus.theirs.as_ref()].into_iter().flatten() {
            context.tell(format!("{}: filling their folders", side.name));
            waiting.fill(side)?;
        }
        process::wait_until_idle(waiting.versus.ours.process, INDEX_LIMIT)?;
        waiting.versus.restart()?;
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

    /// What a connection adds to the memory of Waypost: the second half of so many over the first. What logins leave
    /// behind to be used again, dozens of MiB, would hide the memory of the first thousands.
    fn memory(&self, count: u64) -> Result<Held, Error> {
        let ours = &self.versus.ours;
        let mut held = Vec::new();
        let mut memory = |numbers: Range<u64>| {
            self.hold(ours, numbers, &mut held)?;
            process::wait_until_idle(ours.process, QUIET_LIMIT)?;
            Ok::<_, Error>(process::memory(ours.process)?)
        };
        let (half, all) = (memory(0..count / 2)?, memory(count / 2..count)?);
        let second = (count - count / 2) as f64;
        let each = |pick: fn(&Memory) -> u64| pick(&all).saturating_sub(pick(&half)) as f64 / second;
        Ok(Held {
            held,
            pss: each(|memory| memory.pss),
            rss: each(|memory| memory.rss),
            process: all.pss as f64 / 1024.0,
        })
    }

    /// KiB of each of Dovecot's processes that serve a connection, and how soon they tell of a delivery.
    fn theirs(&self, side: &Side) -> Result<(f64, Latency), Error> {
        let mut held = Vec::new();
        self.hold(side, 0..THEIR_CONNECTIONS, &mut held)?;
        let tree = process::tree(side.process)?;
        let serving = tree.into_iter().filter(|id| process::name(*id).is_ok_and(|name| name == "imap"));
        let memory = serving.map(|id| Ok(process::memory(id)?.pss)).collect::<Result<Vec<u64>, Error>>()?;
        if memory.len() as u64 != THEIR_CONNECTIONS {
            return Err(Error::Stuck(format!("{} processes of Dovecot serve IMAP", memory.len())));
        }
        let each = memory.iter().sum::<u64>() as f64 / memory.len() as f64;
        Ok((each, self.notify(side, &mut held)?))
    }

    /// Adds the connections of these numbers, those of an account to each other.
    fn hold(&self, side: &Side, numbers: Range<u64>, held: &mut Vec<Vec<Wire>>) -> Result<(), Error> {
        held.resize_with(self.accounts as usize, Vec::new);
        for number in numbers {
            if number % 100 == 0 {
                self.context.tell(format!("{}: {number} connections", side.name));
            }
            let wire = self
                .wait_in_folder(side, number)
                .map_err(|error| Error::Stuck(format!("{}, connection {number}: {error}", side.name)))?;
            if let Some(of_account) = held.get_mut((number % self.accounts) as usize) {
                of_account.push(wire);
            }
        }
        Ok(())
    }

    /// A connection that is in IDLE in the account's INBOX.
    fn wait_in_folder(&self, side: &Side, number: u64) -> Result<Wire, Error> {
        let wire = Wire::over(connect_from(number / PER_ADDRESS, side.imap)?)?;
        let mut wire = wire.start_tls(&side.tls, HOSTNAME)?;
        until(&mut wire, "* OK")?;
        say(&mut wire, &format!("b LOGIN {} \"{}\"", self.account(number), side.password), "b OK")?;
        say(&mut wire, "c SELECT INBOX", "c OK")?;
        say(&mut wire, "d IDLE", "+")?;
        Ok(wire)
    }

    /// Delivers to the accounts in turn, and waits each time until all who are connected have heard of it.
    fn notify(&self, side: &Side, held: &mut [Vec<Wire>]) -> Result<Latency, Error> {
        self.context.tell(format!("{}: delivering", side.name));
        let part = held.len().div_ceil(SESSIONS);
        let sessions = (0..).step_by(part).zip(held.chunks_mut(part));
        let times = at_once(sessions, |(first, accounts)| self.news(side, first, accounts))?;
        Ok(latency(times.concat()))
    }

    /// Times from a delivery's 250 to its news, as they are read one after another.
    fn news(&self, side: &Side, first: u64, accounts: &mut [Vec<Wire>]) -> Result<Vec<Duration>, Error> {
        let mut lmtp = Lmtp::connect(side.lmtp)?;
        let mut times = Vec::new();
        for delivery in 1..=DELIVERIES {
            for (number, wires) in (first..).zip(accounts.iter_mut()) {
                lmtp.deliver(&self.account(number), self.letters.letter(number))?;
                let accepted = Instant::now();
                let news = format!("* {} EXISTS\r\n", self.messages + delivery);
                for wire in wires {
                    until(wire, &news)?;
                    times.push(accepted.elapsed());
                }
            }
        }
        Ok(times)
    }
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
