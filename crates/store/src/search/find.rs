//! One search: with the index where it helps, else in the texts that are kept, else in the bodies.
//!
//! ```text
//! the folder's bodies ──few, or a short needle──▶ their texts ──not kept──▶ the bodies themselves
//!         └─────────────many──▶ index ──candidates──▶ their texts ─cut───▶ ▲
//!                                 └──────────no document yet─────────────┘
//! ```
//! Whichever way a body goes, it is the same comparison of the same texts. Those that are cut for being long are candidates always.

use super::query::Matcher;
use super::sqlite::Document;
use super::{Query, Wanted, sqlite, stream};
use crate::database::Readers;
use crate::{Id, Store, StoreError};
use rusqlite::Connection;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Documents that are listed in one read.
const LISTED: usize = 50_000;
/// How often a search with the index begins again because documents were removed meanwhile.
const ATTEMPTS: usize = 3;

/// What decides about the way, never about the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bodies whose texts are all read rather than asking the index, which first has to say which documents there are.
    pub(super) few: usize,
    /// How long one read may take. The progress is told after each.
    pub(super) page: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { few: 1_000, page: Duration::from_millis(200) }
    }
}

impl Store {
    /// Those of an account's `bodies` (with their sizes) that have what is looked for, in order of their ids: exactly those in whose
    /// decoded, folded text the needle is found, whether they were indexed yet or not. Blocks while it reads.
    ///
    /// `progress` is told, several times a second, how many of the bodies are done; when it breaks, the answer is `None`.
    ///
    /// # Errors
    /// What reading a body gives. Trouble with `search.db` is no error: then the bodies are read.
    pub fn search(
        &self,
        account: Id,
        query: &Query,
        bodies: &[(Id, u64)],
        progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Option<Vec<Id>>, StoreError> {
        find(self, account, query, bodies, Bounds::default(), progress)
    }
}

pub(super) fn find(
    store: &Store,
    account: Id,
    query: &Query,
    bodies: &[(Id, u64)],
    bounds: Bounds,
    progress: impl FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Option<Vec<Id>>, StoreError> {
    let mut bodies = bodies.to_vec();
    bodies.sort_unstable();
    bodies.dedup_by_key(|(id, _)| *id);
    let (matcher, total) = (Matcher::new(query), bodies.len() as u64);
    let (found, cut) = (Vec::new(), Vec::new());
    let mut task = Task { store, account, matcher, bounds, found, cut, done: 0, total, progress };
    match task.run(&bodies) {
        Ok(()) => {
            task.found.sort_unstable();
            Ok(Some(task.found))
        }
        Err(Stop::Cancelled) => Ok(None),
        Err(Stop::Failed(error)) => Err(error),
    }
}

enum Stop {
    Cancelled,
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

struct Task<'a, P> {
    store: &'a Store,
    account: Id,
    matcher: Matcher,
    bounds: Bounds,
    found: Vec<Id>,
    /// Of which the text that is kept does not have it, and is not all.
    cut: Vec<(Id, u64)>,
    done: u64,
    total: u64,
    progress: P,
}

impl<P: FnMut(u64, u64) -> ControlFlow<()>> Task<'_, P> {
    fn run(&mut self, bodies: &[(Id, u64)]) -> Result<(), Stop> {
        let search = &self.store.inner.search;
        let kept = search.readers().map(|readers| self.kept(&readers, bodies));
        let unread = match kept {
            Some(Err(Stop::Failed(error))) => {
                search.failed(&error);
                self.restart();
                bodies.to_vec()
            }
            Some(other) => other?,
            None => bodies.to_vec(),
        };
        // The indexer should have come to these, and will.
        let wanted = |(id, size): &(Id, u64)| Wanted::Document(self.account, *id, *size);
        search.want(unread.iter().map(wanted));
        self.read(&unread)?;
        let cut = std::mem::take(&mut self.cut);
        self.read(&cut)
    }

    fn restart(&mut self) {
        self.found.clear();
        self.cut.clear();
    }

    /// Looks at what `search.db` has, and returns the bodies that it does not have.
    fn kept(&mut self, readers: &Readers, bodies: &[(Id, u64)]) -> Result<Vec<(Id, u64)>, Stop> {
        if bodies.len() <= self.bounds.few {
            return self.texts(readers, bodies);
        }
        let Some(expression) = self.matcher.expression() else { return self.texts(readers, bodies) };
        let removals = &self.store.inner.search.shared.removals;
        for _ in 0..ATTEMPTS {
            let before = removals.load(Ordering::SeqCst);
            let unread = self.indexed(readers, bodies, &expression)?;
            if removals.load(Ordering::SeqCst) == before {
                return Ok(unread);
            }
            self.restart();
        }
        self.texts(readers, bodies)
    }

    /// Reads the texts of all bodies.
    fn texts(&mut self, readers: &Readers, bodies: &[(Id, u64)]) -> Result<Vec<(Id, u64)>, Stop> {
        let (mut unread, mut rest) = (Vec::new(), bodies);
        while !rest.is_empty() {
            let left = self.cut.len();
            let (read, missing) = readers.with(|db| {
                let (until, mut missing) = (Instant::now() + self.bounds.page, Vec::new());
                for (read, body) in rest.iter().enumerate() {
                    match compare(&self.matcher, db, body.0)? {
                        Kept::Matches => self.found.push(body.0),
                        Kept::Differs => {}
                        Kept::Cut => self.cut.push(*body),
                        Kept::Missing => missing.push(*body),
                    }
                    if Instant::now() > until {
                        return Ok((read + 1, missing));
                    }
                }
                Ok((rest.len(), missing))
            })?;
            rest = rest.get(read..).unwrap_or_default();
            self.tick((read - missing.len() - (self.cut.len() - left)) as u64)?;
            unread.extend(missing);
        }
        Ok(unread)
    }

    /// Asks the index, and reads the texts of what it names. The documents are listed first: what has one then is found by the
    /// index later, or not at all, unless documents were removed in between.
    fn indexed(
        &mut self,
        readers: &Readers,
        bodies: &[(Id, u64)],
        expression: &str,
    ) -> Result<Vec<(Id, u64)>, Stop> {
        let Some(mut range) = readers.with(|db| sqlite::range(db, self.account))? else {
            return Ok(bodies.to_vec());
        };
        let (indexed, end) = documented(readers, range.clone(), bodies)?;
        let these = |which: Option<bool>| {
            let each = bodies.iter().zip(&indexed).filter(move |(_, indexed)| **indexed == which);
            each.map(|(body, _)| *body).collect::<Vec<_>>()
        };
        // Documents made from here on belong to bodies that are read themselves.
        range.end = end;
        let mut unread = these(None);
        // What the index would miss of these, their texts may have.
        unread.extend(self.texts(readers, &these(Some(true)))?);
        let wanted = |body| place(bodies, body).is_some_and(|at| indexed[at] == Some(false));
        let (whole, done) = (range.clone(), self.done);
        let here = indexed.iter().filter(|indexed| **indexed == Some(false)).count() as f64;
        while !range.is_empty() {
            let (next, missing) = readers.with(|db| self.page(db, expression, range.clone(), wanted))?;
            // Roughly: ids of documents that have gone are not used again.
            let share = (next - whole.start) as f64 / (whole.end - whole.start) as f64;
            self.tick((done + (here * share) as u64).saturating_sub(self.done))?;
            unread.extend(missing.into_iter().filter_map(|body| bodies.get(place(bodies, body)?).copied()));
            range.start = next;
        }
        Ok(unread)
    }

    /// Compares candidates as long as a read may last; says where the next page begins, and whose text is not kept.
    fn page(
        &mut self,
        db: &Connection,
        expression: &str,
        range: Range<i64>,
        wanted: impl Fn(Id) -> bool,
    ) -> Result<(i64, Vec<Id>), StoreError> {
        let (until, mut next, mut missing) = (Instant::now() + self.bounds.page, range.end, Vec::new());
        sqlite::candidates(db, expression, range, |document, body| {
            if wanted(body) {
                match compare(&self.matcher, db, body)? {
                    Kept::Matches => self.found.push(body),
                    Kept::Differs => {}
                    // Was removed, and is read as a whole.
                    Kept::Cut | Kept::Missing => missing.push(body),
                }
            }
            let goes_on = Instant::now() <= until;
            if !goes_on {
                next = document + 1;
            }
            Ok(goes_on)
        })?;
        Ok((next, missing))
    }

    /// Reads the bodies themselves.
    fn read(&mut self, bodies: &[(Id, u64)]) -> Result<(), Stop> {
        for (id, size) in bodies {
            if self.has(*id, *size)? {
                self.found.push(*id);
            }
            self.tick(1)?;
        }
        Ok(())
    }

    /// Whether a body matches; one that went since it was listed does not.
    fn has(&self, body: Id, size: u64) -> Result<bool, StoreError> {
        match self.store.body(body, size).and_then(|body| stream::matches(&self.matcher, &body)) {
            Err(error) if self.store.inner.main.with(|db| sqlite::main::has(db, self.account, body))? => {
                Err(error)
            }
            other => Ok(other.unwrap_or(false)),
        }
    }

    fn tick(&mut self, more: u64) -> Result<(), Stop> {
        self.done = (self.done + more).min(self.total);
        match (self.progress)(self.done, self.total) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Cancelled),
        }
    }
}

/// What the texts that are kept of a body say.
enum Kept {
    Matches,
    Differs,
    /// They differ, and are not all of it.
    Cut,
    /// There are none.
    Missing,
}

fn compare(matcher: &Matcher, db: &Connection, body: Id) -> Result<Kept, StoreError> {
    let kept = |matches, cut| match matches {
        true => Kept::Matches,
        false if matcher.misses(cut) => Kept::Cut,
        false => Kept::Differs,
    };
    let compared = match matcher.is_of_header() {
        true => sqlite::with_header(db, body, |header, cut| kept(matcher.matches(header, b""), cut)),
        false => {
            sqlite::with_text(db, body, |header, content, cut| kept(matcher.matches(header, content), cut))
        }
    };
    Ok(compared?.unwrap_or(Kept::Missing))
}

/// Where a body is among those that are looked for, which are in order of their ids.
fn place(bodies: &[(Id, u64)], body: Id) -> Option<usize> {
    bodies.binary_search_by_key(&body, |(id, _)| *id).ok()
}

/// For each of the bodies whether its text is cut, if it has a document with an id of the range; and the id after the last document.
fn documented(
    readers: &Readers,
    mut range: Range<i64>,
    bodies: &[(Id, u64)],
) -> Result<(Vec<Option<bool>>, i64), StoreError> {
    let mut documented = vec![None; bodies.len()];
    loop {
        let page = readers.with(|db| sqlite::documents(db, range.clone(), LISTED))?;
        for Document { body, cut, .. } in &page {
            if let Some(at) = place(bodies, *body) {
                documented[at] = Some(*cut);
            }
        }
        range.start = page.last().map_or(range.start, |last| last.id + 1);
        if page.len() < LISTED {
            return Ok((documented, range.start));
        }
    }
}
