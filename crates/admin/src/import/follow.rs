//! What has become of messages where they were brought from.

use super::put::{ALL_FLAGS, own_keywords};
use crate::octets::Octets;
use crate::{Access, Actor, AdminError, Operation, Operations, account};
use address::Address;
use serde::{Deserialize, Serialize};
use store::mailbox::{Now, Since};

/// Messages that are followed at once: one transaction.
pub const MAX_FOLLOWED: usize = store::mailbox::MAX_FOLLOWED;

/// Does here what was done there with messages that were brought before, as long as nobody has changed them here: see
/// [`Store::follow_import`](store::Store::follow_import).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Follow {
    pub account: Address,
    pub source: String,
    /// At most [`MAX_FOLLOWED`].
    pub messages: Vec<Brought>,
}

/// A message that was brought.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Brought {
    /// Names the message among those of the source.
    pub key: Octets,
    /// What it has there now. None: it has gone there.
    pub marks: Option<Marks>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Marks {
    /// Bits of [`store::mailbox::flag`].
    pub flags: u32,
    /// What cannot be a keyword is left out.
    pub keywords: Vec<String>,
}

/// As [`store::mailbox::Followed`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    pub changed: u64,
    pub removed: u64,
}

impl Operation for Follow {
    type Answer = Followed;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    /// The log has the folder; a folder is many of these.
    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Followed, AdminError> {
        let account = account::find(&operations.store, &self.account)?.id;
        let messages = self.messages.into_iter().map(Brought::into_since).collect();
        let done = operations.store.follow_import(account, &self.source, messages).await?;
        Ok(Followed { changed: done.changed, removed: done.removed })
    }
}

impl Brought {
    fn into_since(self) -> Since {
        let now = self.marks.map_or(Now::Gone, |marks| Now::There {
            flags: marks.flags & ALL_FLAGS,
            keywords: own_keywords(&marks.keywords),
        });
        Since { key: self.key.0.into(), now }
    }
}
