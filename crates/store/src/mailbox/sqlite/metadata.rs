//! Annotations: the SQL.

use super::{Tally, Touched, folder, touch};
use crate::committer::Writer;
use crate::mailbox::{self, Annotation, MAX_ANNOTATIONS};
use crate::{Change, Id, MailboxChange, StoreError};
use rusqlite::Connection;

pub(in crate::mailbox) fn list(
    db: &Connection,
    account: Id,
    mailbox: Option<Id>,
) -> Result<Vec<Annotation>, StoreError> {
    let sql = "SELECT entry, value FROM annotation WHERE mailbox = ? AND account IN (0, ?) ORDER BY entry";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map((mailbox.map_or(0, Id::get), account), |row| {
        Ok(Annotation { entry: row.get(0)?, value: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(in crate::mailbox) fn set(
    writer: &Writer<'_>,
    account: Id,
    mailbox: Option<Id>,
    entries: &[(String, Option<Vec<u8>>)],
) -> Result<(), StoreError> {
    let db = writer.db;
    let owner = match mailbox {
        Some(id) => folder::by_id(db, id)?.ok_or_else(|| mailbox::folder::not_found(id))?.account,
        None => account,
    };
    let place = mailbox.map_or(0, Id::get);
    let mut changed = 0;
    for (entry, value) in entries {
        let whose = if entry.starts_with("/shared/") { 0 } else { account.get() };
        changed += match value {
            Some(value) => {
                let sql = "INSERT INTO annotation(mailbox, account, entry, value) VALUES(?, ?, ?, ?) \
                           ON CONFLICT DO UPDATE SET value = excluded.value WHERE value != excluded.value";
                db.prepare_cached(sql)?.execute((place, whose, entry, value))?
            }
            None => {
                let sql = "DELETE FROM annotation WHERE mailbox = ? AND account = ? AND entry = ?";
                db.prepare_cached(sql)?.execute((place, whose, entry))?
            }
        };
    }
    for whose in [0, account.get()] {
        let sql = "SELECT count(*) FROM annotation WHERE mailbox = ? AND account = ?";
        let count: i64 = db.prepare_cached(sql)?.query_row((place, whose), |row| row.get(0))?;
        if count > MAX_ANNOTATIONS as i64 {
            return Err(StoreError::Limit(format!("at most {MAX_ANNOTATIONS} entries can be set")));
        }
    }
    if let (Some(mailbox), 1..) = (mailbox, changed) {
        note_change(writer, mailbox)?;
    }
    let entries = entries.iter().map(|(entry, _)| entry.clone()).collect();
    writer.publish(Change::Metadata { account: owner, mailbox, by: account, entries });
    Ok(())
}

/// RFC 7162 §3.2: what is noted of a folder counts among its changes.
fn note_change(writer: &Writer<'_>, mailbox: Id) -> Result<(), StoreError> {
    let touched = touch(writer.db, mailbox, 0, Tally::default())?;
    let Touched { account, modseq, .. } = touched.ok_or_else(|| mailbox::folder::not_found(mailbox))?;
    writer.publish(Change::Mailbox { account, mailbox, modseq, kind: MailboxChange::Annotated });
    Ok(())
}
