//! What administrators do to the queue: list, show, retry, hold, release, bounce, drop.
//!
//! A recipient that is being attempted at that moment is left alone and counted as busy: what happened to it is not
//! known yet. Every change is told to the trail with the actor's name.

use crate::conclude::{Settled, Verdict, conclude};
use crate::run::QueueHandle;
use crate::schedule::{Key, Next};
use address::Domain;
use serde::Serialize;
use std::collections::BTreeMap;
use store::queue::{Fate, QueueCount, QueuedMessage, QueuedRecipient, RecipientChange};
use store::trail::{Entry, Event, sender};
use store::{Id, Store, StoreError};

/// Rows read at a time.
const PAGE: usize = 1_000;
/// Recipients changed in one transaction.
const MAX_CHANGES: usize = 500;
/// Most items of a page of the list.
pub const MAX_LISTED: usize = 1_000;

/// Which recipients; what is not said does not matter. Empty: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub messages: Vec<Id>,
    /// The envelope's sender, or a part of it.
    pub sender: Option<String>,
    /// The recipient, or a part of it.
    pub recipient: Option<String>,
    /// The recipient's domain.
    pub domain: Option<Domain>,
    pub held: Option<bool>,
}

/// A recipient in the queue, for people. Times in milliseconds since 1970.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    pub id: Id,
    pub position: u32,
    pub sender: String,
    pub recipient: String,
    pub size: u64,
    pub arrived: i64,
    pub due: i64,
    pub held: bool,
    pub attempts: u32,
    /// The last attempt's answer, `host: reply`.
    pub last: Option<String>,
}

/// A page of the list.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    pub items: Vec<Item>,
    /// To go on from, if there may be more.
    #[serde(skip)]
    pub next: Option<(Id, u32)>,
}

/// How many recipients a command changed, and how many it left alone because they were being attempted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    pub changed: u64,
    pub busy: u64,
}

/// A change by command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Retry,
    Hold,
    Release,
    Bounce,
    Drop,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Bounce => "bounce",
            Self::Drop => "drop",
        }
    }

    fn applies_to(self, recipient: &QueuedRecipient) -> bool {
        match self {
            Self::Retry | Self::Hold => !recipient.held,
            Self::Release => recipient.held,
            Self::Bounce | Self::Drop => true,
        }
    }
}

impl QueueHandle {
    /// How much waits.
    pub async fn count(&self) -> Result<QueueCount, StoreError> {
        self.shared.blocking(Store::queue_count).await
    }

    /// The next recipients that match, at most `limit` (and [`MAX_LISTED`]).
    pub async fn list(
        &self,
        filter: Filter,
        after: Option<(Id, u32)>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, MAX_LISTED);
        self.shared.blocking(move |store| list(store, &filter, after, limit)).await
    }

    /// A message with all recipients that are still to be served.
    pub async fn show(&self, id: Id) -> Result<Option<(QueuedMessage, Vec<QueuedRecipient>)>, StoreError> {
        self.shared.blocking(move |store| store.queued(id)).await
    }

    /// Makes those due at once that are not held.
    pub async fn retry(&self, filter: Filter, actor: &str) -> Result<Done, StoreError> {
        self.change(Action::Retry, filter, actor).await
    }

    /// Keeps them until they are released.
    pub async fn hold(&self, filter: Filter, actor: &str) -> Result<Done, StoreError> {
        self.change(Action::Hold, filter, actor).await
    }

    /// Makes held ones due at once.
    pub async fn release(&self, filter: Filter, actor: &str) -> Result<Done, StoreError> {
        self.change(Action::Release, filter, actor).await
    }

    /// Returns them to their senders, as far as those want to know.
    pub async fn bounce(&self, filter: Filter, actor: &str) -> Result<Done, StoreError> {
        self.change(Action::Bounce, filter, actor).await
    }

    /// Removes them with nobody told but the trail.
    pub async fn drop(&self, filter: Filter, actor: &str) -> Result<Done, StoreError> {
        self.change(Action::Drop, filter, actor).await
    }

    async fn change(&self, action: Action, filter: Filter, actor: &str) -> Result<Done, StoreError> {
        let (mut done, mut after) = (Done::default(), None);
        // Not the notifications that the command itself brings.
        let newest = Id::generate();
        loop {
            let page = self.list(filter.clone(), after, MAX_CHANGES).await?;
            let mut messages: BTreeMap<Id, Vec<u32>> = BTreeMap::new();
            for item in page.items.iter().filter(|item| item.id < newest) {
                messages.entry(item.id).or_default().push(item.position);
            }
            for (id, positions) in messages {
                let more = self.change_recipients(action, id, &positions, actor).await?;
                done = Done { changed: done.changed + more.changed, busy: done.busy + more.busy };
            }
            after = page.next;
            if after.is_none_or(|(id, _)| id > newest) {
                return Ok(done);
            }
        }
    }

    /// Does it to recipients of one message, by their positions.
    pub async fn change_recipients(
        &self,
        action: Action,
        message: Id,
        positions: &[u32],
        actor: &str,
    ) -> Result<Done, StoreError> {
        let claim = |position: &u32| self.shared.state().schedule.claim(Key { message, position: *position });
        let (claimed, busy): (Vec<u32>, Vec<u32>) = positions.iter().partition(|position| claim(position));
        let changed = if claimed.is_empty() {
            0
        } else {
            self.change_message(action, message, &claimed, actor).await?
        };
        Ok(Done { changed, busy: busy.len() as u64 })
    }

    /// Changes claimed recipients of one message; settles them all, whatever happens.
    async fn change_message(
        &self,
        action: Action,
        id: Id,
        positions: &[u32],
        actor: &str,
    ) -> Result<u64, StoreError> {
        let shared = &self.shared;
        let found = shared.blocking(move |store| store.queued(id)).await;
        let (message, recipients) = match found {
            Ok(Some(found)) => found,
            Ok(None) => {
                let gone: Vec<_> = positions.iter().map(|position| (*position, Next::Gone)).collect();
                shared.settle(id, &gone);
                return Ok(0);
            }
            Err(error) => {
                let now = shared.clock.now();
                let back: Vec<_> = positions.iter().map(|position| (*position, Next::Later(now))).collect();
                shared.settle(id, &back);
                return Err(error);
            }
        };
        let claimed = recipients.into_iter().filter(|r| positions.contains(&r.position));
        let (chosen, others): (Vec<_>, Vec<_>) = claimed.partition(|r| action.applies_to(r));
        let back: Vec<_> = others.iter().map(|r| (r.position, as_it_was(r))).collect();
        shared.settle(id, &back);
        if chosen.is_empty() {
            return Ok(0);
        }
        let (count, names) = (chosen.len() as u64, chosen.iter().map(|r| r.address.to_string()).collect());
        self.apply(action, &message, chosen).await?;
        let event = Event::Command { action: action.name().into(), actor: actor.into(), recipients: names };
        tracing::info!(message = %id, ?event, "queue");
        shared.store.tell(Entry::now(id, event));
        Ok(count)
    }

    async fn apply(
        &self,
        action: Action,
        message: &QueuedMessage,
        chosen: Vec<QueuedRecipient>,
    ) -> Result<(), StoreError> {
        let shared = &self.shared;
        let now = shared.clock.now();
        let (fate, next) = match action {
            Action::Retry | Action::Release => (Fate::Due(now as i64), Next::Later(now)),
            Action::Hold => (Fate::Held, Next::Held),
            Action::Bounce | Action::Drop => {
                let (verdict, reply) = match action {
                    Action::Bounce => (Verdict::Failed, "550 5.7.0 returned by the administrator"),
                    _ => (Verdict::Dropped, ""),
                };
                let settled = chosen.into_iter().map(|r| Settled::here(r, verdict.clone(), reply));
                conclude(shared, message, settled.collect(), Vec::new()).await;
                return Ok(());
            }
        };
        let change = |r: &QueuedRecipient| RecipientChange {
            message: message.id,
            position: r.position,
            fate: fate.clone(),
        };
        let recorded = shared.store.record(chosen.iter().map(change).collect(), Vec::new()).await;
        let next = |r: &QueuedRecipient| (r.position, if recorded.is_ok() { next } else { as_it_was(r) });
        shared.settle(message.id, &chosen.iter().map(next).collect::<Vec<_>>());
        recorded
    }
}

fn as_it_was(recipient: &QueuedRecipient) -> Next {
    if recipient.held { Next::Held } else { Next::Later(recipient.due.max(0) as u64) }
}

fn list(
    store: &Store,
    filter: &Filter,
    mut after: Option<(Id, u32)>,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut items = Vec::new();
    let mut message: Option<QueuedMessage> = None;
    loop {
        let rows = store.schedule_page(after, PAGE)?;
        for row in &rows {
            after = Some((row.message, row.recipient.position));
            if !filter.wants(row.message, &row.recipient) {
                continue;
            }
            if message.as_ref().is_none_or(|message| message.id != row.message) {
                message = store.queued(row.message)?.map(|(message, _)| message);
            }
            let Some(message) = message.as_ref().filter(|m| filter.wants_sender(&sender(&m.reverse_path)))
            else {
                continue;
            };
            items.push(item(message, &row.recipient));
            if items.len() == limit {
                return Ok(Page { items, next: after });
            }
        }
        if rows.len() < PAGE {
            return Ok(Page { items, next: None });
        }
    }
}

impl Filter {
    fn wants(&self, message: Id, recipient: &QueuedRecipient) -> bool {
        let address = || recipient.address.to_string().to_lowercase();
        (self.messages.is_empty() || self.messages.contains(&message))
            && self.held.is_none_or(|held| held == recipient.held)
            && self.domain.as_ref().is_none_or(|domain| recipient.address.domain() == Some(domain))
            && self.recipient.as_ref().is_none_or(|part| address().contains(&part.to_lowercase()))
    }

    fn wants_sender(&self, sender: &str) -> bool {
        match self.sender.as_deref() {
            None => true,
            Some("<>") => sender.is_empty(),
            Some(part) => sender.to_lowercase().contains(&part.to_lowercase()),
        }
    }
}

fn item(message: &QueuedMessage, recipient: &QueuedRecipient) -> Item {
    Item {
        id: message.id,
        position: recipient.position,
        sender: sender(&message.reverse_path),
        recipient: recipient.address.to_string(),
        size: message.body_size + message.trace.len() as u64,
        arrived: message.id.unix_ms(),
        due: recipient.due,
        held: recipient.held,
        attempts: recipient.attempts,
        last: recipient.last.clone(),
    }
}
