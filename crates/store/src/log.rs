//! The write-ahead logs of the databases that the committer writes, and copying them back in time.
//!
//! SQLite begins a log again when all of it has been copied and nobody reads in it. So when there is enough in it the
//! [`Copier`] copies it, while the committer goes on; what has come meanwhile is little, and the committer copies that itself,
//! between two batches. What readers stand in the way of stays, and the log grows; when that is too much the committer waits
//! for them, and when even that does not help intake is closed.

mod copier;

pub(crate) use copier::Copier;

use crate::database::{BUSY_TIMEOUT, Kind};
use crate::{Store, StoreError};
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long those who write wait for readers. A read transaction ends within a second, mostly at once; one that does not
/// must not hold up every batch.
const PATIENCE: Duration = Duration::from_millis(100);

/// From 256 KiB to 64 MiB, where the committer waits for the copier.
const MOST_DOUBLINGS: u32 = 8;

/// Octets of pages that a log may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogLimits {
    /// After so many more they are copied.
    copy: u64,
    /// So many the committer copies itself. Twice as many after each time that the copier left more than that.
    rest: u64,
    /// From so many on, readers are waited for.
    restart: u64,
    /// With so many, intake is closed.
    full: u64,
}

impl LogLimits {
    /// Full with so many octets, from an eighth on readers are waited for, and a 128th part is copied at a time: 512, 64 and
    /// 4 MiB. The committer's own part is a 16th of that, so that nobody waits for its sync for long.
    pub(crate) fn new(octets: u64) -> Self {
        Self { copy: octets / 128, rest: octets / 2048, restart: octets / 8, full: octets.max(1) }
    }
}

/// One log.
#[derive(Debug)]
pub(crate) struct Log {
    limits: LogLimits,
    /// By the pages of which SQLite tells at each commit. The file itself stays as long as it once was.
    octets: Arc<AtomicU64>,
    progress: Mutex<Progress>,
    /// Told when the copier has done its part.
    done: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    /// How many there were when they were last copied, or when that was last tried.
    copied: u64,
    /// The copier is at it.
    copying: bool,
    /// The copier was at it, or somebody asked: what has come since is to be copied too.
    rest: bool,
    /// How often the copier was at it again, as what had come meanwhile was too much for the committer.
    again: u32,
}

/// What is to be done about a log now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Nothing,
    /// By the copier.
    Copy,
    /// What the copier left, by the committer.
    Rest,
    /// All of it, waiting for readers.
    Restart,
}

impl Log {
    pub(crate) fn new(limits: LogLimits) -> Self {
        Self { limits, octets: Arc::default(), progress: Mutex::default(), done: Condvar::new() }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    /// From now on this is the connection that writes it. Nothing is in the log that was not copied or will be counted at the
    /// next commit.
    pub(crate) fn follow(&self, writer: &mut Connection) -> Result<(), StoreError> {
        self.emptied();
        let octets = Arc::clone(&self.octets);
        // Not what a new database gets: an older one keeps the size it has.
        let page: u64 = writer.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))?.into();
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            octets.store(u64::try_from(pages).unwrap_or(0) * page, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(())
    }

    fn emptied(&self) {
        self.octets.store(0, Ordering::Relaxed);
        let mut progress = self.progress();
        *progress = Progress { copying: progress.copying, ..Progress::default() };
    }

    pub(crate) fn is_full(&self) -> bool {
        self.octets() >= self.limits.full
    }

    /// Something is to be copied, though it is little.
    fn wants(&self) -> bool {
        let progress = self.progress();
        progress.rest || progress.copying
    }

    /// Where the log has become long the copier is waited for: who writes faster than the disk copies has to.
    fn next(&self) -> Step {
        let (octets, mut progress) = (self.octets(), self.progress());
        while progress.copying && octets >= self.limits.restart {
            progress = self.done.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
        if progress.copied > octets {
            // It was begun again.
            progress.copied = 0;
        }
        let since = octets - progress.copied;
        let enough = since >= self.limits.copy;
        let step = match (progress.copying, progress.rest) {
            (_, rest) if self.is_full() || ((rest || enough) && octets >= self.limits.restart) => {
                Step::Restart
            }
            (true, _) => Step::Nothing,
            (false, true) if since <= self.limits.rest << progress.again.min(MOST_DOUBLINGS) => Step::Rest,
            (false, rest) if rest || enough => Step::Copy,
            _ => Step::Nothing,
        };
        match step {
            Step::Nothing => {}
            Step::Copy => {
                (progress.copying, progress.again) = (true, progress.again + u32::from(progress.rest))
            }
            Step::Rest | Step::Restart => {
                *progress = Progress { copied: octets, copying: progress.copying, ..Progress::default() }
            }
        }
        step
    }

    /// Copies what has come since the last time, if that is enough to be worth it, or has it copied.
    fn shorten(&self, writer: &Connection, copy: impl FnOnce()) -> Result<(), StoreError> {
        match self.next() {
            Step::Nothing => {}
            Step::Copy => copy(),
            Step::Rest => drop(checkpoint(writer, "PASSIVE")?),
            Step::Restart => {
                writer.busy_timeout(PATIENCE)?;
                let done = checkpoint(writer, "RESTART");
                writer.busy_timeout(BUSY_TIMEOUT)?;
                if done? {
                    self.emptied();
                }
            }
        }
        Ok(())
    }

    /// All that is in it is to be copied soon, however little it is.
    pub(crate) fn finish(&self) {
        self.progress().rest = true;
    }

    /// The copier's part: what is in it now is copied, as far as no reader is in the way.
    fn copy(&self, open: impl FnOnce() -> Result<Connection, StoreError>) -> Result<(), StoreError> {
        let octets = self.octets();
        let copied = open().and_then(|database| checkpoint(&database, "PASSIVE"));
        let mut progress = self.progress();
        (progress.copied, progress.copying, progress.rest) = (octets, false, true);
        self.done.notify_one();
        copied.map(drop)
    }
}

/// Those of both databases.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) main: Log,
    pub(crate) bodies: Log,
}

impl Logs {
    pub(crate) fn new(limits: LogLimits) -> Self {
        Self { main: Log::new(limits), bodies: Log::new(limits) }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.main.is_full() || self.bodies.is_full()
    }

    /// To be shortened also when nothing is written.
    pub(crate) fn wants(&self) -> bool {
        self.is_full() || self.main.wants() || self.bodies.wants()
    }

    /// Between two batches, by the connections that write. Fails also where the copier did.
    pub(crate) fn shorten(
        &self,
        [main, bodies]: [&Connection; 2],
        copier: &Copier,
    ) -> Result<(), StoreError> {
        let was_full = self.is_full();
        copier.failed()?;
        self.main.shorten(main, || copier.copy(Kind::Main))?;
        self.bodies.shorten(bodies, || copier.copy(Kind::Bodies))?;
        if was_full && !self.is_full() {
            tracing::warn!("store: the write-ahead log is short again; intake is open");
        }
        Ok(())
    }
}

/// Reads in both databases until it is dropped.
#[derive(Debug)]
pub struct LogHold {
    _readers: [Connection; 2],
}

impl Store {
    /// Somebody who reads and never ends, so that the logs cannot be copied past this moment: for tests of what comes of it.
    ///
    /// # Errors
    /// When a database cannot be opened or read.
    pub fn hold_logs(&self) -> Result<LogHold, StoreError> {
        Ok(LogHold { _readers: [self.inner.main.hold()?, self.inner.bodies.hold()?] })
    }
}

/// False where a reader was in the way.
pub(crate) fn checkpoint(writer: &Connection, mode: &str) -> Result<bool, StoreError> {
    let busy: bool = writer.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(0))?;
    Ok(!busy)
}

#[cfg(test)]
mod tests;
