//! Messages that have left their folders, and bringing those back that were removed: the SQL.

use super::room::need_room;
use super::{Keywords, Stored, Summary, Tally, UidRuns, copy_prefix, folder, insert, read_prefix, touch};
use crate::committer::Writer;
use crate::directory::Quotas;
use crate::mailbox::{Expunged, flag};
use crate::{Change, Id, MailboxChange, StoreError};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::collections::BTreeMap;

const EXPUNGED: &str =
    "id, mailbox, folder, uid, message, body, body_size, prefix_size, received, flags, keywords, prefix";

/// The same in the order of [`super::MESSAGE`].
const DEPARTED: &str =
    "uid, message, body, body_size, prefix_size, received, saved, flags, keywords, modseq, prefix";

fn read(row: &Row<'_>) -> rusqlite::Result<(Expunged, i64)> {
    let prefix_size: u32 = row.get(7)?;
    let expunged = Expunged {
        id: row.get(0)?,
        mailbox: row.get(1)?,
        folder: row.get(2)?,
        uid: row.get(3)?,
        message: row.get(4)?,
        body: row.get(5)?,
        size: row.get::<_, i64>(6)? as u64 + u64::from(prefix_size),
        prefix_size,
        received: row.get(8)?,
        flags: row.get(9)?,
        keywords: Keywords::from_stored(row.get_ref(10)?.as_str()?),
    };
    Ok((expunged, row.get(11)?))
}

pub(in crate::mailbox) fn list(
    db: &Connection,
    account: Id,
    after: Option<Id>,
    limit: usize,
) -> Result<Vec<Expunged>, StoreError> {
    let sql = format!(
        "SELECT {EXPUNGED} FROM expunged WHERE account = ? AND read_only = 0 AND id > ? ORDER BY id LIMIT ?"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let after = after.map_or(0, Id::get);
    let rows = statement.query_map((account, after, limit as i64), |row| Ok(read(row)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The next `limit` above `after` of those that left a folder, as they were.
pub(in crate::mailbox) fn departed(
    db: &Connection,
    mailbox: Id,
    uids: &UidRuns,
    after: u32,
    limit: usize,
) -> Result<Vec<Summary>, StoreError> {
    let sql = format!(
        "SELECT {DEPARTED} FROM expunged WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT ?"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = Vec::new();
    for run in uids.ranges().filter(|run| *run.end() > after) {
        let (first, left) = ((*run.start()).max(after.saturating_add(1)), limit - found.len());
        if left == 0 {
            break;
        }
        for row in statement.query_map((mailbox, first, run.end(), left as i64), super::read)? {
            found.push(row?.summary);
        }
    }
    Ok(found)
}

/// One of them, with what was above its body.
pub(in crate::mailbox) fn find_departed(
    db: &Connection,
    mailbox: Id,
    uid: u32,
) -> Result<Option<(Summary, Bytes)>, StoreError> {
    let sql = format!("SELECT {DEPARTED} FROM expunged WHERE mailbox = ? AND uid = ?");
    let found = db.prepare_cached(&sql)?.query_row((mailbox, uid), super::read).optional()?;
    let Some(found) = found else { return Ok(None) };
    let prefix = read_prefix(db, &found)?;
    Ok(Some((found.summary, prefix)))
}

/// Brings a slice of them back; returns how many. They can be read where they were all the same, by who has not been told.
pub(in crate::mailbox) fn bring_back(
    writer: &Writer<'_>,
    quotas: Quotas,
    account: Id,
    ids: &[Id],
) -> Result<usize, StoreError> {
    let db = writer.db;
    let sql = format!(
        "UPDATE expunged SET read_only = 1 WHERE id = ? AND account = ? AND read_only = 0 RETURNING {EXPUNGED}"
    );
    let mut folders: BTreeMap<(Id, String), Vec<(Expunged, i64)>> = BTreeMap::new();
    let mut count = 0;
    for id in ids {
        let found = db.prepare_cached(&sql)?.query_row((id, account), read).optional()?;
        if let Some((expunged, prefix)) = found {
            count += 1;
            let place = (expunged.mailbox, expunged.folder.clone());
            folders.entry(place).or_default().push((expunged, prefix));
        }
    }
    for ((mailbox, name), messages) in folders {
        let mailbox = place(writer, account, mailbox, &name)?;
        put_back(writer, quotas, mailbox, messages)?;
    }
    Ok(count)
}

/// The folder itself, or the one that has its name now, made where there is none.
fn place(writer: &Writer<'_>, account: Id, mailbox: Id, name: &str) -> Result<Id, StoreError> {
    if folder::by_id(writer.db, mailbox)?.is_some_and(|found| found.account == account) {
        return Ok(mailbox);
    }
    match folder::by_name(writer.db, account, name)? {
        Some(found) => Ok(found.id),
        None => Ok(folder::create(writer, account, name, None)?.id),
    }
}

fn put_back(
    writer: &Writer<'_>,
    quotas: Quotas,
    mailbox: Id,
    messages: Vec<(Expunged, i64)>,
) -> Result<(), StoreError> {
    let (db, saved) = (writer.db, Id::generate().unix_ms());
    let (mut tally, mut back) = (Tally::default(), Vec::with_capacity(messages.len()));
    for (message, prefix) in messages {
        let keywords = super::flags::known(db, mailbox, &message.keywords)?;
        let flags = message.flags & !flag::DELETED;
        let summary = Summary { keywords, saved, flags, ..as_it_was(&message) };
        tally.add(&summary);
        let prefix = copy_prefix(db, &Stored { summary: summary.clone(), prefix })?;
        back.push(Stored { summary, prefix });
    }
    let touched = touch(db, mailbox, back.len() as u32, tally)?
        .ok_or_else(|| crate::mailbox::folder::not_found(mailbox))?;
    let (account, modseq, first) = (touched.account, touched.modseq, touched.uid);
    need_room(db, quotas, account, tally.messages, tally.bodies, tally.octets)?;
    let mut last = first;
    for (mut stored, uid) in back.into_iter().zip(first..) {
        (stored.summary.uid, stored.summary.modseq, last) = (uid, modseq, uid);
        insert(db, mailbox, &stored)?;
    }
    writer.publish(Change::Mailbox {
        account,
        mailbox,
        modseq,
        kind: MailboxChange::Delivered { first, last },
    });
    Ok(())
}

fn as_it_was(message: &Expunged) -> Summary {
    Summary {
        uid: 0,
        id: message.message,
        body: message.body,
        size: message.size,
        prefix_size: message.prefix_size,
        received: message.received,
        saved: 0,
        flags: message.flags,
        keywords: message.keywords.clone(),
        modseq: 0,
    }
}
