//! Mailboxes: the folders of an account and the messages in them.
//!
//! A folder's row has its counters, so that nothing is counted when it is looked at. A row of [`Summary`] is some
//! seventy octets; what is above a copy's body is kept apart. Every change gives the folder a new modification sequence
//! (RFC 7162), which the messages it touched then have.
//!
//! What may touch many rows is done in slices, each in a transaction of its own, so that others' mail is not held up:
//! such a function says what it leaves when one of them fails.

mod acl;
mod append;
mod copy;
mod expunge;
mod flags;
mod folder;
mod follow;
mod import;
mod keywords;
mod metadata;
mod name;
mod purge;
mod recent;
mod sqlite;
mod undelete;

#[cfg(test)]
mod tests;

pub use append::{Appended, MAX_APPENDED, NewCopy};
pub use copy::{Copied, UidPairs};
pub use flags::{FlagChange, FlagMask, FlagMode, FlagsSet};
pub use follow::{Followed, MAX_FOLLOWED, Now, Since};
/// UIDs, as the protocol crate keeps sets of numbers.
pub use imap::Runs as UidRuns;
pub use import::{Brought, ImportTotals, MAX_IMPORT_KEY, MAX_IMPORT_SOURCE};
pub use keywords::{Keywords, MAX_KEYWORD, MAX_KEYWORDS};
pub use metadata::{Annotation, MAX_ANNOTATION, MAX_ANNOTATIONS, MAX_ENTRY};
pub use name::{MAX_DEPTH, MAX_FOLDERS, MAX_NAME};
pub(crate) use sqlite::expunge::vanished;
pub(crate) use sqlite::{create_defaults, deliver, remove_all};
pub use undelete::Expunged;

use crate::committer::Part;
use crate::{Body, Id, Store, StoreError, body};
use bytes::Bytes;
use rusqlite::Connection;

/// The folder that every account has and POP3 shows.
pub const INBOX: &str = "INBOX";
/// Between the names of a folder and of those in it.
pub const DELIMITER: char = '/';
/// Bits of [`Summary::flags`] (RFC 9051 §2.3.2).
pub mod flag {
    pub const SEEN: u32 = 1;
    pub const ANSWERED: u32 = 2;
    pub const FLAGGED: u32 = 4;
    pub const DELETED: u32 = 8;
    pub const DRAFT: u32 = 16;
}

/// The special use of the folder that takes what was put aside (RFC 6154).
pub const JUNK: &str = "\\Junk";

/// Folders made for each account, with their special use (RFC 6154).
pub(crate) const DEFAULT_FOLDERS: [(&str, Option<&str>); 6] = [
    (INBOX, None),
    ("Drafts", Some("\\Drafts")),
    ("Sent", Some("\\Sent")),
    ("Junk", Some(JUNK)),
    ("Trash", Some("\\Trash")),
    ("Archive", Some("\\Archive")),
];

/// Messages that one job of the committer changes (DESIGN.md, Store).
const SLICE: usize = 500;

/// Which part of a command's work that is which goes on after a UID.
fn part_after(uid: u32) -> Part {
    if uid == 0 { Part::First } else { Part::Next }
}

/// A folder, with what STATUS tells of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mailbox {
    /// Stays when the folder is renamed (MAILBOXID, RFC 8474).
    pub id: Id,
    pub account: Id,
    pub name: String,
    /// Its special use, for example `\Sent` (RFC 6154).
    pub role: Option<String>,
    pub uidvalidity: u32,
    pub uidnext: u32,
    /// The modification sequence of its last change (HIGHESTMODSEQ, RFC 7162).
    pub modseq: u64,
    pub subscribed: bool,
    pub messages: u64,
    /// Messages without [`flag::SEEN`].
    pub unseen: u64,
    /// Messages with [`flag::DELETED`].
    pub deleted: u64,
    pub octets: u64,
}

/// What a listing needs of a message, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub uid: u32,
    /// The message's id in queue and trail; copies keep it (EMAILID, RFC 8474).
    pub id: Id,
    pub body: Id,
    /// Octets of this copy: prefix and body.
    pub size: u64,
    pub prefix_size: u32,
    /// Milliseconds since 1970 (INTERNALDATE).
    pub received: i64,
    /// When it came into this folder, in milliseconds since 1970 (SAVEDATE, RFC 8514).
    pub saved: i64,
    pub flags: u32,
    pub keywords: Keywords,
    pub modseq: u64,
}

impl Summary {
    /// Octets of the body alone.
    pub fn body_size(&self) -> u64 {
        self.size - u64::from(self.prefix_size)
    }
}

/// One copy: its own prefix, then the shared body.
#[derive(Debug, Clone)]
pub struct Message {
    pub summary: Summary,
    pub prefix: Bytes,
    pub body: Body,
}

/// Reading. Each call sees what was durable when it began; a folder that has gone is empty.
impl Store {
    /// The account's folders, INBOX first, then by name.
    pub fn mailboxes(&self, account: Id) -> Result<Vec<Mailbox>, StoreError> {
        self.inner.main.with(|db| sqlite::folder::list(db, account))
    }

    /// The name of the account's folder with this special use, the first by name of several; without one INBOX.
    pub fn folder_for(&self, account: Id, role: &str) -> Result<String, StoreError> {
        let mut folders = self.mailboxes(account)?;
        folders.retain(|folder| folder.role.as_deref() == Some(role));
        let first = folders.into_iter().map(|folder| folder.name).min();
        Ok(first.unwrap_or_else(|| INBOX.to_owned()))
    }

    pub fn mailbox(&self, id: Id) -> Result<Option<Mailbox>, StoreError> {
        self.inner.main.with(|db| sqlite::folder::by_id(db, id))
    }

    pub fn mailbox_named(&self, account: Id, name: &str) -> Result<Option<Mailbox>, StoreError> {
        self.inner.main.with(|db| sqlite::folder::by_name(db, account, name))
    }

    /// The account's INBOX.
    pub fn inbox(&self, account: Id) -> Result<Mailbox, StoreError> {
        let found = self.mailbox_named(account, INBOX)?;
        found.ok_or_else(|| StoreError::NotFound(format!("INBOX of account {account}")))
    }

    /// The account's subscribed names, also those that no folder has (RFC 9051 §6.3.7).
    pub fn subscriptions(&self, account: Id) -> Result<Vec<String>, StoreError> {
        self.inner.main.with(|db| sqlite::folder::subscriptions(db, account))
    }

    /// The keywords that messages of the folder have or had, as they are spelt there.
    pub fn keywords(&self, mailbox: Id) -> Result<Vec<String>, StoreError> {
        self.inner.main.with(|db| sqlite::flags::keywords(db, mailbox))
    }

    /// All UIDs of the folder. Costs little where nothing was ever removed, else a scan of its rows.
    pub fn uids(&self, mailbox: Id) -> Result<UidRuns, StoreError> {
        self.inner.main.with(|db| sqlite::uids(db, mailbox))
    }

    /// The next `limit` messages above a UID, in order of their UIDs.
    pub fn messages(&self, mailbox: Id, after: u32, limit: usize) -> Result<Vec<Summary>, StoreError> {
        self.messages_in(mailbox, &UidRuns::from(0..=u32::MAX), 0, after, limit)
    }

    /// The next `limit` messages above a UID that are among `uids` and changed after a modification sequence (0: all).
    pub fn messages_in(
        &self,
        mailbox: Id,
        uids: &UidRuns,
        changed_since: u64,
        after: u32,
        limit: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        self.inner.main.with(|db| {
            let rows = sqlite::rows(db, mailbox, uids, changed_since, after, limit)?;
            Ok(rows.into_iter().map(|row| row.summary).collect())
        })
    }

    /// The same with what is above each body in its copy.
    pub fn prefixes(
        &self,
        mailbox: Id,
        uids: &UidRuns,
        changed_since: u64,
        after: u32,
        limit: usize,
    ) -> Result<Vec<(Summary, Bytes)>, StoreError> {
        self.inner.main.with(|db| {
            let rows = sqlite::rows(db, mailbox, uids, changed_since, after, limit)?;
            sqlite::with_prefixes(db, rows)
        })
    }

    /// The first message without a [`flag`]. Reads rows until there is one.
    pub fn first_without(&self, mailbox: Id, flag: u32) -> Result<Option<u32>, StoreError> {
        self.inner.main.with(|db| sqlite::first_without(db, mailbox, flag))
    }

    /// Octets of the messages with [`flag::DELETED`]. Reads every row.
    pub fn deleted_octets(&self, mailbox: Id) -> Result<u64, StoreError> {
        self.inner.main.with(|db| sqlite::deleted_octets(db, mailbox))
    }

    /// The newest `limit` messages below a UID (`u32::MAX`: of all), newest first.
    pub fn messages_before(
        &self,
        mailbox: Id,
        before: u32,
        limit: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        self.inner.main.with(|db| sqlite::page_before(db, mailbox, before, limit))
    }

    /// The UIDs among `known` that left the folder after a modification sequence; when it is not remembered any more
    /// which these were, all among `known` that are not there (RFC 7162 §3.2.5.2 allows both).
    pub fn vanished(&self, mailbox: Id, since: u64, known: &UidRuns) -> Result<UidRuns, StoreError> {
        self.inner.main.with(|db| vanished(db, mailbox, since, known))
    }

    /// The UID of a message by its id; of its newest copy when there are several.
    pub fn uid_of(&self, mailbox: Id, message: Id) -> Result<Option<u32>, StoreError> {
        self.inner.main.with(|db| sqlite::uid_of(db, mailbox, message))
    }

    /// A copy with its body; large bodies stay on disk until read.
    pub fn message(&self, mailbox: Id, uid: u32) -> Result<Option<Message>, StoreError> {
        Ok(self.messages_with_bodies(mailbox, &[uid])?.pop().flatten())
    }

    /// The same of several, in the order of `uids`: much cheaper than one by one. Small bodies are in memory, so that
    /// the caller bounds their number.
    pub fn messages_with_bodies(
        &self,
        mailbox: Id,
        uids: &[u32],
    ) -> Result<Vec<Option<Message>>, StoreError> {
        let find = |db: &Connection| uids.iter().map(|uid| sqlite::find(db, mailbox, *uid)).collect();
        let found: Vec<Option<(Summary, Bytes)>> = self.inner.main.with(find)?;
        self.inner.bodies.with(|db| {
            let with_body = |(summary, prefix): (Summary, Bytes)| {
                let body = body::load(db, &self.inner.files, summary.body, summary.body_size())?;
                Ok(Message { summary, prefix, body })
            };
            found.into_iter().map(|found| found.map(with_body).transpose()).collect()
        })
    }
}
