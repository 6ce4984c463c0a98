//! Mailboxes: the folders of an account and the messages in them.

mod sqlite;

pub(crate) use sqlite::{create_defaults, deliver, remove_all};

use crate::{Body, Id, Store, StoreError};
use bytes::Bytes;

/// The folder that every account has and POP3 shows.
pub const INBOX: &str = "INBOX";
/// Bits of [`Summary::flags`] (RFC 9051 §2.3.2).
pub mod flag {
    pub const SEEN: u32 = 1;
    pub const ANSWERED: u32 = 2;
    pub const FLAGGED: u32 = 4;
    pub const DELETED: u32 = 8;
    pub const DRAFT: u32 = 16;
}

/// Folders made for each account, with their special use (RFC 6154).
pub(crate) const DEFAULT_FOLDERS: [(&str, Option<&str>); 6] = [
    (INBOX, None),
    ("Drafts", Some("\\Drafts")),
    ("Sent", Some("\\Sent")),
    ("Junk", Some("\\Junk")),
    ("Trash", Some("\\Trash")),
    ("Archive", Some("\\Archive")),
];

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Mailbox {
    pub id: Id,
    pub account: Id,
    pub name: String,
    pub role: Option<String>,
    pub uidvalidity: u32,
    pub uidnext: u32,
    pub messages: u64,
    pub unseen: u64,
}

/// What a listing needs of a message, without its bytes.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    pub uid: u32,
    /// The message's id in queue and trail.
    pub id: Id,
    /// Octets of this copy: prefix and body.
    pub size: u64,
    /// Milliseconds since 1970.
    pub received: i64,
    pub flags: u32,
}

/// One copy: its own prefix, then the shared body.
#[derive(Debug, Clone)]
pub struct Message {
    pub summary: Summary,
    pub prefix: Bytes,
    pub body: Body,
}

impl Store {
    pub fn mailboxes(&self, account: Id) -> Result<Vec<Mailbox>, StoreError> {
        self.inner.main.with(|db| sqlite::list(db, account))
    }

    /// The account's INBOX.
    pub fn inbox(&self, account: Id) -> Result<Mailbox, StoreError> {
        let found = self.mailboxes(account)?.into_iter().find(|m| m.name == INBOX);
        found.ok_or_else(|| StoreError::NotFound(format!("INBOX of account {account}")))
    }

    /// The next `limit` messages above a UID, in order of their UIDs.
    pub fn messages(&self, mailbox: Id, after: u32, limit: usize) -> Result<Vec<Summary>, StoreError> {
        self.inner.main.with(|db| sqlite::page(db, mailbox, after, limit))
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

    /// The UID of a message by its id; of its newest copy when there are several.
    pub fn uid_of(&self, mailbox: Id, message: Id) -> Result<Option<u32>, StoreError> {
        self.inner.main.with(|db| sqlite::uid_of(db, mailbox, message))
    }

    /// A copy with its body; large bodies stay on disk until read.
    pub fn message(&self, mailbox: Id, uid: u32) -> Result<Option<Message>, StoreError> {
        let Some((summary, prefix, body)) = self.inner.main.with(|db| sqlite::find(db, mailbox, uid))? else {
            return Ok(None);
        };
        let body_size = summary.size - prefix.len() as u64;
        Ok(Some(Message { summary, prefix, body: self.body(body, body_size)? }))
    }

    /// Removes copies for good; returns how many were still there. All or none.
    pub async fn remove_messages(&self, mailbox: Id, uids: Vec<u32>) -> Result<usize, StoreError> {
        self.inner.committer.write(move |writer| sqlite::remove(writer, mailbox, &uids)).await
    }

    /// Sets the [`flag`]s of a message that it does not have yet; nothing happens when it has gone.
    pub async fn add_flags(&self, mailbox: Id, uid: u32, flags: u32) -> Result<(), StoreError> {
        self.inner.committer.write(move |writer| sqlite::add_flags(writer.db, mailbox, uid, flags)).await
    }

    /// Makes a folder; nothing happens when it is there.
    pub async fn create_mailbox(&self, account: Id, name: String) -> Result<(), StoreError> {
        self.inner.committer.write(move |writer| sqlite::create(writer.db, account, &name, None)).await
    }
}
