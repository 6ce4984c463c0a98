//! What goes by and by: the SQL.

use super::expunge::{self, Keep};
use super::{MESSAGE, delete, delete_prefix, import, read};
use crate::committer::Writer;
use crate::mailbox::SLICE;
use crate::{Id, StoreError, body};
use rusqlite::{OptionalExtension as _, Params};

/// Messages of one job, at most: mail does not wait for what nobody waits for.
const PURGED: usize = SLICE / 2;

/// A folder, or an account, that has gone.
struct Emptied {
    mailbox: Id,
    account: Id,
    name: String,
    keep: bool,
}

/// One slice; whether there may be more. Messages go that could be brought back and were removed before `removed`, and
/// those that left before `others`.
pub(in crate::mailbox) fn slice(writer: &Writer<'_>, removed: Id, others: Id) -> Result<bool, StoreError> {
    let sql = "SELECT mailbox, account, name, keep FROM emptied LIMIT 1";
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Emptied { mailbox: row.get(0)?, account: row.get(1)?, name: row.get(2)?, keep: row.get(3)? })
    };
    let limit = writer.share(PURGED);
    let Some(emptied) = writer.db.prepare_cached(sql)?.query_row([], row).optional()? else {
        let full = purge(writer, "id < ? ORDER BY id", [removed], limit)? == limit;
        return Ok(full || purge(writer, "read_only = 1 AND id < ? ORDER BY id", [others], limit)? == limit);
    };
    let done = if emptied.mailbox == emptied.account {
        let purged = purge(writer, "account = ?", [emptied.account], limit)?;
        purged + import::forget(writer.db, emptied.account, limit - purged)?
    } else {
        empty(writer, &emptied, limit)?
    };
    if done < limit {
        for table in ["keyword", "vanished", "emptied"] {
            let sql = format!("DELETE FROM {table} WHERE mailbox = ?");
            writer.db.prepare_cached(&sql)?.execute([emptied.mailbox])?;
        }
    }
    Ok(true)
}

/// Takes the next messages of a folder that has gone; returns how many.
fn empty(writer: &Writer<'_>, emptied: &Emptied, limit: usize) -> Result<usize, StoreError> {
    let sql = format!("SELECT {MESSAGE} FROM message WHERE mailbox = ? ORDER BY uid LIMIT ?");
    let mut statement = writer.db.prepare_cached(&sql)?;
    let rows = statement.query_map((emptied.mailbox, limit as i64), read)?;
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let keep = if emptied.keep { Keep::ToBringBack } else { Keep::Nothing };
    for stored in &rows {
        delete(writer.db, emptied.mailbox, stored.summary.uid)?;
        expunge::lay_aside(writer, emptied.account, emptied.mailbox, &emptied.name, stored, keep)?;
    }
    Ok(rows.len())
}

/// Lets the next expunged messages of a condition go for good; returns how many.
fn purge(
    writer: &Writer<'_>,
    condition: &str,
    parameters: impl Params,
    limit: usize,
) -> Result<usize, StoreError> {
    let db = writer.db;
    let sql = format!(
        "DELETE FROM expunged WHERE id IN (SELECT id FROM expunged WHERE {condition} LIMIT {limit}) RETURNING body, prefix"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(Id, i64)> = rows.collect::<Result<_, _>>()?;
    for (body, prefix) in &rows {
        delete_prefix(db, *prefix)?;
        body::drop_reference(writer, *body)?;
    }
    Ok(rows.len())
}
