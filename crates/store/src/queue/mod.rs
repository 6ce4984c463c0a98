//! The queue's durable half: accepted messages and their recipients that are still to be served.
//!
//! Times are milliseconds since 1970. Parameters of MAIL and RCPT are kept in SMTP's own syntax, because the
//! store does not interpret them.

mod sqlite;

pub(crate) use sqlite::{accept, parsed, record};

use crate::directory::{self, Quotas};
use crate::{Body, Id, Store, StoreError, trail};
use address::{Address, ReversePath};
use bytes::Bytes;
use std::sync::Arc;

/// What intake asks the store to make durable before a 250.
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub id: Id,
    pub reverse_path: ReversePath,
    /// Parameters of MAIL as they are to be passed on, for example `RET=HDRS ENVID=x`.
    pub parameters: String,
    pub body: Body,
    /// Fields put above the body in every copy (Received and what was added), each ending in CRLF.
    pub trace: Bytes,
    pub origin: trail::Origin,
    /// Copies for mailboxes here, delivered in the same transaction.
    pub local: Vec<LocalCopy>,
    /// Everyone else, for the queue.
    pub remote: Vec<NewRecipient>,
}

/// A copy for one mailbox.
#[derive(Debug, Clone)]
pub struct LocalCopy {
    /// For whom, as the trail tells it.
    pub recipient: Address,
    pub account: Id,
    /// The folder's name; when it is missing, INBOX takes the copy.
    pub mailbox: String,
    /// `Return-Path` and `Delivered-To`, above the trace fields.
    pub prefix: Bytes,
    pub flags: u32,
}

/// A copy without room ([`StoreError::NoRoom`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    pub message: Id,
    /// [`LocalCopy::recipient`].
    pub recipient: Address,
}

#[derive(Debug, Clone)]
pub struct NewRecipient {
    pub address: Address,
    /// Parameters of RCPT, for example `NOTIFY=NEVER ORCPT=rfc822;a@b.example`.
    pub parameters: String,
    /// When to try first.
    pub due: i64,
    pub held: bool,
}

/// A message that has just been made durable, for the queue to schedule without reading it back.
#[derive(Debug)]
pub struct Fresh {
    pub id: Id,
    pub recipients: Vec<QueuedRecipient>,
    /// The message itself for the first attempt.
    pub message: QueuedMessage,
}

/// A message of the queue without its recipients.
#[derive(Debug, Clone)]
pub struct QueuedMessage {
    pub id: Id,
    pub reverse_path: ReversePath,
    pub parameters: String,
    pub trace: Bytes,
    pub body_id: Id,
    pub body_size: u64,
    /// In memory for the first attempt; later [`Store::body`] finds it.
    pub body: Option<Body>,
    pub origin: trail::Origin,
}

/// One recipient that is still to be served.
#[derive(Debug, Clone)]
pub struct QueuedRecipient {
    /// Its place in the message, which names it.
    pub position: u32,
    pub address: Address,
    pub parameters: String,
    pub due: i64,
    pub held: bool,
    pub attempts: u32,
    /// The sender has had the delay notice.
    pub delay_told: bool,
    pub last: Option<String>,
}

/// A row of the schedule.
#[derive(Debug, Clone)]
pub struct Scheduled {
    pub message: Id,
    pub recipient: QueuedRecipient,
}

/// A row of the schedule with what a queue that starts needs of its message, in one read.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub scheduled: Scheduled,
    pub reverse_path: ReversePath,
    /// [`QueuedMessage::parameters`].
    pub parameters: String,
}

/// What became of one recipient.
#[derive(Debug, Clone)]
pub struct RecipientChange {
    pub message: Id,
    pub position: u32,
    pub fate: Fate,
}

#[derive(Debug, Clone)]
pub enum Fate {
    /// Delivered, or given up and told to the sender: the row goes.
    Closed,
    /// An attempt failed and there will be another.
    Deferred { due: i64, delay_told: bool, last: String },
    /// By command: kept until released.
    Held,
    /// By command: due at that time. `last` is then set, so that one released differs from one never looked at.
    Due(i64),
}

/// How many recipients wait, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QueueCount {
    pub messages: u64,
    pub recipients: u64,
    pub held: u64,
    pub bytes: u64,
}

impl Store {
    /// Returns when message and envelope are durable: only then may a 250 be sent. The queue hears of it
    /// through [`Store::queue_feed`] even when the caller has gone by then.
    ///
    /// # Errors
    /// [`StoreError::NoRoom`] when a mailbox is full, as the messages left it that came before this one. Quotas are
    /// measured by the body, as the client knows it, and what the mailbox uses with all that was put above it.
    pub async fn accept(&self, message: impl Into<Arc<NewMessage>>) -> Result<(), StoreError> {
        let (files, quotas) = (self.inner.files.clone(), self.quotas()?);
        let message = message.into();
        self.inner.committer.write(move |writer| accept(writer, &files, quotas, &message)).await
    }

    /// Accepts several messages, which may share a body, in one transaction: all are durable when this returns, or none is.
    ///
    /// # Errors
    /// As [`Store::accept`].
    pub async fn accept_all(&self, messages: Vec<NewMessage>) -> Result<(), StoreError> {
        self.record(Vec::new(), messages).await
    }

    pub(crate) fn quotas(&self) -> Result<Quotas, StoreError> {
        self.inner.domains.quotas(|| self.inner.main.with(directory::has_domain_quota))
    }

    /// Closes, defers, holds recipients, and accepts new messages about them (notifications, copies for mailboxes
    /// here and forwarded ones, which may share the body of the message they come from), in one transaction.
    /// A change to a recipient that has gone meanwhile is passed over.
    ///
    /// # Errors
    /// As [`Store::accept`].
    pub async fn record(
        &self,
        changes: Vec<RecipientChange>,
        notices: Vec<NewMessage>,
    ) -> Result<(), StoreError> {
        let (files, quotas) = (self.inner.files.clone(), self.quotas()?);
        self.inner.committer.write(move |writer| record(writer, &files, quotas, &changes, notices)).await
    }

    /// The next `limit` rows of the schedule after `after`, by message and position.
    pub fn schedule_page(
        &self,
        after: Option<(Id, u32)>,
        limit: usize,
    ) -> Result<Vec<Scheduled>, StoreError> {
        self.inner.main.with(|db| sqlite::page(db, after, limit))
    }

    /// As [`Store::schedule_page`], for a queue that starts.
    pub fn waiting_page(&self, after: Option<(Id, u32)>, limit: usize) -> Result<Vec<Waiting>, StoreError> {
        self.inner.main.with(|db| sqlite::waiting(db, after, limit))
    }

    /// A queued message with all recipients that are still to be served.
    pub fn queued(&self, id: Id) -> Result<Option<(QueuedMessage, Vec<QueuedRecipient>)>, StoreError> {
        self.inner.main.with(|db| sqlite::find(db, id))
    }

    pub fn queue_count(&self) -> Result<QueueCount, StoreError> {
        self.inner.main.with(sqlite::count)
    }
}
