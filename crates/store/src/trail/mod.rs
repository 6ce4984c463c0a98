//! The trail: what happened to each message, from the connection to its last delivery attempt, and why.
//!
//! Written by a thread of its own to a database of its own, synced less often than `waypost.db`: an acceptance
//! that a kill takes from it is rebuilt at the next start. What is older than a setting is removed between batches, at least as
//! fast as more comes. A damaged `trail.db` is set aside, never in the way.

mod sqlite;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use sqlite::lost;
pub(crate) use writer::Writer;

use crate::{Id, Store, StoreError};
use address::{Address, ReversePath};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Messages that one read of [`Store::trail_mentioning`] looks through, so that it ends well within a second.
pub const MENTIONS_PAGE: usize = 5_000;

/// Where a message came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Names the session in the log.
    pub session: String,
    /// `smtp`, `submission`, `lmtp`, `local` (a notification, `sendmail`, a command).
    pub via: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub helo: String,
    /// Of the Received field: `ESMTPSA` and the like.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    /// Protocol version and cipher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// The account that submitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whom the client says it forwards for, in the words of XFORWARD: `NAME=client.example ADDR=192.0.2.9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<String>,
    /// The Message-ID field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Answered 250. Recipients whose mailbox is here have it already.
    Accepted {
        origin: Origin,
        from: String,
        recipients: Vec<String>,
        delivered: Vec<Delivery>,
        size: u64,
        /// The verdicts on the way, each with its reason.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        verdicts: Vec<String>,
    },
    /// Refused, wholly or for one recipient, with the reply given.
    Refused {
        origin: Origin,
        from: String,
        recipients: Vec<String>,
        reply: String,
        /// What the checks found, each with its reason.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        verdicts: Vec<String>,
    },
    /// One attempt to pass it on.
    Attempt {
        recipients: Vec<String>,
        /// Where to: host, address and port.
        host: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<String>,
        outcome: Outcome,
        /// The other server's words, or ours when it said none.
        reply: String,
        /// Milliseconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<i64>,
    },
    /// Put into a mailbox here after waiting in the queue.
    Delivered { delivery: Delivery },
    /// A notification went to the sender.
    Notified { kind: String, notice: Id, to: String, recipients: Vec<String> },
    /// What somebody did by command: hold, release, retry, bounce, drop.
    Command { action: String, actor: String, recipients: Vec<String> },
    /// Anything else worth knowing (a signature broken by re-encoding, say).
    Note { text: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub recipient: String,
    pub account: String,
    pub mailbox: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Delivered,
    Deferred,
    Failed,
}

/// An event with its message and time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub message: Id,
    /// Milliseconds since 1970.
    pub at: i64,
    #[serde(flatten)]
    pub event: Event,
}

impl Entry {
    /// An event of now.
    pub fn now(message: Id, event: Event) -> Self {
        Self { message, at: Id::generate().unix_ms(), event }
    }
}

impl Event {
    /// The addresses under which people will look for it.
    fn parties(&self) -> Vec<String> {
        let mut parties = match self {
            Self::Accepted { from, recipients, delivered, .. } => {
                // The mailbox's own address too: an alias or a name like root led there.
                let accounts = delivered.iter().map(|delivery| &delivery.account);
                recipients.iter().chain(accounts).chain([from]).cloned().collect()
            }
            Self::Refused { from, recipients, .. } => {
                let mut all = recipients.clone();
                all.push(from.clone());
                all
            }
            Self::Delivered { delivery } => vec![delivery.account.clone()],
            Self::Notified { to, .. } => vec![to.clone()],
            _ => Vec::new(),
        };
        parties.iter_mut().for_each(|text| *text = folded(text));
        parties.retain(|text| !text.is_empty());
        parties
    }
}

/// Addresses are found whatever the case of their local part.
fn folded(text: &str) -> String {
    text.parse::<Address>().map_or_else(|_| text.to_lowercase(), |address| address.folded())
}

/// How the trail writes a reverse-path: empty for the null path.
pub fn sender(path: &ReversePath) -> String {
    path.address().map_or_else(String::new, Address::to_string)
}

impl Store {
    /// Adds to the trail without waiting for the disk.
    pub fn tell(&self, entry: Entry) {
        self.inner.trail.add(entry);
    }

    /// Everything about one message, oldest first.
    pub fn trail(&self, message: Id) -> Result<Vec<Entry>, StoreError> {
        self.inner.trail.flush();
        self.inner.trail_readers.with(|db| sqlite::of_message(db, message))
    }

    /// The newest messages that an address sent or was to get, newest first.
    pub fn trail_of_address(&self, address: &str, limit: usize) -> Result<Vec<Id>, StoreError> {
        self.inner.trail.flush();
        self.inner.trail_readers.with(|db| sqlite::of_address(db, &folded(address), limit))
    }

    /// Looks through the next [`MENTIONS_PAGE`] messages before `before`, newest first, for events that have `text` in them in any
    /// case: which have it, and where to go on. There is no index: it would cost every message.
    pub fn trail_mentioning(
        &self,
        text: &str,
        before: Option<Id>,
    ) -> Result<(Vec<Id>, Option<Id>), StoreError> {
        self.inner.trail.flush();
        let quoted = to_json(&text.to_ascii_lowercase())?;
        let bare = quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default();
        self.inner.trail_readers.with(|db| sqlite::mentioning(db, before, bare, MENTIONS_PAGE))
    }

    /// The newest messages of all, newest first.
    pub fn trail_newest(&self, limit: usize) -> Result<Vec<Id>, StoreError> {
        self.inner.trail.flush();
        self.inner.trail_readers.with(|db| sqlite::newest(db, limit))
    }
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Bug(e.to_string()))
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged(format!("{text:?}: {e}")))
}
