//! COPY and MOVE (RFC 9051 §6.4.7, §6.4.8), also between accounts.

use super::sqlite::expunge::Keep;
use super::{FlagMask, UidRuns, folder, part_after, sqlite};
use crate::committer::Writer;
use crate::{Id, Store, StoreError};
use std::sync::Arc;

/// Where messages have gone (COPYUID, RFC 9051 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Of the folder they went to.
    pub uidvalidity: u32,
    pub pairs: UidPairs,
}

/// Old UIDs and the new ones, each in rising order: the first belongs to the first, and so on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UidPairs {
    pub from: UidRuns,
    pub to: UidRuns,
}

/// One slice of a copy.
pub(super) struct Slice {
    pub(super) uidvalidity: u32,
    pub(super) pairs: UidPairs,
    /// The last UID looked at, when there may be more.
    pub(super) next: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Copy,
    Move,
}

impl Store {
    /// Copies messages in the order of their UIDs, slice by slice. What was copied is removed again when a slice fails.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such folder; [`StoreError::OverQuota`], most often before anything is
    /// copied; [`StoreError::Limit`] when the folder would have too many keywords.
    pub async fn copy_messages(
        &self,
        from: Id,
        uids: impl Into<UidRuns>,
        to: Id,
    ) -> Result<Copied, StoreError> {
        self.copy_messages_with(from, uids, to, FlagMask::ALL).await
    }

    /// The same; of their flags the copies have those of `keep`.
    ///
    /// # Errors
    /// As [`Store::copy_messages`].
    pub async fn copy_messages_with(
        &self,
        from: Id,
        uids: impl Into<UidRuns>,
        to: Id,
        keep: FlagMask,
    ) -> Result<Copied, StoreError> {
        let (mut pairs, uids) = (UidPairs::default(), uids.into());
        let copied = self.transfer(How::Copy, from, uids, to, keep, &mut pairs).await;
        if copied.is_err() && !pairs.to.is_empty() {
            self.remove_slices(to, pairs.to.clone(), 0, Keep::Nothing).await?;
        }
        Ok(Copied { uidvalidity: copied?, pairs })
    }

    /// Moves messages in the order of their UIDs, slice by slice: each message is always in exactly one of the folders.
    /// When a slice fails, those before it have moved.
    ///
    /// # Errors
    /// As [`Store::copy_messages`].
    pub async fn move_messages(
        &self,
        from: Id,
        uids: impl Into<UidRuns>,
        to: Id,
    ) -> Result<Copied, StoreError> {
        self.move_messages_with(from, uids, to, FlagMask::ALL).await
    }

    /// The same; of their flags the messages keep those of `keep`.
    ///
    /// # Errors
    /// As [`Store::copy_messages`].
    pub async fn move_messages_with(
        &self,
        from: Id,
        uids: impl Into<UidRuns>,
        to: Id,
        keep: FlagMask,
    ) -> Result<Copied, StoreError> {
        let mut pairs = UidPairs::default();
        let uidvalidity = self.transfer(How::Move, from, uids.into(), to, keep, &mut pairs).await?;
        Ok(Copied { uidvalidity, pairs })
    }

    /// What is done is in `pairs` also when a slice fails.
    async fn transfer(
        &self,
        how: How,
        from: Id,
        uids: UidRuns,
        to: Id,
        keep: FlagMask,
        pairs: &mut UidPairs,
    ) -> Result<u32, StoreError> {
        let source = self.mailbox(from)?.ok_or_else(|| folder::not_found(from))?;
        // Into the folder itself: what is copied does not come along again.
        let uids = Arc::new(uids.intersection(&UidRuns::from(1..=source.uidnext.saturating_sub(1))));
        let quotas = self.quotas()?;
        self.inner.main.with(|db| sqlite::copy::check_room(db, how, from, &uids, to))?;
        let mut after = 0;
        loop {
            let part = sqlite::copy::Part { how, from, uids: Arc::clone(&uids), to, keep, after };
            let work = move |w: &Writer<'_>| sqlite::copy::slice(w, quotas, &part);
            let slice = self.inner.committer.write_part(part_after(after), work).await?;
            pairs.from = pairs.from.union(&slice.pairs.from);
            pairs.to = pairs.to.union(&slice.pairs.to);
            match slice.next {
                Some(last) => after = last,
                None => return Ok(slice.uidvalidity),
            }
        }
    }
}
