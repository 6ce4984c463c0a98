//! Removing messages: the SQL.

use super::room::count_use;
use super::{IN, MESSAGE, Stored, Tally, Touched, delete, delete_prefix, read, touch, uids};
use crate::committer::Writer;
use crate::mailbox::{SLICE, UidRuns, flag};
use crate::{Change, Id, MailboxChange, StoreError, body};
use rusqlite::{Connection, OptionalExtension as _};
use std::sync::Arc;

/// Runs of vanished UIDs remembered a folder: about 100 KiB. Past it the oldest are forgotten, and a client that asks for
/// them is told of more than it needs.
const MAX_VANISHED: i64 = 4_000;
/// Rows forgotten at once: as many as one job brings.
const FORGOTTEN: i64 = SLICE as i64;

/// The UIDs among `among` with [`flag::DELETED`], of which there are at most `count`.
pub(in crate::mailbox) fn marked(
    db: &Connection,
    mailbox: Id,
    among: &UidRuns,
    count: u64,
) -> Result<UidRuns, StoreError> {
    let sql =
        "SELECT uid FROM message WHERE mailbox = ? AND uid BETWEEN ? AND ? AND flags & ? != 0 ORDER BY uid";
    let mut statement = db.prepare_cached(sql)?;
    let mut found = UidRuns::default();
    for run in among.ranges() {
        let mut rows = statement.query((mailbox, run.start(), run.end(), flag::DELETED))?;
        while let Some(row) = rows.next()? {
            found.push(row.get(0)?);
            if u64::from(found.len()) >= count {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// Removes those of a slice of messages that have all of `flags`; returns which.
pub(in crate::mailbox) fn remove(
    writer: &Writer<'_>,
    mailbox: Id,
    slice: &UidRuns,
    flags: u32,
    keep: Keep,
) -> Result<UidRuns, StoreError> {
    let db = writer.db;
    let sql = format!("SELECT {MESSAGE} FROM message WHERE {IN} AND uid = ?2 AND flags & ?3 = ?3");
    let mut statement = db.prepare_cached(&sql)?;
    let (mut gone, mut tally, mut removed) = (UidRuns::default(), Tally::default(), Vec::new());
    for uid in slice.iter() {
        let Some(stored) = statement.query_row((mailbox, uid, flags), read).optional()? else { continue };
        delete(db, mailbox, uid)?;
        gone.push(uid);
        tally.remove(&stored.summary);
        removed.push(stored);
    }
    if removed.is_empty() {
        return Ok(gone);
    }
    let Some(touched) = touch(db, mailbox, 0, tally)? else {
        return Err(StoreError::Bug(format!("messages of folder {mailbox}, which is not there")));
    };
    let (account, modseq) = (touched.account, touched.modseq);
    count_use(db, account, tally.octets, tally.messages)?;
    removed.iter().try_for_each(|stored| lay_aside(writer, account, mailbox, &touched.name, stored, keep))?;
    remember(db, mailbox, &touched, &gone)?;
    let kind = MailboxChange::Expunged { uids: Arc::new(gone.clone()) };
    writer.publish(Change::Mailbox { account, mailbox, modseq, kind });
    Ok(gone)
}

/// What becomes of a message whose row has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mailbox) enum Keep {
    /// It goes for good.
    Nothing,
    /// It can be read where it was by those who have not been told.
    ToRead,
    /// That, and be brought back.
    ToBringBack,
}

/// Keeps a message whose row has gone, or lets it go.
pub(super) fn lay_aside(
    writer: &Writer<'_>,
    account: Id,
    mailbox: Id,
    folder: &str,
    stored: &Stored,
    keep: Keep,
) -> Result<(), StoreError> {
    let (db, s) = (writer.db, &stored.summary);
    if keep == Keep::Nothing {
        delete_prefix(db, stored.prefix)?;
        return body::drop_reference(writer, s.body);
    }
    let sql = "INSERT INTO expunged(id, account, mailbox, folder, uid, message, body, body_size, prefix, prefix_size, \
                 received, saved, flags, keywords, modseq, read_only) \
               VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute((
        Id::generate(),
        account,
        mailbox,
        folder,
        s.uid,
        s.id,
        s.body,
        s.body_size() as i64,
        stored.prefix,
        s.prefix_size,
        s.received,
        s.saved,
        s.flags,
        s.keywords.as_str(),
        s.modseq as i64,
        keep == Keep::ToRead,
    ))?;
    Ok(())
}

/// Remembers which UIDs left a folder. Of an empty one nothing needs to be: all that anybody knows has left it.
pub(super) fn remember(
    db: &Connection,
    mailbox: Id,
    touched: &Touched,
    gone: &UidRuns,
) -> Result<(), StoreError> {
    if touched.messages == 0 {
        return forget(db, mailbox, touched.modseq);
    }
    let sql = "INSERT INTO vanished(mailbox, modseq, first, last) VALUES(?, ?, ?, ?)";
    let mut statement = db.prepare_cached(sql)?;
    for run in gone.ranges() {
        statement.execute((mailbox, touched.modseq as i64, run.start(), run.end()))?;
    }
    let sql = "UPDATE mailbox SET vanished = vanished + ? WHERE id = ? RETURNING vanished";
    let count: i64 =
        db.prepare_cached(sql)?.query_row((gone.ranges().len() as i64, mailbox), |row| row.get(0))?;
    if count <= MAX_VANISHED {
        return Ok(());
    }
    let sql = "SELECT modseq FROM vanished WHERE mailbox = ? ORDER BY modseq LIMIT 1 OFFSET ?";
    let oldest: i64 = db.prepare_cached(sql)?.query_row((mailbox, FORGOTTEN - 1), |row| row.get(0))?;
    forget(db, mailbox, oldest as u64)
}

fn forget(db: &Connection, mailbox: Id, modseq: u64) -> Result<(), StoreError> {
    let sql = "DELETE FROM vanished WHERE mailbox = ? AND modseq <= ?";
    let rows = db.prepare_cached(sql)?.execute((mailbox, modseq as i64))?;
    let sql = "UPDATE mailbox SET vanished = vanished - ?, remembered = ? WHERE id = ?";
    db.prepare_cached(sql)?.execute((rows as i64, modseq as i64, mailbox))?;
    Ok(())
}

pub(crate) fn vanished(
    db: &Connection,
    mailbox: Id,
    since: u64,
    known: &UidRuns,
) -> Result<UidRuns, StoreError> {
    let sql = "SELECT remembered, uidnext - 1 FROM mailbox WHERE id = ?";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, u32>(1)?));
    let Some((remembered, last)) = db.prepare_cached(sql)?.query_row([mailbox], row).optional()? else {
        return Ok(known.clone());
    };
    if since < remembered {
        let given = known.intersection(&UidRuns::from(1..=last));
        return Ok(given.difference(&uids(db, mailbox)?));
    }
    let sql = "SELECT first, last FROM vanished WHERE mailbox = ? AND modseq > ?";
    let mut statement = db.prepare_cached(sql)?;
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let runs = statement.query_map((mailbox, since), |row| Ok(row.get(0)?..=row.get(1)?))?;
    let gone: UidRuns = runs.collect::<Result<_, rusqlite::Error>>()?;
    Ok(gone.intersection(known))
}
