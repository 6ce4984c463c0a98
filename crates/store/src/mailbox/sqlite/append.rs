//! Adding messages: the SQL.

use super::room::need_room;
use super::{Stored, Summary, Tally, insert, insert_prefix, touch};
use crate::body::{self, files::Files};
use crate::committer::Writer;
use crate::directory::Quotas;
use crate::mailbox::{Appended, NewCopy, UidRuns, folder};
use crate::{Change, Id, MailboxChange, StoreError};
use rusqlite::Connection;

pub(in crate::mailbox) fn append(
    writer: &Writer<'_>,
    files: &Files,
    quotas: Quotas,
    mailbox: Id,
    copies: &[NewCopy],
) -> Result<Appended, StoreError> {
    let ids: Vec<Id> = copies.iter().map(|_| Id::generate()).collect();
    append_as(writer, files, quotas, mailbox, &ids, copies)
}

/// Puts those back that are not there; says of each whether it was put.
pub(in crate::mailbox) fn put_back(
    writer: &Writer<'_>,
    files: &Files,
    quotas: Quotas,
    mailbox: Id,
    anywhere: bool,
    messages: Vec<(Id, NewCopy)>,
) -> Result<Vec<bool>, StoreError> {
    let (mut ids, mut copies, mut put) = (Vec::new(), Vec::new(), Vec::with_capacity(messages.len()));
    for (id, copy) in messages {
        let known = is_there(writer.db, mailbox, anywhere, (id, copy.received, copy.body.size()))?;
        put.push(!known);
        if !known {
            ids.push(id);
            copies.push(copy);
        }
    }
    if !copies.is_empty() {
        append_as(writer, files, quotas, mailbox, &ids, &copies)?;
    }
    Ok(put)
}

/// Whether a message is in the folder, or anywhere in its account. Ids of another installation can be the same by chance,
/// hence the rest.
pub(in crate::mailbox) fn is_there(
    db: &Connection,
    mailbox: Id,
    anywhere: bool,
    (id, received, size): (Id, i64, u64),
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS(SELECT 1 FROM message AS m JOIN mailbox AS its ON its.id = m.mailbox \
               WHERE m.id = ?1 AND m.received = ?2 AND m.body_size = ?3 AND (its.id = ?4 OR \
                 (?5 AND its.account = (SELECT account FROM mailbox WHERE id = ?4))))";
    let row = (id, received, size as i64, mailbox, anywhere);
    Ok(db.prepare_cached(sql)?.query_row(row, |row| row.get(0))?)
}

fn append_as(
    writer: &Writer<'_>,
    files: &Files,
    quotas: Quotas,
    mailbox: Id,
    ids: &[Id],
    copies: &[NewCopy],
) -> Result<Appended, StoreError> {
    let db = writer.db;
    let mut summaries: Vec<Summary> =
        ids.iter().zip(copies).map(|(id, copy)| summary(*id, copy)).collect::<Result<_, _>>()?;
    let mut tally = Tally::default();
    summaries.iter().for_each(|summary| tally.add(summary));
    let count = tally.messages as u32;
    let touched = touch(db, mailbox, count, tally)?.ok_or_else(|| folder::not_found(mailbox))?;
    need_room(db, quotas, touched.account, tally.messages, tally.bodies, tally.octets)?;
    for (summary, (copy, uid)) in summaries.iter_mut().zip(copies.iter().zip(touched.uid..)) {
        (summary.uid, summary.modseq) = (uid, touched.modseq);
        summary.keywords = super::flags::known(db, mailbox, &copy.keywords)?;
        body::insert(writer, &copy.body, files)?;
        let stored = Stored { summary: summary.clone(), prefix: insert_prefix(db, &copy.prefix)? };
        insert(db, mailbox, &stored)?;
    }
    let (first, last) = (touched.uid, touched.uid + count.saturating_sub(1));
    let (account, modseq) = (touched.account, touched.modseq);
    if count > 0 {
        let kind = MailboxChange::Delivered { first, last };
        writer.publish(Change::Mailbox { account, mailbox, modseq, kind });
    }
    let uids = if count > 0 { UidRuns::from(first..=last) } else { UidRuns::default() };
    Ok(Appended { uidvalidity: touched.uidvalidity, uids, modseq })
}

fn summary(id: Id, copy: &NewCopy) -> Result<Summary, StoreError> {
    let prefix_size = u32::try_from(copy.prefix.len()).map_err(|error| StoreError::Bug(error.to_string()))?;
    Ok(Summary {
        uid: 0,
        id,
        body: copy.body.id(),
        size: copy.body.size() + u64::from(prefix_size),
        prefix_size,
        received: copy.received,
        saved: Id::generate().unix_ms(),
        flags: copy.flags,
        keywords: copy.keywords.clone(),
        modseq: 0,
    })
}
