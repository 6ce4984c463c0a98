//! What goes by and by: rows of folders and accounts that have gone, and messages that left their folder and that nobody brought
//! back in time, or needs to read where they were.

use super::sqlite;
use crate::committer::Part;
use crate::{Id, Store, StoreError};

/// How long a message can be read where it was, whether or not it can be brought back: a session that is told nothing for
/// twice as long as one may be silent (RFC 9051 §5.4) may find it gone. In milliseconds.
const UNTOLD_MS: i64 = 60 * 60 * 1_000;

impl Store {
    /// Removes one slice of what is to go for good; whether there may be more. To be called until it says no: at start,
    /// whenever [`Store::purge_wanted`] returns, and every hour or so. `now`: in milliseconds since 1970.
    pub async fn purge(&self, now: i64) -> Result<bool, StoreError> {
        let others = Id::at(now.saturating_sub(UNTOLD_MS));
        let removed = Id::at(now.saturating_sub(self.undelete_ms().max(UNTOLD_MS)));
        self.inner.committer.write_part(Part::Next, move |w| sqlite::purge::slice(w, removed, others)).await
    }

    /// Returns when a folder or an account was removed, whose rows should not wait for the next hour.
    pub async fn purge_wanted(&self) {
        self.inner.purge_wanted.notified().await;
    }
}
