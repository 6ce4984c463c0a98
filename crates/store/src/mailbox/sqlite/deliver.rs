//! Delivery: the SQL. Four statements a copy, because this is where most of the load is.

use super::room::{Room, take_room};
use super::{Keywords, Stored, Summary, insert, insert_prefix};
use crate::committer::Writer;
use crate::directory::Quotas;
use crate::mailbox::{INBOX, flag};
use crate::queue::{LocalCopy, NewMessage};
use crate::{Change, Id, MailboxChange, StoreError};
use rusqlite::{Connection, OptionalExtension as _};

/// Puts one copy into its folder, or into INBOX when the folder has gone. `false`: it has no room, and nothing is done.
pub(crate) fn deliver(
    writer: &Writer<'_>,
    quotas: Quotas,
    message: &NewMessage,
    copy: &LocalCopy,
) -> Result<bool, StoreError> {
    let db = writer.db;
    let prefix = [&copy.prefix[..], &message.trace[..]].concat();
    let prefix_size = u32::try_from(prefix.len()).map_err(|error| StoreError::Bug(error.to_string()))?;
    let size = message.body.size() + u64::from(prefix_size);
    let gone = || StoreError::NotFound(format!("mailbox for {:?}", copy.recipient));
    match take_room(db, quotas, copy.account, 1, message.body.size() as i64, size as i64)? {
        Room::Taken => {}
        Room::Full => return Ok(false),
        Room::NoAccount => return Err(gone()),
    }
    let place = |name| next_uid(db, copy.account, name, size, copy.flags);
    let found = place(&copy.mailbox)?.map_or_else(|| place(INBOX), |found| Ok(Some(found)))?;
    let (mailbox, uid, modseq) = found.ok_or_else(gone)?;
    let received = message.id.unix_ms();
    let summary = Summary {
        uid,
        id: message.id,
        body: message.body.id(),
        size,
        prefix_size,
        received,
        saved: received,
        flags: copy.flags,
        keywords: Keywords::default(),
        modseq,
    };
    insert(db, mailbox, &Stored { summary, prefix: insert_prefix(db, &prefix)? })?;
    writer.publish(Change::Mailbox {
        account: copy.account,
        mailbox,
        modseq,
        kind: MailboxChange::Delivered { first: uid, last: uid },
    });
    Ok(true)
}

/// Counts a message for a folder; its row, the UID and the modification sequence.
fn next_uid(
    db: &Connection,
    account: Id,
    name: &str,
    size: u64,
    flags: u32,
) -> Result<Option<(Id, u32, u64)>, StoreError> {
    let sql = "UPDATE mailbox SET uidnext = uidnext + 1, modseq = modseq + 1, messages = messages + 1, \
                 unseen = unseen + ?3, deleted = deleted + ?4, octets = octets + ?5 \
               WHERE account = ?1 AND name = ?2 RETURNING id, uidnext - 1, modseq";
    let (unseen, deleted) = (flags & flag::SEEN == 0, flags & flag::DELETED != 0);
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)? as u64));
    let found = db.prepare_cached(sql)?.query_row((account, name, unseen, deleted, size as i64), row);
    Ok(found.optional()?)
}
