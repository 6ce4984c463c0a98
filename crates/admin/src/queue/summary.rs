//! The queue in a few lines: how much is waiting for whom, and why.

use super::{PAGE, State, state};
use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use store::Id;

/// Lines of a summary; the rest of a queue of very many destinations is in its last one.
const MAX_LINES: usize = 1_000;
/// Longest reason in octets: the first line of what the other server said.
const MAX_REASON: usize = 200;

/// How much is waiting for whom, the most first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summarize {}

/// What waits for one destination for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryLine {
    /// A domain; `(others)` in the last line of a very long summary.
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
                    let reason = row.recipient.last.as_deref().map(alike);
                    groups.add(
                        row.message,
                        row.recipient.address.host().to_string(),
                        state(&row.recipient),
                        reason,
                    );
                }
            }
        })
        .await
    }
}

#[derive(Default)]
struct Groups {
    lines: BTreeMap<Key, (SummaryLine, HashSet<Id>)>,
}

/// Destination, state, reason.
type Key = (String, u8, Option<String>);

impl Groups {
    fn add(&mut self, message: Id, destination: String, state: State, reason: Option<String>) {
        let full = self.lines.len() >= MAX_LINES;
        let mut key = (destination, state as u8, reason);
        if full && !self.lines.contains_key(&key) {
            key = ("(others)".to_owned(), state as u8, None);
        }
        let (line, messages) = self.lines.entry(key.clone()).or_insert_with(|| {
            let (destination, _, reason) = key;
            let oldest = message.unix_ms();
            (SummaryLine { destination, state, reason, messages: 0, recipients: 0, oldest }, HashSet::new())
        });
        messages.insert(message);
        line.recipients += 1;
        line.oldest = line.oldest.min(message.unix_ms());
    }

    fn into_lines(self) -> Vec<SummaryLine> {
        let lines = self.lines.into_values();
        let mut lines: Vec<SummaryLine> =
            lines.map(|(line, messages)| SummaryLine { messages: messages.len() as u64, ..line }).collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.recipients));
        lines
    }
}

/// The reason without what differs from message to message, so that equal troubles stand together: words in which
/// digits and letters mix (queue ids, addresses of sessions), except codes such as `421` and `4.7.28`.
fn alike(reason: &str) -> String {
    let first = reason.lines().next().unwrap_or_default();
    let words = first.split_whitespace().map(|word| if is_unique(word) { "…" } else { word });
    let mut text = words.collect::<Vec<_>>().join(" ");
    text.truncate(text.floor_char_boundary(MAX_REASON));
    text
}

/// Eight octets or more with several digits among letters, or an address: nobody's vocabulary.
fn is_unique(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    word.contains('@') || (word.len() >= 8 && digits >= 3 && letters >= 2 && !word.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_that_differ_in_ids_only_are_alike() {
        let check = |reason: &str, expected: &str| assert_eq!(alike(reason), expected);
        check("421 4.7.28 slow down - gsmtp", "421 4.7.28 slow down - gsmtp");
        check("421 4.7.28 slow down d2e1a72fcca58-7b x", "421 4.7.28 slow down … x");
        check("450 4.2.1 <me@example.org> is busy\nmore", "450 4.2.1 … is busy");
        check("connection to 192.0.2.1:25 timed out", "connection to 192.0.2.1:25 timed out");
        check("", "");
        assert_eq!(alike(&"é".repeat(300)).len(), MAX_REASON);
    }
}
