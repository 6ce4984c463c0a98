//! Searching for words: the index finds bodies, the fields above them are looked at here.

use super::stop::{Outcome, read_within};
use ::message::Header;
use ::message::text::fold;
use bytes::Bytes;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::search::Query;
use store::{Id, Store, StoreError};

/// Messages whose fields above the body are in memory at once.
const ROWS: usize = 2_000;
/// How long a search may take that has to read messages, as there is no index of them yet; the client hears meanwhile that it goes on.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The bodies of a folder whose messages have the words; a copy's own fields above the body count as its header.
/// Who does not wait for the answer any more ends the search.
pub(super) async fn bodies_with(
    store: &Store,
    account: Id,
    mailbox: Id,
    query: Query,
) -> Outcome<HashSet<Id>> {
    let (store, waited_for) = (store.clone(), WaitedFor::default());
    let going = Arc::clone(&waited_for.0);
    let goes_on = move || match going.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    read_within(SEARCH_TIMEOUT, move || find(&store, account, mailbox, &query, goes_on)).await
}

/// Becomes true when it is dropped.
#[derive(Default)]
struct WaitedFor(Arc<AtomicBool>);

impl Drop for WaitedFor {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn find(
    store: &Store,
    account: Id,
    mailbox: Id,
    query: &Query,
    goes_on: impl Fn() -> ControlFlow<()>,
) -> Result<HashSet<Id>, StoreError> {
    let (mut bodies, mut found, mut after) = (Vec::new(), HashSet::new(), 0);
    let above = Above::new(query);
    while goes_on().is_continue() {
        let page = match &above {
            Some(_) => store.prefixes(mailbox, after, ROWS)?,
            None => {
                store.messages(mailbox, after, ROWS)?.into_iter().map(|row| (row, Bytes::new())).collect()
            }
        };
        bodies.extend(page.iter().map(|(row, _)| (row.body, row.body_size())));
        if let Some(above) = &above {
            found.extend(page.iter().filter(|(_, prefix)| above.holds(prefix)).map(|(row, _)| row.body));
        }
        match page.last().filter(|_| page.len() == ROWS) {
            Some((last, _)) => after = last.uid,
            None => break,
        }
    }
    found.extend(store.search(account, query, &bodies, |_, _| goes_on())?.unwrap_or_default());
    Ok(found)
}

/// What is looked for in the fields above a body.
struct Above<'a> {
    /// Of the field, if it matters.
    name: Option<&'a str>,
    /// Folded.
    needle: String,
}

impl<'a> Above<'a> {
    /// `None` when only the body matters.
    fn new(query: &'a Query) -> Option<Self> {
        match query {
            Query::Body(_) => None,
            Query::Text(needle) => Some(Self { name: None, needle: fold(needle) }),
            Query::Header { name, needle } => Some(Self { name: Some(name), needle: fold(needle) }),
        }
    }

    fn holds(&self, prefix: &[u8]) -> bool {
        self.may_hold(prefix)
            && Header::parse(prefix).fields().any(|field| match self.name {
                None => fold(&String::from_utf8_lossy(field.as_bytes())).contains(&self.needle),
                Some(name) => field.is(name) && fold(&field.value()).contains(&self.needle),
            })
    }

    /// Cheap, and never wrong about what is not there: letters and digits of ASCII stay what they are but for their case.
    fn may_hold(&self, prefix: &[u8]) -> bool {
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric());
        let has = |text: &str| !plain(text) || contains(prefix, text.as_bytes());
        !prefix.is_ascii() || (self.name.is_none_or(has) && has(&self.needle))
    }
}

/// Whether the octets are in `text`, whatever their case.
fn contains(text: &[u8], octets: &[u8]) -> bool {
    text.windows(octets.len()).any(|window| window.eq_ignore_ascii_case(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: Query, expected: bool) {
        let prefix = "Return-Path: <joe@x.example>\r\nReceived: from a.example\r\n by b.example; Thu\r\n";
        assert_eq!(
            Above::new(&query).is_some_and(|above| above.holds(prefix.as_bytes())),
            expected,
            "{query:?}"
        );
    }

    #[test]
    fn fields_above_a_body_are_its_header() {
        let header = |name: &str, needle: &str| Query::Header { name: name.into(), needle: needle.into() };
        check(Query::Text("JOE".into()), true);
        check(Query::Text("return-PATH: <joe".into()), true);
        check(Query::Text("joey".into()), false);
        check(Query::Body("joe".into()), false);
        check(header("received", "B.example"), true);
        check(header("Return-Path", "b.example"), false);
        check(header("Received", ""), true);
        check(header("X-Other", ""), false);
    }

    #[test]
    fn what_is_not_ascii_is_read() {
        let above = |needle: &str| Above { name: None, needle: fold(needle) };
        assert!(above("office").holds("X-To: o\u{fb03}ce\r\n".as_bytes()));
        assert!(!above("officer").holds("X-To: o\u{fb03}ce\r\n".as_bytes()));
    }
}
