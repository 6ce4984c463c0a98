//! A batch of messages into a folder.

use super::mailbox;
use crate::octets::Octets;
use crate::{Access, Actor, AdminError, Operation, Operations};
use address::Address;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::mailbox::{Brought, Keywords, NewCopy, flag};
use store::{Body, Id, Store, StoreError};

/// Messages of a batch: one transaction.
pub const MAX_BATCH: usize = 200;
pub(super) const ALL_FLAGS: u32 = flag::SEEN | flag::ANSWERED | flag::FLAGGED | flag::DELETED | flag::DRAFT;

/// Puts messages into a folder that [`super::Prepare`] has named.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Put {
    pub account: Address,
    pub folder: String,
    pub source: String,
    /// At most [`MAX_BATCH`].
    pub messages: Vec<Incoming>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Incoming {
    /// Names the message among those of the source.
    pub key: Octets,
    pub content: Content,
    /// Bits of [`store::mailbox::flag`].
    pub flags: u32,
    /// What cannot be a keyword is left out.
    pub keywords: Vec<String>,
    /// Milliseconds since 1970.
    pub received: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Octets(Octets),
    /// What came by [`super::Upload`].
    Uploaded(Id),
}

impl Content {
    pub(crate) async fn into_body(self, operations: &Operations) -> Result<Body, AdminError> {
        match self {
            Self::Octets(octets) => Ok(Body::from_bytes(octets.0)),
            Self::Uploaded(id) => operations.uploads.finish(id).await,
        }
    }
}

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is in the folder.
    Imported,
    /// It is, but without keywords: the folder has as many as there may be.
    ImportedWithoutKeywords,
    /// It was brought before.
    Known,
    /// The account, or its domain, has no room for it.
    NoRoom,
    Refused(String),
}

impl Operation for Put {
    /// One for each message.
    type Answer = Vec<Outcome>;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    /// The log has the folder; a folder is many batches.
    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Outcome>, AdminError> {
        if self.messages.len() > MAX_BATCH {
            return Err(AdminError::Refused(format!("at most {MAX_BATCH} messages are put at once")));
        }
        let mailbox = mailbox(operations, &self.account, &self.folder)?.id;
        let mut all = Vec::with_capacity(self.messages.len());
        for message in self.messages {
            all.push(brought(operations, message).await?);
        }
        let batch = Batch { store: &operations.store, mailbox, source: &self.source };
        if let Ok(new) = batch.put(&all).await {
            return Ok(new
                .into_iter()
                .map(|new| if new { Outcome::Imported } else { Outcome::Known })
                .collect());
        }
        // One of them cannot be: each for itself, so that only that one is not.
        let mut outcomes = Vec::with_capacity(all.len());
        for one in all {
            outcomes.push(batch.put_one(one).await?);
        }
        Ok(outcomes)
    }
}

async fn brought(operations: &Operations, message: Incoming) -> Result<Brought, AdminError> {
    let body = message.content.into_body(operations).await?;
    let copy = NewCopy {
        prefix: Bytes::new(),
        body,
        flags: message.flags & ALL_FLAGS,
        keywords: own_keywords(&message.keywords),
        received: message.received,
    };
    Ok(Brought { key: message.key.0.into(), copy })
}

/// Those that can be keywords here.
pub(super) fn own_keywords(words: &[String]) -> Keywords {
    words.iter().map(String::as_str).filter(|word| Keywords::is_keyword(word)).collect()
}

struct Batch<'a> {
    store: &'a Store,
    mailbox: Id,
    source: &'a str,
}

impl Batch<'_> {
    async fn put(&self, all: &[Brought]) -> Result<Vec<bool>, StoreError> {
        self.store.import(self.mailbox, self.source, all.to_vec()).await
    }

    async fn put_one(&self, mut one: Brought) -> Result<Outcome, AdminError> {
        let mut imported = Outcome::Imported;
        loop {
            return match self.put(std::slice::from_ref(&one)).await {
                Ok(new) if new == [true] => Ok(imported),
                Ok(_) => Ok(Outcome::Known),
                Err(StoreError::OverQuota(_)) => Ok(Outcome::NoRoom),
                Err(StoreError::Limit(_)) if !one.copy.keywords.is_empty() => {
                    one.copy.keywords = Keywords::default();
                    imported = Outcome::ImportedWithoutKeywords;
                    continue;
                }
                Err(error @ (StoreError::Refused(_) | StoreError::Limit(_))) => {
                    Ok(Outcome::Refused(error.to_string()))
                }
                Err(error) => Err(error.into()),
            };
        }
    }
}
