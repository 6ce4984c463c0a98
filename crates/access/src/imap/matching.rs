//! Which messages a search names: the rows are gone through once, then the words of those that only words decide about are looked
//! for, all at once.
//!
//! ```text
//! rows, a page at a time ──▶ known by the row alone ──▶ found, or not
//!            └─────────────▶ open: words decide ──a query each──▶ the index ──▶ found, or not, or still open
//! ```
//! Bodies are never read here.

use super::criteria::{Criteria, Open};
use super::formula::Formula;
use super::pages::{Pages, Row};
use super::progress::Progress;
use super::stop::{Outcome, read_within};
use imap::Runs;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{Id, Store};

/// How long a search may take that has to read messages, as there is no index of them yet; the client hears meanwhile that it goes on.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What is in memory at once; when it is full, words are asked for before the next rows are read. A page may go beyond it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Messages, of some forty octets each. The index lists its documents each time that it is asked, so that a folder of a million is
    /// one.
    candidates: usize,
    /// What is open of them, where it is not the same: each may have as many words as a search has keys.
    formulas: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { candidates: 1 << 20, formulas: 1_000 }
    }
}

/// What a search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) uids: Runs,
    /// The highest modification sequence among them.
    pub(super) modseq: u64,
}

/// The messages of an account's folder for which the criteria hold. Who does not wait for the answer any more ends the search.
/// `progress` counts each message once for its row, and once for each of the words.
pub(super) async fn matching(
    store: Store,
    account: Id,
    mut pages: Pages,
    criteria: Criteria,
    bounds: Bounds,
    progress: &Arc<Progress>,
) -> Outcome<Found> {
    let (criteria, waited_for) = (Arc::new(criteria), WaitedFor::default());
    let (mut found, mut done) = (Found::default(), 0);
    loop {
        let mut search = Search::default();
        let mut rows = 0;
        let counted = |page| {
            rows += page;
            progress.reach(done + rows);
        };
        let more = search.read_rows(&mut pages, &criteria, bounds, counted).await?;
        done += rows;
        for place in 0..criteria.words.len() {
            let (before, progress) = (done, Arc::clone(progress));
            done += rows;
            let bodies = search.asking(place);
            if bodies.is_empty() {
                continue;
            }
            let (store, criteria, goes_on) = (store.clone(), Arc::clone(&criteria), waited_for.goes_on());
            let ask = move || {
                let goes_on = |asked| {
                    progress.reach(before + asked);
                    goes_on()
                };
                let having = criteria.words[place].among(&store, account, &bodies, goes_on)?;
                Ok(search.told(place, &having))
            };
            search = read_within(SEARCH_TIMEOUT, ask).await?;
        }
        progress.reach(done);
        found.join(&search.found);
        if !more {
            return Ok(found);
        }
    }
}

impl Found {
    fn join(&mut self, more: &Self) {
        self.uids = self.uids.union(&more.uids);
        self.modseq = self.modseq.max(more.modseq);
    }
}

/// A search as far as it has come.
#[derive(Default)]
struct Search {
    found: Found,
    /// In the order of their UIDs.
    candidates: Vec<Candidate>,
    /// What is open of a candidate. It is the same for most of them, and kept once.
    formulas: HashSet<Arc<Open>>,
}

/// A message that may be found.
struct Candidate {
    message: Message,
    open: Arc<Open>,
}

/// What is remembered of a row.
#[derive(Clone, Copy)]
struct Message {
    uid: u32,
    modseq: u64,
    body: Id,
    size: u64,
}

impl Search {
    /// Whether there may be more rows, as the words of so many have to be asked for first. `counted`: told of the rows of each page.
    async fn read_rows(
        &mut self,
        pages: &mut Pages,
        criteria: &Arc<Criteria>,
        bounds: Bounds,
        mut counted: impl FnMut(u64),
    ) -> Outcome<bool> {
        while self.candidates.len() < bounds.candidates && self.formulas.len() < bounds.formulas {
            let criteria = Arc::clone(criteria);
            let hold = move |page: Vec<Row>| {
                let held = page.iter().map(|row| (Message::of(row), criteria.hold(row)));
                let held = held.filter(|(_, open)| *open != Formula::Known(false)).collect::<Vec<_>>();
                (page.len() as u64, held)
            };
            let Some((rows, held)) = pages.next_page(hold).await? else { return Ok(false) };
            counted(rows);
            held.into_iter().for_each(|(message, open)| self.settle(message, open));
        }
        Ok(true)
    }

    fn settle(&mut self, message: Message, open: Open) {
        match open {
            Formula::Known(false) => {}
            Formula::Known(true) => {
                self.found.uids.push(message.uid);
                self.found.modseq = self.found.modseq.max(message.modseq);
            }
            open => {
                let open = self.formulas.get(&open).cloned().unwrap_or_else(|| Arc::new(open));
                self.formulas.insert(Arc::clone(&open));
                self.candidates.push(Candidate { message, open });
            }
        }
    }

    /// The bodies, with their sizes, of the candidates for which the words at a place matter.
    fn asking(&self, place: usize) -> Vec<(Id, u64)> {
        let asking = self.candidates.iter().filter(|candidate| candidate.open.has(&|word| *word == place));
        asking.map(|candidate| (candidate.message.body, candidate.message.size)).collect()
    }

    /// Which bodies have the words at a place, in order, is known now.
    fn told(self, place: usize, having: &[Id]) -> Self {
        let mut told = Self::default();
        for Candidate { message, open } in self.candidates {
            let has = having.binary_search(&message.body).is_ok();
            let known = |word: &usize| if *word == place { Formula::Known(has) } else { Formula::Is(*word) };
            told.settle(message, open.reduce(&known));
        }
        told.found.join(&self.found);
        told
    }
}

impl Message {
    fn of(row: &Row) -> Self {
        let summary = &row.summary;
        Self { uid: summary.uid, modseq: summary.modseq, body: summary.body, size: summary.body_size() }
    }
}

/// Ends when it is dropped.
#[derive(Default)]
struct WaitedFor(Arc<AtomicBool>);

impl WaitedFor {
    fn goes_on(&self) -> impl Fn() -> ControlFlow<()> + Send + 'static {
        let ended = Arc::clone(&self.0);
        move || match ended.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Drop for WaitedFor {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
