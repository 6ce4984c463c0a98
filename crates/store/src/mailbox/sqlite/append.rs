//! Adding messages: the SQL.

use super::room::need_room;
use super::{Stored, Summary, Tally, insert, insert_prefix, touch};
use crate::body::{self, files::Files};
use crate::committer::Writer;
use crate::directory::Quotas;
use crate::mailbox::{Appended, NewCopy, UidRuns, folder};
use crate::{Change, Id, MailboxChange, StoreError};

pub(in crate::mailbox) fn append(
    writer: &Writer<'_>,
    files: &Files,
    quotas: Quotas,
    mailbox: Id,
    copies: &[NewCopy],
) -> Result<Appended, StoreError> {
    let db = writer.db;
    let mut summaries: Vec<Summary> = copies.iter().map(summary).collect::<Result<_, _>>()?;
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

fn summary(copy: &NewCopy) -> Result<Summary, StoreError> {
    let id = Id::generate();
    let prefix_size = u32::try_from(copy.prefix.len()).map_err(|error| StoreError::Bug(error.to_string()))?;
    Ok(Summary {
        uid: 0,
        id,
        body: copy.body.id(),
        size: copy.body.size() + u64::from(prefix_size),
        prefix_size,
        received: copy.received,
        saved: id.unix_ms(),
        flags: copy.flags,
        keywords: copy.keywords.clone(),
        modseq: 0,
    })
}
