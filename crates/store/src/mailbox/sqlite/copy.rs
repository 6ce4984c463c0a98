//! Copying and moving: the SQL.

use super::expunge::Keep;
use super::room::{count_use, has_room, need_room};
use super::{Stored, Summary, Tally, Touched, copy_prefix, delete, expunge, insert, rows, touch};
use crate::committer::Writer;
use crate::directory::Quotas;
use crate::mailbox::copy::{How, Slice};
use crate::mailbox::{FlagMask, SLICE, UidPairs, UidRuns, folder};
use crate::{Change, Id, MailboxChange, StoreError};
use rusqlite::Connection;
use std::sync::Arc;

/// Whether the account of `to` has room for all of it, so that most copies that cannot be made are not begun. The slices
/// look again.
pub(in crate::mailbox) fn check_room(
    db: &Connection,
    how: How,
    from: Id,
    uids: &UidRuns,
    to: Id,
) -> Result<(), StoreError> {
    let owner = |id| super::folder::by_id(db, id)?.ok_or_else(|| folder::not_found(id)).map(|m| m.account);
    let (source, account) = (owner(from)?, owner(to)?);
    if (how == How::Move && source == account) || has_room(db, account, i64::MAX as u64 / 2)? {
        return Ok(());
    }
    let sql = "SELECT coalesce(sum(body_size), 0) FROM message WHERE mailbox = ? AND uid BETWEEN ? AND ?";
    let mut statement = db.prepare_cached(sql)?;
    let mut size = 0;
    for run in uids.ranges() {
        size += statement.query_row((from, run.start(), run.end()), |row| row.get::<_, i64>(0))? as u64;
    }
    if has_room(db, account, size)? { Ok(()) } else { Err(StoreError::OverQuota(account)) }
}

/// What is left of a copy: the messages above `after`.
pub(in crate::mailbox) struct Part {
    pub(in crate::mailbox) how: How,
    pub(in crate::mailbox) from: Id,
    pub(in crate::mailbox) uids: Arc<UidRuns>,
    pub(in crate::mailbox) to: Id,
    pub(in crate::mailbox) keep: FlagMask,
    pub(in crate::mailbox) after: u32,
}

/// Copies or moves the next slice.
pub(in crate::mailbox) fn slice(
    writer: &Writer<'_>,
    quotas: Quotas,
    part: &Part,
) -> Result<Slice, StoreError> {
    let (db, &Part { how, from, ref uids, to, keep, after }) = (writer.db, part);
    let limit = writer.share(SLICE);
    let mut source = rows(db, from, uids, 0, after, limit)?;
    let next = source.last().filter(|_| source.len() == limit).map(|row| row.summary.uid);
    if source.is_empty() {
        let folder = super::folder::by_id(db, to)?.ok_or_else(|| folder::not_found(to))?;
        return Ok(Slice { uidvalidity: folder.uidvalidity, pairs: UidPairs::default(), next: None });
    }
    let old: UidRuns = source.iter().map(|row| row.summary.uid).collect();
    let giver = match how {
        How::Copy => None,
        How::Move => Some(take_away(writer, from, &old, &source)?),
    };
    let mut tally = Tally::default();
    for row in &mut source {
        keep.apply(&mut row.summary);
        tally.add(&row.summary);
    }
    let touched = touch(db, to, source.len() as u32, tally)?.ok_or_else(|| folder::not_found(to))?;
    // What an account moves among its own folders takes no room, also when it has none left.
    if giver != Some(touched.account) {
        giver.map_or(Ok(()), |giver| count_use(db, giver, -tally.octets, -tally.messages))?;
        need_room(db, quotas, touched.account, tally.messages, tally.bodies, tally.octets)?;
    }
    let saved = Id::generate().unix_ms();
    for (row, uid) in source.iter().zip(touched.uid..) {
        put(db, how, row, to, &touched, uid, saved)?;
    }
    let (first, last) = (touched.uid, touched.uid + (source.len() as u32 - 1));
    let (account, modseq) = (touched.account, touched.modseq);
    let kind = MailboxChange::Delivered { first, last };
    writer.publish(Change::Mailbox { account, mailbox: to, modseq, kind });
    let pairs = UidPairs { from: old, to: UidRuns::from(first..=last) };
    Ok(Slice { uidvalidity: touched.uidvalidity, pairs, next })
}

fn put(
    db: &Connection,
    how: How,
    row: &Stored,
    to: Id,
    touched: &Touched,
    uid: u32,
    saved: i64,
) -> Result<(), StoreError> {
    let prefix = match how {
        How::Move => row.prefix,
        How::Copy => copy_prefix(db, row)?,
    };
    let keywords = super::flags::known(db, to, &row.summary.keywords)?;
    let summary = Summary { uid, saved, keywords, modseq: touched.modseq, ..row.summary.clone() };
    insert(db, to, &Stored { summary, prefix })
}

/// The messages leave their folder, where those who have not been told of it can still read them. Returns whose it is.
fn take_away(writer: &Writer<'_>, from: Id, old: &UidRuns, source: &[Stored]) -> Result<Id, StoreError> {
    let db = writer.db;
    let mut tally = Tally::default();
    source.iter().for_each(|row| tally.remove(&row.summary));
    let touched = touch(db, from, 0, tally)?.ok_or_else(|| folder::not_found(from))?;
    for row in source {
        delete(db, from, row.summary.uid)?;
        // What the message had above its body goes along with it.
        let left = Stored { summary: row.summary.clone(), prefix: copy_prefix(db, row)? };
        expunge::lay_aside(writer, touched.account, from, &touched.name, &left, Keep::ToRead)?;
    }
    expunge::remember(db, from, &touched, old)?;
    let kind = MailboxChange::Expunged { uids: Arc::new(old.clone()) };
    let (account, modseq) = (touched.account, touched.modseq);
    writer.publish(Change::Mailbox { account, mailbox: from, modseq, kind });
    Ok(account)
}
