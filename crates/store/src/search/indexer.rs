//! The thread that fills `search.db`.
//!
//! Each folder is read once, in order of its UIDs, which only grow: how far is kept with the documents, in the same
//! transaction. So a change need only say in which folder something happened, and after a start or a lag it is enough to
//! compare a number a folder.

mod fill;
mod sweep;

use super::{Shared, sqlite};
use crate::body::files::Files;
use crate::database::Readers;
use crate::freelist::{Freelist, FreelistLimits};
use crate::log::checkpoint;
use crate::{Change, Changes, Id, MailboxChange, StoreError};
use rusqlite::Connection;
use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// How long a first change waits for company.
const GATHER: Duration = Duration::from_millis(200);
/// Folders that are compared in one read.
const FOLDERS: usize = 5_000;
/// How long the sweep rests where nothing was to remove.
const SWEEP_REST: Duration = Duration::from_secs(1);
/// How soon it is tried again when something failed, doubling up to how often.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_INTERVAL: Duration = Duration::from_secs(60);
/// How long it rests after a batch when mail is coming in, at most. What is not in the index yet is read by who searches.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// Mail goes first: what is added to the thread's nice value.
const NICE: i32 = 10;

/// As long as the batch took; longer where it was not full, as most of its cost is the same for a few documents: they have
/// most of the sequences of letters that there are.
fn rest_after(took: Duration, filled: f64) -> Duration {
    took.div_f64(filled.max(0.001)).min(LONGEST_REST)
}

/// What the indexer reads, with everybody's connections.
pub(super) struct Sources {
    pub(super) main: Arc<Readers>,
    pub(super) bodies: Arc<Readers>,
    pub(super) files: Files,
}

pub(super) struct Indexer {
    folder: PathBuf,
    shared: Arc<Shared>,
    sources: Sources,
    changes: Changes,
    due: Due,
    sweep: Sweep,
    freelist: Freelist,
}

/// Folders with something new, each once, and whether all are to be compared.
#[derive(Default)]
struct Due {
    folders: VecDeque<Id>,
    queued: HashSet<Id>,
    compare: bool,
}

impl Due {
    fn push(&mut self, mailbox: Id) {
        if self.queued.insert(mailbox) {
            self.folders.push_back(mailbox);
        }
    }

    fn pop(&mut self) -> Option<Id> {
        let mailbox = self.folders.pop_front()?;
        self.queued.remove(&mailbox);
        Some(mailbox)
    }
}

/// The look for documents whose account has their body no more. A message removed has one look at all documents follow; who
/// searches meets only documents of bodies that he asks for.
#[derive(Default)]
struct Sweep {
    /// The next document to look at, while one is under way.
    next: Option<i64>,
    /// Something was removed since it began.
    again: bool,
}

impl Sweep {
    fn ask(&mut self) {
        match self.next {
            None => self.next = Some(0),
            Some(_) => self.again = true,
        }
    }
}

/// What to do until the next step.
enum Pause {
    /// There is more to do, after a rest.
    Rest(Duration),
    /// Nothing to do until something happens, or the time has passed.
    Wait(Option<Duration>),
}

impl Indexer {
    pub(super) fn new(folder: &Path, shared: Arc<Shared>, sources: Sources, changes: Changes) -> Self {
        let due = Due { compare: true, ..Due::default() };
        let sweep = Sweep { next: Some(0), again: false };
        let freelist = Freelist::new(FreelistLimits::default());
        Self { folder: folder.to_owned(), shared, sources, changes, due, sweep, freelist }
    }

    pub(super) fn run(mut self) {
        // Where it is not allowed, mail and index share alike.
        let _ = rustix::process::nice(NICE);
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "store: the indexer could not start"),
        };
        let (mut db, mut retry) = (None, RETRY_FIRST);
        while !self.is_stopping() {
            match self.step(&mut db) {
                Ok(pause) => {
                    retry = RETRY_FIRST;
                    runtime.block_on(self.pause(pause));
                }
                Err(error) => {
                    self.shared.failed(&error);
                    db = None;
                    runtime.block_on(self.rest(retry));
                    retry = RETRY_INTERVAL.min(retry * 2);
                }
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Relaxed)
    }

    /// One transaction's worth of work, the most urgent first.
    fn step(&mut self, opened: &mut Option<Connection>) -> Result<Pause, StoreError> {
        if self.shared.wants_new() {
            *opened = None;
        }
        let db = match opened.take() {
            Some(db) => opened.insert(db),
            None => {
                self.due.compare = true;
                opened.insert(self.shared.open(&self.folder)?)
            }
        };
        let began = Instant::now();
        self.hear();
        if std::mem::take(&mut self.due.compare) {
            self.compare(db)?;
        }
        let batch = self.gather(db)?;
        if !batch.is_empty() {
            let filled = batch.filled();
            self.write(db, batch)?;
            // Mail that came meanwhile says that there will be more.
            let busy = !self.changes.is_empty();
            return Ok(Pause::Rest(if busy { rest_after(began.elapsed(), filled) } else { Duration::ZERO }));
        }
        let Some(from) = self.sweep.next else { return self.give_back(db) };
        let removed = self.sweep(db, from)?;
        Ok(if removed { Pause::Rest(began.elapsed()) } else { Pause::Wait(Some(SWEEP_REST)) })
    }

    /// Pages that nothing needs any more, while there is nothing else to do.
    fn give_back(&mut self, db: &Connection) -> Result<Pause, StoreError> {
        if self.freelist.look(db, Instant::now())? {
            checkpoint(db, "PASSIVE")?;
        }
        Ok(Pause::Wait(self.freelist.wants().then_some(SWEEP_REST)))
    }

    async fn pause(&mut self, pause: Pause) {
        let longest = match pause {
            Pause::Rest(time) => return self.rest(time).await,
            Pause::Wait(longest) => longest.unwrap_or(Duration::MAX),
        };
        let change = tokio::select! {
            change = self.changes.recv() => change,
            () = self.shared.wake.notified() => return,
            () = tokio::time::sleep(longest) => return,
        };
        match change {
            Ok(change) => self.note(&change),
            Err(RecvError::Lagged(_)) => self.lagged(),
            Err(RecvError::Closed) => {}
        }
        self.rest(GATHER).await;
    }

    async fn rest(&self, time: Duration) {
        tokio::select! {
            () = self.shared.wake.notified() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    /// Takes in the changes that have come.
    fn hear(&mut self) {
        loop {
            match self.changes.try_recv() {
                Ok(change) => self.note(&change),
                Err(TryRecvError::Lagged(_)) => self.lagged(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn note(&mut self, change: &Change) {
        match change {
            Change::Mailbox { mailbox, kind, .. } => match kind {
                MailboxChange::Delivered { .. } => self.due.push(*mailbox),
                MailboxChange::Expunged { .. } | MailboxChange::Gone => self.sweep.ask(),
                MailboxChange::Flags { .. } | MailboxChange::Annotated => {}
            },
            Change::Queued(_)
            | Change::Domains
            | Change::Folders { .. }
            | Change::Access { .. }
            | Change::Metadata { .. } => {}
        }
    }

    fn lagged(&mut self) {
        self.due.compare = true;
        self.sweep.ask();
    }

    /// Finds the folders that were not read to their end.
    fn compare(&mut self, db: &Connection) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let folders = self.sources.main.with(|main| sqlite::main::folders(main, after, FOLDERS))?;
            let Some(last) = folders.last() else { return Ok(()) };
            after = last.id.get();
            for folder in folders {
                if folder.last != sqlite::followed(db, folder.id)? {
                    self.due.push(folder.id);
                }
            }
        }
    }
}
