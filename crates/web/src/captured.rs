//! The captured messages: finding, reading and deleting them.

use crate::error::WebError;
use crate::shown::Row;
use std::str::FromStr;
use std::sync::Arc;
use store::mailbox::{FlagChange, Mailbox, Message, UidRuns, flag};
use store::{Changes, Id, Store, StoreError};
use tokio::sync::Semaphore;

/// Octets of a message that are read to show it; the rest is in its source.
pub(crate) const MAX_VIEWED: usize = 25 << 20;
/// Messages that are read whole at once: each may take [`MAX_VIEWED`], and as much again decoded.
const MAX_VIEWERS: usize = 4;
/// Octets of a message in which a listing looks for its header.
const MAX_LISTED_HEADER: usize = 64 << 10;
/// Messages that one search looks at before it gives what it has found, and a link to go on.
const MAX_SEARCHED: usize = 2_000;
/// Rows asked of the store, and removed, at once.
const BATCH: usize = 500;

/// The INBOX of one account.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    store: Store,
    account: Id,
    viewers: Arc<Semaphore>,
}

/// How a URL names a message: by its UID, or by the id that the reply to DATA gave it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Uid(u32),
    Message(Id),
}

impl FromStr for Key {
    type Err = WebError;

    fn from_str(text: &str) -> Result<Self, WebError> {
        let id = |_| text.parse().map(Self::Message);
        text.parse().map(Self::Uid).or_else(id).map_err(|_| WebError::NotFound("such message".into()))
    }
}

/// A page of the listing.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    /// The UID below which the next page begins, if there may be one.
    pub(crate) older: Option<u32>,
    pub(crate) mailbox: Mailbox,
}

impl Captured {
    pub(crate) fn new(store: Store, account: Id) -> Self {
        Self { store, account, viewers: Arc::new(Semaphore::new(MAX_VIEWERS)) }
    }

    /// Runs a short read of the store where it may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, WebError> {
        let store = self.store.clone();
        Ok(tokio::task::spawn_blocking(move || read(&store)).await??)
    }

    pub(crate) async fn inbox(&self) -> Result<Mailbox, WebError> {
        let account = self.account;
        self.read(move |store| store.inbox(account)).await
    }

    /// Up to `limit` messages below `before`, newest first, in whose header `search` is found.
    pub(crate) async fn page(&self, before: u32, limit: usize, search: &str) -> Result<Page, WebError> {
        let (mailbox, search) = (self.inbox().await?, search.trim().to_lowercase());
        let id = mailbox.id;
        let (mut rows, mut before, mut looked) = (Vec::new(), before, 0);
        'filling: while rows.len() < limit && looked < MAX_SEARCHED {
            let batch = self.read(move |store| store.messages_before(id, before, limit.min(BATCH))).await?;
            if batch.is_empty() {
                break;
            }
            for summary in batch {
                if rows.len() == limit {
                    break 'filling;
                }
                (before, looked) = (summary.uid, looked + 1);
                rows.extend(self.row(id, summary.uid).await?.filter(|row| row.contains(&search)));
            }
        }
        let more = !self.read(move |store| store.messages_before(id, before, 1)).await?.is_empty();
        Ok(Page { rows, older: more.then_some(before), mailbox })
    }

    /// A message as a listing shows it; `None` when it has gone.
    pub(crate) async fn row(&self, mailbox: Id, uid: u32) -> Result<Option<Row>, WebError> {
        let Some(message) = self.read(move |store| store.message(mailbox, uid)).await? else {
            return Ok(None);
        };
        let head = start(&message, MAX_LISTED_HEADER).await?;
        Ok(Some(Row::read(&message.summary, &head)))
    }

    pub(crate) async fn message(&self, key: Key) -> Result<Message, WebError> {
        let mailbox = self.inbox().await?.id;
        let found = self.read(move |store| match key {
            Key::Uid(uid) => store.message(mailbox, uid),
            Key::Message(id) => {
                store.uid_of(mailbox, id)?.map_or(Ok(None), |uid| store.message(mailbox, uid))
            }
        });
        found.await?.ok_or_else(|| WebError::NotFound("such message".into()))
    }

    /// Reads a message (its first [`MAX_VIEWED`] octets) and makes something of it; some at a time.
    pub(crate) async fn view<T: Send + 'static>(
        &self,
        message: &Message,
        make: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<T, WebError> {
        let permit =
            Arc::clone(&self.viewers).acquire_owned().await.map_err(|e| WebError::Bug(e.to_string()))?;
        let whole = start(message, MAX_VIEWED).await?;
        let make = move || {
            // Kept until the work is done, also when nobody waits for it any more.
            let _permit = permit;
            make(&whole)
        };
        Ok(tokio::task::spawn_blocking(make).await?)
    }

    pub(crate) async fn mark_seen(&self, uid: u32) -> Result<(), WebError> {
        let change = FlagChange::add(flag::SEEN);
        self.store.set_flags(self.inbox().await?.id, uid, change, None).await?;
        Ok(())
    }

    pub(crate) async fn delete(&self, key: Key) -> Result<(), WebError> {
        let uid = self.message(key).await?.summary.uid;
        match self.store.remove_messages(self.inbox().await?.id, vec![uid]).await? {
            0 => Err(WebError::NotFound("such message".into())),
            _ => Ok(()),
        }
    }

    /// Deletes what is there now, but nothing that arrives meanwhile; says how many there were.
    pub(crate) async fn delete_all(&self) -> Result<usize, WebError> {
        let inbox = self.inbox().await?;
        let mut removed = 0;
        loop {
            let batch = self.read(move |store| store.messages_before(inbox.id, inbox.uidnext, BATCH)).await?;
            if batch.is_empty() {
                return Ok(removed);
            }
            let uids: UidRuns = batch.iter().map(|summary| summary.uid).collect();
            removed += self.store.remove_messages(inbox.id, uids).await?;
        }
    }

    pub(crate) fn changes(&self) -> Changes {
        self.store.changes()
    }

    pub(crate) fn is_well(&self) -> bool {
        self.store.trouble().is_none()
    }
}

/// The first octets of a copy: its own prefix, then the shared body.
pub(crate) async fn start(message: &Message, limit: usize) -> Result<Vec<u8>, WebError> {
    let mut bytes = message.prefix.to_vec();
    bytes.truncate(limit);
    let body = message.body.read(limit - bytes.len()).await?;
    bytes.extend_from_slice(&body);
    Ok(bytes)
}
