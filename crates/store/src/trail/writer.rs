//! The thread that writes the trail.

use super::{Entry, sqlite};
use crate::database::{self, Kind};
use crate::open::milliseconds;
use crate::{Id, StoreError};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// Events that may wait to be written. Past it the one who tells waits: slower is better than unexplained.
const MAX_WAITING: usize = 50_000;
/// Events in one transaction.
const MAX_BATCH: usize = 2_000;
/// How long an event may wait for company, which halves the cost of each under load.
const GATHER: Duration = Duration::from_millis(50);
/// Old events removed at once, between batches; after a large batch as many as that wrote, and half as many again, so that
/// what is removed overtakes what comes.
const PRUNED_AT_ONCE: usize = 500;
/// How often there is a look for old events when nothing else happens and the last look left none.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// What is to be written, and who waits for it.
#[derive(Default)]
struct State {
    entries: VecDeque<Entry>,
    /// Answered when everything told before is written.
    flushes: Vec<mpsc::SyncSender<()>>,
    /// Something may be old enough to be removed at once.
    old: bool,
    stopping: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// For the thread. It is woken by the first entry of a batch and sleeps through the rest: a wake-up each would
    /// cost more than the writing.
    work: Condvar,
    /// For those who tell when too much waits.
    room: Condvar,
    /// For how many milliseconds the trail of a message is kept.
    kept: AtomicI64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dropping it writes what waits and ends the thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
    newest: Option<Id>,
}

impl Writer {
    /// Opens the trail, or sets a damaged one aside and makes a new one.
    pub(crate) fn start(folder: &Path, kept: Duration) -> Result<Self, StoreError> {
        let (db, newest) = open_or_replace(folder)?;
        let state = State { old: true, ..State::default() };
        let shared =
            Arc::new(Shared { state: state.into(), kept: milliseconds(kept).into(), ..Shared::default() });
        let (its_own, place) = (Arc::clone(&shared), folder.to_owned());
        let thread = std::thread::Builder::new()
            .name("trail".into())
            .spawn(move || run(db, &place, &its_own))
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Self { shared, thread: Some(thread), newest })
    }

    /// The newest message that the trail knew of when it was opened.
    pub(crate) fn newest_at_start(&self) -> Option<Id> {
        self.newest
    }

    /// From now on the trail of a message is kept for so long.
    pub(crate) fn keep(&self, time: Duration) {
        self.shared.kept.store(milliseconds(time), Ordering::Relaxed);
        self.shared.lock().old = true;
        self.shared.work.notify_one();
    }

    pub(crate) fn add(&self, entry: Entry) {
        let mut state = self.shared.lock();
        while state.entries.len() >= MAX_WAITING {
            state = self.shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.entries.push_back(entry);
        let wakes = state.entries.len() == 1 || state.entries.len() == MAX_BATCH;
        drop(state);
        if wakes {
            self.shared.work.notify_one();
        }
    }

    /// Returns when what was told before can be read.
    pub(crate) fn flush(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        self.shared.lock().flushes.push(done);
        self.shared.work.notify_one();
        let _ = wait.recv();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// With the newest message that it knows of.
fn open_or_replace(folder: &Path) -> Result<(Connection, Option<Id>), StoreError> {
    let open = || {
        let db = database::open_writer(Kind::Trail, folder)?;
        let newest = sqlite::newest_id(&db)?;
        Ok((db, newest))
    };
    match open() {
        Err(StoreError::Damaged(reason)) => Ok((replace(folder, &reason)?, None)),
        other => other,
    }
}

fn replace(folder: &Path, reason: &str) -> Result<Connection, StoreError> {
    let aside = database::set_aside(Kind::Trail, folder)?;
    tracing::error!(%reason, aside = %aside.display(), "store: the trail was damaged; a new one is begun");
    database::open_writer(Kind::Trail, folder)
}

/// The trail, or a new one when something is wrong with it. To find out it is read as a whole, which takes seconds for a
/// million messages: that is for the trail's thread, not for the start. Who reads the trail flushes it first, and so waits for this.
fn sound_or_replaced(db: Connection, folder: &Path) -> Option<Connection> {
    let found = db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    let replaced = match found.map_err(StoreError::from) {
        Ok(sound) if sound == "ok" => return Some(db),
        Ok(problem) => replace(folder, &problem),
        Err(StoreError::Damaged(reason)) => replace(folder, &reason),
        Err(error) => {
            tracing::warn!(%error, "store: the trail could not be checked");
            return Some(db);
        }
    };
    replaced.map_err(|error| tracing::error!(%error, "store: no trail can be kept")).ok()
}

fn run(db: Connection, folder: &Path, shared: &Shared) {
    let _ended = Ended(shared);
    let Some(db) = sound_or_replaced(db, folder) else { return };
    let mut sequence = 0;
    while let Some((entries, flushes)) = gather(shared) {
        if let Err(error) = write(&db, &entries, &mut sequence) {
            tracing::error!(%error, lost = entries.len(), "store: the trail could not be written");
            let _ = db.execute_batch("ROLLBACK");
        }
        for done in flushes {
            let _ = done.send(());
        }
        let kept = shared.kept.load(Ordering::Relaxed);
        let old = Id::at(Id::generate().unix_ms().saturating_sub(kept));
        match prune(&db, old, entries.len()) {
            Ok(more) => shared.lock().old |= more,
            Err(error) => {
                tracing::warn!(%error, "store: old trail entries could not be removed");
                let _ = db.execute_batch("ROLLBACK");
            }
        }
    }
}

/// Removes some of what is older than `old`, after so many were written; whether there is more.
fn prune(db: &Connection, old: Id, written: usize) -> Result<bool, StoreError> {
    let Some(part) = sqlite::oldest(db, old, PRUNED_AT_ONCE.max(written + written / 2))? else {
        return Ok(false);
    };
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    sqlite::remove_to(db, part.newest)?;
    db.prepare_cached("COMMIT")?.execute([])?;
    Ok(part.more)
}

/// Should the thread fail, nobody is left waiting for it.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.stopping = true;
        state.entries.clear();
        state.flushes.clear();
        self.0.room.notify_all();
    }
}

type Batch = (Vec<Entry>, Vec<mpsc::SyncSender<()>>);

/// What came within a moment of the first entry, or at once up to a flush; nothing when it is time to look for
/// old events. `None` at the end.
fn gather(shared: &Shared) -> Option<Batch> {
    let quiet = |state: &mut State| {
        state.entries.is_empty() && state.flushes.is_empty() && !state.old && !state.stopping
    };
    let waited = shared.work.wait_timeout_while(shared.lock(), PRUNE_INTERVAL, quiet);
    let state = waited.unwrap_or_else(PoisonError::into_inner).0;
    let alone = |state: &mut State| {
        (1..MAX_BATCH).contains(&state.entries.len()) && state.flushes.is_empty() && !state.stopping
    };
    let waited = shared.work.wait_timeout_while(state, GATHER, alone);
    let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
    if state.stopping && state.entries.is_empty() && state.flushes.is_empty() {
        return None;
    }
    state.old = false;
    let count = state.entries.len().min(MAX_BATCH);
    let entries = state.entries.drain(..count).collect();
    // Who asked for more than fits is answered with the last of it.
    let flushes = if state.entries.is_empty() { std::mem::take(&mut state.flushes) } else { Vec::new() };
    drop(state);
    shared.room.notify_all();
    Some((entries, flushes))
}

fn write(db: &Connection, entries: &[Entry], sequence: &mut i64) -> Result<(), StoreError> {
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for entry in entries {
        *sequence += 1;
        sqlite::insert(db, entry, *sequence)?;
    }
    db.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}
