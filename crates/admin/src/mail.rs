//! Mailboxes, read: for an administrator anybody's, for a person their own.

mod search;
mod undelete;

pub use search::{MAX_FOUND, Search};
pub use undelete::{Removed, RemovedMessage, Undelete};

use crate::operation::blocking;
use crate::{Access, Actor, AdminError, Operation, Operations, account};
use address::Address;
use data_encoding::BASE64;
use message::{Header, decode_words};
use serde::{Deserialize, Serialize};
use store::mailbox::{Mailbox, Message, Summary, flag};
use store::{Body, Store, StoreError};

/// Octets of a message in one answer.
pub const PIECE: usize = 256 << 10;
/// Messages of one page of a listing.
pub const MAX_PAGE: u32 = 1_000;
/// Octets of a message that are read for a line of a listing: enough for the fields that people write.
const HEAD: usize = 64 << 10;

/// The folders of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Folders {
    pub account: Address,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    pub name: String,
    /// Special use as IMAP names it (RFC 6154), such as `\Sent`.
    pub role: Option<String>,
    pub messages: u64,
    pub unseen: u64,
}

impl Operation for Folders {
    type Answer = Vec<Folder>;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Folder>, AdminError> {
        let account = account::find(&operations.store, &self.account)?;
        let all = operations.store.mailboxes(account.id)?.into_iter();
        let folder =
            |m: Mailbox| Folder { name: m.name, role: m.role, messages: m.messages, unseen: m.unseen };
        Ok(all.map(folder).collect())
    }
}

pub(crate) fn folder(store: &Store, address: &Address, name: &str) -> Result<Mailbox, AdminError> {
    let account = account::find(store, address)?;
    // INBOX alone is the same in any case (RFC 9051 §5.1).
    let same = |own: &str| own == name || (own == store::mailbox::INBOX && own.eq_ignore_ascii_case(name));
    let found = store.mailboxes(account.id)?.into_iter().find(|mailbox| same(&mailbox.name));
    Ok(found.ok_or_else(|| StoreError::NotFound(format!("folder {name:?} of {address}")))?)
}

/// The messages of a folder, newest first, page by page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct List {
    pub account: Address,
    pub folder: String,
    /// Only those with a smaller UID: the last one of the page before.
    pub before: Option<u32>,
    /// At most [`MAX_PAGE`].
    pub limit: u32,
}

/// A line of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub uid: u32,
    /// The message's id in queue and trail.
    pub id: store::Id,
    /// Octets.
    pub size: u64,
    /// Milliseconds since 1970.
    pub received: i64,
    /// Such as `seen`.
    pub flags: Vec<String>,
    /// Decoded, as they stand in the message; empty where a field is missing.
    pub from: String,
    pub to: String,
    pub subject: String,
    pub date: String,
}

impl Listed {
    fn new(summary: &Summary, head: &[u8]) -> Self {
        let header = Header::parse(head);
        let field = |name| header.get(name).map(|field| decode_words(&field.value())).unwrap_or_default();
        Self {
            uid: summary.uid,
            id: summary.id,
            size: summary.size,
            received: summary.received,
            flags: flags(summary.flags),
            from: field("From"),
            to: field("To"),
            subject: field("Subject"),
            date: field("Date"),
        }
    }
}

fn flags(bits: u32) -> Vec<String> {
    let names = [
        (flag::SEEN, "seen"),
        (flag::ANSWERED, "answered"),
        (flag::FLAGGED, "flagged"),
        (flag::DELETED, "deleted"),
        (flag::DRAFT, "draft"),
    ];
    names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| (*name).to_owned()).collect()
}

impl Operation for List {
    type Answer = Vec<Listed>;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Listed>, AdminError> {
        let store = operations.store.clone();
        let (mailbox, page) = blocking(move || {
            let mailbox = folder(&store, &self.account, &self.folder)?;
            let before = self.before.unwrap_or(mailbox.uidnext).min(mailbox.uidnext);
            Ok((mailbox.id, newest(&store, mailbox.id, before, self.limit.min(MAX_PAGE) as usize)?))
        })
        .await?;
        let mut list = Vec::with_capacity(page.len());
        for summary in page {
            // One that has been removed meanwhile is passed over.
            if let Some(message) = operations.store.message(mailbox, summary.uid)? {
                list.push(Listed::new(&summary, &head(&message, HEAD).await?));
            }
        }
        Ok(list)
    }
}

/// The newest `limit` messages below a UID, newest first.
fn newest(store: &Store, mailbox: store::Id, before: u32, limit: usize) -> Result<Vec<Summary>, AdminError> {
    let (mut list, mut upper, mut width) = (Vec::new(), before, limit as u32);
    while list.len() < limit && upper > 1 {
        // UIDs above `lower` and below `upper`. There may be gaps, so the window grows until it is full.
        let lower = upper.saturating_sub(1).saturating_sub(width);
        let window = store.messages(mailbox, lower, width as usize)?;
        list.extend(window.into_iter().filter(|summary| summary.uid < upper).rev());
        upper = lower + 1;
        width = width.saturating_mul(2).min(64 * MAX_PAGE);
    }
    list.truncate(limit);
    Ok(list)
}

/// The first octets of a copy: its prefix, then the body.
async fn head(message: &Message, limit: usize) -> Result<Vec<u8>, AdminError> {
    let mut head = message.prefix.to_vec();
    head.extend_from_slice(&message.body.read(limit).await?);
    Ok(head)
}

/// A piece of a message as it was received.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Raw {
    pub account: Address,
    pub folder: String,
    pub uid: u32,
    pub offset: u64,
}

/// Octets from the offset on, at most [`PIECE`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Piece {
    /// Base64 (RFC 4648 §4).
    pub data: String,
    /// Of the whole message.
    pub size: u64,
    /// Where the next piece begins; none after the last one.
    pub next: Option<u64>,
}

impl Operation for Raw {
    type Answer = Piece;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    /// Reading other people's mail is told to the log, as often as it begins.
    fn changes(&self) -> Option<String> {
        (self.offset == 0).then(|| format!("{} {} {} (read)", self.account, self.folder, self.uid))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Piece, AdminError> {
        let mailbox = folder(&operations.store, &self.account, &self.folder)?;
        let missing =
            || StoreError::NotFound(format!("message {} in {} of {}", self.uid, self.folder, self.account));
        let message = operations.store.message(mailbox.id, self.uid)?.ok_or_else(missing)?;
        piece(&message.prefix, &message.body, self.offset).await
    }
}

/// A piece of `prefix` and `body` together.
pub(crate) async fn piece(prefix: &[u8], body: &Body, offset: u64) -> Result<Piece, AdminError> {
    let (prefix_size, size) = (prefix.len() as u64, prefix.len() as u64 + body.size());
    let mut octets =
        usize::try_from(offset).ok().and_then(|at| prefix.get(at..)).unwrap_or_default().to_vec();
    octets.truncate(PIECE);
    let mut reader = body.reader_at(offset.saturating_sub(prefix_size));
    while octets.len() < PIECE {
        let Some(more) = reader.next().await? else { break };
        octets.extend_from_slice(&more);
    }
    octets.truncate(PIECE);
    let end = offset.saturating_add(octets.len() as u64);
    Ok(Piece { data: BASE64.encode(&octets), size, next: (end < size && !octets.is_empty()).then_some(end) })
}
