//! MTA-STS policies, and hosts that offer STARTTLS: the SQL.

use super::{OwnSts, StsPolicyRecord};
use crate::StoreError;
use rusqlite::{Connection, OptionalExtension as _};

pub(super) fn policy(db: &Connection, domain: &str) -> Result<Option<StsPolicyRecord>, StoreError> {
    let sql = "SELECT id, text, fetched, until FROM sts_policy WHERE domain = ?";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(StsPolicyRecord { id: row.get(0)?, text: row.get(1)?, fetched: row.get(2)?, until: row.get(3)? })
    };
    Ok(db.prepare_cached(sql)?.query_row([domain], read).optional()?)
}

pub(super) fn keep(db: &Connection, domain: &str, policy: &StsPolicyRecord) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO sts_policy(domain, id, text, fetched, until) VALUES(?, ?, ?, ?, ?)";
    let StsPolicyRecord { id, text, fetched, until } = policy;
    db.prepare_cached(sql)?.execute((domain, id, text, fetched, until))?;
    Ok(())
}

pub(super) fn before(db: &Connection, moment: i64, limit: usize) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT domain FROM sts_policy WHERE fetched < ? ORDER BY fetched LIMIT ?";
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map((moment, limit as i64), |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// How many were removed, at most `limit`.
pub(super) fn forget(db: &Connection, now: i64, limit: usize) -> Result<usize, StoreError> {
    let sql =
        "DELETE FROM sts_policy WHERE domain IN (SELECT domain FROM sts_policy WHERE until <= ? LIMIT ?)";
    Ok(db.prepare_cached(sql)?.execute((now, limit as i64))?)
}

pub(super) fn starttls_seen(db: &Connection, host: &str) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT seen FROM starttls_host WHERE host = ?";
    Ok(db.prepare_cached(sql)?.query_row([host], |row| row.get(0)).optional()?)
}

pub(super) fn keep_starttls(db: &Connection, host: &str, now: i64) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO starttls_host(host, seen) VALUES(?, ?)";
    db.prepare_cached(sql)?.execute((host, now))?;
    Ok(())
}

/// When the host after the `most` that were seen last was seen; none when there are not so many.
pub(super) fn starttls_at(db: &Connection, most: usize) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT seen FROM starttls_host ORDER BY seen DESC LIMIT 1 OFFSET ?";
    Ok(db.prepare_cached(sql)?.query_row([most as i64], |row| row.get(0)).optional()?)
}

/// How many were removed, at most `limit`.
pub(super) fn forget_starttls(db: &Connection, moment: i64, limit: usize) -> Result<usize, StoreError> {
    let sql =
        "DELETE FROM starttls_host WHERE host IN (SELECT host FROM starttls_host WHERE seen < ? LIMIT ?)";
    Ok(db.prepare_cached(sql)?.execute((moment, limit as i64))?)
}

pub(super) fn own(db: &Connection, domain: &str) -> Result<Option<OwnSts>, StoreError> {
    let sql = "SELECT mode, since FROM sts_own WHERE domain = ?";
    let read = |row: &rusqlite::Row<'_>| Ok(OwnSts { mode: row.get(0)?, since: row.get(1)? });
    Ok(db.prepare_cached(sql)?.query_row([domain], read).optional()?)
}

pub(super) fn set_own(db: &Connection, domain: &str, own: Option<&OwnSts>) -> Result<(), StoreError> {
    match own {
        None => db.prepare_cached("DELETE FROM sts_own WHERE domain = ?")?.execute([domain])?,
        Some(own) => {
            let sql = "INSERT OR REPLACE INTO sts_own(domain, mode, since) VALUES(?, ?, ?)";
            db.prepare_cached(sql)?.execute((domain, &own.mode, own.since))?
        }
    };
    Ok(())
}
