//! Mailboxes: the SQL.

use super::{DEFAULT_FOLDERS, INBOX, Mailbox, Summary, flag};
use crate::committer::Writer;
use crate::directory::Quotas;
use crate::queue::{LocalCopy, NewMessage};
use crate::{Change, Id, StoreError, body};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};

pub(crate) fn create_defaults(db: &Connection, account: Id) -> Result<(), StoreError> {
    DEFAULT_FOLDERS.iter().try_for_each(|(name, role)| create(db, account, name, *role))
}

pub(super) fn create(db: &Connection, account: Id, name: &str, role: Option<&str>) -> Result<(), StoreError> {
    let id = Id::generate();
    // UIDVALIDITY grows with time, so that a folder made again under an old name is told apart (RFC 9051 §2.3.1.1).
    let uidvalidity = (id.unix_ms() / 1000) as u32;
    let sql = "INSERT OR IGNORE INTO mailbox(id, account, name, role, uidvalidity) VALUES(?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute((id, account, name, role, uidvalidity))?;
    Ok(())
}

/// Puts one copy into its folder, or into INBOX when the folder has gone. `false`: it has no room, and nothing is done.
pub(crate) fn deliver(
    writer: &Writer<'_>,
    quotas: Quotas,
    message: &NewMessage,
    copy: &LocalCopy,
) -> Result<bool, StoreError> {
    let db = writer.db;
    let (body, size) = (message.body.id(), message.body.size() as i64);
    let total = size + (copy.prefix.len() + message.trace.len()) as i64;
    let gone = || StoreError::NotFound(format!("mailbox for {:?}", copy.recipient));
    match take_room(db, quotas, copy.account, size, total)? {
        Room::Taken => {}
        Room::Full => return Ok(false),
        Room::NoAccount => return Err(gone()),
    }
    let Some((mailbox, uid, modseq)) = next_uid(db, copy.account, &copy.mailbox)?
        .map_or_else(|| next_uid(db, copy.account, INBOX), |found| Ok(Some(found)))?
    else {
        return Err(gone());
    };
    let mut prefix = Vec::with_capacity(copy.prefix.len() + message.trace.len());
    prefix.extend_from_slice(&copy.prefix);
    prefix.extend_from_slice(&message.trace);
    let sql = "INSERT INTO message(mailbox, uid, id, body, body_size, prefix, received, flags, modseq) \
               VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let row = (mailbox, uid, message.id, body, size, &prefix, message.id.unix_ms(), copy.flags, modseq);
    db.prepare_cached(sql)?.execute(row)?;
    writer.publish(Change::Delivered { account: copy.account, mailbox, uid });
    Ok(true)
}

enum Room {
    Taken,
    Full,
    NoAccount,
}

/// Counts a message of `total` octets for the account, if `size`, its body, fits into
/// its quota and its domain's. One statement where there is none, as for most.
fn take_room(
    db: &Connection,
    quotas: Quotas,
    account: Id,
    size: i64,
    total: i64,
) -> Result<Room, StoreError> {
    let sql = "UPDATE account SET used_bytes = used_bytes + ?1, used_messages = used_messages + 1 \
               WHERE id = ?2 AND (quota IS NULL OR used_bytes + ?3 <= quota)";
    if db.prepare_cached(sql)?.execute((total, account, size))? == 0 {
        let sql = "SELECT EXISTS(SELECT 1 FROM account WHERE id = ?)";
        let exists: bool = db.prepare_cached(sql)?.query_row([account], |row| row.get(0))?;
        return Ok(if exists { Room::Full } else { Room::NoAccount });
    }
    if quotas == Quotas::OfDomainsToo && !has_domain_room(db, account, total - size)? {
        count_use(db, account, -total, -1)?;
        return Ok(Room::Full);
    }
    Ok(Room::Taken)
}

/// Whether all accounts of its domain together are within the domain's quota. `beside`: octets that do not count.
fn has_domain_room(db: &Connection, account: Id, beside: i64) -> Result<bool, StoreError> {
    let sql = "SELECT domain.quota IS NULL OR domain.quota + ?2 >= \
                 (SELECT sum(used_bytes) FROM account AS every WHERE every.domain = domain.name) \
               FROM account JOIN domain ON domain.name = account.domain WHERE account.id = ?1";
    Ok(db.prepare_cached(sql)?.query_row((account, beside), |row| row.get(0)).optional()?.unwrap_or(true))
}

fn next_uid(db: &Connection, account: Id, name: &str) -> Result<Option<(Id, u32, i64)>, StoreError> {
    let sql = "UPDATE mailbox SET uidnext = uidnext + 1, modseq = modseq + 1 WHERE account = ? AND name = ? \
               RETURNING id, uidnext - 1, modseq";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    Ok(db.prepare_cached(sql)?.query_row((account, name), row).optional()?)
}

fn count_use(db: &Connection, account: Id, bytes: i64, messages: i64) -> Result<(), StoreError> {
    let sql =
        "UPDATE account SET used_bytes = used_bytes + ?, used_messages = used_messages + ? WHERE id = ?";
    db.prepare_cached(sql)?.execute((bytes, messages, account))?;
    Ok(())
}

pub(super) fn list(db: &Connection, account: Id) -> Result<Vec<Mailbox>, StoreError> {
    let sql = "SELECT id, name, role, uidvalidity, uidnext, \
                 (SELECT count(*) FROM message WHERE message.mailbox = mailbox.id), \
                 (SELECT count(*) FROM message WHERE message.mailbox = mailbox.id AND flags & ?2 = 0) \
               FROM mailbox WHERE account = ?1 ORDER BY name != 'INBOX', name";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map((account, flag::SEEN), |row| {
        Ok(Mailbox {
            id: row.get(0)?,
            account,
            name: row.get(1)?,
            role: row.get(2)?,
            uidvalidity: row.get(3)?,
            uidnext: row.get(4)?,
            messages: row.get::<_, i64>(5)? as u64,
            unseen: row.get::<_, i64>(6)? as u64,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn page(
    db: &Connection,
    mailbox: Id,
    after: u32,
    limit: usize,
) -> Result<Vec<Summary>, StoreError> {
    let sql = "SELECT uid, id, body_size + length(prefix), received, flags FROM message \
               WHERE mailbox = ? AND uid > ? ORDER BY uid LIMIT ?";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map((mailbox, after, limit as i64), summary)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn page_before(
    db: &Connection,
    mailbox: Id,
    before: u32,
    limit: usize,
) -> Result<Vec<Summary>, StoreError> {
    let sql = "SELECT uid, id, body_size + length(prefix), received, flags FROM message \
               WHERE mailbox = ? AND uid < ? ORDER BY uid DESC LIMIT ?";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map((mailbox, before, limit as i64), summary)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn uid_of(db: &Connection, mailbox: Id, message: Id) -> Result<Option<u32>, StoreError> {
    let sql = "SELECT max(uid) FROM message WHERE id = ? AND mailbox = ?";
    Ok(db.prepare_cached(sql)?.query_row((message, mailbox), |row| row.get(0))?)
}

pub(super) fn add_flags(db: &Connection, mailbox: Id, uid: u32, flags: u32) -> Result<(), StoreError> {
    let sql = "UPDATE message SET flags = flags | ?3, modseq = 1 + (SELECT modseq FROM mailbox WHERE id = ?1) \
               WHERE mailbox = ?1 AND uid = ?2 AND flags & ?3 != ?3";
    if db.prepare_cached(sql)?.execute((mailbox, uid, flags))? > 0 {
        db.prepare_cached("UPDATE mailbox SET modseq = modseq + 1 WHERE id = ?")?.execute([mailbox])?;
    }
    Ok(())
}

pub(super) fn find(
    db: &Connection,
    mailbox: Id,
    uid: u32,
) -> Result<Option<(Summary, Bytes, Id)>, StoreError> {
    let sql = "SELECT uid, id, body_size + length(prefix), received, flags, prefix, body FROM message \
               WHERE mailbox = ? AND uid = ?";
    let row =
        |row: &rusqlite::Row<'_>| Ok((summary(row)?, Bytes::from(row.get::<_, Vec<u8>>(5)?), row.get(6)?));
    Ok(db.prepare_cached(sql)?.query_row((mailbox, uid), row).optional()?)
}

fn summary(row: &rusqlite::Row<'_>) -> rusqlite::Result<Summary> {
    Ok(Summary {
        uid: row.get(0)?,
        id: row.get(1)?,
        size: row.get::<_, i64>(2)? as u64,
        received: row.get(3)?,
        flags: row.get(4)?,
    })
}

pub(super) fn remove(writer: &Writer<'_>, mailbox: Id, uids: &[u32]) -> Result<usize, StoreError> {
    let db = writer.db;
    let mut removed = 0;
    let (mut bytes, sql) =
        (0, "DELETE FROM message WHERE mailbox = ? AND uid = ? RETURNING body, body_size + length(prefix)");
    for uid in uids {
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Id>(0)?, row.get::<_, i64>(1)?));
        let Some((body, size)) = db.prepare_cached(sql)?.query_row((mailbox, uid), row).optional()? else {
            continue;
        };
        body::drop_reference(writer, body)?;
        (removed, bytes) = (removed + 1, bytes + size);
    }
    let owner = "UPDATE mailbox SET modseq = modseq + 1 WHERE id = ? RETURNING account";
    let account: Option<Id> = db.prepare_cached(owner)?.query_row([mailbox], |row| row.get(0)).optional()?;
    if let Some(account) = account {
        count_use(db, account, -bytes, -(removed as i64))?;
        writer.publish(Change::Removed { account, mailbox });
    }
    Ok(removed)
}

/// Takes an account's folders and all that is in them away.
pub(crate) fn remove_all(writer: &Writer<'_>, account: Id) -> Result<(), StoreError> {
    for mailbox in list(writer.db, account)? {
        let sql = "DELETE FROM message WHERE mailbox = ? RETURNING body";
        let bodies: Vec<Id> = writer
            .db
            .prepare_cached(sql)?
            .query_map([mailbox.id], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        bodies.into_iter().try_for_each(|body| body::drop_reference(writer, body))?;
    }
    writer.db.prepare_cached("DELETE FROM mailbox WHERE account = ?")?.execute([account])?;
    Ok(())
}
