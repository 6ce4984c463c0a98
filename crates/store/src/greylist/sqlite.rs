//! Greylisting: the SQL.

use crate::StoreError;
use rusqlite::{Connection, OptionalExtension as _};

pub(super) fn pass(db: &Connection, key: &str) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT until FROM greylist_pass WHERE key = ?";
    Ok(db.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?)
}

pub(super) fn remember(db: &Connection, keys: &[String], until: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO greylist_pass(key, until) VALUES(?, ?) \
               ON CONFLICT(key) DO UPDATE SET until = max(until, excluded.until)";
    let mut statement = db.prepare_cached(sql)?;
    for key in keys {
        statement.execute((key, until))?;
    }
    Ok(())
}

/// How many were forgotten, at most `limit`.
pub(super) fn forget(db: &Connection, now: i64, limit: usize) -> Result<usize, StoreError> {
    let sql =
        "DELETE FROM greylist_pass WHERE key IN (SELECT key FROM greylist_pass WHERE until <= ? LIMIT ?)";
    Ok(db.prepare_cached(sql)?.execute((now, limit as i64))?)
}
