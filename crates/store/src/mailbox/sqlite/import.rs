//! Messages brought from elsewhere: the SQL.

use super::{append, folder};
use crate::body::files::Files;
use crate::committer::Writer;
use crate::directory::Quotas;
use crate::mailbox::{Brought, ImportTotals, NewCopy, folder::not_found};
use crate::{Id, StoreError};
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::HashSet;

pub(in crate::mailbox) fn import(
    writer: &Writer<'_>,
    files: &Files,
    quotas: Quotas,
    mailbox: Id,
    source: &str,
    messages: Vec<Brought>,
) -> Result<Vec<bool>, StoreError> {
    let db = writer.db;
    let account = folder::by_id(db, mailbox)?.ok_or_else(|| not_found(mailbox))?.account;
    let sql = "INSERT OR IGNORE INTO import_source(id, account, name) VALUES(?, ?, ?)";
    db.prepare_cached(sql)?.execute((Id::generate(), account, source))?;
    let source = find(db, account, source)?.ok_or_else(|| StoreError::Bug("a source has gone".into()))?;

    let mut known = db.prepare_cached("SELECT 1 FROM imported WHERE source = ? AND key = ?")?;
    let (mut seen, mut new) = (HashSet::new(), Vec::with_capacity(messages.len()));
    for message in &messages {
        new.push(!known.exists((source, &message.key))? && seen.insert(message.key.clone()));
    }
    let fresh = messages.into_iter().zip(&new).filter(|(_, new)| **new).map(|(message, _)| message);
    let (keys, copies): (Vec<Vec<u8>>, Vec<NewCopy>) = fresh.map(|one| (one.key, one.copy)).unzip();
    if copies.is_empty() {
        return Ok(new);
    }
    let appended = append::append(writer, files, quotas, mailbox, &copies)?;
    let sql = "INSERT INTO imported(source, key, mailbox, uid, octets, flags, keywords) \
               SELECT ?1, ?2, mailbox, uid, ?5, flags, keywords FROM message WHERE mailbox = ?3 AND uid = ?4";
    let mut insert = db.prepare_cached(sql)?;
    for ((key, copy), uid) in keys.iter().zip(&copies).zip(appended.uids.iter()) {
        insert.execute((source, key, mailbox, uid, copy.body.size() as i64))?;
    }
    Ok(new)
}

pub(super) fn find(db: &Connection, account: Id, source: &str) -> Result<Option<Id>, StoreError> {
    let sql = "SELECT id FROM import_source WHERE account = ? AND name = ?";
    Ok(db.prepare_cached(sql)?.query_row((account, source), |row| row.get(0)).optional()?)
}

pub(in crate::mailbox) fn keys(
    db: &Connection,
    account: Id,
    source: &str,
    after: &[u8],
    limit: usize,
) -> Result<Vec<(Vec<u8>, u64)>, StoreError> {
    let Some(source) = find(db, account, source)? else { return Ok(Vec::new()) };
    let sql = "SELECT key, octets FROM imported WHERE source = ? AND key > ? ORDER BY key LIMIT ?";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement
        .query_map((source, after, limit as i64), |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(in crate::mailbox) fn totals(
    db: &Connection,
    account: Id,
    source: &str,
) -> Result<ImportTotals, StoreError> {
    let Some(source) = find(db, account, source)? else { return Ok(ImportTotals::default()) };
    let sql = "SELECT count(*), coalesce(sum(i.octets), 0), count(m.uid), coalesce(sum(m.body_size), 0) \
               FROM imported AS i LEFT JOIN message AS m ON m.mailbox = i.mailbox AND m.uid = i.uid WHERE i.source = ?";
    let row = |row: &rusqlite::Row<'_>| {
        let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok(ImportTotals {
            messages: number(0)?,
            octets: number(1)?,
            there: number(2)?,
            there_octets: number(3)?,
        })
    };
    Ok(db.prepare_cached(sql)?.query_row([source], row)?)
}

/// Forgets the next `limit` messages that were brought to an account that has gone; returns how many.
pub(super) fn forget(db: &Connection, account: Id, limit: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM imported WHERE (source, key) IN (SELECT i.source, i.key FROM import_source AS s \
               JOIN imported AS i ON i.source = s.id WHERE s.account = ? LIMIT ?)";
    let count = db.prepare_cached(sql)?.execute((account, limit as i64))?;
    if count < limit {
        db.prepare_cached("DELETE FROM import_source WHERE account = ?")?.execute([account])?;
    }
    Ok(count)
}
