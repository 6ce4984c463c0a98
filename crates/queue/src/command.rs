//! What administrators do to the queue: retry, hold, release, bounce, drop. Which recipients is `admin`'s to find out.
//!
//! A recipient that is being attempted at that moment is left alone and counted as busy: what happened to it is not
//! known yet. Every change is told to the trail with the actor's name.

use crate::conclude::{Settled, Verdict, conclude};
use crate::line;
use crate::run::QueueHandle;
use crate::schedule::{Key, Next};
use serde::Serialize;
use store::queue::{Fate, QueuedMessage, QueuedRecipient, RecipientChange};
use store::trail::{Entry, Event};
use store::{Id, StoreError};

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
        line::log(id, &event);
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
