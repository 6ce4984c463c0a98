//! `search.db`: what bodies say, kept ready, and the search in it.
//!
//! Nothing here is the only place of anything. A thread, the indexer, fills it behind delivery; what it has not come to
//! yet is read from the body by whoever asks, with the same answer. A damaged `search.db` is set aside and made anew, and one that
//! cannot be had at all costs only time.
//!
//! The index is FTS5's, of sequences of three characters, so that a needle is found anywhere in a word and in languages
//! without spaces. It keeps no positions: it narrows, and the folded text, which is kept too, decides; a text longer than what
//! is kept (`message::text`) is read from the body when what is kept does not have it. Measured with
//! 20,000 messages of 4 KiB of English, in transactions of 200, on one core:
//!
//! | `detail=` | messages/s | index, octets a message |
//! |---|---|---|
//! | full | 1,276 | 11,885 |
//! | column | 1,819 | 4,205 |
//! | none | 2,706 | 1,516 |
//!
//! With reading and folding the messages and keeping what they consist of, the indexer's thread did 1,400 messages a second of its CPU time
//! on a busy machine, for 6,600 octets a message in all; of 100,000 messages a rare word was found in 19 ms, one in every
//! message in 370 ms (`examples/search.rs`).

mod extract;
mod find;
mod indexer;
mod parsed;
mod query;
mod sqlite;
mod stream;
#[cfg(test)]
mod tests;

pub use query::Query;

use crate::database::{self, Kind, Readers};
use crate::{Changes, Id, Store, StoreError};
use indexer::{Indexer, Sources};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bodies that searches found unread and that wait for the indexer; past it, they are read again by the next search.
const MAX_WANTED: usize = 10_000;
/// Folders that are looked at in one read when what waits is counted.
const FOLDERS: usize = 5_000;

/// How far the indexer is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SearchStatus {
    /// Copies of messages in all folders.
    pub copies: u64,
    /// Those of them that the indexer has not come to; searches read them.
    pub waiting: u64,
    /// Why there is no index, if so.
    pub trouble: Option<String>,
}

/// The part of the store that has `search.db`. Dropping it ends the indexer.
pub(crate) struct Search {
    folder: PathBuf,
    shared: Arc<Shared>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// What the indexer and those who search have in common.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// For the indexer: there is something in the state.
    wake: Notify,
    stopping: AtomicBool,
    /// Grows before documents are removed.
    removals: AtomicU64,
}

#[derive(Default)]
struct State {
    database: Database,
    wanted: VecDeque<Wanted>,
    /// Everything is to be made anew.
    rebuild: bool,
}

/// What somebody missed and read himself.
enum Wanted {
    /// The account's document of a body of that size.
    Document(Id, Id, u64),
    /// What a body of that size consists of.
    Parsed(Id, u64),
}

#[derive(Default)]
enum Database {
    #[default]
    Closed,
    Open(Arc<Readers>),
    /// Why it cannot be read. The indexer tries again, with a new one when it was damaged.
    Down(StoreError),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on it is left alone, until the indexer has looked after it.
    fn failed(&self, error: &StoreError) {
        let reason = reason(error);
        tracing::warn!(%reason, "store: the index cannot be used now; searches read the messages");
        self.lock().database = Database::Down(error.clone());
    }

    /// Whether the indexer is to open it again.
    fn wants_new(&self) -> bool {
        let state = self.lock();
        state.rebuild || !matches!(state.database, Database::Open(_))
    }

    /// Opens it for writing, and for those who read; a new one when it was damaged or is to be made anew. The lock is held
    /// so that nobody else opens it meanwhile.
    fn open(&self, folder: &Path) -> Result<Connection, StoreError> {
        let mut state = self.lock();
        if state.rebuild {
            self.removals.fetch_add(1, Ordering::SeqCst);
            database::remove(Kind::Search, folder)?;
        } else if let Database::Down(StoreError::Damaged(reason)) = &state.database {
            self.removals.fetch_add(1, Ordering::SeqCst);
            set_aside(folder, reason)?;
        }
        let db = open_or_replace(folder)?;
        state.rebuild = false;
        state.database = Database::Open(Arc::new(Readers::new(Kind::Search, folder)));
        Ok(db)
    }
}

impl Search {
    /// Opens nothing: a command that does not search leaves `search.db` alone.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), shared: Arc::default(), thread: Mutex::default() }
    }

    /// Who can read it; opens it at the first call. `None` while there is trouble.
    fn readers(&self) -> Option<Arc<Readers>> {
        let mut state = self.shared.lock();
        if matches!(state.database, Database::Closed) {
            state.database = match open_or_replace(&self.folder) {
                Ok(_) => Database::Open(Arc::new(Readers::new(Kind::Search, &self.folder))),
                Err(error) => {
                    tracing::warn!(%error, "store: the index cannot be used");
                    Database::Down(error)
                }
            };
        }
        match &state.database {
            Database::Open(readers) => Some(Arc::clone(readers)),
            Database::Closed | Database::Down(_) => None,
        }
    }

    /// Reading failed.
    fn failed(&self, error: &StoreError) {
        self.shared.failed(error);
        self.shared.wake.notify_one();
    }

    /// What the indexer should have come to.
    fn want(&self, missing: impl Iterator<Item = Wanted>) {
        let mut state = self.shared.lock();
        let (before, room) = (state.wanted.len(), MAX_WANTED.saturating_sub(state.wanted.len()));
        state.wanted.extend(missing.take(room));
        let more = state.wanted.len() > before;
        drop(state);
        if more {
            self.shared.wake.notify_one();
        }
    }

    fn start(&self, sources: Sources, changes: Changes) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return;
        }
        let indexer = Indexer::new(&self.folder, Arc::clone(&self.shared), sources, changes);
        match std::thread::Builder::new().name("indexer".into()).spawn(move || indexer.run()) {
            Ok(started) => *thread = Some(started),
            Err(error) => {
                tracing::error!(%error, "store: the indexer could not start; searches read the messages")
            }
        }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.wake.notify_one();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

/// Opens `search.db` for writing. A damaged one is set aside, and so is one of a newer version: it says nothing that the bodies
/// do not.
fn open_or_replace(folder: &Path) -> Result<Connection, StoreError> {
    match database::open_writer(Kind::Search, folder) {
        Err(error @ (StoreError::Damaged(_) | StoreError::Newer(..))) => {
            set_aside(folder, &reason(&error))?;
            database::open_writer(Kind::Search, folder)
        }
        other => other,
    }
}

/// What is wrong. Other databases would have to be restored.
fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Damaged(reason) => reason.clone(),
        other => other.to_string(),
    }
}

fn set_aside(folder: &Path, reason: &str) -> Result<(), StoreError> {
    let aside = database::set_aside(Kind::Search, folder)?;
    tracing::error!(%reason, aside = %aside.display(), "store: the index was damaged; a new one is begun");
    Ok(())
}

impl Store {
    /// Starts the thread that fills `search.db` behind delivery; nothing happens when it runs. For a process that serves: a
    /// command that ends soon has no use for it. Trouble is logged: mail comes first.
    pub fn start_indexer(&self) {
        let (main, bodies) = (Arc::clone(&self.inner.main), Arc::clone(&self.inner.bodies));
        let sources = Sources { main, bodies, files: self.inner.files.clone() };
        self.inner.search.start(sources, self.changes());
    }

    /// Throws `search.db` away and has the indexer, which is started if need be, make it anew; returns at once.
    /// [`Store::search_status`] says how far that is. Until it is done, searches are right but slow.
    pub fn rebuild_search(&self) {
        let shared = &self.inner.search.shared;
        let mut state = shared.lock();
        // Trouble that there was is no news of the new one.
        (state.rebuild, state.database) = (true, Database::Closed);
        drop(state);
        shared.wake.notify_one();
        self.start_indexer();
    }

    /// What is wrong with `search.db`, for a check of the whole store. The indexer makes a damaged one anew.
    pub(crate) fn check_search(&self) -> Vec<String> {
        let search = &self.inner.search;
        let Some(readers) = search.readers() else { return Vec::new() };
        // Not with a connection that has searched before: FTS5 then takes what it remembers of the index for what is there, and a
        // whole index that has changed since for a damaged one.
        let found = readers.anew().with(|db| {
            let problem: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if problem == "ok" { Ok(()) } else { Err(StoreError::Damaged(problem)) }
        });
        let told = |error: StoreError| {
            search.failed(&error);
            format!("search.db: {}; a server that runs makes it anew, no mail is lost", reason(&error))
        };
        found.err().map(told).into_iter().collect()
    }

    /// How far the indexer is. Reads a row a folder.
    pub fn search_status(&self) -> Result<SearchStatus, StoreError> {
        let search = &self.inner.search;
        let readers = search.readers();
        let (trouble, anew) = {
            let state = search.shared.lock();
            let trouble = match &state.database {
                Database::Down(error) => Some(reason(error)),
                Database::Closed | Database::Open(_) => None,
            };
            (trouble, state.rebuild)
        };
        let mut status = SearchStatus { copies: 0, waiting: 0, trouble };
        let mut after = 0;
        loop {
            let folders = self.inner.main.with(|db| sqlite::main::folders(db, after, FOLDERS))?;
            let Some(last) = folders.last() else { return Ok(status) };
            after = last.id.get();
            for folder in folders {
                let followed = |readers: &Arc<Readers>| readers.with(|db| sqlite::followed(db, folder.id));
                let followed = readers.as_ref().filter(|_| !anew).map_or(Ok(0), followed)?;
                status.copies += folder.messages;
                status.waiting += match followed {
                    0 => folder.messages,
                    uid if uid < folder.last => {
                        self.inner.main.with(|db| sqlite::main::count(db, folder.id, uid))?
                    }
                    _ => 0,
                };
            }
        }
    }
}
