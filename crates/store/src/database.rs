//! Opening the databases: settings, schema, and pools of readers.

use crate::{Id, StoreError};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Prepared statements kept a connection: more than we have.
const STATEMENT_CACHE: usize = 128;
/// Octets a page.
const PAGE_SIZE: u32 = 4096;
/// The same of the bodies: three messages of 4 KiB have room in one. Measured beside pages of 4, 8 and 32 KiB: with messages
/// of 100 KB three quarters of the CPU that it took with 4 KiB, with messages of 4 KiB a twentieth less.
const BODIES_PAGE_SIZE: u32 = 16 * 1024;
/// The same of the search, whose rows are a message's text each and are read by the thousand: measured with texts of 4 KiB,
/// reading them took three quarters of the time that it took with pages of 4 KiB, and writing them the same.
const SEARCH_PAGE_SIZE: u32 = 16 * 1024;
/// KiB of pages that a writer keeps: a body that is delivered at once is deleted without being read back.
const CACHE_KIB: i64 = 16 * 1024;
/// The same of the trail, which mostly appends.
const TRAIL_CACHE_KIB: i64 = 4 * 1024;
/// Pages of the trail's write-ahead log before they are copied: 8 MiB, so that a page that many events touch is copied
/// once for all of them, and the sync of no more than that goes to the disk at once, behind which a 250's waits.
const TRAIL_CHECKPOINT: i64 = 2048;
/// Pages of the search's write-ahead log before they are copied: 8 MiB.
const SEARCH_CHECKPOINT: i64 = 512;
/// Octets that the write-ahead log of the search keeps on disk once it was copied.
const SEARCH_LOG_KEPT: i64 = 64 << 20;
/// How long a connection waits for another's short lock (the checkpoint's, mostly).
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Readers kept open when idle; more are opened when more threads read at once.
const IDLE_READERS: usize = 8;

/// Which of the databases, each with its schema's history and its own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `waypost.db`: queue, mailboxes, directory.
    Main,
    /// `bodies.db`: small bodies, rows only added and deleted.
    Bodies,
    /// `trail.db`: what happened; synced less often, made anew when damaged.
    Trail,
    /// `search.db`: what the bodies say, kept ready; made anew from them when damaged.
    Search,
}

impl Kind {
    pub(crate) fn path(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Main => "waypost.db",
            Self::Bodies => "bodies.db",
            Self::Trail => "trail.db",
            Self::Search => "search.db",
        })
    }

    /// When its log is synced. FULL: at each commit, which is what a 250 rests on. NORMAL: before it is copied; a power cut may
    /// take the last transactions of what can be made again from the others. So could the search's, but what it writes between
    /// two copies is much: synced at once it would hold up the syncs of mail.
    fn synchronous(self) -> &'static str {
        match self {
            Self::Main | Self::Bodies | Self::Search => "FULL",
            Self::Trail => "NORMAL",
        }
    }

    fn page_size(self) -> u32 {
        match self {
            Self::Main | Self::Trail => PAGE_SIZE,
            Self::Bodies => BODIES_PAGE_SIZE,
            Self::Search => SEARCH_PAGE_SIZE,
        }
    }

    /// Pages in the write-ahead log before SQLite copies them by itself.
    fn checkpoint(self) -> i64 {
        match self {
            Self::Main | Self::Bodies => 0,
            Self::Trail => TRAIL_CHECKPOINT,
            Self::Search => SEARCH_CHECKPOINT,
        }
    }

    fn cache_kib(self) -> i64 {
        match self {
            Self::Main | Self::Bodies | Self::Search => CACHE_KIB,
            Self::Trail => TRAIL_CACHE_KIB,
        }
    }

    /// Each entry brings the schema from the version of its index to the next.
    fn migrations(self) -> &'static [&'static str] {
        match self {
            Self::Main => &[
                include_str!("migrations/main-1.sql"),
                include_str!("migrations/main-2.sql"),
                include_str!("migrations/main-3.sql"),
                include_str!("migrations/main-4.sql"),
                include_str!("migrations/main-5.sql"),
                include_str!("migrations/main-6.sql"),
                include_str!("migrations/main-7.sql"),
                include_str!("migrations/main-8.sql"),
                include_str!("migrations/main-9.sql"),
                include_str!("migrations/main-10.sql"),
                include_str!("migrations/main-11.sql"),
                include_str!("migrations/main-12.sql"),
                include_str!("migrations/main-13.sql"),
            ],
            Self::Bodies => &[include_str!("migrations/bodies-1.sql")],
            Self::Trail => &[include_str!("migrations/trail-1.sql")],
            Self::Search => {
                &[include_str!("migrations/search-1.sql"), include_str!("migrations/search-2.sql")]
            }
        }
    }
}

/// Opens one that is there and open for writing, to copy its log.
pub(crate) fn open_copier(kind: Kind, folder: &Path) -> Result<Connection, StoreError> {
    let path = kind.path(folder);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(|e| StoreError::file(&path, e))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Opens for writing, creates and migrates.
pub(crate) fn open_writer(kind: Kind, folder: &Path) -> Result<Connection, StoreError> {
    open_writer_at(kind, folder, kind.migrations().len() as u32)
}

/// The same, up to a version of the schema: for rows of that version, before they are migrated.
pub(crate) fn open_writer_at(kind: Kind, folder: &Path, version: u32) -> Result<Connection, StoreError> {
    let path = kind.path(folder);
    let connection = Connection::open(&path).map_err(|e| StoreError::file(&path, e))?;
    prepare(&connection)?;
    // Page size and auto_vacuum only act on a new database; both must come before the WAL.
    connection.pragma_update(None, "page_size", kind.page_size())?;
    connection.pragma_update(None, "cache_size", -kind.cache_kib())?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", kind.synchronous())?;
    connection.pragma_update(None, "wal_autocheckpoint", kind.checkpoint())?;
    if kind == Kind::Search {
        connection.pragma_update(None, "journal_size_limit", SEARCH_LOG_KEPT)?;
    }
    // A stop leaves the WAL to the next start: SIGTERM must not wait for a checkpoint.
    connection
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, kind != Kind::Trail)?;
    migrate(&connection, kind, version, &path)?;
    Ok(connection)
}

/// Gives a damaged database another name, for who wants to look at it, and returns that. Nobody may be writing to it.
pub(crate) fn set_aside(kind: Kind, folder: &Path) -> Result<PathBuf, StoreError> {
    let path = kind.path(folder);
    let aside = path.with_extension(format!("db.damaged-{}", Id::generate()));
    std::fs::rename(&path, &aside).map_err(|e| StoreError::file(&path, e))?;
    remove_log(&path);
    Ok(aside)
}

/// Removes a database that is to be made anew.
pub(crate) fn remove(kind: Kind, folder: &Path) -> Result<(), StoreError> {
    let path = kind.path(folder);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::file(&path, error)),
        _ => {
            remove_log(&path);
            Ok(())
        }
    }
}

fn remove_log(path: &Path) {
    for suffix in ["db-wal", "db-shm"] {
        let _ = std::fs::remove_file(path.with_extension(suffix));
    }
}

/// What all connections have in common.
///
/// Nothing temporary goes to files. SQLite would put them into `/tmp`, which the confined server cannot reach: a savepoint
/// that changes more than 64 KiB of pages, which a batch under load soon does, then fails as "unable to open database file".
fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

fn migrate(connection: &Connection, kind: Kind, to: u32, path: &Path) -> Result<(), StoreError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let wanted = kind.migrations().get(..to as usize);
    let Some(missing) = usize::try_from(version).ok().and_then(|v| wanted?.get(v..)) else {
        return Err(StoreError::Newer(path.display().to_string(), version.max(i64::from(to))));
    };
    for (step, sql) in missing.iter().enumerate() {
        let next = version + step as i64 + 1;
        connection
            .execute_batch(&format!("BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {next};\nCOMMIT;"))?;
    }
    Ok(())
}

/// Read-only connections, one a reading thread, each seeing a consistent snapshot a call.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    connections: Vec<Connection>,
    /// How often they were forgotten: one that was in use then is not kept either.
    forgotten: u64,
}

impl Readers {
    pub(crate) fn new(kind: Kind, folder: &Path) -> Self {
        Self { path: kind.path(folder), idle: Mutex::default() }
    }

    /// Readers of the same database that remember nothing of what these have read.
    pub(crate) fn anew(&self) -> Self {
        Self { path: self.path.clone(), idle: Mutex::default() }
    }

    /// Closes those that are idle, and those in use when they come back. A reader that was opened on a failing disk may have
    /// found the shared memory of the write-ahead log read-only, and SQLite then keeps it so for all connections of the
    /// process, writers too, until the last one that has it is closed.
    pub(crate) fn forget(&self) {
        let mut idle = self.lock();
        idle.connections.clear();
        idle.forgotten += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `read` in one read transaction. Short by contract: pages of rows, never a peer's pace.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (found, forgotten) = {
            let mut idle = self.lock();
            (idle.connections.pop(), idle.forgotten)
        };
        let connection = match found {
            Some(connection) => connection,
            None => self.open()?,
        };
        connection.prepare_cached("BEGIN")?.execute([])?;
        let result = read(&connection);
        let ended = connection.prepare_cached("COMMIT")?.execute([]);
        let mut idle = self.lock();
        if ended.is_ok() && idle.forgotten == forgotten && idle.connections.len() < IDLE_READERS {
            idle.connections.push(connection);
        }
        result
    }

    /// A connection in a read transaction, which ends when it is dropped.
    pub(crate) fn hold(&self) -> Result<Connection, StoreError> {
        let connection = self.open()?;
        connection.execute_batch("BEGIN")?;
        // A transaction begins with what it reads.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        prepare(&connection)?;
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_temporary_goes_to_files() {
        const MEMORY: i64 = 2;
        let folder = tempfile::tempdir().unwrap();
        for kind in [Kind::Main, Kind::Bodies, Kind::Trail, Kind::Search] {
            let writer = open_writer(kind, folder.path()).unwrap();
            let reader = Readers::new(kind, folder.path()).open().unwrap();
            for connection in [writer, reader] {
                let temporary: i64 =
                    connection.pragma_query_value(None, "temp_store", |row| row.get(0)).unwrap();
                assert_eq!(temporary, MEMORY, "{kind:?}");
            }
        }
    }
}
