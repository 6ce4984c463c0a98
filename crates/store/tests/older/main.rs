//! Data of every version of every database, filled, and opened by today's store: nothing of it may be lost on the way.
//!
//! A database of a version is made by the migrations up to that version and by rows as that version wrote them, in the files beside this
//! one: `mail-2.sql` is what versions from 2 on have of mail. A new migration needs its rows there, and its lines in [`MAIN`] or its
//! like: [`every_migration_is_here`] and [`every_column_is_filled`] say so.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod lost;
mod reading;

use rusqlite::Connection;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use store::{Options, Store};

/// One of the databases, with its history.
#[derive(Clone, Copy)]
struct Database {
    file: &'static str,
    migrations: &'static [&'static str],
    /// Rows, and the versions of the schema that take them.
    rows: &'static [(RangeInclusive<usize>, &'static str)],
}

const NEWEST: usize = usize::MAX;

const MAIN: Database = Database {
    file: "waypost.db",
    migrations: &[
        include_str!("../../src/migrations/main-1.sql"),
        include_str!("../../src/migrations/main-2.sql"),
        include_str!("../../src/migrations/main-3.sql"),
        include_str!("../../src/migrations/main-4.sql"),
        include_str!("../../src/migrations/main-5.sql"),
        include_str!("../../src/migrations/main-6.sql"),
        include_str!("../../src/migrations/main-7.sql"),
        include_str!("../../src/migrations/main-8.sql"),
        include_str!("../../src/migrations/main-9.sql"),
        include_str!("../../src/migrations/main-10.sql"),
        include_str!("../../src/migrations/main-11.sql"),
        include_str!("../../src/migrations/main-12.sql"),
        include_str!("../../src/migrations/main-13.sql"),
    ],
    rows: &[
        (1..=NEWEST, include_str!("directory.sql")),
        (1..=NEWEST, include_str!("queue.sql")),
        (1..=1, include_str!("mail-1.sql")),
        (2..=NEWEST, include_str!("mail-2.sql")),
        (2..=7, include_str!("removed-2.sql")),
        (8..=NEWEST, include_str!("removed-8.sql")),
        (3..=9, include_str!("import-3.sql")),
        (10..=NEWEST, include_str!("import-10.sql")),
        (4..=NEWEST, include_str!("reports-4.sql")),
        (5..=NEWEST, include_str!("greylist-5.sql")),
        (6..=NEWEST, include_str!("sts-6.sql")),
        (1..=6, include_str!("keys-1.sql")),
        (7..=NEWEST, include_str!("keys-7.sql")),
        (9..=NEWEST, include_str!("posts-9.sql")),
        (11..=NEWEST, include_str!("recent-11.sql")),
        (12..=NEWEST, include_str!("senders-12.sql")),
        (13..=NEWEST, include_str!("starttls-13.sql")),
    ],
};
const BODIES: Database = Database {
    file: "bodies.db",
    migrations: &[include_str!("../../src/migrations/bodies-1.sql")],
    rows: &[(1..=NEWEST, include_str!("bodies-1.sql"))],
};
const TRAIL: Database = Database {
    file: "trail.db",
    migrations: &[include_str!("../../src/migrations/trail-1.sql")],
    rows: &[(1..=NEWEST, include_str!("trail-1.sql"))],
};
const SEARCH: Database = Database {
    file: "search.db",
    migrations: &[
        include_str!("../../src/migrations/search-1.sql"),
        include_str!("../../src/migrations/search-2.sql"),
    ],
    rows: &[(1..=1, include_str!("search-1.sql")), (2..=NEWEST, include_str!("search-2.sql"))],
};
const DATABASES: [Database; 4] = [MAIN, BODIES, TRAIL, SEARCH];

impl Database {
    fn newest(&self) -> usize {
        self.migrations.len()
    }

    /// Makes it as it was at a version, with rows.
    fn fill(&self, folder: &Path, version: usize) {
        let db = self.open(folder);
        for migration in &self.migrations[..version] {
            db.execute_batch(migration).unwrap();
        }
        for (_, rows) in self.rows.iter().filter(|(versions, _)| versions.contains(&version)) {
            db.execute_batch(rows).unwrap_or_else(|error| panic!("{} {version}: {error}", self.file));
        }
        db.pragma_update(None, "user_version", version as i64).unwrap();
    }

    fn open(&self, folder: &Path) -> Connection {
        Connection::open(folder.join(self.file)).unwrap()
    }
}

/// Data with one database of an older version; the others are as they are now.
struct Older {
    database: Database,
    version: usize,
    folder: tempfile::TempDir,
}

impl Older {
    fn all() -> Vec<Self> {
        let versions = |database: Database| (1..=database.newest()).map(move |version| (database, version));
        DATABASES
            .into_iter()
            .flat_map(versions)
            .map(|(database, version)| Self::new(database, version))
            .collect()
    }

    fn new(database: Database, version: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        database.fill(folder.path(), version);
        for other in DATABASES.iter().filter(|other| other.file != database.file) {
            other.fill(folder.path(), other.newest());
        }
        Self { database, version, folder }
    }

    fn open(&self) -> Store {
        Store::open(self.path(), &Options::default())
            .unwrap_or_else(|error| panic!("{} of version {}: {error}", self.database.file, self.version))
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Of `waypost.db`.
    fn main_version(&self) -> usize {
        if self.database.file == MAIN.file { self.version } else { MAIN.newest() }
    }

    /// Whether `search.db` keeps what it had: the first version is made anew from the bodies.
    fn keeps_search(&self) -> bool {
        self.database.file != SEARCH.file || self.version > 1
    }
}

#[tokio::test]
async fn all_of_it_is_read() {
    for older in Older::all() {
        eprintln!("{} of version {}", older.database.file, older.version);
        reading::check(older.open(), older.main_version(), older.keeps_search()).await;
    }
}

#[test]
fn no_value_is_lost() {
    for older in Older::all() {
        let before = lost::Content::of(&older.database.open(older.path()));
        drop(older.open());
        // `search.db` is opened by who searches.
        let after = lost::Content::of(&older.database.open(older.path()));
        let lost = before.lost_in(&after);
        assert!(lost.is_empty(), "{} of version {}: {lost:#?}", older.database.file, older.version);
    }
}

#[test]
fn every_migration_is_here() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    // Makes `search.db`.
    store.search_status().unwrap();
    for database in DATABASES {
        let db = database.open(folder.path());
        let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version as usize, database.newest(), "{}: fill the version that is new", database.file);
    }
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/migrations"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
    files.sort();
    assert_eq!(files.len(), DATABASES.iter().map(Database::newest).sum::<usize>(), "{files:#?}");
}

#[test]
fn every_column_is_filled() {
    for database in DATABASES {
        let folder = tempfile::tempdir().unwrap();
        database.fill(folder.path(), database.newest());
        let empty = lost::Content::of(&database.open(folder.path())).empty_columns();
        assert!(empty.is_empty(), "{}: give these a value in some row: {empty:?}", database.file);
    }
}
