//! THREAD (RFC 5256): messages put under those that they answer.
//!
//! Pure functions over what is known of each message. Time and memory grow with the number of messages and of references, and
//! nothing recurses: a conversation may be as long as a folder.

mod references;
#[cfg(test)]
mod tests;

pub use references::references;

use crate::response::ThreadNode;
use crate::sort::casemap;
use jiff::Timestamp;

/// Deepest nesting of a [`ThreadNode`]. What would be deeper stands side by side at this depth: trees are dropped, and read by
/// clients, by recursion.
pub const MAX_DEPTH: usize = 500;
/// References that are used of one message, the nearest ones. RFC 5322 §3.6.4 lets them grow without end.
pub const MAX_REFERENCES: usize = 200;

/// What threads are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadInput {
    /// Sequence number or UID; every number once.
    pub number: u32,
    /// Of the Message-ID field, normalized ([`message::message_ids`]); `None` if it is not there or not valid. Not used by
    /// [`ordered_subject`], as `references` and `is_reply`.
    pub message_id: Option<String>,
    /// Of the References field; if there are none, the first of In-Reply-To. The nearest comes last.
    pub references: Vec<String>,
    /// The base subject ([`message::base_subject`]).
    pub subject: String,
    /// Whether making the base subject took away what replies and forwarded messages have.
    pub is_reply: bool,
    /// The sent date ([`crate::sort::sent_date`]).
    pub date: Timestamp,
}

/// Siblings are in the order of their dates, then of their numbers.
type Age = (Timestamp, u32);

impl ThreadInput {
    fn age(&self) -> Age {
        (self.date, self.number)
    }
}

/// ORDEREDSUBJECT: messages of the same base subject, all under the first of them.
pub fn ordered_subject(messages: &[ThreadInput]) -> Vec<ThreadNode> {
    let mut sorted: Vec<(String, &ThreadInput)> =
        messages.iter().map(|message| (casemap(&message.subject), message)).collect();
    sorted.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.age().cmp(&y.age())));
    let mut threads: Vec<(Age, ThreadNode)> = sorted
        .chunk_by(|(a, _), (b, _)| a == b)
        .filter_map(|thread| {
            let ((_, first), rest) = thread.split_first()?;
            let children = rest.iter().map(|(_, message)| leaf(message.number)).collect();
            Some((first.age(), ThreadNode { number: Some(first.number), children }))
        })
        .collect();
    threads.sort_unstable_by_key(|(age, _)| *age);
    threads.into_iter().map(|(_, thread)| thread).collect()
}

fn leaf(number: u32) -> ThreadNode {
    ThreadNode { number: Some(number), children: Vec::new() }
}
