//! Annotations: the SQL.

use super::folder;
use crate::committer::Writer;
use crate::mailbox::{self, Annotation, MAX_ANNOTATIONS};
use crate::{Change, Id, StoreError};
use rusqlite::Connection;

pub(in crate::mailbox) fn list(
    db: &Connection,
    account: Id,
    mailbox: Option<Id>,
) -> Result<Vec<Annotation>, StoreError> {
    let sql = "SELECT entry, value FROM annotation WHERE mailbox = ? AND account IN (0, ?) ORDER BY entry";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map((mailbox.map_or(0, Id::get), account), |row| {
        Ok(Annotation { entry: row.get(0)?, value: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(in crate::mailbox) fn set(
    writer: &Writer<'_>,
    account: Id,
    mailbox: Option<Id>,
    entries: &[(String, Option<Vec<u8>>)],
) -> Result<(), StoreError> {
    let db = writer.db;
    let owner = match mailbox {
        Some(id) => folder::by_id(db, id)?.ok_or_else(|| mailbox::folder::not_found(id))?.account,
        None => account,
    };
    let place = mailbox.map_or(0, Id::get);
    for (entry, value) in entries {
        let whose = if entry.starts_with("/shared/") { 0 } else { account.get() };
        let key = (place, whose, entry);
        let Some(value) = value else {
            let sql = "DELETE FROM annotation WHERE mailbox = ? AND account = ? AND entry = ?";
            db.prepare_cached(sql)?.execute(key)?;
            continue;
        };
        let sql = "INSERT OR REPLACE INTO annotation(mailbox, account, entry, value) VALUES(?, ?, ?, ?)";
        db.prepare_cached(sql)?.execute((key.0, key.1, key.2, value))?;
    }
    for whose in [0, account.get()] {
        let sql = "SELECT count(*) FROM annotation WHERE mailbox = ? AND account = ?";
        let count: i64 = db.prepare_cached(sql)?.query_row((place, whose), |row| row.get(0))?;
        if count > MAX_ANNOTATIONS as i64 {
            return Err(StoreError::Limit(format!("at most {MAX_ANNOTATIONS} entries can be set")));
        }
    }
    let entries = entries.iter().map(|(entry, _)| entry.clone()).collect();
    writer.publish(Change::Metadata { account: owner, mailbox, by: account, entries });
    Ok(())
}
