//! Bodies: the SQL.

use super::files::Files;
use super::{Body, Content, INLINE_LIMIT};
use crate::committer::Writer;
use crate::{Id, StoreError};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};

/// Rows of one step of the sweep: more than one transaction of the committer brings (its jobs are at most 1,000),
/// so that a page without an orphan means that none follow.
const SWEEP_PAGE: i64 = 2_000;

/// Makes the body durable with the transaction under way. A file already is; a body from elsewhere that is
/// too large for a row is written as a file here. Nothing happens to a body that is stored already, which is
/// how a message of the queue gets its copy in a mailbox here: ids name their content for good.
pub(crate) fn insert(writer: &Writer<'_>, body: &Body, files: &Files) -> Result<(), StoreError> {
    writer.bring(body.id);
    let bytes = match &body.content {
        Content::Memory(bytes, _) => bytes,
        Content::File { unnamed, .. } => {
            unnamed.iter().for_each(|file| file.take());
            return Ok(());
        }
    };
    if bytes.len() > INLINE_LIMIT {
        if files.path(body.id).exists() {
            return Ok(());
        }
        let mut draft = files.create(body.id)?;
        draft.write(bytes)?;
        draft.finish()?.take();
        return Ok(());
    }
    let bodies = writer.bodies()?;
    bodies
        .prepare_cached("INSERT OR IGNORE INTO body(id, data) VALUES(?, ?)")?
        .execute((body.id, &bytes[..]))?;
    Ok(())
}

/// Finds a body by what its owner remembers of it.
pub(crate) fn load(bodies: &Connection, files: &Files, id: Id, size: u64) -> Result<Body, StoreError> {
    let row =
        |row: &rusqlite::Row<'_>| row.get_ref(0)?.as_blob().map(Bytes::copy_from_slice).map_err(Into::into);
    let data =
        bodies.prepare_cached("SELECT data FROM body WHERE id = ?")?.query_row([id], row).optional()?;
    let content = match data {
        Some(bytes) => Content::Memory(bytes, None),
        None => {
            let path = files.path(id);
            if !path.exists() {
                return Err(StoreError::Damaged(format!("body {id} is missing: bodies.db")));
            }
            Content::File { path, size, unnamed: None }
        }
    };
    Ok(Body { id, content })
}

/// To be called after a row that named the body is gone: has the body removed, once that is durable, if
/// nothing else names it.
pub(crate) fn drop_reference(writer: &Writer<'_>, body: Id) -> Result<(), StoreError> {
    if !is_named(writer.db, body)? {
        writer.db.prepare_cached("INSERT OR IGNORE INTO unreferenced(body) VALUES(?)")?.execute([body])?;
        writer.free(body);
    }
    Ok(())
}

pub(crate) fn is_named(db: &Connection, body: Id) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS(SELECT 1 FROM message WHERE body = ?1) OR EXISTS(SELECT 1 FROM queued WHERE body = ?1) \
               OR EXISTS(SELECT 1 FROM expunged WHERE body = ?1)";
    Ok(db.prepare_cached(sql)?.query_row([body], |row| row.get(0))?)
}

/// What an earlier process was to remove and did not come to.
pub(crate) fn unreferenced(db: &Connection) -> Result<Vec<Id>, StoreError> {
    let mut statement = db.prepare_cached("SELECT body FROM unreferenced")?;
    let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

/// Removes bodies whose last reference an earlier, durable transaction dropped, unless a job of this one names it again:
/// what could not be recorded is tried again with the same body.
pub(crate) fn remove(writer: &Writer<'_>, files: &Files, gone: &[Id]) -> Result<(), StoreError> {
    if gone.is_empty() {
        return Ok(());
    }
    let bodies = writer.bodies()?;
    for id in gone {
        if is_named(writer.db, *id)? {
            writer.db.prepare_cached("DELETE FROM unreferenced WHERE body = ?")?.execute([id])?;
            continue;
        }
        if bodies.prepare_cached("DELETE FROM body WHERE id = ?")?.execute([id])? == 0 {
            files.remove(*id)?;
        }
        writer.db.prepare_cached("DELETE FROM unreferenced WHERE body = ?")?.execute([id])?;
    }
    Ok(())
}

/// Finds bodies that a kill left without a name, older than this process: nothing can be about to name them.
/// Only what is newer than every body that is named can be such, or lies among the newest: ids grow with time
/// and a kill is the last thing that happened, so the scan goes backwards and ends at a run of named ones.
pub(crate) fn sweep(
    db: &Connection,
    bodies: &Connection,
    files: &Files,
    before: Id,
) -> Result<Vec<Id>, StoreError> {
    let mut orphans = Vec::new();
    for id in files.list()?.into_iter().filter(|id| *id < before) {
        if !is_named(db, id)? {
            orphans.push(id);
        }
    }
    let mut next = before;
    loop {
        let page: Vec<Id> = bodies
            .prepare_cached("SELECT id FROM body WHERE id < ? ORDER BY id DESC LIMIT ?")?
            .query_map((next, SWEEP_PAGE), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let Some(oldest) = page.last() else { break };
        next = *oldest;
        let found = orphans.len();
        for id in page {
            if !is_named(db, id)? {
                orphans.push(id);
            }
        }
        if orphans.len() == found {
            break;
        }
    }
    Ok(orphans)
}

/// Every body that a message names, with its size, for a check of the whole store.
pub(crate) fn named(db: &Connection) -> Result<Vec<(Id, u64)>, StoreError> {
    let sql = "SELECT body, body_size FROM message UNION SELECT body, body_size FROM queued \
               UNION SELECT body, body_size FROM expunged";
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
