//! The thread that writes the trail.

use super::{Entry, sqlite};
use crate::database::{self, Kind};
use crate::{Id, StoreError};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Events that may wait to be written. Past it the one who tells waits: slower is better than unexplained.
const MAX_WAITING: usize = 50_000;
/// Events in one transaction.
const MAX_BATCH: usize = 2_000;
/// How long an event may wait for company, which halves the cost of each under load.
const GATHER: Duration = Duration::from_millis(50);
/// How long the trail is kept.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Old events removed at once, between batches.
const PRUNED_AT_ONCE: usize = 500;
/// How often there is a look for old events when nothing else happens.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

#[expect(clippy::large_enum_variant, reason = "nearly every order is an entry; a box each would cost more")]
enum Order {
    Add(Entry),
    /// Answered when everything told before is written.
    Flush(mpsc::SyncSender<()>),
}

/// Dropping it writes what waits and ends the thread.
pub(crate) struct Writer {
    orders: Option<mpsc::SyncSender<Order>>,
    thread: Option<std::thread::JoinHandle<()>>,
    newest: Option<Id>,
}

impl Writer {
    /// Opens the trail, or sets a damaged one aside and makes a new one.
    pub(crate) fn start(folder: &Path) -> Result<Self, StoreError> {
        let db = open_or_replace(folder)?;
        let newest = sqlite::newest_id(&db)?;
        let (orders, received) = mpsc::sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("trail".into())
            .spawn(move || run(&db, &received))
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Self { orders: Some(orders), thread: Some(thread), newest })
    }

    /// The newest message that the trail knew of when it was opened.
    pub(crate) fn newest_at_start(&self) -> Option<Id> {
        self.newest
    }

    pub(crate) fn add(&self, entry: Entry) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order::Add(entry));
        }
    }

    /// Returns when what was told before can be read.
    pub(crate) fn flush(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        if self.orders.as_ref().is_some_and(|orders| orders.send(Order::Flush(done)).is_ok()) {
            let _ = wait.recv();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open_or_replace(folder: &Path) -> Result<Connection, StoreError> {
    let attempt = database::open_writer(Kind::Trail, folder).and_then(|db| {
        let sound: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if sound == "ok" { Ok(db) } else { Err(StoreError::Damaged(format!("trail.db ({sound})"))) }
    });
    match attempt {
        Err(StoreError::Damaged(reason)) => {
            let aside = set_aside(&Kind::Trail.path(folder))?;
            tracing::error!(%reason, aside = %aside.display(), "store: the trail was damaged; a new one is begun");
            database::open_writer(Kind::Trail, folder)
        }
        other => other,
    }
}

fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let aside = path.with_extension(format!("db.damaged-{}", Id::generate()));
    std::fs::rename(path, &aside).map_err(|e| StoreError::file(path, e))?;
    for suffix in ["db-wal", "db-shm"] {
        let _ = std::fs::remove_file(path.with_extension(suffix));
    }
    Ok(aside)
}

fn run(db: &Connection, orders: &mpsc::Receiver<Order>) {
    let mut sequence = 0;
    loop {
        match orders.recv_timeout(PRUNE_INTERVAL) {
            Ok(first) => {
                let (entries, flushes) = gather(first, orders);
                if let Err(error) = write(db, &entries, &mut sequence) {
                    tracing::error!(%error, lost = entries.len(), "store: the trail could not be written");
                    let _ = db.execute_batch("ROLLBACK");
                }
                for done in flushes {
                    let _ = done.send(());
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
        let old = Id::at(Id::generate().unix_ms() - KEPT.as_millis() as i64);
        if let Err(error) = sqlite::prune(db, old, PRUNED_AT_ONCE) {
            tracing::warn!(%error, "store: old trail entries could not be removed");
        }
    }
}

/// Takes what comes within a moment, or at once up to a flush.
fn gather(first: Order, orders: &mpsc::Receiver<Order>) -> (Vec<Entry>, Vec<mpsc::SyncSender<()>>) {
    let (mut entries, mut flushes) = (Vec::new(), Vec::new());
    let until = Instant::now() + GATHER;
    let mut next = Some(first);
    while let Some(order) = next {
        match order {
            Order::Add(entry) => entries.push(entry),
            Order::Flush(done) => flushes.push(done),
        }
        let wait =
            if flushes.is_empty() { until.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
        next = if entries.len() < MAX_BATCH { orders.recv_timeout(wait).ok() } else { None };
    }
    (entries, flushes)
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
