//! A data folder made from a back-up, with its SQL.
//!
//! A mark stands in the folder until all is there: nothing serves a part of it, and what was interrupted is begun again.

use super::{Table, Value};
use crate::body::files::{Files, sync_folder};
use crate::body::{self, INLINE_LIMIT};
use crate::database::{self, Kind};
use crate::lock::Lock;
use crate::open::make_folder;
use crate::{Id, StoreError};
use address::Address;
use rusqlite::types::{ToSqlOutput, Value as Owned};
use rusqlite::{Connection, ToSql};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Stands in a folder that is being made.
const MARK: &str = "restoring";
/// Octets of a write-ahead log before it is copied.
const LOG_LIMIT: u64 = 64 << 20;
/// UIDs that are passed over in each folder. Those that were given after the back-up was made must not be given again: a
/// client that remembers them would show the wrong message (RFC 9051 §2.3.1.1).
const UID_GAP: u32 = 1_000_000;
/// The same of modification sequences (RFC 7162 §3.1).
const MODSEQ_GAP: i64 = 1_000_000_000;

/// What becomes of messages that were in the queue. They may have been delivered since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueFate {
    /// Kept until somebody looks at them.
    Hold,
    /// Sent, perhaps once more.
    Send,
    Drop,
}

/// What a folder has that was made from a back-up.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Loaded {
    pub accounts: u64,
    pub folders: u64,
    pub messages: u64,
    /// Recipients of messages in the queue.
    pub queued: u64,
    /// Messages left out: their bodies were not there.
    pub without_body: u64,
}

/// A data folder that is being made.
#[derive(Debug)]
pub struct Loader {
    main: Connection,
    bodies: Connection,
    files: Files,
    folder: PathBuf,
    _lock: Lock,
}

/// Whether a folder is being made, or its making was interrupted.
pub(crate) fn is_marked(folder: &Path) -> bool {
    folder.join(MARK).exists()
}

impl Loader {
    /// Begins with nothing but the tables of a schema.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is data already; [`StoreError::Newer`].
    pub fn new(folder: &Path, schema: u32) -> Result<Self, StoreError> {
        make_folder(folder)?;
        let lock = Lock::take(folder)?;
        if is_marked(folder) {
            clear(folder)?;
        } else if Kind::Main.path(folder).exists() {
            return Err(StoreError::Exists(format!("data in {}", folder.display())));
        }
        let mark = folder.join(MARK);
        let marked = || -> std::io::Result<()> {
            File::create(&mark)?.sync_all()?;
            sync_folder(folder)
        };
        marked().map_err(|e| StoreError::file(&mark, e))?;
        Ok(Self {
            main: database::open_writer_at(Kind::Main, folder, schema)?,
            bodies: database::open_writer(Kind::Bodies, folder)?,
            files: Files::open(folder)?,
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// Puts rows into their table.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for what no table of the schema has.
    pub fn load(&mut self, table: &Table) -> Result<(), StoreError> {
        let Some(sql) = insertion(table)? else { return Ok(()) };
        let transaction = self.main.transaction()?;
        {
            let wrong =
                |e: rusqlite::Error| StoreError::Damaged(format!("the back-up ({}: {e})", table.name));
            let mut statement = transaction.prepare(&sql).map_err(wrong)?;
            for row in &table.rows {
                statement.execute(rusqlite::params_from_iter(row.iter().map(Bound))).map_err(wrong)?;
            }
        }
        transaction.commit()?;
        bound_log(&self.main, &Kind::Main.path(&self.folder))
    }

    /// The folders of an account, or of all, each with its name.
    pub fn folders(&self, of: Option<&Address>) -> Result<Vec<(Id, String)>, StoreError> {
        let sql = "SELECT mailbox.id, mailbox.name FROM mailbox JOIN account ON account.id = mailbox.account \
                   WHERE ?1 IS NULL OR (account.domain = ?1 AND account.local = ?2) ORDER BY mailbox.id";
        let domain = of.and_then(Address::domain).map(|domain| domain.as_str().to_owned());
        let local = of.map(|address| address.local().folded());
        let mut statement = self.main.prepare(sql)?;
        let rows = statement.query_map((domain, local), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether some row that was loaded names a body.
    pub fn names(&self, body: Id) -> Result<bool, StoreError> {
        body::is_named(&self.main, body)
    }

    /// Puts bodies in.
    pub fn add_bodies(&mut self, bodies: &[(Id, Vec<u8>)]) -> Result<(), StoreError> {
        let transaction = self.bodies.transaction()?;
        for (id, octets) in bodies {
            if octets.len() > INLINE_LIMIT {
                if !self.files.path(*id).exists() {
                    let mut draft = self.files.create(*id)?;
                    draft.write(octets)?;
                    draft.finish()?.take();
                }
            } else {
                let sql = "INSERT OR IGNORE INTO body(id, data) VALUES(?, ?)";
                transaction.prepare_cached(sql)?.execute((id, octets))?;
            }
        }
        transaction.commit()?;
        bound_log(&self.bodies, &Kind::Bodies.path(&self.folder))
    }

    /// Brings the tables to today's schema and the counters to what there is, makes all of it durable, and takes the mark away.
    pub fn finish(self, queue: QueueFate) -> Result<Loaded, StoreError> {
        let Self { main, bodies, files, folder, _lock } = self;
        drop(main);
        let mut main = database::open_writer(Kind::Main, &folder)?;
        let without_body = drop_without_body(&mut main, &bodies, &files)?;
        main.execute_batch(&settlement(queue))?;
        let loaded = Loaded { without_body, ..count(&main)? };
        for connection in [&bodies, &main] {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        drop((main, bodies));
        unmark(&folder)?;
        Ok(loaded)
    }

    /// Ends a folder of rows alone, to be read and thrown away.
    pub fn finish_rows(self) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        drop(self);
        drop(database::open_writer(Kind::Main, &folder)?);
        unmark(&folder)
    }
}

/// From here on the folder is one like any other.
fn unmark(folder: &Path) -> Result<(), StoreError> {
    let mark = folder.join(MARK);
    let unmark = || -> std::io::Result<()> {
        sync_folder(folder)?;
        std::fs::remove_file(&mark)?;
        sync_folder(folder)
    };
    unmark().map_err(|e| StoreError::file(&mark, e))
}

/// Removes what an interrupted loader left.
fn clear(folder: &Path) -> Result<(), StoreError> {
    for kind in [Kind::Main, Kind::Bodies, Kind::Trail, Kind::Search] {
        database::remove(kind, folder)?;
    }
    match std::fs::remove_dir_all(folder.join("bodies")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::file(folder, error)),
        _ => Ok(()),
    }
}

/// `None` for no rows. Names come from a file: only what can be one goes into a statement.
fn insertion(table: &Table) -> Result<Option<String>, StoreError> {
    let is_name = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let Table { name, columns, rows } = table;
    if rows.is_empty() {
        return Ok(None);
    }
    let fits = rows.iter().all(|row| row.len() == columns.len());
    if !is_name(name) || !columns.iter().all(is_name) || !fits {
        return Err(StoreError::Damaged(format!("the back-up (table {name:?})")));
    }
    let marks = vec!["?"; columns.len()].join(", ");
    Ok(Some(format!("INSERT OR REPLACE INTO {name}({}) VALUES({marks})", columns.join(", "))))
}

/// A value for a statement.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Owned(Owned::Null),
            Value::Integer(number) => ToSqlOutput::Owned(Owned::Integer(*number)),
            Value::Text(text) => text.to_sql()?,
            Value::Blob(blob) => {
                let octets = blob.octets();
                let wrong = || rusqlite::Error::ToSqlConversionFailure("not base64".into());
                ToSqlOutput::Owned(Owned::Blob(octets.ok_or_else(wrong)?))
            }
        })
    }
}

fn bound_log(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let log = std::fs::metadata(path.with_extension("db-wal"));
    if log.is_ok_and(|log| log.len() > LOG_LIMIT) {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// Takes the messages away whose bodies are missing; returns how many.
fn drop_without_body(main: &mut Connection, bodies: &Connection, files: &Files) -> Result<u64, StoreError> {
    let mut missing = Vec::new();
    for (id, size) in body::named(main)? {
        if !body::load(bodies, files, id, size).is_ok_and(|body| body.size() == size) {
            missing.push(id);
        }
    }
    let transaction = main.transaction()?;
    let mut dropped = 0;
    for id in missing {
        for sql in [
            "DELETE FROM message WHERE body = ?",
            "DELETE FROM recipient WHERE message IN (SELECT id FROM queued WHERE body = ?)",
            "DELETE FROM queued WHERE body = ?",
        ] {
            dropped += transaction.prepare_cached(sql)?.execute([id])? as u64;
        }
    }
    transaction.commit()?;
    Ok(dropped)
}

/// What makes the rows of a moment the state to go on from.
fn settlement(queue: QueueFate) -> String {
    let queue = match queue {
        QueueFate::Hold => {
            "UPDATE recipient SET held = 1, last = 'restored from a back-up, and held: it may have been delivered since'"
        }
        QueueFate::Send => "UPDATE recipient SET due = 0 WHERE held = 0",
        QueueFate::Drop => {
            "INSERT OR IGNORE INTO unreferenced SELECT body FROM queued; DELETE FROM recipient; DELETE FROM queued"
        }
    };
    // Prefixes are of copies; those that no copy has any more are of bodies that were missing.
    format!(
        "BEGIN;
         {queue};
         DELETE FROM prefix WHERE id NOT IN (SELECT prefix FROM message);
         UPDATE mailbox SET (messages, unseen, deleted, octets) =
           (SELECT count(*), coalesce(sum(flags & 1 = 0), 0), coalesce(sum(flags & 8 != 0), 0),
                   coalesce(sum(body_size + prefix_size), 0)
            FROM message WHERE message.mailbox = mailbox.id),
           uidnext = min(uidnext + {UID_GAP}, {max}), modseq = modseq + {MODSEQ_GAP},
           vanished = 0, remembered = modseq + {MODSEQ_GAP};
         UPDATE message SET modseq = (SELECT modseq FROM mailbox WHERE id = message.mailbox);
         UPDATE account SET (used_bytes, used_messages) =
           (SELECT coalesce(sum(octets), 0), coalesce(sum(messages), 0) FROM mailbox WHERE mailbox.account = account.id);
         COMMIT;",
        max = u32::MAX
    )
}

fn count(db: &Connection) -> Result<Loaded, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM mailbox), \
               (SELECT count(*) FROM message), (SELECT count(*) FROM recipient)";
    Ok(db.query_row(sql, [], |row| {
        let number = |place| row.get::<_, i64>(place).map(i64::unsigned_abs);
        Ok(Loaded {
            accounts: number(0)?,
            folders: number(1)?,
            messages: number(2)?,
            queued: number(3)?,
            without_body: 0,
        })
    })?)
}
