//! The one writer: gathers the writes that all sessions have ready, runs them in one transaction, and wakes
//! them all when it is durable.
//!
//! ```text
//!            jobs                    COMMIT bodies.db, then waypost.db
//! sessions ───────▶ queue ──batch──▶ savepoint each ──────────▶ sync ──▶ answers, changes published
//!                     ▲                                          │ I/O error
//!                     └──────── probe succeeds ◀── down: every job is answered Unavailable
//! ```

mod cleanup;
mod job;
mod pace;

pub(crate) use job::Part;

use crate::body::files::Files;
use crate::database::{self, Kind, Readers};
use crate::freelist::{Freelist, FreelistLimits};
use crate::log::{Copier, LogLimits, Logs, checkpoint};
use crate::{Change, Id, StoreError, body};
use cleanup::Cleanup;
use job::{Job, TypedJob};
use pace::Pace;
use rusqlite::Connection;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Jobs that may wait. Each holds a message in memory; past it sessions are told to try later.
const MAX_WAITING: usize = 20_000;
/// Jobs in one transaction: bounds how long the first of them waits for the last.
const MAX_BATCH: usize = 1_000;
/// What is left of a job of bulk work where others write too: a tenth. Mail then waits for half a millisecond of it instead of
/// five.
const SHARED: usize = 10;
/// How long freed bodies wait for a batch to be removed with, when there is nothing else to write; and how long after a try
/// the log that is full is tried again.
const IDLE_CLEANUP: Duration = Duration::from_millis(500);
/// Said of a log that readers keep from being copied (DESIGN.md, Store).
const LOG_IS_FULL: &str = "the write-ahead log is full, as something reads for too long";
/// How soon a failed disk is tried again, doubling up to how often.
const PROBE_FIRST: Duration = Duration::from_millis(100);
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// What a job writes with. Inserting a body starts the transaction of `bodies.db`, which commits first.
pub(crate) struct Writer<'a> {
    pub(crate) db: &'a Connection,
    bodies: &'a Connection,
    bodies_begun: Cell<bool>,
    after: RefCell<After>,
    /// In this transaction.
    jobs: usize,
    /// Others write too, or are expected to.
    shared: bool,
}

/// What a durable transaction brings with it.
#[derive(Default)]
struct After {
    changes: Vec<Change>,
    freed: Vec<Id>,
    /// Bodies that jobs brought. When their transaction fails it is not known whether something names them.
    brought: Vec<Id>,
}

impl After {
    fn lengths(&self) -> [usize; 3] {
        [self.changes.len(), self.freed.len(), self.brought.len()]
    }

    /// Forgets what came after, and returns the bodies that came with it.
    fn undo(&mut self, [changes, freed, brought]: [usize; 3]) -> Vec<Id> {
        self.changes.truncate(changes);
        self.freed.truncate(freed);
        self.brought[brought..].to_vec()
    }
}

impl Writer<'_> {
    pub(crate) fn bodies(&self) -> Result<&Connection, StoreError> {
        if !self.bodies_begun.get() {
            self.bodies.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            self.bodies_begun.set(true);
        }
        Ok(self.bodies)
    }

    /// Of so many rows that a job may change that is one of several, how many it should now.
    pub(crate) fn share(&self, rows: usize) -> usize {
        if self.shared { rows / SHARED } else { rows }
    }

    /// To be told to those who listen once the transaction is durable.
    pub(crate) fn publish(&self, change: Change) {
        self.after.borrow_mut().changes.push(change);
    }

    /// The body is named by nothing once this transaction is durable.
    pub(crate) fn free(&self, body: Id) {
        self.after.borrow_mut().freed.push(body);
    }

    /// A job is about to name the body.
    pub(crate) fn bring(&self, body: Id) {
        self.after.borrow_mut().brought.push(body);
    }

    fn commit(&self) -> Result<(), StoreError> {
        // Bodies first: a message must never name a body that is not there. The other way round is only waste.
        if self.bodies_begun.get() {
            self.bodies.prepare_cached("COMMIT")?.execute([])?;
        }
        self.db.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn Job>>,
    /// The parts of bulk work: one a transaction.
    bulk: VecDeque<Box<dyn Job>>,
    stopping: bool,
    /// Why nothing can be written now.
    down: Option<String>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements; a poisoned lock tells nothing more.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handle that sessions submit to. Dropping it finishes what waits and ends the thread.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    logs: Arc<Logs>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Committer {
    /// Opens both databases, so that what is wrong with them is said before anything is served, and finds the
    /// bodies that a kill left without a name.
    pub(crate) fn start(
        folder: &Path,
        files: Files,
        readers: [Arc<Readers>; 2],
        bounds: Bounds,
        publish: impl Fn(Change) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::default());
        let logs = Arc::new(Logs::new(bounds.logs));
        let databases = Databases::open(folder, &logs)?;
        let mut freed = body::unreferenced(&databases.main)?;
        freed.extend(body::sweep(&databases.main, &databases.bodies, &files, Id::generate())?);
        let (folder, shared_too) = (folder.to_owned(), Arc::clone(&shared));
        let copier = Copier::start(folder.clone(), Arc::clone(&logs))?;
        let worker = Worker {
            pace: Pace::default(),
            shared: shared_too,
            logs: Arc::clone(&logs),
            copier,
            freelist: bounds.freelist,
            folder,
            files,
            readers,
            publish,
        };
        let thread = std::thread::Builder::new()
            .name("committer".into())
            .spawn(move || worker.run(databases, freed))
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Self { shared, logs, thread: Some(thread) })
    }

    /// Runs `work` in the next transaction and returns when that is durable.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.write_part(Part::Only, work).await
    }

    /// The same for a part of something larger.
    pub(crate) async fn write_part<T, F>(&self, part: Part, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if let Some(reason) = &state.down {
                return Err(StoreError::Unavailable(reason.clone()));
            }
            let waiting = state.jobs.len() + state.bulk.len();
            if state.stopping || waiting >= MAX_WAITING {
                return Err(StoreError::Busy(waiting));
            }
            let queue = if part == Part::Next { &mut state.bulk } else { &mut state.jobs };
            queue.push_back(Box::new(TypedJob { part, work: Some(work), done: None, reply }));
        }
        self.shared.wake.notify_one();
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the committer has stopped".into())))
    }

    /// Why no more mail should be taken now, if so: writes are refused, or the log must become shorter first.
    pub(crate) fn trouble(&self) -> Option<String> {
        let full = || self.logs.is_full().then(|| LOG_IS_FULL.to_owned());
        self.shared.lock().down.clone().or_else(full)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Databases {
    main: Connection,
    bodies: Connection,
}

/// What bounds the databases' files.
pub(crate) struct Bounds {
    pub(crate) logs: LogLimits,
    pub(crate) freelist: FreelistLimits,
}

impl Databases {
    fn open(folder: &Path, logs: &Logs) -> Result<Self, StoreError> {
        let mut main = database::open_writer(Kind::Main, folder)?;
        let mut bodies = database::open_writer(Kind::Bodies, folder)?;
        logs.main.follow(&mut main)?;
        logs.bodies.follow(&mut bodies)?;
        Ok(Self { main, bodies })
    }

    fn both(&self) -> [&Connection; 2] {
        [&self.main, &self.bodies]
    }
}

struct Worker<P> {
    pace: Pace,
    shared: Arc<Shared>,
    logs: Arc<Logs>,
    copier: Copier,
    freelist: FreelistLimits,
    folder: PathBuf,
    files: Files,
    /// Of both databases.
    readers: [Arc<Readers>; 2],
    publish: P,
}

impl<P: Fn(Change)> Worker<P> {
    /// `freed`: bodies that a process before this one did not come to remove.
    fn run(&self, mut databases: Databases, freed: Vec<Id>) {
        let _abort = AbortOnPanic;
        let mut cleanup = Cleanup { freed, doubtful: Vec::new() };
        let mut freelists = [Freelist::new(self.freelist), Freelist::new(self.freelist)];
        loop {
            let tidy = self.logs.wants() || freelists.iter().any(Freelist::wants);
            let Some(batch) = self.next_batch(tidy || !cleanup.is_empty()) else { return };
            let was_full = self.logs.is_full();
            let committed = self.commit(&databases, batch, &mut cleanup);
            if !was_full && self.logs.is_full() {
                tracing::error!("store: {LOG_IS_FULL}; intake is closed until it is shorter");
            }
            let done = committed
                .and_then(|()| self.give_back(&databases, &mut freelists))
                .and_then(|()| self.logs.shorten(databases.both(), &self.copier));
            let Err(error) = done else { continue };
            tracing::error!(error = %error, "store: writing failed; intake is closed until the disk recovers");
            drop(databases);
            let Some(reopened) = self.recover(&error) else { return };
            databases = reopened;
            // Whether the transaction became durable is not known: nothing remembered may be trusted.
            (self.publish)(Change::Domains);
            cleanup.freed = body::unreferenced(&databases.main).unwrap_or_default();
        }
    }

    /// Waits for work, or, with something to clean up, for a moment without any. `None` when the store closes and
    /// nothing waits any more.
    fn next_batch(&self, cleanup: bool) -> Option<Vec<Box<dyn Job>>> {
        let mut state = self.shared.lock();
        loop {
            let rest = self.pace.rest().filter(|_| !state.stopping);
            if !state.jobs.is_empty() || (!state.bulk.is_empty() && rest.is_none()) {
                let count = state.jobs.len().min(MAX_BATCH);
                let mut batch: Vec<_> = state.jobs.drain(..count).collect();
                batch.extend(if rest.is_none() { state.bulk.pop_front() } else { None });
                return Some(batch);
            }
            if state.stopping {
                return None;
            }
            let wait = match rest.filter(|_| !state.bulk.is_empty()) {
                None if !cleanup => {
                    state = self.shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                rest => rest.unwrap_or(IDLE_CLEANUP),
            };
            let waited = self.shared.wake.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.bulk.is_empty() {
                return Some(Vec::new());
            }
        }
    }

    /// One transaction for all jobs of the batch; each job's own error undoes that job alone.
    fn commit(
        &self,
        databases: &Databases,
        mut batch: Vec<Box<dyn Job>>,
        cleanup: &mut Cleanup,
    ) -> Result<(), StoreError> {
        let began = Instant::now();
        let writer = Writer {
            db: &databases.main,
            bodies: &databases.bodies,
            bodies_begun: Cell::new(false),
            after: RefCell::default(),
            jobs: batch.len(),
            shared: self.pace.is_shared(&batch),
        };
        let result = run_batch(&writer, &mut batch)
            .and_then(|outcomes| cleanup.run(&writer, &self.files).map(|()| outcomes))
            .and_then(|outcomes| writer.commit().map(|()| outcomes));
        self.pace.note(&batch, began);
        let removed = cleanup.now(&writer);
        let after = writer.after.into_inner();
        match result {
            Ok(outcomes) => {
                after.changes.into_iter().for_each(&self.publish);
                batch.into_iter().zip(outcomes).for_each(|(job, outcome)| job.answer(outcome));
                cleanup.done(removed, after.freed);
                Ok(())
            }
            Err(error) => {
                let told = StoreError::Unavailable(error.to_string());
                batch.into_iter().for_each(|job| job.answer(Err(told.clone())));
                cleanup.doubtful.extend(after.brought);
                Err(error)
            }
        }
    }

    /// Pages that nothing needs any more. The last piece has the log copied, so that the file is shorter soon.
    fn give_back(&self, databases: &Databases, freelists: &mut [Freelist; 2]) -> Result<(), StoreError> {
        let logs = [&self.logs.main, &self.logs.bodies];
        for ((freelist, database), log) in freelists.iter_mut().zip(databases.both()).zip(logs) {
            if freelist.look(database, Instant::now())? {
                log.finish();
            }
        }
        Ok(())
    }

    /// Refuses everything until a probe file syncs and a full checkpoint succeeds (DESIGN.md, Trouble).
    fn recover(&self, error: &StoreError) -> Option<Databases> {
        let mut state = self.shared.lock();
        state.down = Some(error.to_string());
        let reason = StoreError::Unavailable(error.to_string());
        let State { jobs, bulk, .. } = &mut *state;
        jobs.drain(..).chain(bulk.drain(..)).for_each(|job| job.answer(Err(reason.clone())));
        let mut pause = PROBE_FIRST;
        loop {
            if state.stopping {
                return None;
            }
            let waited = self.shared.wake.wait_timeout(state, pause);
            drop(waited.unwrap_or_else(PoisonError::into_inner).0);
            pause = PROBE_INTERVAL.min(pause * 2);
            let attempt = self.probe();
            state = self.shared.lock();
            match attempt {
                Ok(databases) => {
                    tracing::warn!("store: writing works again");
                    state.down = None;
                    return Some(databases);
                }
                Err(error) => state.down = Some(error.to_string()),
            }
        }
    }

    fn probe(&self) -> Result<Databases, StoreError> {
        let path = self.folder.join("probe");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&path)?;
            file.write_all(&[0; 4096])?;
            file.sync_all()?;
            std::fs::remove_file(&path)
        };
        write().map_err(|e| StoreError::file(&path, e))?;
        self.readers.iter().for_each(|readers| readers.forget());
        let databases = Databases::open(&self.folder, &self.logs)?;
        for connection in [&databases.bodies, &databases.main] {
            if !checkpoint(connection, "TRUNCATE")? {
                return Err(StoreError::Unavailable("a reader holds the write-ahead log".into()));
            }
        }
        Ok(databases)
    }
}

fn run_batch(
    writer: &Writer<'_>,
    batch: &mut [Box<dyn Job>],
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let db = writer.db;
    let mut outcomes = Vec::with_capacity(batch.len());
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for job in batch {
        let before = writer.after.borrow().lengths();
        db.prepare_cached("SAVEPOINT job")?.execute([])?;
        let outcome = job.run(writer);
        if let Err(error) = &outcome {
            if matches!(error, StoreError::Unavailable(_) | StoreError::Damaged(_)) {
                return Err(error.clone());
            }
            db.prepare_cached("ROLLBACK TO job")?.execute([])?;
            let undone = writer.after.borrow_mut().undo(before);
            undone.into_iter().try_for_each(|body| body::drop_reference(writer, body))?;
        }
        db.prepare_cached("RELEASE job")?.execute([])?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// A committer that died, or a copier for which it waits, would leave every session waiting for ever: the process ends
/// instead, and what was answered 250 is on disk.
pub(crate) struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("store: the thread that writes panicked; the process ends");
            std::process::abort();
        }
    }
}
