//! A mailbox of a million messages: does it open, list and search without reading them?
//!
//! It is filled by the store's own functions while no server runs, as an import would have left it. A server makes its index, and is
//! then started anew: what that work left in its memory is not the mailbox's. Times are those of a client, from a command to the end
//! of its answer.

use super::figure::{Figure, median};
use super::letters::{Letters, RARE};
use super::process::{self, Peak};
use super::site::Site;
use super::{Context, Findings};
use crate::Error;
use crate::imap::Imap;
use crate::installation::{DOMAIN, HOSTNAME, IMAPS, Installation, PASSWORD};
use std::time::{Duration, Instant};
use store::mailbox::{Keywords, MAX_APPENDED, NewCopy, flag};
use store::{Body, Options, Store};

const MESSAGES: u64 = 1_000_000;
/// Whose mailbox it is.
const OWNER: &str = "reader";
/// One of so many is not read yet.
const UNSEEN: u64 = 10;
/// What a client shows of a folder that it opens: the last ones.
const SHOWN: u64 = 10;
/// The first message's arrival, in milliseconds since 1970; the others came a minute after each other.
const FIRST: i64 = 1_700_000_000_000;
const MINUTE_MS: i64 = 60_000;
/// For all messages to be in the index.
const INDEX_LIMIT: Duration = Duration::from_secs(4 * 3600);
/// For a server that has nothing to do to have nothing left to do.
const QUIET_LIMIT: Duration = Duration::from_secs(300);

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let messages = context.messages(MESSAGES);
    let site = Site::new(context.program, "", "")?;
    site.installation.populate(&[OWNER])?;
    let mut figures = vec![Figure::new("messages", messages as f64, "messages")];
    let began = Instant::now();
    fill(context, &site.installation, messages)?;
    figures.push(Figure::new("filled_in", began.elapsed().as_secs_f64(), "s"));
    figures.push(Figure::new("indexed_in", make_index(context, &site)?, "s"));

    let began = Instant::now();
    let server = site.installation.serve()?;
    figures.push(Figure::new("ready_after", milliseconds(began), "ms"));
    wait_until_idle(server.id(), QUIET_LIMIT)?;
    let mib = |kib: u64| kib as f64 / 1024.0;
    figures.push(Figure::new("memory_before_pss", mib(process::memory(server.id())?.pss), "MiB"));
    let peak = Peak::default();
    let measured = std::thread::scope(|scope| {
        scope.spawn(|| peak.watch(server.id()));
        let measured = Client { context, site: &site, messages }.measure();
        peak.end();
        measured
    });
    figures.extend(measured?);
    wait_until_idle(server.id(), QUIET_LIMIT)?;
    figures.push(Figure::new("memory_highest_pss", mib(peak.kib()), "MiB"));
    figures.push(Figure::new("memory_after_pss", mib(process::memory(server.id())?.pss), "MiB"));
    Ok(Findings::of(figures))
}

/// Puts the messages into the owner's INBOX, as many to a transaction as there may be.
fn fill(context: &Context<'_>, installation: &Installation, messages: u64) -> Result<(), Error> {
    let store = Store::open(&installation.data(), &Options::default())?;
    let account = store.accounts(None)?.pop();
    let account = account.ok_or_else(|| Error::Stuck("the account was not added".to_owned()))?;
    let inbox = store.inbox(account.id)?.id;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let letters = Letters::new();
    for first in (0..messages).step_by(MAX_APPENDED) {
        context.tell(format!("filling the mailbox: {first} of {messages}"));
        let numbers = first..messages.min(first + MAX_APPENDED as u64);
        let copies = numbers.map(|number| copy(&letters, number)).collect();
        runtime.block_on(store.append(inbox, copies))?;
    }
    Ok(())
}

fn copy(letters: &Letters, number: u64) -> NewCopy {
    NewCopy {
        prefix: Default::default(),
        body: Body::from_bytes(letters.letter(number)),
        flags: if is_unseen(number) { 0 } else { flag::SEEN },
        keywords: Keywords::default(),
        received: FIRST + MINUTE_MS * number as i64,
    }
}

fn is_unseen(number: u64) -> bool {
    number.is_multiple_of(UNSEEN)
}

/// Seconds that a server takes to have all messages in its index.
fn make_index(context: &Context<'_>, site: &Site) -> Result<f64, Error> {
    context.tell("waiting for the index".to_owned());
    let began = Instant::now();
    let server = site.installation.serve()?;
    wait_until_idle(server.id(), INDEX_LIMIT)?;
    Ok(began.elapsed().as_secs_f64())
}

fn wait_until_idle(process: u32, limit: Duration) -> Result<(), Error> {
    if process::wait_until_idle(process, limit)? {
        return Ok(());
    }
    Err(Error::Stuck(format!("serve still works after {} s", limit.as_secs())))
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}

/// A command, and what it must answer so that its time counts.
struct Task {
    name: &'static str,
    command: String,
    expected: Expected,
}

enum Expected {
    /// OK.
    Done,
    /// Data of so many messages.
    Fetched(u64),
    /// So many numbers.
    Found(u64),
}

/// What a client asks before it opens a folder.
fn before_opening() -> [Task; 2] {
    let task = |name, command: &str| Task { name, command: command.to_owned(), expected: Expected::Done };
    [
        task("list_status", "LIST \"\" * RETURN (STATUS (MESSAGES UIDNEXT UNSEEN SIZE))"),
        task("status", "STATUS INBOX (MESSAGES UIDNEXT UNSEEN SIZE)"),
    ]
}

/// What it asks in the folder that it opened.
fn in_the_folder(messages: u64) -> [Task; 6] {
    let task = |name, command, expected| Task { name, command, expected };
    let shown = messages.min(SHOWN);
    let rare = Letters::rare_among(messages);
    let last_rare = Letters::last_rare_among(messages);
    let unseen = (0..messages).filter(|number| is_unseen(*number)).count() as u64;
    [
        task(
            "fetch_last_ten_envelope",
            format!("FETCH {}:* ENVELOPE", messages + 1 - shown),
            Expected::Fetched(shown),
        ),
        task("uid_search_uid", format!("UID SEARCH UID {}", messages.div_ceil(2)), Expected::Found(1)),
        task("search_text_one_word", format!("SEARCH TEXT {RARE}"), Expected::Found(rare)),
        // A letter's number is a word of its subject.
        task(
            "search_text_two_words",
            format!("SEARCH TEXT {RARE} TEXT {last_rare}"),
            Expected::Found(rare.min(1)),
        ),
        task("search_unseen", "SEARCH UNSEEN".to_owned(), Expected::Found(unseen)),
        task("list_all", "FETCH 1:* (UID FLAGS RFC822.SIZE)".to_owned(), Expected::Fetched(messages)),
    ]
}

/// Who uses the mailbox.
struct Client<'a> {
    context: &'a Context<'a>,
    site: &'a Site,
    messages: u64,
}

impl Client<'_> {
    fn measure(&self) -> Result<Vec<Figure>, Error> {
        let mut figures = Vec::new();
        let mut client = self.log_in()?;
        for task in before_opening() {
            figures.extend(self.repeated(task.name, || run_task(&mut client, &task))?);
        }
        // Kept open: what the sessions of a folder share is there for the next ones.
        figures.push(Figure::new("select_first", self.select(&mut client)?, "ms"));
        let [_, again] = self.repeated("select", || self.select(&mut self.log_in()?))?;
        figures.push(again);
        for task in in_the_folder(self.messages) {
            figures.extend(self.repeated(task.name, || run_task(&mut client, &task))?);
        }
        client.log_out()?;
        Ok(figures)
    }

    fn log_in(&self) -> Result<Imap, Error> {
        let installation = &self.site.installation;
        let mut client = Imap::connect(installation.place(IMAPS), installation.tls(), HOSTNAME)?;
        client.log_in(&format!("{OWNER}@{DOMAIN}"), PASSWORD)?;
        Ok(client)
    }

    fn select(&self, client: &mut Imap) -> Result<f64, Error> {
        let began = Instant::now();
        let exist = client.select("INBOX")?;
        expect("SELECT INBOX", exist, self.messages)?;
        Ok(milliseconds(began))
    }

    /// The first time, and the median of the rounds after it: each in milliseconds.
    fn repeated(
        &self,
        name: &str,
        mut once: impl FnMut() -> Result<f64, Error>,
    ) -> Result<[Figure; 2], Error> {
        self.context.tell(name.to_owned());
        let first = once()?;
        let rounds = (0..self.context.rounds).map(|_| once()).collect::<Result<Vec<f64>, Error>>()?;
        Ok([Figure::new(format!("{name}_first"), first, "ms"), Figure::new(name, median(rounds), "ms")])
    }
}

fn run_task(client: &mut Imap, task: &Task) -> Result<f64, Error> {
    let began = Instant::now();
    match task.expected {
        Expected::Done => client.ask(&task.command).map(drop)?,
        Expected::Fetched(messages) => expect(&task.command, client.ask(&task.command)?.fetched, messages)?,
        Expected::Found(messages) => expect(&task.command, client.search(&task.command)?, messages)?,
    }
    Ok(milliseconds(began))
}

fn expect(command: &str, answered: u64, expected: u64) -> Result<(), Error> {
    if answered == expected {
        return Ok(());
    }
    Err(Error::Stuck(format!("{command}: {answered} messages instead of {expected}")))
}
