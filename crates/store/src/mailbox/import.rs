//! Messages brought from elsewhere, each once: what was brought is noted in the transaction that puts it into its
//! folder, so that an import that was killed goes on where it was.

use super::{MAX_APPENDED, NewCopy, sqlite};
use crate::{Id, Store, StoreError};

/// Octets of a key: a UID, or a hash.
pub const MAX_IMPORT_KEY: usize = 32;
/// Octets of a source's name: a server, a user and a folder, or a path.
pub const MAX_IMPORT_SOURCE: usize = 4_096;

/// A message from elsewhere.
#[derive(Debug, Clone)]
pub struct Brought {
    /// Names it among those of its source.
    pub key: Vec<u8>,
    pub copy: NewCopy,
}

/// What was brought from a source so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportTotals {
    pub messages: u64,
    /// Of their bodies.
    pub octets: u64,
    /// Those that are still where they were put.
    pub there: u64,
    pub there_octets: u64,
}

impl Store {
    /// Puts messages into a folder, all or none, without those that were brought from this source before, wherever they
    /// are now. Says of each whether it is new.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn import(
        &self,
        mailbox: Id,
        source: &str,
        messages: Vec<Brought>,
    ) -> Result<Vec<bool>, StoreError> {
        if messages.len() > MAX_APPENDED {
            return Err(StoreError::Limit(format!("at most {MAX_APPENDED} messages are added at once")));
        }
        if source.len() > MAX_IMPORT_SOURCE
            || messages.iter().any(|message| message.key.len() > MAX_IMPORT_KEY)
        {
            return Err(StoreError::Limit(format!("a source's name has at most {MAX_IMPORT_SOURCE} octets")));
        }
        messages.iter().try_for_each(|message| message.copy.keywords.check())?;
        let (files, quotas, source) = (self.inner.files.clone(), self.quotas()?, source.to_owned());
        self.inner
            .committer
            .write(move |w| sqlite::import::import(w, &files, quotas, mailbox, &source, messages))
            .await
    }

    /// The next `limit` keys above one (empty: from the first) that were brought from a source, with the octets of each body.
    pub fn imported(
        &self,
        account: Id,
        source: &str,
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, u64)>, StoreError> {
        self.inner.main.with(|db| sqlite::import::keys(db, account, source, after, limit))
    }

    pub fn import_totals(&self, account: Id, source: &str) -> Result<ImportTotals, StoreError> {
        self.inner.main.with(|db| sqlite::import::totals(db, account, source))
    }
}
