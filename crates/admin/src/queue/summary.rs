//! The queue in a few lines: how much is waiting for whom, and why.

use super::alike::{normalised, provider, split};
use super::{PAGE, State, state};
use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Id;
use store::queue::QueuedRecipient;

/// Lines of a summary; the rest of a queue of very many destinations is in its last one.
const MAX_LINES: usize = 1_000;

/// How much is waiting for whom, the most first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summarize {}

/// What waits for one destination for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryLine {
    /// Whose server put it off: a provider (`Gmail`) or the domain of the server; the recipients' domain where none has
    /// answered; `(others)` in the last lines of a very long summary.
    pub destination: String,
    pub state: State,
    /// The words of the last attempt, without what differs from message to message; none before the first attempt.
    pub reason: Option<String>,
    pub messages: u64,
    pub recipients: u64,
    /// When the oldest was accepted, in milliseconds since 1970.
    pub oldest: i64,
}

impl Operation for Summarize {
    type Answer = Vec<SummaryLine>;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<SummaryLine>, AdminError> {
        let store = operations.store.clone();
        blocking(move || {
            let (mut groups, mut after) = (Groups::default(), None);
            loop {
                let page = store.schedule_page(after, PAGE)?;
                let Some(last) = page.last() else { return Ok(groups.into_lines()) };
                after = Some((last.message, last.recipient.position));
                for row in &page {
                    groups.add(row.message, &row.recipient);
                }
            }
        })
        .await
    }
}

#[derive(Default)]
struct Groups {
    /// With the last message that was counted: rows come message by message.
    lines: BTreeMap<Key, (SummaryLine, Id)>,
}

/// Destination, state, reason.
type Key = (String, u8, Option<String>);

impl Groups {
    fn add(&mut self, message: Id, row: &QueuedRecipient) {
        let (host, reply) = row.last.as_deref().map(split).unwrap_or_default();
        let destination = if host.is_empty() { row.address.host().to_string() } else { provider(host) };
        let state = state(row);
        let mut key = (destination, state as u8, row.last.is_some().then(|| normalised(reply)));
        if self.lines.len() >= MAX_LINES && !self.lines.contains_key(&key) {
            key = ("(others)".to_owned(), state as u8, None);
        }
        let (line, last) = self.lines.entry(key.clone()).or_insert_with(|| {
            let (destination, _, reason) = key;
            let oldest = message.unix_ms();
            (SummaryLine { destination, state, reason, messages: 0, recipients: 0, oldest }, Id::at(0))
        });
        if *last != message {
            *last = message;
            line.messages += 1;
        }
        line.recipients += 1;
        line.oldest = line.oldest.min(message.unix_ms());
    }

    fn into_lines(self) -> Vec<SummaryLine> {
        let mut lines: Vec<SummaryLine> = self.lines.into_values().map(|(line, _)| line).collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.recipients));
        lines
    }
}
