//! What clients and deliveries do with mailboxes, beside Dovecot, which has the same messages.
//!
//! Both get them by LMTP in the same order, each server with its usual settings. Logging in is not in the times. Commands
//! on the large folder come from one session each, as a client's would.

use super::at_once::at_once;
use super::figure::Figure;
use super::letters::{Letters, RARE};
use super::lmtp;
use super::process;
use super::versus::{As, Side, Took, Versus};
use super::{Context, Findings};
use crate::Error;
use crate::imap::Imap;
use crate::installation::DOMAIN;
use std::time::{Duration, Instant};

const MESSAGES: u64 = 100_000;
/// Sessions of LMTP.
const SESSIONS: usize = 20;
/// Sessions that append at once.
const APPENDERS: usize = 8;
/// Single changes of flags, one after another.
const STORES: u64 = 1_000;
/// For all that was delivered to be in the index.
const INDEX_LIMIT: Duration = Duration::from_secs(1800);
/// Whose mailbox is large.
const FULL: &str = "full";

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let names: Vec<String> = (0..SESSIONS).map(|number| format!("box{number}")).collect();
    let accounts: Vec<&str> = names.iter().map(String::as_str).chain([FULL]).collect();
    let versus = Versus::start(context, "", &accounts)?;
    let bench = Bench { context, messages: context.messages(MESSAGES), letters: Letters::new(), versus };
    let mut findings = Findings::default();
    findings.figures.push(Figure::new("messages", bench.messages as f64, "messages"));
    bench.deliver(&mut findings)?;
    bench.wait_for_index(&mut findings)?;
    bench.append(&mut findings)?;
    bench.list(&mut findings)?;
    bench.search(&mut findings)?;
    bench.change_flags(&mut findings)?;
    Ok(findings)
}

struct Bench<'a> {
    context: &'a Context<'a>,
    /// In the large folder.
    messages: u64,
    letters: Letters,
    versus: Versus<'a>,
}

fn address(account: &str) -> String {
    format!("{account}@{}", DOMAIN)
}

fn numbered(session: usize) -> String {
    address(&format!("box{session}"))
}

impl Bench<'_> {
    /// Fills the large folder, a part in each round, and then twenty others.
    fn deliver(&self, findings: &mut Findings) -> Result<(), Error> {
        let (versus, rounds) = (&self.versus, u64::from(self.context.rounds));
        let many = (self.messages / 5).max(SESSIONS as u64);
        versus.compare(findings, "lmtp_many_mailboxes", As::Rate, 3.0, |side, round| {
            let from = self.messages + many * u64::from(round);
            let letters = self.letters.batch(from..from + many);
            side.timed(many, || lmtp::deliver(side.lmtp, SESSIONS, letters, numbered))
        })?;
        versus.compare(findings, "lmtp_one_mailbox", As::Rate, 3.0, |side, round| {
            let upto = |round: u32| self.messages * u64::from(round) / rounds;
            let numbers = upto(round - 1)..upto(round);
            let letters = self.letters.batch(numbers);
            side.timed(letters.len() as u64, || {
                lmtp::deliver(side.lmtp, SESSIONS, letters, |_session| address(FULL))
            })
        })
    }

    /// Searches at once, with what there is of an index, and then waits for the rest of it.
    fn wait_for_index(&self, findings: &mut Findings) -> Result<(), Error> {
        let (began, ours) = (Instant::now(), &self.versus.ours);
        self.context.tell("searching before all is in the index".to_owned());
        let cpu = process::cpu_of_tree(ours.process)?;
        let first = self.search_once(ours)?;
        self.context.tell("waiting for the index".to_owned());
        let idle = process::wait_until_idle(ours.process, INDEX_LIMIT)?;
        let waited = if idle { began.elapsed().as_secs_f64() } else { f64::NAN };
        let cpu = process::cpu_of_tree(ours.process)?.saturating_sub(cpu).as_secs_f64();
        findings.figures.extend([
            Figure::new("search_right_after_delivery_waypost", first.seconds(), "s"),
            Figure::new("idle_after_delivery_waypost", waited, "s"),
            Figure::new("cpu_after_delivery_waypost", cpu, "s"),
        ]);
        Ok(())
    }

    /// By one session, and by eight at once, each into a folder of its own.
    fn append(&self, findings: &mut Findings) -> Result<(), Error> {
        for (name, sessions, part) in [("append_one", 1, 50), ("append_eight", APPENDERS, 10)] {
            let each = (self.messages / part / sessions as u64).max(10);
            self.versus.compare(findings, name, As::Rate, 2.0, |side, round| {
                let clients = (0..sessions).map(|session| {
                    let mut client = side.log_in(&numbered(session))?;
                    if round == 1 {
                        client.ask(&format!("CREATE {name}"))?;
                    }
                    let first = session as u64 * each;
                    Ok((client, self.letters.batch(first..first + each)))
                });
                let clients = clients.collect::<Result<Vec<_>, Error>>()?;
                side.timed(each * sessions as u64, || {
                    let append = |(mut client, letters): (Imap, Vec<Vec<u8>>)| {
                        Ok(letters.iter().try_for_each(|letter| client.append(name, letter))?)
                    };
                    at_once(clients, append).map(drop)
                })
            })?;
        }
        process::wait_until_idle(self.versus.ours.process, INDEX_LIMIT)?;
        Ok(())
    }

    /// Opens the large folder and fetches something of each message.
    fn list(&self, findings: &mut Findings) -> Result<(), Error> {
        let versus = &self.versus;
        for (name, items, target) in [
            ("list", "(UID FLAGS RFC822.SIZE)", 2.0),
            ("envelope", "ENVELOPE", 1.5),
            ("bodies", "BODY.PEEK[]", 1.5),
        ] {
            // What either puts into memory or a cache of its own is there after the first time.
            versus.once(findings, &format!("{name}_first"), |side| self.fetch_all(side, items))?;
            versus.compare(findings, name, As::Time, target, |side, _round| self.fetch_all(side, items))?;
        }
        Ok(())
    }

    fn fetch_all(&self, side: &Side, items: &str) -> Result<Took, Error> {
        let mut client = side.log_in(&address(FULL))?;
        side.timed(self.messages, || {
            let exist = client.select("INBOX")?;
            let fetched = client.ask(&format!("FETCH 1:* {items}"))?.fetched;
            if (exist, fetched) == (self.messages, self.messages) {
                return Ok(());
            }
            Err(Error::Stuck(format!("{exist} messages and {fetched} fetched instead of {}", self.messages)))
        })
    }

    fn search(&self, findings: &mut Findings) -> Result<(), Error> {
        self.versus.once(findings, "search_first", |side| self.search_once(side))?;
        self.versus.compare(findings, "search", As::Time, 20.0, |side, _round| self.search_once(side))
    }

    fn search_once(&self, side: &Side) -> Result<Took, Error> {
        let mut client = side.log_in(&address(FULL))?;
        client.select("INBOX")?;
        let expected = Letters::rare_among(self.messages);
        side.timed(self.messages, || {
            let found = client.search(&format!("SEARCH TEXT {RARE}"))?;
            if found == expected {
                return Ok(());
            }
            Err(Error::Stuck(format!("{found} messages found instead of {expected}")))
        })
    }

    /// Sets a flag in one round and takes it away in the next, so that each change is one.
    fn change_flags(&self, findings: &mut Findings) -> Result<(), Error> {
        let versus = &self.versus;
        let sign = |round: u32| if round.is_multiple_of(2) { '-' } else { '+' };
        versus.compare(findings, "flag_all", As::Time, 2.0, |side, round| {
            let mut client = side.log_in(&address(FULL))?;
            client.select("INBOX")?;
            let command = format!("STORE 1:* {}FLAGS.SILENT (\\Flagged)", sign(round));
            side.timed(self.messages, || Ok(client.ask(&command).map(drop)?))
        })?;
        let stores = self.messages.min(STORES);
        versus.compare(findings, "flag_single", As::Rate, 2.0, |side, round| {
            let mut client = side.log_in(&address(FULL))?;
            client.select("INBOX")?;
            side.timed(stores, || {
                // All over the folder.
                for number in (0..stores).map(|number| 1 + number * (self.messages / stores)) {
                    client.ask(&format!("STORE {number} {}FLAGS.SILENT (\\Seen)", sign(round)))?;
                }
                Ok(())
            })
        })
    }
}
