//! Messages that come back into their folders.

use crate::import::{Content, Outcome};
use crate::octets::Octets;
use crate::operation::blocking;
use crate::{Access, Actor, AdminError, Operation, Operations, mail};
use address::Address;
use serde::{Deserialize, Serialize};
use store::mailbox::{Keywords, NewCopy};
use store::{Id, Store, StoreError};

/// What a message is known by: its id, when it was received in milliseconds since 1970, the octets of its body.
pub type Brief = (Id, i64, u64);

/// Which of some messages are missing in a folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Missing {
    pub account: Address,
    pub folder: String,
    /// One that is in another folder of the account is not missing.
    pub anywhere: bool,
    pub messages: Vec<Brief>,
}

impl Operation for Missing {
    /// Of each.
    type Answer = Vec<bool>;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<bool>, AdminError> {
        let store = operations.store.clone();
        blocking(move || {
            let mailbox = mail::folder(&store, &self.account, &self.folder)?.id;
            Ok(store.are_missing(mailbox, self.anywhere, &self.messages)?)
        })
        .await
    }
}

/// Puts messages back, without those that are there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PutBack {
    pub account: Address,
    pub folder: String,
    /// As in [`Missing`].
    pub anywhere: bool,
    pub messages: Vec<Back>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Back {
    pub id: Id,
    /// What is above the body in this copy alone.
    pub prefix: Octets,
    pub body: Content,
    /// Bits of [`store::mailbox::flag`].
    pub flags: u32,
    pub keywords: Vec<String>,
    /// Milliseconds since 1970.
    pub received: i64,
}

impl Operation for PutBack {
    /// Of each.
    type Answer = Vec<Outcome>;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        Some(format!("{} {}: {} messages (restore)", self.account, self.folder, self.messages.len()))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Outcome>, AdminError> {
        let mailbox = mail::folder(&operations.store, &self.account, &self.folder)?.id;
        let mut all = Vec::with_capacity(self.messages.len());
        for message in self.messages {
            let copy = NewCopy {
                prefix: message.prefix.0,
                body: message.body.into_body(operations).await?,
                flags: message.flags,
                keywords: message.keywords.iter().map(String::as_str).collect::<Keywords>(),
                received: message.received,
            };
            all.push((message.id, copy));
        }
        let putting = Putting { store: &operations.store, mailbox, anywhere: self.anywhere };
        if let Ok(outcomes) = putting.all(all.clone()).await {
            return Ok(outcomes);
        }
        // One of them cannot be: each for itself, so that only that one is not.
        let mut outcomes = Vec::with_capacity(all.len());
        for one in all {
            outcomes.push(putting.one(one).await?);
        }
        Ok(outcomes)
    }
}

struct Putting<'a> {
    store: &'a Store,
    mailbox: Id,
    anywhere: bool,
}

impl Putting<'_> {
    async fn all(&self, messages: Vec<(Id, NewCopy)>) -> Result<Vec<Outcome>, StoreError> {
        let put = self.store.put_back(self.mailbox, self.anywhere, messages).await?;
        Ok(put.into_iter().map(|put| if put { Outcome::Imported } else { Outcome::Known }).collect())
    }

    async fn one(&self, (id, copy): (Id, NewCopy)) -> Result<Outcome, AdminError> {
        let without = NewCopy { keywords: Keywords::default(), ..copy.clone() };
        let had_keywords = !copy.keywords.is_empty();
        let outcome = match self.all(vec![(id, copy)]).await {
            Err(StoreError::Limit(_)) if had_keywords => {
                self.all(vec![(id, without)]).await.map(|_| vec![Outcome::ImportedWithoutKeywords])
            }
            outcome => outcome,
        };
        match outcome {
            Ok(outcomes) => Ok(outcomes.into_iter().next().unwrap_or(Outcome::Known)),
            Err(StoreError::OverQuota(_)) => Ok(Outcome::NoRoom),
            Err(error @ (StoreError::Refused(_) | StoreError::Limit(_))) => {
                Ok(Outcome::Refused(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }
}
