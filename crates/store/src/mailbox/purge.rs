//! What goes by and by: rows of folders and accounts that have gone, and messages that nobody brought back in time.

use super::sqlite;
use crate::{Id, Store, StoreError};

impl Store {
    /// Removes one slice of what is to go for good; whether there may be more. To be called until it says no: at start,
    /// whenever [`Store::purge_wanted`] returns, and every hour or so. `now`: in milliseconds since 1970.
    pub async fn purge(&self, now: i64) -> Result<bool, StoreError> {
        let before = Id::at(now.saturating_sub(self.undelete_ms()));
        self.inner.committer.write(move |w| sqlite::purge::slice(w, before)).await
    }

    /// Returns when a folder or an account was removed, whose rows should not wait for the next hour.
    pub async fn purge_wanted(&self) {
        self.inner.purge_wanted.notified().await;
    }
}
