//! The write-ahead logs of the databases that the committer writes, and copying them back in time.
//!
//! SQLite begins a log again when all of it has been copied and nobody reads in it. So the committer copies a part now and
//! then, between two batches: little at a time, so that nobody waits for long. What readers stand in the way of stays, and the
//! log grows; when that is too much the committer waits for them, and when even that does not help intake is closed.

use crate::{Store, StoreError};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long those who write wait for readers. A read transaction ends within a second, mostly at once; one that does not
/// must not hold up every batch.
const PATIENCE: Duration = Duration::from_millis(100);

/// Octets of pages that a log may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogLimits {
    /// After so many more, what can be copied is.
    copy: u64,
    /// From so many on, readers are waited for.
    restart: u64,
    /// With so many, intake is closed.
    full: u64,
}

impl LogLimits {
    /// Full with so many octets, from an eighth on readers are waited for, each 32nd part is copied: 512, 64 and 16 MiB.
    pub(crate) fn new(octets: u64) -> Self {
        Self { copy: octets / 32, restart: octets / 8, full: octets.max(1) }
    }
}

/// One log.
#[derive(Debug)]
pub(crate) struct Log {
    limits: LogLimits,
    /// By the pages of which SQLite tells at each commit. The file itself stays as long as it once was.
    octets: Arc<AtomicU64>,
    /// How many there were when they were last copied, or when that was last tried.
    tried: AtomicU64,
}

impl Log {
    pub(crate) fn new(limits: LogLimits) -> Self {
        Self { limits, octets: Arc::default(), tried: AtomicU64::new(0) }
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
        self.tried.store(0, Ordering::Relaxed);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.octets() >= self.limits.full
    }

    /// Copies what has come since the last time, if that is enough to be worth it.
    pub(crate) fn shorten(&self, writer: &Connection) -> Result<(), StoreError> {
        let octets = self.octets();
        let tried = match self.tried.load(Ordering::Relaxed) {
            // It was begun again.
            tried if tried > octets => 0,
            tried => tried,
        };
        self.tried.store(tried, Ordering::Relaxed);
        if octets - tried < self.limits.copy && !self.is_full() {
            return Ok(());
        }
        self.tried.store(octets, Ordering::Relaxed);
        if octets < self.limits.restart {
            checkpoint(writer, "PASSIVE")?;
            return Ok(());
        }
        writer.busy_timeout(PATIENCE)?;
        let done = checkpoint(writer, "RESTART");
        writer.busy_timeout(crate::database::BUSY_TIMEOUT)?;
        if done? {
            self.emptied();
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
