//! Mail brought from elsewhere, in bounded pieces: the importer reads the other side, these put it into folders.
//!
//! ```text
//! Prepare  ─▶ the folder is there             for each folder
//! Known    ─▶ keys of what was brought        before it is read
//! Upload … ─▶ a large message, piece by piece
//! Put      ─▶ what became of each message     for each batch
//! Follow   ─▶ changes there are done here    for those that were known
//! Totals   ─▶ what was brought in all         afterwards
//! ```
//!
//! A message has a key among those of its *source* (a folder of a server, a file), and is brought once: see
//! [`Store::import`](store::Store::import).

mod follow;
mod put;
mod upload;

pub use follow::{Brought, Follow, Followed, MAX_FOLLOWED, Marks};
pub use put::{Content, Incoming, MAX_BATCH, Outcome, Put};
pub(crate) use upload::Uploads;
pub use upload::{MAX_MESSAGE, Upload};

use crate::octets::Octets;
use crate::operation::blocking;
use crate::{Access, Actor, AdminError, Operation, Operations, account};
use address::Address;
use serde::{Deserialize, Serialize};
use store::StoreError;
use store::mailbox::{INBOX, Mailbox};

/// Keys in one answer.
pub const MAX_KEYS: usize = 50_000;

/// Makes sure that a folder is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Prepare {
    pub account: Address,
    /// As [`folder_name`] makes them.
    pub folder: String,
    /// Its special use where it came from, such as `\Sent`: mail then goes to the folder that has it here.
    pub role: Option<String>,
    /// Subscribed there. Nobody's subscription is taken away.
    pub subscribed: bool,
    /// Only says what would be.
    pub dry_run: bool,
}

/// Where the mail of a folder goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    pub folder: String,
    /// It was not there before.
    pub new: bool,
}

impl Operation for Prepare {
    type Answer = Prepared;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        (!self.dry_run).then(|| format!("{} {} (import)", self.account, self.folder))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Prepared, AdminError> {
        let store = &operations.store;
        let account = account::find(store, &self.account)?.id;
        let all = store.mailboxes(account)?;
        let by_role = self.role.as_ref().and_then(|role| {
            all.iter().find(|own| own.role.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(role)))
        });
        let there = by_role.or_else(|| all.iter().find(|own| own.name == self.folder));
        let prepared =
            Prepared { folder: there.map_or(&self.folder, |own| &own.name).clone(), new: there.is_none() };
        if self.dry_run {
            return Ok(prepared);
        }
        if there.is_none() {
            match store.create_mailbox(account, &self.folder, self.role.as_deref()).await {
                // Another import made it just now.
                Ok(_) | Err(StoreError::Exists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.subscribed && !there.is_some_and(|own| own.subscribed) {
            store.subscribe(account, &prepared.folder, true).await?;
        }
        Ok(prepared)
    }
}

/// Subscribes to names, folders or not; those that cannot be are passed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subscribe {
    pub account: Address,
    pub names: Vec<String>,
}

impl Operation for Subscribe {
    /// How many are subscribed.
    type Answer = usize;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        Some(format!("{} {} names", self.account, self.names.len()))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<usize, AdminError> {
        let account = account::find(&operations.store, &self.account)?.id;
        let mut done = 0;
        for name in &self.names {
            match operations.store.subscribe(account, name, true).await {
                Ok(()) => done += 1,
                Err(StoreError::Refused(_) | StoreError::Limit(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }
}

/// The keys of what was brought from a source, in order, with the octets of each message, page by page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Known {
    pub account: Address,
    pub source: String,
    /// The last key of the page before; empty for the first.
    pub after: Octets,
}

impl Operation for Known {
    /// At most [`MAX_KEYS`]; fewer only at the end.
    type Answer = Vec<(Octets, u64)>;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<(Octets, u64)>, AdminError> {
        let store = operations.store.clone();
        blocking(move || {
            let account = account::find(&store, &self.account)?.id;
            let keys = store.imported(account, &self.source, &self.after.0, MAX_KEYS)?;
            Ok(keys.into_iter().map(|(key, octets)| (key.into(), octets)).collect())
        })
        .await
    }
}

/// What was brought from a source so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Totals {
    pub account: Address,
    pub source: String,
}

/// As [`store::mailbox::ImportTotals`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsReport {
    pub messages: u64,
    pub octets: u64,
    /// Those that are still where they were put.
    pub there: u64,
    pub there_octets: u64,
}

impl Operation for Totals {
    type Answer = TotalsReport;

    fn access(&self) -> Access {
        Access::Owner(self.account.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<TotalsReport, AdminError> {
        let store = operations.store.clone();
        blocking(move || {
            let account = account::find(&store, &self.account)?.id;
            let found = store.import_totals(account, &self.source)?;
            Ok(TotalsReport {
                messages: found.messages,
                octets: found.octets,
                there: found.there,
                there_octets: found.there_octets,
            })
        })
        .await
    }
}

/// A name that a folder here can have, from the levels of one elsewhere: what cannot stand in a level becomes `_`.
pub fn folder_name(levels: &[impl AsRef<str>]) -> String {
    let fitting = |level: &str| {
        let level: String = level
            .chars()
            .map(|c| if c.is_control() || c == store::mailbox::DELIMITER { '_' } else { c })
            .collect();
        if level.is_empty() { "_".to_owned() } else { level }
    };
    let mut levels: Vec<String> = levels.iter().map(|level| fitting(level.as_ref())).collect();
    match levels.first_mut() {
        None => return INBOX.to_owned(),
        Some(first) if first.eq_ignore_ascii_case(INBOX) => *first = INBOX.to_owned(),
        Some(_) => {}
    }
    levels.join("/")
}

/// The folder of an account that was prepared.
fn mailbox(operations: &Operations, account: &Address, folder: &str) -> Result<Mailbox, AdminError> {
    let store = &operations.store;
    let found = store.mailbox_named(account::find(store, account)?.id, folder)?;
    Ok(found.ok_or_else(|| StoreError::NotFound(format!("folder {folder:?} of {account}")))?)
}
