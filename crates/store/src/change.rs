//! What others hear of durable changes: the queue of new work, everybody else of mailboxes.

use crate::Id;
use crate::mailbox::UidRuns;
use crate::queue::Fresh;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, mpsc};

/// Mailbox changes that a slow listener may be behind; one that is further behind looks again for itself.
const MAX_BEHIND: usize = 1_024;

/// A change, told after it is durable.
#[derive(Debug, Clone)]
pub enum Change {
    /// A message with recipients for the queue.
    Queued(Arc<Fresh>),
    /// Messages of a folder.
    Mailbox {
        account: Id,
        mailbox: Id,
        /// What the folder has now, and the messages that changed.
        modseq: u64,
        kind: MailboxChange,
    },
    /// Folders of an account were made, renamed or removed, or its subscriptions changed.
    Folders { account: Id },
    /// Who else may do what with a folder of this account: others may see one more of its folders, or one less.
    Access { account: Id },
    /// Notes were made, changed or removed (RFC 5464).
    Metadata {
        /// The folder's owner; without one, the account that they are about.
        account: Id,
        mailbox: Option<Id>,
        /// Who did it; `/private` entries are for nobody else.
        by: Id,
        entries: Arc<[String]>,
    },
    /// Which domains are ours, or what is done with their mail.
    Domains,
}

/// What happened to a folder or its messages. Each change of one folder is told in the order in which they became durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxChange {
    /// Messages with these UIDs, both ends included, are new.
    Delivered { first: u32, last: u32 },
    /// Messages have other flags or keywords, to be read again.
    Flags { uids: Arc<UidRuns> },
    /// Messages have gone.
    Expunged { uids: Arc<UidRuns> },
    /// What is noted of the folder has changed, and nothing of its messages (RFC 7162 §3.2).
    Annotated,
    /// The folder itself has gone.
    Gone,
}

/// Every message that became durable with recipients to serve, in order. There is one.
pub type QueueFeed = mpsc::UnboundedReceiver<Arc<Fresh>>;
/// Changes of mailboxes; a listener that lags is told so.
pub type Changes = broadcast::Receiver<Change>;

/// Where the committer's changes go. The feed is unbounded because every entry is a message already accepted:
/// intake is what bounds it.
#[derive(Debug)]
pub(crate) struct Announcer {
    queued: mpsc::UnboundedSender<Arc<Fresh>>,
    feed: Mutex<Option<QueueFeed>>,
    mailboxes: broadcast::Sender<Change>,
}

impl Announcer {
    pub(crate) fn new() -> Self {
        let (queued, feed) = mpsc::unbounded_channel();
        Self { queued, feed: Mutex::new(Some(feed)), mailboxes: broadcast::channel(MAX_BEHIND).0 }
    }

    pub(crate) fn publish(&self, change: Change) {
        match change {
            // Without a queue in this process (a command that works on the data) nobody listens.
            Change::Queued(fresh) => drop(self.queued.send(fresh)),
            other => drop(self.mailboxes.send(other)),
        }
    }

    pub(crate) fn take_feed(&self) -> Option<QueueFeed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn subscribe(&self) -> Changes {
        self.mailboxes.subscribe()
    }
}
