//! The trail: where is my message, and why.

mod fate;

pub use fate::{Fate, Fated};

use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use address::{Address, Domain};
use serde::{Deserialize, Serialize};
use store::trail::{Entry, Event, Origin};
use store::{Id, Store};

/// Messages that one answer tells of.
pub const MAX_TOLD: u32 = 1_000;

/// What happened to some messages, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Find {
    pub subject: Subject,
    /// Not older than this, in milliseconds since 1970.
    pub since: Option<i64>,
    /// At most this many messages, the newest; at most [`MAX_TOLD`].
    pub limit: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One message, or the messages of one session.
    Message(Id),
    /// What an address sent or was to get.
    Address(Address),
    /// What was sent from or to a domain.
    Domain(Domain),
    /// A session as the log names it, or a Message-ID with or without its brackets.
    Name(String),
    /// Everything.
    All,
}

/// A message's whole way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Journey {
    pub id: Id,
    /// Of the first event, in milliseconds since 1970.
    pub at: i64,
    /// Empty for the null sender: a notification.
    pub from: String,
    pub message_id: Option<String>,
    /// How it stands with each recipient.
    pub recipients: Vec<Fated>,
    /// Oldest first.
    pub events: Vec<Entry>,
}

impl Operation for Find {
    /// Newest first; empty when nothing is known.
    type Answer = Vec<Journey>;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Journey>, AdminError> {
        let store = operations.store.clone();
        blocking(move || self.find(&store)).await
    }
}

impl Find {
    fn find(&self, store: &Store) -> Result<Vec<Journey>, AdminError> {
        let limit = self.limit.min(MAX_TOLD) as usize;
        match &self.subject {
            Subject::Message(id) => {
                let journeys = self.tell(store, vec![*id], limit)?;
                if !journeys.is_empty() {
                    return Ok(journeys);
                }
                // Sessions have ids of the same form, older than those of their messages.
                let since = self.since.max(Some(id.unix_ms()));
                let session = id.to_string();
                Self { subject: Subject::Name(session.clone()), since, limit: self.limit }
                    .search(store, &session, limit)
            }
            Subject::Address(address) => {
                self.tell(store, store.trail_of_address(&address.to_string(), limit)?, limit)
            }
            Subject::All => self.tell(store, store.trail_newest(limit)?, limit),
            Subject::Domain(domain) => self.search(store, &format!("@{domain}"), limit),
            Subject::Name(name) => self.search(store, bare(name), limit),
        }
    }

    /// Looks through the whole trail, page by page, the newest first.
    fn search(&self, store: &Store, text: &str, limit: usize) -> Result<Vec<Journey>, AdminError> {
        let (mut journeys, mut before) = (Vec::new(), None);
        loop {
            let (ids, oldest) = store.trail_mentioning(text, before)?;
            journeys.extend(self.tell(store, ids, limit - journeys.len())?);
            let Some(oldest) = oldest.filter(|oldest| !self.is_too_old(*oldest)) else { break };
            if journeys.len() == limit {
                break;
            }
            before = Some(oldest);
        }
        Ok(journeys)
    }

    fn tell(&self, store: &Store, ids: Vec<Id>, limit: usize) -> Result<Vec<Journey>, AdminError> {
        let mut journeys = Vec::new();
        for id in ids {
            if journeys.len() == limit || self.is_too_old(id) {
                break;
            }
            let events = store.trail(id)?;
            if !events.is_empty() && self.subject.is_in(&events) {
                journeys.push(Journey::new(store, id, events)?);
            }
        }
        Ok(journeys)
    }

    fn is_too_old(&self, id: Id) -> bool {
        self.since.is_some_and(|since| id.unix_ms() < since)
    }
}

/// A Message-ID without its brackets.
fn bare(text: &str) -> &str {
    text.trim_matches(['<', '>'])
}

impl Subject {
    /// Whether events are about it, where no index has said so already.
    fn is_in(&self, events: &[Entry]) -> bool {
        let any = |test: &dyn Fn(&Origin, &str, &[String]) -> bool| {
            events.iter().any(|entry| match &entry.event {
                Event::Accepted { origin, from, recipients, .. }
                | Event::Refused { origin, from, recipients, .. } => test(origin, from, recipients),
                _ => false,
            })
        };
        match self {
            Self::Message(_) | Self::Address(_) | Self::All => true,
            Self::Domain(domain) => {
                let of_domain = |text: &str| {
                    text.parse::<Address>().is_ok_and(|address| address.domain() == Some(domain))
                };
                any(&|_, from, recipients| of_domain(from) || recipients.iter().any(|text| of_domain(text)))
            }
            Self::Name(name) => {
                let wanted = bare(name);
                any(&|origin, _, _| {
                    origin.session == *name
                        || origin.message_id.as_deref().is_some_and(|id| bare(id) == wanted)
                })
            }
        }
    }
}

impl Journey {
    fn new(store: &Store, id: Id, events: Vec<Entry>) -> Result<Self, AdminError> {
        let begin = events.iter().find_map(|entry| match &entry.event {
            Event::Accepted { origin, from, .. } | Event::Refused { origin, from, .. } => {
                Some((from.clone(), origin.message_id.clone()))
            }
            _ => None,
        });
        let (from, message_id) = begin.unwrap_or_default();
        let waiting = store.queued(id)?.map(|(_, rows)| rows).unwrap_or_default();
        Ok(Self {
            id,
            at: events.first().map_or_else(|| id.unix_ms(), |entry| entry.at),
            from,
            message_id,
            recipients: fate::of(&events, &waiting),
            events,
        })
    }
}
