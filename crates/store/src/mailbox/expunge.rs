//! Removing messages (RFC 9051 §6.4.3, §6.4.9).

use super::sqlite::expunge::Keep;
use super::{SLICE, UidRuns, flag, folder, part_after, sqlite};
use crate::committer::Writer;
use crate::{Id, Store, StoreError};
use std::sync::Arc;

impl Store {
    /// Removes the messages that have [`flag::DELETED`], or those of `uids` that have it, slice by slice; returns which.
    /// On an error some may be gone.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such folder.
    pub async fn expunge(&self, mailbox: Id, uids: Option<UidRuns>) -> Result<UidRuns, StoreError> {
        let folder = self.mailbox(mailbox)?.ok_or_else(|| folder::not_found(mailbox))?;
        if folder.deleted == 0 {
            return Ok(UidRuns::default());
        }
        let among = uids.unwrap_or_else(|| UidRuns::from(0..=u32::MAX));
        // Looked for by a reader: a large folder is not scanned by the committer, which looks at these alone again.
        let marked =
            self.inner.main.with(|db| sqlite::expunge::marked(db, mailbox, &among, folder.deleted))?;
        self.remove_slices(mailbox, marked, flag::DELETED, self.keep()).await
    }

    /// Removes messages whatever their flags; returns how many were still there. Up to 500 go together or not at
    /// all, more in slices: on an error some may be gone.
    pub async fn remove_messages(&self, mailbox: Id, uids: impl Into<UidRuns>) -> Result<usize, StoreError> {
        let removed = self.remove_slices(mailbox, uids.into(), 0, self.keep()).await?;
        Ok(removed.len() as usize)
    }

    /// Removes those of `uids` that have all of `flags`.
    pub(super) async fn remove_slices(
        &self,
        mailbox: Id,
        uids: UidRuns,
        flags: u32,
        keep: Keep,
    ) -> Result<UidRuns, StoreError> {
        let (uids, mut removed, mut after) = (Arc::new(uids), UidRuns::default(), 0);
        loop {
            let among = Arc::clone(&uids);
            let work = move |w: &Writer<'_>| {
                let limit = w.share(SLICE);
                let slice = sqlite::next_uids(w, mailbox, &among, after, limit)?;
                let gone = sqlite::expunge::remove(w, mailbox, &slice, flags, keep)?;
                Ok((gone, slice.last().filter(|_| slice.len() as usize == limit)))
            };
            let (gone, next) = self.inner.committer.write_part(part_after(after), work).await?;
            removed = removed.union(&gone);
            match next {
                Some(last) => after = last,
                None => return Ok(removed),
            }
        }
    }

    /// What becomes of removed messages.
    pub(super) fn keep(&self) -> Keep {
        if self.undelete_ms() > 0 { Keep::ToBringBack } else { Keep::ToRead }
    }
}
