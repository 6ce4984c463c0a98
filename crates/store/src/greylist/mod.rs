//! Who came back when it was asked to (greylisting), until it has been silent for long.

mod sqlite;

use crate::committer::Part;
use crate::{Store, StoreError};

/// Passes that one job of the committer forgets.
const SLICE: usize = 500;

impl Store {
    /// Until when a pass is remembered, in milliseconds since 1970. What `key` stands for is the caller's.
    pub fn greylist_pass(&self, key: &str) -> Result<Option<i64>, StoreError> {
        self.inner.main.with(|db| sqlite::pass(db, key))
    }

    /// Remembers passes until then; those remembered for longer stay so.
    pub async fn remember_greylist_pass(&self, keys: Vec<String>, until: i64) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::remember(w.db, &keys, until)).await
    }

    /// Forgets the passes whose time is over.
    pub async fn forget_greylist_passes(&self, now: i64) -> Result<(), StoreError> {
        while self.inner.committer.write_part(Part::Next, move |w| sqlite::forget(w.db, now, SLICE)).await?
            == SLICE
        {}
        Ok(())
    }
}
