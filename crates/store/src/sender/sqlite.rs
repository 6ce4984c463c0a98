//! Remembered senders: the SQL.

use crate::StoreError;
use rusqlite::{Connection, OptionalExtension as _};

pub(super) fn sender(db: &Connection, token: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT sender FROM rewritten_sender WHERE token = ?";
    Ok(db.prepare_cached(sql)?.query_row([token], |row| row.get(0)).optional()?)
}

pub(super) fn remember(db: &Connection, token: &str, sender: &str, until: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO rewritten_sender(token, sender, until) VALUES(?, ?, ?) \
               ON CONFLICT(token) DO UPDATE SET until = max(until, excluded.until)";
    db.prepare_cached(sql)?.execute((token, sender, until))?;
    Ok(())
}

pub(super) fn count(db: &Connection) -> Result<usize, StoreError> {
    let count: i64 =
        db.prepare_cached("SELECT count(*) FROM rewritten_sender")?.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// How many were forgotten, at most `limit`, the oldest first.
pub(super) fn forget(db: &Connection, now: i64, limit: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM rewritten_sender WHERE token IN \
               (SELECT token FROM rewritten_sender WHERE until <= ? ORDER BY until LIMIT ?)";
    Ok(db.prepare_cached(sql)?.execute((now, limit as i64))?)
}
