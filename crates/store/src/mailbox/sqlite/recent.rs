//! What no session has been told of: the SQL.

use crate::{Id, StoreError};
use rusqlite::{Connection, OptionalExtension as _};

pub(in crate::mailbox) fn from(db: &Connection, mailbox: Id) -> Result<u32, StoreError> {
    let sql = "SELECT recent_from FROM mailbox WHERE id = ?";
    Ok(db.prepare_cached(sql)?.query_row([mailbox], |row| row.get(0)).optional()?.unwrap_or(1))
}

pub(in crate::mailbox) fn count_from(db: &Connection, mailbox: Id, uid: u32) -> Result<u64, StoreError> {
    let sql = "SELECT CASE WHEN ?2 <= 1 THEN messages \
                      ELSE (SELECT count(*) FROM message WHERE mailbox = ?1 AND uid >= ?2) END \
               FROM mailbox WHERE id = ?1";
    let count = db.prepare_cached(sql)?.query_row((mailbox, uid), |row| row.get::<_, i64>(0)).optional()?;
    Ok(count.unwrap_or(0).unsigned_abs())
}

pub(in crate::mailbox) fn note_told(db: &Connection, mailbox: Id, below: u32) -> Result<(), StoreError> {
    let sql = "UPDATE mailbox SET recent_from = ?2 WHERE id = ?1 AND recent_from < ?2";
    db.prepare_cached(sql)?.execute((mailbox, below))?;
    Ok(())
}
