//! What a back-up is made of: the SQL.

use super::{Blob, Changes, Cut, Known, MAX_MESSAGES, MAX_OCTETS, Messages, Table, Value, pairs};
use crate::mailbox::{UidRuns, vanished};
use crate::{Id, StoreError};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Params, Statement};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Tables that a cut does not have: messages and notes of imports are read in parts, and the others are not kept. A table that
/// a later version adds is kept whole.
const NOT_WHOLE: [&str; 7] =
    ["message", "prefix", "imported", "vanished", "expunged", "emptied", "unreferenced"];
/// How long a cut may read messages: a read transaction ends within a second (DESIGN.md, Store).
const CUT_TIME: Duration = Duration::from_millis(300);

pub(super) fn schema(db: &Connection) -> Result<u32, StoreError> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

pub(super) fn installation(db: &Connection) -> Result<Option<Id>, StoreError> {
    let sql = "SELECT value FROM meta WHERE key = 'installation'";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?)
}

pub(super) fn name_installation(db: &Connection) -> Result<Id, StoreError> {
    let sql = "INSERT INTO meta(key, value) VALUES('installation', ?) \
               ON CONFLICT(key) DO UPDATE SET value = value RETURNING value";
    Ok(db.prepare_cached(sql)?.query_row([Id::generate()], |row| row.get(0))?)
}

pub(super) fn cut(db: &Connection, known: &[Known]) -> Result<Cut, StoreError> {
    let there = folders(db)?;
    let known: HashMap<Id, u64> = known.iter().copied().collect();
    let since = |id: Id| known.get(&id).copied().unwrap_or(0);
    let behind = there.iter().filter(|folder| since(folder.id) != folder.modseq);
    let (folders, counts): (Vec<Known>, Vec<u64>) =
        behind.map(|folder| ((folder.id, since(folder.id)), folder.messages)).unzip();
    let (begun, mut rows, mut changes) = (Instant::now(), 0, Vec::with_capacity(folders.len()));
    for folder in &folders {
        let found = self::changes(db, *folder, 0, MAX_MESSAGES)?;
        rows += found.messages.len();
        if found.next.is_some() || rows > MAX_MESSAGES || begun.elapsed() > CUT_TIME {
            return Ok(Cut::Behind { folders, messages: counts.iter().sum() });
        }
        changes.push((folder.0, found));
    }
    let folders = there.into_iter().map(|folder| (folder.id, folder.modseq)).collect();
    Ok(Cut::Complete { at: Id::generate().unix_ms(), tables: whole_tables(db)?, folders, changes })
}

struct Folder {
    id: Id,
    modseq: u64,
    messages: u64,
}

fn folders(db: &Connection) -> Result<Vec<Folder>, StoreError> {
    let mut statement = db.prepare_cached("SELECT id, modseq, messages FROM mailbox ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        let number = |place| row.get::<_, i64>(place).map(i64::unsigned_abs);
        Ok(Folder { id: row.get(0)?, modseq: number(1)?, messages: number(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn whole_tables(db: &Connection) -> Result<Vec<Table>, StoreError> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let mut statement = db.prepare_cached(sql)?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let whole = names.into_iter().filter(|name| !NOT_WHOLE.contains(&name.as_str()));
    whole.map(|name| table(db, &name, &format!("SELECT * FROM {name}"), [])).collect()
}

pub(super) fn changes(
    db: &Connection,
    (mailbox, since): Known,
    after: u32,
    limit: usize,
) -> Result<Changes, StoreError> {
    let sql = "SELECT modseq FROM mailbox WHERE id = ?";
    let modseq: Option<i64> = db.prepare_cached(sql)?.query_row([mailbox], |row| row.get(0)).optional()?;
    let Some(modseq) = modseq else { return Ok(Changes::default()) };
    let sql = "SELECT * FROM message WHERE mailbox = ? AND uid > ? AND modseq > ? ORDER BY uid LIMIT ?";
    let row = (mailbox, after, i64::try_from(since).unwrap_or(i64::MAX), limit as i64);
    let mut messages = table(db, "message", sql, row)?;
    let read = messages.rows.len();
    let prefixes = prefixes(db, &mut messages)?;
    let more = read == limit || messages.rows.len() < read;
    let last = messages.integers(["uid"]).last().and_then(|[uid]| u32::try_from(uid).ok());
    let gone = match (since, after) {
        (1.., 0) => vanished(db, mailbox, since, &UidRuns::from(1..=u32::MAX))?,
        _ => UidRuns::default(),
    };
    Ok(Changes {
        modseq: modseq.unsigned_abs(),
        messages: Messages { messages, prefixes },
        gone: pairs(&gone),
        next: last.filter(|_| more),
    })
}

/// What is above the bodies of messages; those after which it would be too much are taken away.
fn prefixes(db: &Connection, messages: &mut Table) -> Result<Table, StoreError> {
    let mut statement = db.prepare_cached("SELECT * FROM prefix WHERE id = ?")?;
    let mut found = Table { name: "prefix".to_owned(), columns: columns(&statement), rows: Vec::new() };
    let (mut octets, mut count) = (0, 0);
    for [prefix, size] in messages.integers(["prefix", "prefix_size"]) {
        if octets > MAX_OCTETS {
            break;
        }
        if prefix != 0 {
            read_rows(&mut statement, [prefix], &mut found.rows)?;
        }
        octets += usize::try_from(size).unwrap_or(0);
        count += 1;
    }
    messages.rows.truncate(count);
    Ok(found)
}

pub(super) fn import_notes(
    db: &Connection,
    after: Option<&(Id, Vec<u8>)>,
    limit: usize,
) -> Result<Table, StoreError> {
    let sql = "SELECT * FROM imported WHERE (source, key) > (?, ?) ORDER BY source, key LIMIT ?";
    let (source, key) = after.map_or((0, &[][..]), |(source, key)| (source.get(), key.as_slice()));
    table(db, "imported", sql, (source, key, limit as i64))
}

fn table(db: &Connection, name: &str, sql: &str, parameters: impl Params) -> Result<Table, StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut table = Table { name: name.to_owned(), columns: columns(&statement), rows: Vec::new() };
    read_rows(&mut statement, parameters, &mut table.rows)?;
    Ok(table)
}

fn columns(statement: &Statement<'_>) -> Vec<String> {
    statement.column_names().map(str::to_owned).collect()
}

fn read_rows(
    statement: &mut Statement<'_>,
    parameters: impl Params,
    into: &mut Vec<Vec<Value>>,
) -> Result<(), StoreError> {
    let width = statement.column_count();
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        let values = (0..width).map(|place| value(row.get_ref(place)?));
        into.push(values.collect::<Result<_, StoreError>>()?);
    }
    Ok(())
}

fn value(value: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(error) => return Err(StoreError::Damaged(format!("waypost.db ({error})"))),
        },
        ValueRef::Blob(octets) => Value::Blob(Blob::new(octets)),
        ValueRef::Real(number) => {
            return Err(StoreError::Bug(format!("a back-up does not know the number {number}")));
        }
    })
}
