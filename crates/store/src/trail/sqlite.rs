//! The trail: the SQL.

use super::{Delivery, Entry, Event, Origin, from_json, to_json};
use crate::{Id, StoreError};
use rusqlite::{Connection, OptionalExtension as _};

pub(super) fn insert(db: &Connection, entry: &Entry, sequence: i64) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO event(message, at, sequence, detail) VALUES(?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute((entry.message, entry.at, sequence, to_json(&entry.event)?))?;
    for address in entry.event.parties() {
        let sql = "INSERT OR IGNORE INTO party(address, message) VALUES(?, ?)";
        db.prepare_cached(sql)?.execute((address, entry.message))?;
    }
    Ok(())
}

pub(super) fn of_message(db: &Connection, message: Id) -> Result<Vec<Entry>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT at, detail FROM event WHERE message = ? ORDER BY at, sequence")?;
    let mut rows = statement.query([message])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let event = from_json(row.get_ref(1)?.as_str().unwrap_or_default())?;
        entries.push(Entry { message, at: row.get(0)?, event });
    }
    // Told when it is durable: a first attempt may have ended before.
    entries.sort_by_key(|entry| !matches!(entry.event, Event::Accepted { .. }));
    Ok(entries)
}

pub(super) fn of_address(db: &Connection, address: &str, limit: usize) -> Result<Vec<Id>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT message FROM party WHERE address = ? ORDER BY message DESC LIMIT ?")?;
    let ids = statement.query_map((address, limit as i64), |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

pub(super) fn newest(db: &Connection, limit: usize) -> Result<Vec<Id>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT DISTINCT message FROM event ORDER BY message DESC LIMIT ?")?;
    let ids = statement.query_map([limit as i64], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

/// Of the `page` messages before `before`, those with an event that has `text` in it (in lower case), newest first; and the
/// oldest that was looked at, none when there were no more.
pub(super) fn mentioning(
    db: &Connection,
    before: Option<Id>,
    text: &str,
    page: usize,
) -> Result<(Vec<Id>, Option<Id>), StoreError> {
    let sql = "SELECT min(message) FROM \
               (SELECT DISTINCT message FROM event WHERE message < ? ORDER BY message DESC LIMIT ?)";
    let end = before.map_or(i64::MAX, Id::get);
    let oldest: Option<Id> = db.prepare_cached(sql)?.query_row((end, page as i64), |row| row.get(0))?;
    let Some(oldest) = oldest else { return Ok((Vec::new(), None)) };
    let sql = "SELECT DISTINCT message FROM event WHERE message >= ? AND message < ? AND instr(lower(detail), ?) > 0 \
               ORDER BY message DESC";
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map((oldest, end, text), |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok((found, Some(oldest)))
}

pub(super) fn newest_id(db: &Connection) -> Result<Option<Id>, StoreError> {
    let sql = "SELECT message FROM event ORDER BY message DESC LIMIT 1";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?)
}

/// The messages that are to be forgotten together.
pub(super) struct Oldest {
    pub(super) newest: Id,
    /// Others are as old.
    pub(super) more: bool,
}

/// The oldest messages from before `before`, with `limit` events or somewhat more, as all of a message goes together.
pub(super) fn oldest(db: &Connection, before: Id, limit: usize) -> Result<Option<Oldest>, StoreError> {
    let sql = "SELECT max(message), count(*) FROM \
               (SELECT message FROM event WHERE message < ? ORDER BY message LIMIT ?)";
    let mut statement = db.prepare_cached(sql)?;
    let (newest, count): (Option<Id>, i64) =
        statement.query_row((before, limit as i64), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(newest.map(|newest| Oldest { newest, more: count >= limit as i64 }))
}

/// Removes everything about messages up to this one.
pub(super) fn remove_to(db: &Connection, newest: Id) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM event WHERE message <= ?")?.execute([newest])?;
    db.prepare_cached("DELETE FROM party WHERE message <= ?")?.execute([newest])?;
    Ok(())
}

/// The acceptances in `waypost.db` (given here) that are newer than the trail.
pub(crate) fn lost(main: &Connection, newest: Id) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let sql = "SELECT id, origin, reverse_path, body_size, (SELECT group_concat(address, ' ') FROM recipient WHERE message = id) \
               FROM queued WHERE id > ?";
    let mut statement = main.prepare(sql)?;
    let mut rows = statement.query([newest])?;
    while let Some(row) = rows.next()? {
        let recipients: Option<String> = row.get(4)?;
        let event = Event::Accepted {
            origin: from_json(row.get_ref(1)?.as_str().unwrap_or_default())?,
            from: row.get(2)?,
            recipients: recipients.unwrap_or_default().split(' ').map(str::to_owned).collect(),
            delivered: Vec::new(),
            size: row.get::<_, i64>(3)? as u64,
            verdicts: Vec::new(),
        };
        let message: Id = row.get(0)?;
        entries.push(Entry { message, at: message.unix_ms(), event });
    }
    entries.extend(lost_deliveries(main, newest)?);
    Ok(entries)
}

fn lost_deliveries(main: &Connection, newest: Id) -> Result<Vec<Entry>, StoreError> {
    // Every delivery has trace fields above its body; what a user put into a folder was never accepted and has none.
    let sql = "SELECT message.id, account.local || '@' || account.domain, mailbox.name, body_size FROM message \
               JOIN mailbox ON mailbox.id = message.mailbox JOIN account ON account.id = mailbox.account \
               WHERE message.id > ? AND message.prefix_size > 0";
    let mut statement = main.prepare(sql)?;
    let rows = statement.query_map([newest], |row| {
        let (message, account): (Id, String) = (row.get(0)?, row.get(1)?);
        let delivery =
            Delivery { recipient: account.clone(), account: account.clone(), mailbox: row.get(2)? };
        let event = Event::Accepted {
            origin: Origin { via: "rebuilt after a kill".into(), ..Origin::default() },
            from: String::new(),
            recipients: vec![account],
            delivered: vec![delivery],
            size: row.get::<_, i64>(3)? as u64,
            verdicts: Vec::new(),
        };
        Ok(Entry { message, at: message.unix_ms(), event })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
