//! Senders of mail that went on to other servers, who are too long for the address that stands for them there (SRS), until that
//! address is too old.

mod sqlite;

use crate::committer::Part;
use crate::{Store, StoreError};
use address::Address;

/// Most that are remembered: some 40 MB. With more, the oldest are forgotten at the next [`Store::forget_senders`].
pub const MAX_SENDERS: usize = 200_000;
/// Senders that one job of the committer forgets.
const SLICE: usize = 500;

impl Store {
    /// The sender remembered under a token.
    pub fn remembered_sender(&self, token: &str) -> Result<Option<Address>, StoreError> {
        let found = self.inner.main.with(|db| sqlite::sender(db, token))?;
        Ok(found.and_then(|sender| sender.parse().ok()))
    }

    /// Remembers one until then, in seconds since 1970.
    pub async fn remember_sender(
        &self,
        token: String,
        sender: Address,
        until: i64,
    ) -> Result<(), StoreError> {
        let sender = sender.to_string();
        self.inner.committer.write(move |w| sqlite::remember(w.db, &token, &sender, until)).await
    }

    /// Forgets those whose time is over by `now`, in seconds since 1970, and the oldest of too many.
    pub async fn forget_senders(&self, now: i64) -> Result<(), StoreError> {
        self.forget_senders_above(now, MAX_SENDERS).await
    }

    async fn forget_senders_above(&self, now: i64, most: usize) -> Result<(), StoreError> {
        while self.inner.committer.write_part(Part::Next, move |w| sqlite::forget(w.db, now, SLICE)).await?
            == SLICE
        {}
        let mut over = self.inner.main.with(sqlite::count)?.saturating_sub(most);
        while over > 0 {
            let slice = over.min(SLICE);
            self.inner.committer.write(move |w| sqlite::forget(w.db, i64::MAX, slice)).await?;
            over -= slice;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
