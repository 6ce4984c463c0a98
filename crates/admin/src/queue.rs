//! The queue: what is waiting to leave, why, and what an administrator does about it.

mod alike;
mod change;
mod summary;

pub use change::{Action, Change, Changed, Queue, QueueAnswer};
pub use summary::{Summarize, SummaryLine};

use crate::mail::{Piece, piece};
use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use address::{Address, Domain};
use serde::{Deserialize, Serialize};
use store::queue::{QueuedMessage, QueuedRecipient};
use store::{Id, Store, StoreError};

/// Rows of the schedule that are read at once.
const PAGE: usize = 1_000;
/// Messages that one answer lists: it must fit into a line of the control socket.
pub const MAX_LISTED: usize = 10_000;

/// Which recipients: those that every one of the given conditions lets through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    pub sender: Option<Address>,
    pub recipient: Option<Address>,
    /// Recipients of this domain.
    pub domain: Option<Domain>,
    pub state: Option<State>,
    /// Waiting for longer than this.
    pub older_than_seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Never tried, or being tried.
    Active,
    /// Tried, and will be again.
    Deferred,
    Held,
}

/// A message that waits, with its recipients that are still to be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub id: Id,
    /// Empty for the null sender: a notification.
    pub sender: String,
    /// Octets.
    pub size: u64,
    /// When it was accepted, in milliseconds since 1970.
    pub received: i64,
    pub recipients: Vec<Recipient>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    pub address: Address,
    pub state: State,
    pub attempts: u32,
    /// When it is tried next, in milliseconds since 1970; in the past: now. Without meaning while it is held.
    pub next_attempt: i64,
    /// What the last attempt ended with.
    pub reason: Option<String>,
}

impl From<QueuedRecipient> for Recipient {
    fn from(row: QueuedRecipient) -> Self {
        Self {
            state: state(&row),
            address: row.address,
            attempts: row.attempts,
            next_attempt: row.due,
            reason: row.last,
        }
    }
}

fn state(row: &QueuedRecipient) -> State {
    match row {
        QueuedRecipient { held: true, .. } => State::Held,
        QueuedRecipient { attempts: 0, .. } => State::Active,
        _ => State::Deferred,
    }
}

fn entry(message: &QueuedMessage, recipients: Vec<QueuedRecipient>) -> Entry {
    Entry {
        id: message.id,
        sender: store::trail::sender(&message.reverse_path),
        size: message.trace.len() as u64 + message.body_size,
        received: message.id.unix_ms(),
        recipients: recipients.into_iter().map(Recipient::from).collect(),
    }
}

impl Filter {
    /// Whether a recipient passes, as far as its own row tells.
    fn lets(&self, message: Id, row: &QueuedRecipient, now: i64) -> bool {
        let age = u64::try_from(now.saturating_sub(message.unix_ms())).unwrap_or(0);
        self.recipient.as_ref().is_none_or(|wanted| wanted.folded() == row.address.folded())
            && self.domain.as_ref().is_none_or(|wanted| row.address.domain() == Some(wanted))
            && self.state.is_none_or(|wanted| wanted == state(row))
            && self.older_than_seconds.is_none_or(|wanted| age > wanted.saturating_mul(1000))
    }

    fn lets_sender(&self, message: &QueuedMessage) -> bool {
        let own = message.reverse_path.address().map(Address::folded);
        self.sender.as_ref().is_none_or(|wanted| own == Some(wanted.folded()))
    }
}

/// Calls `each` with every message that has recipients of the filter, and those, oldest first, until it says stop.
fn select(
    store: &Store,
    filter: &Filter,
    mut each: impl FnMut(QueuedMessage, Vec<QueuedRecipient>) -> bool,
) -> Result<(), AdminError> {
    let now = Id::generate().unix_ms();
    let mut after = None;
    loop {
        let page = store.schedule_page(after, PAGE)?;
        let Some(last) = page.last().map(|row| row.message) else { return Ok(()) };
        // The last message of a page may go on in the next: its place is passed as a whole, and it is read as a whole.
        after = Some((last, u32::MAX));
        let mut ids: Vec<Id> = page
            .iter()
            .filter(|row| filter.lets(row.message, &row.recipient, now))
            .map(|row| row.message)
            .collect();
        ids.push(last);
        ids.dedup();
        for id in ids {
            let Some((message, mut rows)) = store.queued(id)? else { continue };
            rows.retain(|row| filter.lets(id, row, now));
            if !rows.is_empty() && filter.lets_sender(&message) && !each(message, rows) {
                return Ok(());
            }
        }
    }
}

/// The messages that wait, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct List {
    pub filter: Filter,
    /// At most [`MAX_LISTED`].
    pub limit: Option<u32>,
}

impl Operation for List {
    type Answer = Vec<Entry>;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Entry>, AdminError> {
        let limit = self.limit.map_or(MAX_LISTED, |limit| (limit as usize).min(MAX_LISTED));
        let store = operations.store.clone();
        blocking(move || {
            let mut list = Vec::new();
            if limit > 0 {
                select(&store, &self.filter, |message, rows| {
                    list.push(entry(&message, rows));
                    list.len() < limit
                })?;
            }
            Ok(list)
        })
        .await
    }
}

fn find(store: &Store, id: Id) -> Result<(QueuedMessage, Vec<QueuedRecipient>), AdminError> {
    let hint = format!("message {id} in the queue; `waypost trail {id}` tells what became of it");
    Ok(store.queued(id)?.ok_or(StoreError::NotFound(hint))?)
}

/// One message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Show {
    pub id: Id,
}

/// A message that waits, with its envelope in SMTP's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    #[serde(flatten)]
    pub entry: Entry,
    /// Parameters of MAIL, for example `RET=HDRS`.
    pub parameters: String,
    pub origin: store::trail::Origin,
}

impl Operation for Show {
    type Answer = Details;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Details, AdminError> {
        let (message, recipients) = find(&operations.store, self.id)?;
        let entry = entry(&message, recipients);
        Ok(Details { entry, parameters: message.parameters, origin: message.origin })
    }
}

/// A piece of a message that waits, as it was received.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Raw {
    pub id: Id,
    pub offset: u64,
}

impl Operation for Raw {
    type Answer = Piece;

    /// Reading other people's mail is told to the log, as often as it begins.
    fn changes(&self) -> Option<String> {
        (self.offset == 0).then(|| format!("{} (read)", self.id))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Piece, AdminError> {
        let (message, _) = find(&operations.store, self.id)?;
        let body = operations.store.body(message.body_id, message.body_size)?;
        piece(&message.trace, &body, self.offset).await
    }
}
