//! Which messages no session has been told of yet: RFC 3501's `\Recent`.

use super::sqlite;
use crate::committer::Writer;
use crate::{Id, Store, StoreError};

impl Store {
    /// The lowest UID that no session has been told of; 1 where there is no such folder.
    pub fn recent_from(&self, mailbox: Id) -> Result<u32, StoreError> {
        self.inner.main.with(|db| sqlite::recent::from(db, mailbox))
    }

    /// How many messages have this UID or a higher one. Reads their rows, but not where they are all.
    pub fn count_from(&self, mailbox: Id, uid: u32) -> Result<u64, StoreError> {
        self.inner.main.with(|db| sqlite::recent::count_from(db, mailbox, uid))
    }

    /// Notes that a session has been told of the messages below a UID. What is noted never goes back; it is no change of the folder,
    /// and one that has gone needs no note.
    pub async fn note_told(&self, mailbox: Id, below: u32) -> Result<(), StoreError> {
        self.inner
            .committer
            .write(move |w: &Writer<'_>| sqlite::recent::note_told(w.db, mailbox, below))
            .await
    }
}
