//! What has become of brought messages where they came from: it is done here too, as long as nobody has changed them here.

use super::{Keywords, SLICE, sqlite};
use crate::{Id, Store, StoreError};

/// Messages that are followed at once: one transaction.
pub const MAX_FOLLOWED: usize = SLICE;

/// A message that was brought, as it is at its source now.
#[derive(Debug, Clone)]
pub struct Since {
    /// As in [`super::Brought`].
    pub key: Vec<u8>,
    pub now: Now,
}

/// How a message is at its source.
#[derive(Debug, Clone)]
pub enum Now {
    There {
        /// Bits of [`super::flag`].
        flags: u32,
        keywords: Keywords,
    },
    Gone,
}

/// What was done here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Followed {
    /// Messages that have other flags or keywords now.
    pub changed: u64,
    pub removed: u64,
}

impl Store {
    /// Gives messages that were brought from a source the flags and keywords they have there now, and removes those that have gone
    /// there (so that undelete brings them back). Left alone are those that have been changed, moved or removed here since they
    /// were brought, those whose keywords the folder has no place for, and those brought before their flags were noted.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for more than [`MAX_FOLLOWED`]; [`StoreError::Refused`] for what cannot be a keyword.
    pub async fn follow_import(
        &self,
        account: Id,
        source: &str,
        messages: Vec<Since>,
    ) -> Result<Followed, StoreError> {
        if messages.len() > MAX_FOLLOWED {
            return Err(StoreError::Limit(format!("at most {MAX_FOLLOWED} messages are followed at once")));
        }
        for message in &messages {
            if let Now::There { keywords, .. } = &message.now {
                keywords.check()?;
            }
        }
        // Most are as they were: a reader finds that out, and the committer has nothing to do.
        let due = self.inner.main.with(|db| sqlite::follow::due(db, account, source, messages))?;
        if due.is_empty() {
            return Ok(Followed::default());
        }
        let (keep, source) = (self.keep(), source.to_owned());
        self.inner.committer.write(move |w| sqlite::follow::follow(w, account, &source, due, keep)).await
    }
}
