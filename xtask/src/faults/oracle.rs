//! Whether the promises were kept.

use super::load::{Message, whole};
use super::{Mark, Site};
use std::collections::{BTreeSet, HashMap};
use store::{Options, Store, StoreError};

/// All that the store has: a name and a place, and how often.
type Found = HashMap<(String, String), usize>;

const QUEUE: &str = "the queue";

/// What was found where no promise was broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Messages answered 250.
    pub promised: u64,
    /// Messages that are there although the 250 was not sent, or had not been: all that may be said of them is that they
    /// are whole.
    pub unanswered: u64,
    /// Bodies that are files, and that something names.
    pub files: usize,
}

/// Reads all that the site has, whose server does not run, and holds it against what was known when its disk was last
/// touched.
///
/// # Errors
/// What is wrong.
pub fn broken(site: &Site, marks: &[(Mark, String)]) -> Result<Kept, String> {
    let of = |mark| marks.iter().filter(move |noted| noted.0 == mark).map(|noted| noted.1.as_str());
    let store =
        Store::open(&site.data(), &Options::default()).map_err(|error| format!("the store: {error}"))?;
    let problems = store.check().map_err(|error| format!("the check: {error}"))?;
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    let accounts = store.accounts(None).map_err(|error| format!("the accounts: {error}"))?;
    if of(Mark::Ready).next().is_some() && accounts.len() != 2 {
        return Err("an account is not there".into());
    }
    let found = found(&store)?;
    let sent: BTreeSet<&str> = of(Mark::Sent).collect();
    for ((name, place), count) in &found {
        if !sent.contains(name.as_str()) {
            return Err(format!("{name} is in {place} and never ended"));
        }
        if *count != 1 {
            return Err(format!("{name} is in {place} {count} times"));
        }
    }
    let promised: BTreeSet<&str> = of(Mark::Promised).collect();
    let sunk: BTreeSet<&str> = of(Mark::Sunk).collect();
    for message in promised.iter().filter_map(|name| Message::named(name)) {
        kept(message, &found, &sunk)?;
    }
    let names: BTreeSet<&str> = found.keys().map(|(name, _)| name.as_str()).collect();
    let files = count_files(&found);
    let unanswered = names.difference(&promised).count() as u64;
    Ok(Kept { promised: promised.len() as u64, unanswered, files })
}

/// Messages whose body is a file; one is one in however many places it is.
fn count_files(found: &Found) -> usize {
    let names: BTreeSet<&str> = found.keys().map(|(name, _)| name.as_str()).collect();
    names.iter().filter_map(|name| Message::named(name)).filter(Message::is_file).count()
}

fn kept(message: Message<'_>, found: &Found, sunk: &BTreeSet<&str>) -> Result<(), String> {
    let name = message.name();
    let has = |place: &str| found.contains_key(&(name.to_owned(), place.to_owned()));
    if let Some(account) = message.local().iter().find(|account| !has(account)) {
        return Err(format!("{name} was answered 250 and {account} does not have it"));
    }
    if message.remote() && !has(QUEUE) && !sunk.contains(name) {
        return Err(format!("{name} was answered 250, and is neither in the queue nor with the next server"));
    }
    Ok(())
}

fn found(store: &Store) -> Result<Found, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let read = |body: &store::Body| {
        let text = runtime.block_on(body.read(usize::MAX)).map_err(|error| format!("a body: {error}"))?;
        whole(&text).ok_or_else(|| {
            format!("a body is not whole: {:?}…", String::from_utf8_lossy(&text[..text.len().min(60)]))
        })
    };
    let mut found = Found::new();
    let told = |error: StoreError| error.to_string();
    for account in store.accounts(None).map_err(told)? {
        let inbox = store.inbox(account.id).map_err(told)?;
        for summary in store.messages(inbox.id, 0, usize::MAX >> 1).map_err(told)? {
            let message = store.message(inbox.id, summary.uid).map_err(told)?.ok_or("a message has gone")?;
            *found.entry((read(&message.body)?, account.address.to_string())).or_default() += 1;
        }
    }
    for scheduled in store.schedule_page(None, usize::MAX >> 1).map_err(told)? {
        let (queued, _) = store.queued(scheduled.message).map_err(told)?.ok_or("a queue entry has gone")?;
        let body = store.body(queued.body_id, queued.body_size).map_err(told)?;
        *found.entry((read(&body)?, QUEUE.to_owned())).or_default() += 1;
    }
    Ok(found)
}
