//! Messages that a user puts into a folder: APPEND, MULTIAPPEND (RFC 3502) and REPLACE (RFC 8508).

use super::{Keywords, UidRuns, sqlite};
use crate::committer::Writer;
use crate::{Body, Id, Store, StoreError};
use bytes::Bytes;
use rusqlite::Connection;

/// Messages put into a folder in one transaction.
pub const MAX_APPENDED: usize = 1_000;

/// A message for a folder.
#[derive(Debug, Clone)]
pub struct NewCopy {
    /// Above the body in this copy alone; mostly empty.
    pub prefix: Bytes,
    pub body: Body,
    /// Bits of [`super::flag`].
    pub flags: u32,
    pub keywords: Keywords,
    /// Milliseconds since 1970.
    pub received: i64,
}

/// Where messages have gone (APPENDUID, RFC 9051 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    pub uidvalidity: u32,
    /// One run, in the order of the messages.
    pub uids: UidRuns,
    pub modseq: u64,
}

impl Store {
    /// Puts messages into a folder, all or none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such folder; [`StoreError::OverQuota`]; [`StoreError::Limit`] for more
    /// than [`MAX_APPENDED`] or too many keywords; [`StoreError::Refused`] for what cannot be a keyword.
    pub async fn append(&self, mailbox: Id, copies: Vec<NewCopy>) -> Result<Appended, StoreError> {
        if copies.len() > MAX_APPENDED {
            return Err(StoreError::Limit(format!("at most {MAX_APPENDED} messages are added at once")));
        }
        copies.iter().try_for_each(|copy| copy.keywords.check())?;
        let (files, quotas) = (self.inner.files.clone(), self.quotas()?);
        self.inner.committer.write(move |w| sqlite::append::append(w, &files, quotas, mailbox, &copies)).await
    }

    /// Puts messages back that were there once, with the ids that they had, without those of which a copy is there: in the
    /// folder, or `anywhere` of its account. Says of each whether it was put.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn put_back(
        &self,
        mailbox: Id,
        anywhere: bool,
        messages: Vec<(Id, NewCopy)>,
    ) -> Result<Vec<bool>, StoreError> {
        if messages.len() > MAX_APPENDED {
            return Err(StoreError::Limit(format!("at most {MAX_APPENDED} messages are added at once")));
        }
        messages.iter().try_for_each(|(_, copy)| copy.keywords.check())?;
        let (files, quotas) = (self.inner.files.clone(), self.quotas()?);
        let work =
            move |w: &Writer<'_>| sqlite::append::put_back(w, &files, quotas, mailbox, anywhere, messages);
        self.inner.committer.write(work).await
    }

    /// Of each message that was there once, named by its id, when it was received and the octets of its body, whether no copy of
    /// it is there: in the folder, or `anywhere` of its account.
    pub fn are_missing(
        &self,
        mailbox: Id,
        anywhere: bool,
        messages: &[(Id, i64, u64)],
    ) -> Result<Vec<bool>, StoreError> {
        let is_missing = |db: &Connection, one| Ok(!sqlite::append::is_there(db, mailbox, anywhere, one)?);
        self.inner.main.with(|db| messages.iter().map(|one| is_missing(db, *one)).collect())
    }

    /// Puts a message into a folder and removes another one, both or none.
    ///
    /// # Errors
    /// As [`Store::append`]; [`StoreError::NotFound`] also when the other message has gone.
    pub async fn replace(&self, from: Id, uid: u32, to: Id, copy: NewCopy) -> Result<Appended, StoreError> {
        copy.keywords.check()?;
        let (files, quotas, keep) = (self.inner.files.clone(), self.quotas()?, self.keep());
        self.inner
            .committer
            .write(move |w| {
                if sqlite::expunge::remove(w, from, &UidRuns::from(uid), 0, keep)?.is_empty() {
                    return Err(StoreError::NotFound(format!("message {uid} of folder {from}")));
                }
                sqlite::append::append(w, &files, quotas, to, &[copy])
            })
            .await
    }
}
