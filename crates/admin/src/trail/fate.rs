//! What became of each recipient, read from the events and from what still waits.

use serde::{Deserialize, Serialize};
use store::queue::QueuedRecipient;
use store::trail::{Entry, Event, Outcome};

/// How it stands with a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fated {
    pub recipient: String,
    pub fate: Fate,
    /// Where to, or why: a folder, the other server's words, our reply.
    pub detail: Option<String>,
    /// Since when, in milliseconds since 1970.
    pub at: i64,
    /// The next attempt, in milliseconds since 1970, while it waits.
    pub next_attempt: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// In a mailbox here, or taken by another server.
    Delivered,
    /// To be tried, or tried again.
    Waiting,
    /// Kept back by command or by a rule.
    Held,
    /// Given up.
    Failed,
    /// Never accepted: whoever sent it was told at once.
    Refused,
    /// Taken out of the queue by command.
    Dropped,
}

/// Follows the events in order; `waiting` are the recipients that the queue still has.
pub(super) fn of(events: &[Entry], waiting: &[QueuedRecipient]) -> Vec<Fated> {
    let mut all = All::default();
    events.iter().for_each(|entry| all.follow(entry));
    for row in waiting {
        let name = row.address.to_string();
        let fate = if row.held { Fate::Held } else { Fate::Waiting };
        let at = all.find(&name).map_or(0, |known| known.at);
        let detail = row.last.clone();
        all.set(&name, fate, detail, at);
        if let Some(known) = all.find(&name) {
            known.next_attempt = (!row.held).then_some(row.due);
        }
    }
    all.0
}

#[derive(Default)]
struct All(Vec<Fated>);

impl All {
    fn find(&mut self, recipient: &str) -> Option<&mut Fated> {
        self.0.iter_mut().find(|known| known.recipient == recipient)
    }

    fn set(&mut self, recipient: &str, fate: Fate, detail: Option<String>, at: i64) {
        let new = Fated { recipient: recipient.to_owned(), fate, detail, at, next_attempt: None };
        match self.find(recipient) {
            Some(known) => *known = new,
            None => self.0.push(new),
        }
    }

    fn follow(&mut self, entry: &Entry) {
        let at = entry.at;
        match &entry.event {
            Event::Accepted { recipients, delivered, .. } => {
                recipients.iter().for_each(|name| self.set(name, Fate::Waiting, None, at));
                for one in delivered {
                    self.set(&one.recipient, Fate::Delivered, Some(place(&one.account, &one.mailbox)), at);
                }
            }
            Event::Refused { recipients, reply, .. } => {
                recipients.iter().for_each(|name| self.set(name, Fate::Refused, Some(reply.clone()), at));
            }
            Event::Attempt { recipients, host, outcome, reply, .. } => {
                let (fate, detail) = match outcome {
                    Outcome::Delivered => (Fate::Delivered, format!("taken by {host}: {reply}")),
                    Outcome::Deferred => (Fate::Waiting, reply.clone()),
                    Outcome::Failed => (Fate::Failed, reply.clone()),
                };
                recipients.iter().for_each(|name| self.set(name, fate, Some(detail.clone()), at));
            }
            Event::Delivered { delivery } => {
                let place = place(&delivery.account, &delivery.mailbox);
                self.set(&delivery.recipient, Fate::Delivered, Some(place), at);
            }
            Event::Command { action, actor, recipients } => {
                let fate = match action.as_str() {
                    "hold" => Fate::Held,
                    "bounce" => Fate::Failed,
                    "drop" => Fate::Dropped,
                    _ => Fate::Waiting,
                };
                let detail = format!("{action} by {actor}");
                recipients.iter().for_each(|name| self.set(name, fate, Some(detail.clone()), at));
            }
            Event::Notified { .. } | Event::Note { .. } => {}
        }
    }
}

fn place(account: &str, mailbox: &str) -> String {
    format!("in {mailbox} of {account}")
}
