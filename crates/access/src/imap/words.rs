//! Searching for words: the index finds bodies, the fields above them are looked at here.

use super::stop::{Outcome, read};
use ::message::Header;
use ::message::text::fold;
use std::collections::HashSet;
use std::ops::ControlFlow;
use store::search::Query;
use store::{Id, Store, StoreError};

/// Bodies asked about at once: the index is read once for them.
const BODIES: usize = 20_000;

/// The bodies of a folder whose messages have the words; a copy's own fields above the body count as its header.
pub(super) async fn bodies_with(
    store: &Store,
    account: Id,
    mailbox: Id,
    query: Query,
) -> Outcome<HashSet<Id>> {
    let store = store.clone();
    read(move || find(&store, account, mailbox, &query)).await
}

fn find(store: &Store, account: Id, mailbox: Id, query: &Query) -> Result<HashSet<Id>, StoreError> {
    let mut found = HashSet::new();
    let mut after = 0;
    loop {
        let page = store.prefixes(mailbox, after, BODIES)?;
        let bodies: Vec<(Id, u64)> = page.iter().map(|(row, _)| (row.body, row.body_size())).collect();
        let go_on = |_, _| ControlFlow::Continue(());
        found.extend(store.search(account, query, &bodies, go_on)?.unwrap_or_default());
        let above = page.iter().filter(|(_, prefix)| has_words(prefix, query));
        found.extend(above.map(|(row, _)| row.body));
        match page.last().filter(|_| page.len() == BODIES) {
            Some((last, _)) => after = last.uid,
            None => return Ok(found),
        }
    }
}

/// Whether fields above a body have the words.
fn has_words(prefix: &[u8], query: &Query) -> bool {
    let fields = || Header::parse(prefix).fields();
    match query {
        Query::Body(_) => false,
        Query::Text(needle) => {
            let needle = fold(needle);
            fields().any(|field| fold(&String::from_utf8_lossy(field.as_bytes())).contains(&needle))
        }
        Query::Header { name, needle } => {
            let needle = fold(needle);
            fields().any(|field| field.is(name) && fold(&field.value()).contains(&needle))
        }
    }
}
