//! The maildrop: an account's INBOX as POP3 sees it.

use crate::locks::Lock;
use pop3::server::Refusal;
use pop3::{Message, UniqueId};
use std::collections::VecDeque;
use std::time::Duration;
use store::directory::AccountRecord;
use store::mailbox::Summary;
use store::{Id, Store, StoreError};
use tokio::time::timeout;

/// Messages that one session shows: the newest so many, oldest first. Each costs some 100 bytes while it is open.
pub const MAX_MAILDROP: usize = 100_000;
/// Messages listed in one read of the store, which is to be short.
const PAGE: usize = 1_000;
/// Messages removed in one job of the store's committer.
const SLICE: usize = 1_000;
/// How long the store may take for one step.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// An open maildrop. Others of the account are kept out until it is dropped.
#[derive(Debug)]
pub(super) struct Maildrop {
    store: Store,
    mailbox: Id,
    /// By the session's index.
    uids: Vec<u32>,
    _lock: Lock,
}

/// What cannot be done with it now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the store took longer than {STORE_TIMEOUT:?}")]
    Overdue,
    #[error("reading the store was cut short")]
    Cut,
}

impl Fault {
    pub(super) fn refusal(&self) -> Refusal {
        match self {
            Self::Store(error) if !error.is_temporary() => Refusal::Permanent,
            Self::Store(_) | Self::Overdue | Self::Cut => Refusal::Temporary,
        }
    }
}

impl Maildrop {
    /// Lists the account's INBOX.
    pub(super) async fn open(
        store: Store,
        account: &AccountRecord,
        lock: Lock,
    ) -> Result<(Self, Vec<Message>), Fault> {
        let (reader, account) = (store.clone(), account.id);
        let (mailbox, uids, messages) = read(move || list(&reader, account)).await?;
        Ok((Self { store, mailbox, uids, _lock: lock }, messages))
    }

    /// The message at an index, also when another session has removed it: a maildrop is for the client what it was when it was opened
    /// (RFC 1939 §4). `None` when the store keeps it no longer.
    pub(super) async fn message(&self, index: usize) -> Result<Option<store::mailbox::Message>, Fault> {
        let Some(&uid) = self.uids.get(index) else { return Ok(None) };
        let (store, mailbox) = (self.store.clone(), self.mailbox);
        let found = move || match store.message(mailbox, uid)? {
            Some(there) => Ok(Some(there)),
            None => store.departed_message(mailbox, uid),
        };
        read(found).await
    }

    /// Removes the messages at these indices, for good; how many were still there. On an error some may be gone.
    pub(super) async fn remove(&self, indices: &[usize]) -> Result<usize, Fault> {
        let uids: Vec<u32> = indices.iter().filter_map(|index| self.uids.get(*index)).copied().collect();
        let mut removed = 0;
        for slice in uids.chunks(SLICE) {
            let work = self.store.remove_messages(self.mailbox, slice.to_vec());
            removed += timeout(STORE_TIMEOUT, work).await.map_err(|_| Fault::Overdue)??;
        }
        Ok(removed)
    }
}

/// Reads where waiting for a disk holds nobody up.
async fn read<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Fault> {
    let work = timeout(STORE_TIMEOUT, tokio::task::spawn_blocking(work));
    Ok(work.await.map_err(|_| Fault::Overdue)?.map_err(|_| Fault::Cut)??)
}

type Listing = (Id, Vec<u32>, Vec<Message>);

fn list(store: &Store, account: Id) -> Result<Listing, StoreError> {
    let inbox = store.inbox(account)?;
    let mut newest = VecDeque::new();
    let mut after = 0;
    loop {
        let page = store.messages(inbox.id, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.uid;
        let surplus = (newest.len() + page.len()).saturating_sub(MAX_MAILDROP);
        newest.drain(..surplus.min(newest.len()));
        newest.extend(page);
    }
    let uids = newest.iter().map(|summary| summary.uid).collect();
    let messages =
        newest.iter().map(|summary| message(inbox.uidvalidity, summary)).collect::<Result<_, _>>()?;
    Ok((inbox.id, uids, messages))
}

/// The unique-id is the folder's validity and the message's UID in it, which together are never used again.
///
/// The size is that of the stored octets. A message whose lines do not all end with CRLF, as BINARYMIME allows, is
/// sent with line ends that are not counted; RFC 6856 §2.1 and RFC 1939 §11 ask for them where they can be known.
fn message(uidvalidity: u32, summary: &Summary) -> Result<Message, StoreError> {
    let unique_id = UniqueId::new(&format!("{uidvalidity}.{}", summary.uid));
    let unique_id = unique_id.map_err(|error| StoreError::Bug(error.to_string()))?;
    Ok(Message { octets: summary.size, unique_id })
}
