//! Whether the promises were kept.

use crate::load;
use crate::record::Mark;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use store::{Options, Store};

/// All that the store has, by name and place.
type Found = HashMap<(String, String), usize>;

const QUEUE: &str = "the queue";

/// What is wrong with the data, if anything, given what the test knew when the power went. Else how many bodies that are
/// files it has.
pub(crate) fn broken(data: &Path, marks: &[(Mark, String)]) -> Result<usize, String> {
    let of = |mark| marks.iter().filter(move |noted| noted.0 == mark).map(|noted| noted.1.as_str());
    let sent: HashSet<&str> = of(Mark::Sent).collect();
    let sunk: HashSet<&str> = of(Mark::Sunk).collect();
    let store = Store::open(data, &Options::default()).map_err(|error| format!("the store: {error}"))?;
    let problems = store.check().map_err(|error| format!("the check: {error}"))?;
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    if of(Mark::Ready).next().is_some() && store.accounts(None).unwrap().len() != 2 {
        return Err("an account is not there".into());
    }
    let found = found(&store)?;
    for ((name, place), count) in &found {
        if !sent.contains(name.as_str()) {
            return Err(format!("{name} is in {place} and never ended"));
        }
        if *count != 1 {
            return Err(format!("{name} is in {place} {count} times"));
        }
    }
    for name in of(Mark::Promised) {
        let has = |place: &str| found.contains_key(&(name.to_owned(), place.to_owned()));
        if let Some(account) = load::local(name).iter().find(|account| !has(account)) {
            return Err(format!("{name} was answered 250 and {account} does not have it"));
        }
        if load::remote(name) && !has(QUEUE) && !sunk.contains(name) {
            return Err(format!(
                "{name} was answered 250, and is neither in the queue nor with the next server"
            ));
        }
    }
    let large: HashSet<&str> =
        found.keys().map(|(name, _)| name.as_str()).filter(|name| load::is_file(name)).collect();
    Ok(large.len())
}

fn found(store: &Store) -> Result<Found, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let read = |body: &store::Body| {
        let text = runtime.block_on(body.read(usize::MAX)).map_err(|error| format!("a body: {error}"))?;
        load::whole(&text).ok_or_else(|| {
            format!("a body is not whole: {:?}…", String::from_utf8_lossy(&text[..text.len().min(60)]))
        })
    };
    let mut found = Found::new();
    let told = |error: store::StoreError| error.to_string();
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
