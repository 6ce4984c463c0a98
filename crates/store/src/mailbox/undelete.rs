//! Messages that were removed and can be brought back, for [`crate::Options::undelete`]; and all that have left a folder, as they
//! were there, for who has not heard of it yet.

use super::{Keywords, Message, SLICE, Summary, UidRuns, sqlite};
use crate::committer::Writer;
use crate::{Body, Id, Store, StoreError};

/// A removed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expunged {
    /// Names it as long as it can be brought back, and says when it was removed.
    pub id: Id,
    /// The folder it was in, and what that was called then.
    pub mailbox: Id,
    pub folder: String,
    pub uid: u32,
    /// The message's id in queue and trail.
    pub message: Id,
    pub body: Id,
    /// Octets of this copy: prefix and body.
    pub size: u64,
    pub prefix_size: u32,
    /// Milliseconds since 1970.
    pub received: i64,
    pub flags: u32,
    pub keywords: Keywords,
}

impl Expunged {
    /// When it was removed, in milliseconds since 1970.
    pub fn removed(&self) -> i64 {
        self.id.unix_ms()
    }
}

impl Store {
    /// The next `limit` removed messages of an account after one of them, in the order in which they were removed.
    pub fn expunged(
        &self,
        account: Id,
        after: Option<Id>,
        limit: usize,
    ) -> Result<Vec<Expunged>, StoreError> {
        self.inner.main.with(|db| sqlite::undelete::list(db, account, after, limit))
    }

    /// The body of a removed message; what was above it is not read.
    pub fn expunged_body(&self, expunged: &Expunged) -> Result<Body, StoreError> {
        self.body(expunged.body, expunged.size - u64::from(expunged.prefix_size))
    }

    /// The next `limit` messages above a UID that are among `uids` and left a folder within the last hour, removed or moved to
    /// another; removed ones also as long as they can be brought back. They are as they were.
    pub fn departed_messages(
        &self,
        mailbox: Id,
        uids: &UidRuns,
        after: u32,
        limit: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        self.inner.main.with(|db| sqlite::undelete::departed(db, mailbox, uids, after, limit))
    }

    /// One of them, with its body.
    pub fn departed_message(&self, mailbox: Id, uid: u32) -> Result<Option<Message>, StoreError> {
        let found = self.inner.main.with(|db| sqlite::undelete::find_departed(db, mailbox, uid))?;
        let Some((summary, prefix)) = found else { return Ok(None) };
        let body = self.body(summary.body, summary.body_size())?;
        Ok(Some(Message { summary, prefix, body }))
    }

    /// Brings messages back into the folders they were in, with new UIDs and without [`super::flag::DELETED`], slice by
    /// slice; a folder that has gone is made again. Returns how many were still there. On an error some may be back.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`]; [`StoreError::Limit`].
    pub async fn undelete(&self, account: Id, messages: Vec<Id>) -> Result<usize, StoreError> {
        let quotas = self.quotas()?;
        let mut back = 0;
        for slice in messages.chunks(SLICE) {
            let slice = slice.to_vec();
            let work = move |w: &Writer<'_>| sqlite::undelete::bring_back(w, quotas, account, &slice);
            back += self.inner.committer.write(work).await?;
        }
        Ok(back)
    }
}
