//! Messages that were removed, and bringing them back.

use super::{HEAD, MAX_PAGE};
use crate::operation::blocking;
use crate::{Access, Actor, AdminError, Operation, Operations, account};
use address::Address;
use message::{Header, decode_words};
use serde::{Deserialize, Serialize};
use store::mailbox::Expunged;
use store::{Id, Store};

/// What can still be brought back, in the order in which it was removed, page by page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Removed {
    pub account: Address,
    /// Only what was in this folder, by what it was called then.
    pub folder: Option<String>,
    /// Only those removed later: the last one of the page before.
    pub after: Option<Id>,
    /// At most [`MAX_PAGE`].
    pub limit: u32,
}

/// A line of that listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedMessage {
    /// Names it for [`Undelete`].
    pub id: Id,
    /// What the folder was called when it was in it.
    pub folder: String,
    /// Milliseconds since 1970.
    pub removed: i64,
    pub received: i64,
    /// Octets.
    pub size: u64,
    /// Decoded; empty where a field is missing.
    pub from: String,
    pub subject: String,
}

impl Operation for Removed {
    type Answer = Vec<RemovedMessage>;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<RemovedMessage>, AdminError> {
        let store = operations.store.clone();
        let found = blocking(move || find(&store, &self)).await?;
        let mut listed = Vec::with_capacity(found.len());
        for removed in found {
            let head = operations.store.expunged_body(&removed)?.read(HEAD).await?;
            listed.push(RemovedMessage::new(&removed, &head));
        }
        Ok(listed)
    }
}

/// Page by page, as with a folder most of what was removed may be of others.
fn find(store: &Store, asked: &Removed) -> Result<Vec<Expunged>, AdminError> {
    let account = account::find(store, &asked.account)?;
    let limit = asked.limit.min(MAX_PAGE) as usize;
    let (mut found, mut after) = (Vec::new(), asked.after);
    while found.len() < limit {
        let page = store.expunged(account.id, after, MAX_PAGE as usize)?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let is_asked = |one: &Expunged| asked.folder.as_ref().is_none_or(|folder| one.folder == *folder);
        found.extend(page.into_iter().filter(is_asked));
    }
    found.truncate(limit);
    Ok(found)
}

impl RemovedMessage {
    fn new(removed: &Expunged, head: &[u8]) -> Self {
        let header = Header::parse(head);
        let field = |name| header.get(name).map(|field| decode_words(&field.value())).unwrap_or_default();
        Self {
            id: removed.id,
            folder: removed.folder.clone(),
            removed: removed.removed(),
            received: removed.received,
            size: removed.size,
            from: field("From"),
            subject: field("Subject"),
        }
    }
}

/// Brings messages back into the folders they were in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Undelete {
    pub account: Address,
    /// As [`Removed`] names them.
    pub messages: Vec<Id>,
}

impl Operation for Undelete {
    /// How many are back; others had gone for good.
    type Answer = usize;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        Some(format!("{} messages of {}", self.messages.len(), self.account))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<usize, AdminError> {
        let account = account::find(&operations.store, &self.account)?;
        Ok(operations.store.undelete(account.id, self.messages).await?)
    }
}
