//! What an administrator does to messages that wait.

use super::{Filter, find, select};
use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::pin::Pin;
use store::queue::{Fate, QueuedRecipient, RecipientChange};
use store::trail::{self, Event};
use store::{Id, Store};

/// Recipients that are changed in one transaction.
const AT_ONCE: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Try again now. What is held stays held.
    Retry,
    /// Keep back until released.
    Hold,
    /// Let go what was held.
    Release,
    /// Give up, and tell the sender.
    Bounce,
    /// Remove without telling the sender.
    Drop,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retry => "retry",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Bounce => "bounce",
            Self::Drop => "drop",
        })
    }
}

impl Action {
    /// Whether there is anything to do for a recipient.
    fn concerns(self, row: &QueuedRecipient) -> bool {
        match self {
            Self::Retry | Self::Hold => !row.held,
            Self::Release => row.held,
            Self::Bounce | Self::Drop => true,
        }
    }

    /// What becomes of a recipient in the records.
    fn fate(self, now: i64) -> Option<Fate> {
        match self {
            Self::Retry | Self::Release => Some(Fate::Due(now)),
            Self::Hold => Some(Fate::Held),
            Self::Drop => Some(Fate::Closed),
            Self::Bounce => None,
        }
    }
}

/// A running queue, as far as it is told what to do: it changes the records and its schedule together.
pub trait Queue: fmt::Debug + Send + Sync {
    /// Does it to recipients of one message, by their positions, and tells the trail that `actor` did; returns how
    /// many it was done to: not to those that have gone, or are being attempted at that moment.
    fn change(&self, action: Action, message: Id, positions: Vec<u32>, actor: String) -> QueueAnswer<'_>;
}

/// The answer of a running queue, or why there is none.
pub type QueueAnswer<'a> = Pin<Box<dyn Future<Output = Result<usize, AdminError>> + Send + 'a>>;

/// Does something to messages that wait: those named, of them those the filter lets through.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    pub action: Action,
    /// None: all messages.
    pub ids: Option<Vec<Id>>,
    pub filter: Filter,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub messages: u64,
    pub recipients: u64,
}

impl Operation for Change {
    type Answer = Changed;

    fn changes(&self) -> Option<String> {
        let ids = self.ids.as_ref().map(|ids| ids.iter().map(Id::to_string).collect::<Vec<_>>().join(" "));
        Some(format!("{} {}", self.action, ids.unwrap_or_else(|| format!("{:?}", self.filter))))
    }

    async fn run(self, operations: &Operations, actor: &Actor) -> Result<Changed, AdminError> {
        let (store, action) = (operations.store.clone(), self.action);
        let chosen = blocking(move || self.choose(&store)).await?;
        let mut changed = Changed::default();
        for (message, rows) in chosen {
            let done = apply(operations, action, message, &rows, actor).await?;
            if done > 0 {
                changed.messages += 1;
                changed.recipients += done as u64;
            }
        }
        Ok(changed)
    }
}

impl Change {
    fn choose(&self, store: &Store) -> Result<Vec<(Id, Vec<QueuedRecipient>)>, AdminError> {
        let mut chosen = Vec::new();
        let mut take = |message: Id, mut rows: Vec<QueuedRecipient>| {
            rows.retain(|row| self.action.concerns(row));
            if !rows.is_empty() {
                chosen.push((message, rows));
            }
        };
        let Some(ids) = &self.ids else {
            select(store, &self.filter, |message, rows| {
                take(message.id, rows);
                true
            })?;
            return Ok(chosen);
        };
        let now = Id::generate().unix_ms();
        // All of them must be there before any is touched.
        let found = ids.iter().map(|id| find(store, *id)).collect::<Result<Vec<_>, _>>()?;
        for (message, mut rows) in found {
            rows.retain(|row| self.filter.lets(message.id, row, now));
            if self.filter.lets_sender(&message) {
                take(message.id, rows);
            }
        }
        Ok(chosen)
    }
}

/// Through the running queue; without one, in the records, where the next start finds it.
async fn apply(
    operations: &Operations,
    action: Action,
    message: Id,
    rows: &[QueuedRecipient],
    actor: &Actor,
) -> Result<usize, AdminError> {
    if let Some(queue) = &operations.queue {
        let positions = rows.iter().map(|row| row.position).collect();
        return queue.change(action, message, positions, actor.to_string()).await;
    }
    let Some(fate) = action.fate(Id::generate().unix_ms()) else {
        let text = "a bounce is written by the queue, which is not running: start it with `waypost serve`, then try again";
        return Err(AdminError::Temporary(text.to_owned()));
    };
    for part in rows.chunks(AT_ONCE) {
        let change =
            |row: &QueuedRecipient| RecipientChange { message, position: row.position, fate: fate.clone() };
        operations.store.record(part.iter().map(change).collect(), Vec::new()).await?;
    }
    let recipients = rows.iter().map(|row| row.address.to_string()).collect();
    let event = Event::Command { action: action.to_string(), actor: actor.to_string(), recipients };
    operations.store.tell(trail::Entry::now(message, event));
    Ok(rows.len())
}
