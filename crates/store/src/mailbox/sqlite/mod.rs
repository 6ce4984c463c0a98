//! Mailboxes: the SQL. Here what reads messages, and the rows of folders that every change touches.

pub(super) mod acl;
pub(super) mod append;
pub(super) mod copy;
mod deliver;
pub(super) mod expunge;
pub(super) mod flags;
pub(super) mod folder;
pub(super) mod follow;
pub(super) mod import;
pub(super) mod metadata;
pub(super) mod purge;
pub(super) mod recent;
mod room;
pub(super) mod undelete;

pub(crate) use deliver::deliver;
pub(crate) use folder::{create_defaults, remove_all};

use super::{Keywords, Summary, UidRuns, flag};
use crate::{Id, StoreError};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row};

/// The columns of a message, in the order that [`read`] takes them.
const MESSAGE: &str = "uid, id, body, body_size, prefix_size, received, coalesce(saved, received), flags, keywords, modseq, prefix";

/// Of a folder that is there: the rows of one that has gone go by and by, and nobody sees them.
const IN: &str = "mailbox = (SELECT m.id FROM mailbox AS m WHERE m.id = ?1)";

/// A message as the database has it.
pub(super) struct Stored {
    pub(super) summary: Summary,
    /// The row of `prefix`, where there is one.
    prefix: i64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let (body_size, prefix_size): (i64, u32) = (row.get(3)?, row.get(4)?);
    let summary = Summary {
        uid: row.get(0)?,
        id: row.get(1)?,
        body: row.get(2)?,
        size: body_size as u64 + u64::from(prefix_size),
        prefix_size,
        received: row.get(5)?,
        saved: row.get(6)?,
        flags: row.get(7)?,
        keywords: Keywords::from_stored(row.get_ref(8)?.as_str()?),
        modseq: row.get::<_, i64>(9)? as u64,
    };
    Ok(Stored { summary, prefix: row.get(10)? })
}

/// The next `limit` of the messages above `after` that are among `uids` and changed after `since`.
pub(super) fn rows(
    db: &Connection,
    mailbox: Id,
    uids: &UidRuns,
    since: u64,
    after: u32,
    limit: usize,
) -> Result<Vec<Stored>, StoreError> {
    let sql = format!(
        "SELECT {MESSAGE} FROM message WHERE {IN} AND uid BETWEEN ?2 AND ?3 AND modseq > ?4 ORDER BY uid LIMIT ?5"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    for run in uids.ranges().filter(|run| *run.end() > after) {
        let left = limit - found.len();
        if left == 0 {
            break;
        }
        let first = (*run.start()).max(after.saturating_add(1));
        let rows = statement.query_map((mailbox, first, run.end(), since, left as i64), read)?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}

/// The next `limit` UIDs above `after` that are among `uids` and in the folder.
pub(super) fn next_uids(
    writer: &crate::committer::Writer<'_>,
    mailbox: Id,
    uids: &UidRuns,
    after: u32,
    limit: usize,
) -> Result<UidRuns, StoreError> {
    let sql = format!("SELECT uid FROM message WHERE {IN} AND uid BETWEEN ?2 AND ?3 ORDER BY uid LIMIT ?4");
    let mut statement = writer.db.prepare_cached(&sql)?;
    let mut found = UidRuns::default();
    for run in uids.ranges().filter(|run| *run.end() > after) {
        let left = limit - found.len() as usize;
        if left == 0 {
            break;
        }
        let first = (*run.start()).max(after.saturating_add(1));
        let rows = statement.query_map((mailbox, first, run.end(), left as i64), |row| row.get(0))?;
        for uid in rows {
            found.push(uid?);
        }
    }
    Ok(found)
}

pub(super) fn page_before(
    db: &Connection,
    mailbox: Id,
    before: u32,
    limit: usize,
) -> Result<Vec<Summary>, StoreError> {
    let sql = format!("SELECT {MESSAGE} FROM message WHERE {IN} AND uid < ?2 ORDER BY uid DESC LIMIT ?3");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map((mailbox, before, limit as i64), |row| Ok(read(row)?.summary))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn with_prefixes(db: &Connection, rows: Vec<Stored>) -> Result<Vec<(Summary, Bytes)>, StoreError> {
    let with_prefix = |row: Stored| read_prefix(db, &row).map(|prefix| (row.summary, prefix));
    rows.into_iter().map(with_prefix).collect()
}

fn read_prefix(db: &Connection, found: &Stored) -> Result<Bytes, StoreError> {
    if found.summary.prefix_size == 0 {
        return Ok(Bytes::new());
    }
    let sql = "SELECT data FROM prefix WHERE id = ?";
    let prefix: Vec<u8> = db.prepare_cached(sql)?.query_row([found.prefix], |row| row.get(0))?;
    Ok(prefix.into())
}

pub(super) fn first_without(db: &Connection, mailbox: Id, flag: u32) -> Result<Option<u32>, StoreError> {
    let sql = format!("SELECT uid FROM message WHERE {IN} AND flags & ?2 = 0 ORDER BY uid LIMIT 1");
    Ok(db.prepare_cached(&sql)?.query_row((mailbox, flag), |row| row.get(0)).optional()?)
}

pub(super) fn deleted_octets(db: &Connection, mailbox: Id) -> Result<u64, StoreError> {
    let sql =
        format!("SELECT coalesce(sum(body_size + prefix_size), 0) FROM message WHERE {IN} AND flags & ?2");
    let octets: i64 = db.prepare_cached(&sql)?.query_row((mailbox, flag::DELETED), |row| row.get(0))?;
    Ok(octets as u64)
}

pub(super) fn uids(db: &Connection, mailbox: Id) -> Result<UidRuns, StoreError> {
    let Some(folder) = folder::by_id(db, mailbox)? else { return Ok(UidRuns::default()) };
    let last = folder.uidnext.saturating_sub(1);
    if folder.messages == u64::from(last) {
        return Ok(UidRuns::from(1..=last));
    }
    let mut statement = db.prepare_cached("SELECT uid FROM message WHERE mailbox = ? ORDER BY uid")?;
    let mut rows = statement.query([mailbox])?;
    let mut found = UidRuns::default();
    while let Some(row) = rows.next()? {
        found.push(row.get(0)?);
    }
    Ok(found)
}

pub(super) fn uid_of(db: &Connection, mailbox: Id, message: Id) -> Result<Option<u32>, StoreError> {
    let sql = format!("SELECT max(uid) FROM message WHERE {IN} AND id = ?2");
    Ok(db.prepare_cached(&sql)?.query_row((mailbox, message), |row| row.get(0))?)
}

pub(super) fn find(db: &Connection, mailbox: Id, uid: u32) -> Result<Option<(Summary, Bytes)>, StoreError> {
    let sql = format!("SELECT {MESSAGE} FROM message WHERE {IN} AND uid = ?2");
    let Some(found) = db.prepare_cached(&sql)?.query_row((mailbox, uid), read).optional()? else {
        return Ok(None);
    };
    let prefix = read_prefix(db, &found)?;
    Ok(Some((found.summary, prefix)))
}

/// Keeps what is above a copy's body; returns its row, 0 for nothing.
fn insert_prefix(db: &Connection, prefix: &[u8]) -> Result<i64, StoreError> {
    if prefix.is_empty() {
        return Ok(0);
    }
    let id = Id::generate();
    db.prepare_cached("INSERT INTO prefix(id, data) VALUES(?, ?)")?.execute((id, prefix))?;
    Ok(id.get())
}

/// Keeps the same once more, for another copy.
fn copy_prefix(db: &Connection, of: &Stored) -> Result<i64, StoreError> {
    if of.summary.prefix_size == 0 {
        return Ok(0);
    }
    insert_prefix(db, &read_prefix(db, of)?)
}

fn delete_prefix(db: &Connection, prefix: i64) -> Result<(), StoreError> {
    if prefix != 0 {
        db.prepare_cached("DELETE FROM prefix WHERE id = ?")?.execute([prefix])?;
    }
    Ok(())
}

/// Puts a message into its folder; the folder's row is the caller's to change.
fn insert(db: &Connection, mailbox: Id, stored: &Stored) -> Result<(), StoreError> {
    let sql = "INSERT INTO message(mailbox, uid, id, body, body_size, prefix, prefix_size, received, saved, flags, keywords, modseq) \
               VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let s = &stored.summary;
    let saved = (s.saved != s.received).then_some(s.saved);
    let (size, modseq) = (s.body_size() as i64, s.modseq as i64);
    let row = (
        mailbox,
        s.uid,
        s.id,
        s.body,
        size,
        stored.prefix,
        s.prefix_size,
        s.received,
        saved,
        s.flags,
        s.keywords.as_str(),
        modseq,
    );
    db.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

fn delete(db: &Connection, mailbox: Id, uid: u32) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM message WHERE mailbox = ? AND uid = ?")?.execute((mailbox, uid))?;
    Ok(())
}

/// What a change does to the counters of a folder.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    messages: i64,
    unseen: i64,
    deleted: i64,
    octets: i64,
    /// Of the octets, those of bodies.
    bodies: i64,
}

impl Tally {
    fn add(&mut self, summary: &Summary) {
        self.count(summary, 1);
    }

    fn remove(&mut self, summary: &Summary) {
        self.count(summary, -1);
    }

    fn count(&mut self, summary: &Summary, sign: i64) {
        self.messages += sign;
        self.octets += sign * summary.size as i64;
        self.bodies += sign * summary.body_size() as i64;
        self.reflag(summary.flags, sign);
    }

    fn reflag(&mut self, flags: u32, sign: i64) {
        self.unseen += sign * i64::from(flags & flag::SEEN == 0);
        self.deleted += sign * i64::from(flags & flag::DELETED != 0);
    }
}

/// A folder's row after a change of it.
struct Touched {
    account: Id,
    name: String,
    uidvalidity: u32,
    /// The first of the UIDs asked for.
    uid: u32,
    modseq: u64,
    messages: i64,
}

/// Counts a change, takes `uids` UIDs and gives the change its modification sequence. `None`: the folder has gone.
fn touch(db: &Connection, mailbox: Id, uids: u32, tally: Tally) -> Result<Option<Touched>, StoreError> {
    let sql = "UPDATE mailbox SET uidnext = uidnext + ?2, modseq = modseq + 1, messages = messages + ?3, \
                 unseen = unseen + ?4, deleted = deleted + ?5, octets = octets + ?6 WHERE id = ?1 \
               RETURNING account, name, uidvalidity, uidnext - ?2, modseq, messages";
    let row = (mailbox, uids, tally.messages, tally.unseen, tally.deleted, tally.octets);
    let touched = db.prepare_cached(sql)?.query_row(row, |row| {
        Ok(Touched {
            account: row.get(0)?,
            name: row.get(1)?,
            uidvalidity: row.get(2)?,
            uid: row.get(3)?,
            modseq: row.get::<_, i64>(4)? as u64,
            messages: row.get(5)?,
        })
    });
    Ok(touched.optional()?)
}
