//! What has become of brought messages where they came from: the SQL.

use super::expunge::{self, Keep};
use super::{Keywords, flags, import};
use crate::committer::Writer;
use crate::mailbox::{FlagChange, FlagMode, Followed, Now, Since, UidRuns};
use crate::{Id, StoreError};
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::HashMap;

/// Flags, and keywords in order with spaces between.
type Marks = (u32, String);

/// Those for which something is to be done: changed there since they were looked at, and unchanged here.
pub(in crate::mailbox) fn due(
    db: &Connection,
    account: Id,
    source: &str,
    messages: Vec<Since>,
) -> Result<Vec<Since>, StoreError> {
    let Some(source) = import::find(db, account, source)? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for message in messages {
        if place(db, source, &message)?.is_some() {
            all.push(message);
        }
    }
    Ok(all)
}

/// Where a message is for which something is to be done.
fn place(db: &Connection, source: Id, message: &Since) -> Result<Option<(Id, u32)>, StoreError> {
    let sql = "SELECT i.mailbox, i.uid, i.flags, i.keywords, m.flags, m.keywords FROM imported AS i \
               JOIN message AS m ON m.mailbox = i.mailbox AND m.uid = i.uid \
               WHERE i.source = ? AND i.key = ? AND i.flags IS NOT NULL";
    let row = |row: &rusqlite::Row<'_>| {
        let (noted, here): (Marks, Marks) = ((row.get(2)?, row.get(3)?), (row.get(4)?, row.get(5)?));
        Ok(((row.get(0)?, row.get(1)?), noted, here))
    };
    let found: Option<((Id, u32), Marks, Marks)> =
        db.prepare_cached(sql)?.query_row((source, &message.key), row).optional()?;
    Ok(found.filter(|(_, noted, here)| noted == here && !is_noted(&message.now, noted)).map(|found| found.0))
}

fn is_noted(now: &Now, noted: &Marks) -> bool {
    match now {
        Now::There { flags, keywords } => {
            // A folder spells keywords as it has seen them first.
            *flags == noted.0 && keywords.as_str().eq_ignore_ascii_case(&noted.1)
        }
        Now::Gone => false,
    }
}

/// What is to be done alike, each with the messages' keys: one change of a folder, told once to those who have it open.
type Alike<W> = HashMap<W, Vec<(u32, Vec<u8>)>>;

pub(in crate::mailbox) fn follow(
    writer: &Writer<'_>,
    account: Id,
    source: &str,
    messages: Vec<Since>,
    keep: Keep,
) -> Result<Followed, StoreError> {
    let db = writer.db;
    let Some(source) = import::find(db, account, source)? else { return Ok(Followed::default()) };
    let (mut changed, mut gone): (Alike<(Id, u32, String)>, Alike<Id>) = (HashMap::new(), HashMap::new());
    for message in messages {
        let Some((mailbox, uid)) = place(db, source, &message)? else { continue };
        let alike = match message.now {
            Now::There { flags, keywords } => {
                changed.entry((mailbox, flags, keywords.as_str().to_owned())).or_default()
            }
            Now::Gone => gone.entry(mailbox).or_default(),
        };
        alike.push((uid, message.key));
    }
    let mut done = Followed::default();
    for ((mailbox, flags, keywords), messages) in changed {
        done.changed += change(writer, source, mailbox, (flags, keywords), &messages)?;
    }
    for (mailbox, messages) in gone {
        let removed = expunge::remove(writer, mailbox, &uids(&messages), 0, keep)?;
        done.removed += u64::from(removed.len());
        // Should it come back there, it comes here again.
        let mut forget = db.prepare_cached("DELETE FROM imported WHERE source = ? AND key = ?")?;
        messages.iter().try_for_each(|(_, key)| forget.execute((source, key)).map(|_| ()))?;
    }
    Ok(done)
}

fn change(
    writer: &Writer<'_>,
    source: Id,
    mailbox: Id,
    (flags, keywords): Marks,
    messages: &[(u32, Vec<u8>)],
) -> Result<u64, StoreError> {
    let keywords: Keywords = keywords.split(' ').collect();
    let change = FlagChange { mode: FlagMode::Replace, flags, keywords };
    let set = match flags::set(writer, mailbox, &uids(messages), &change, None, 0) {
        Ok((set, _)) => set,
        // The folder has as many keywords as there may be.
        Err(StoreError::Limit(_)) => return Ok(0),
        Err(error) => return Err(error),
    };
    let sql = "UPDATE imported SET (flags, keywords) = (SELECT flags, keywords FROM message AS m \
               WHERE m.mailbox = imported.mailbox AND m.uid = imported.uid) WHERE source = ? AND key = ?";
    let mut note = writer.db.prepare_cached(sql)?;
    messages.iter().try_for_each(|(_, key)| note.execute((source, key)).map(|_| ()))?;
    Ok(u64::from(set.changed.len()))
}

fn uids(messages: &[(u32, Vec<u8>)]) -> UidRuns {
    messages.iter().map(|(uid, _)| *uid).collect()
}
