//! The queue at a glance: what waits for whom, and why, in few lines.

use crate::run::QueueHandle;
use crate::schedule::Key;
use serde::Serialize;
use std::collections::HashMap;
use store::queue::QueueCount;
use store::{Id, StoreError};

/// Rows read at a time.
const PAGE: usize = 1_000;
/// Most lines of each list: the largest are shown.
const MAX_LINES: usize = 200;
/// Groups kept while counting; what is beyond goes into one called `other`.
const MAX_GROUPS: usize = 10_000;
/// Octets of a reply that are compared.
const MAX_REPLY: usize = 200;
/// Providers that people know by a name, by the domain of their servers.
const PROVIDERS: [(&str, &str); 7] = [
    ("google.com", "Gmail"),
    ("googlemail.com", "Gmail"),
    ("outlook.com", "Microsoft"),
    ("hotmail.com", "Microsoft"),
    ("yahoodns.net", "Yahoo"),
    ("icloud.com", "Apple"),
    ("gmx.net", "GMX"),
];

#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub count: QueueCount,
    /// Attempts at this moment.
    pub attempting: u64,
    /// Largest first.
    pub destinations: Vec<DestinationSummary>,
    /// Largest first: "340 messages deferred by Gmail: 421 4.7.28 …".
    pub replies: Vec<ReplySummary>,
}

/// What waits for one group of servers. Times in milliseconds since 1970.
#[derive(Debug, Clone, Serialize)]
pub struct DestinationSummary {
    pub destination: String,
    pub recipients: u64,
    pub deferred: u64,
    pub held: u64,
    /// When the oldest message arrived.
    pub oldest: i64,
    /// When the next is due.
    pub next: Option<i64>,
    /// Attempts that it takes at once now.
    pub concurrency: Option<u32>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ReplySummary {
    pub messages: u64,
    pub provider: String,
    /// Without what differs from one message to the next.
    pub reply: String,
}

impl QueueHandle {
    /// Reads the whole schedule, page by page.
    pub async fn summary(&self) -> Result<Summary, StoreError> {
        let mut counting = Counting::default();
        let mut after = None;
        loop {
            let rows = self.shared.blocking(move |store| store.schedule_page(after, PAGE)).await?;
            for row in &rows {
                after = Some((row.message, row.recipient.position));
                let key = Key { message: row.message, position: row.recipient.position };
                let (name, concurrency) =
                    self.destination(key).unwrap_or_else(|| (row.recipient.address.host().to_string(), None));
                counting.add(row, name, concurrency);
            }
            if rows.len() < PAGE {
                break;
            }
        }
        let attempting = self.shared.state().schedule.jobs() as u64;
        let (destinations, replies) = counting.finish();
        Ok(Summary { count: self.count().await?, attempting, destinations, replies })
    }

    fn destination(&self, key: Key) -> Option<(String, Option<u32>)> {
        let state = self.shared.state();
        let place = state.schedule.place_of(state.schedule.lane_of(key)?)?;
        let destination = state.numbers.destination(place)?;
        let first = destination.hosts.first().map_or(&destination.key.0, |host| &host.name);
        Some((first.clone(), state.schedule.window_of(place)))
    }
}

#[derive(Default)]
struct Counting {
    destinations: HashMap<String, DestinationSummary>,
    /// Messages, and the last one counted: rows come message by message.
    replies: HashMap<(String, String), (u64, Id)>,
}

impl Counting {
    fn add(&mut self, row: &store::queue::Scheduled, name: String, concurrency: Option<u32>) {
        let full = self.destinations.len() >= MAX_GROUPS && !self.destinations.contains_key(&name);
        let name = if full { "other".to_owned() } else { name };
        let group = self.destinations.entry(name.clone()).or_insert_with(|| DestinationSummary {
            destination: name,
            recipients: 0,
            deferred: 0,
            held: 0,
            oldest: i64::MAX,
            next: None,
            concurrency,
        });
        let recipient = &row.recipient;
        group.recipients += 1;
        group.deferred += u64::from(recipient.attempts > 0);
        group.held += u64::from(recipient.held);
        group.oldest = group.oldest.min(row.message.unix_ms());
        if !recipient.held {
            group.next = Some(group.next.map_or(recipient.due, |next| next.min(recipient.due)));
        }
        let Some(last) = recipient.last.as_ref().filter(|_| recipient.attempts > 0) else { return };
        let (host, reply) = split(last);
        let host = if host.is_empty() { recipient.address.host().to_string() } else { host.to_owned() };
        let key = (provider(&host), normalised(reply));
        let full = self.replies.len() >= MAX_GROUPS && !self.replies.contains_key(&key);
        let key = if full { ("other".to_owned(), String::new()) } else { key };
        let (messages, seen) = self.replies.entry(key).or_insert_with(|| (0, Id::at(0)));
        if *seen != row.message {
            *seen = row.message;
            *messages += 1;
        }
    }

    fn finish(self) -> (Vec<DestinationSummary>, Vec<ReplySummary>) {
        let mut destinations: Vec<_> = self.destinations.into_values().collect();
        destinations
            .sort_by(|a, b| b.recipients.cmp(&a.recipients).then_with(|| a.destination.cmp(&b.destination)));
        destinations.truncate(MAX_LINES);
        let reply = |((provider, reply), (messages, _))| ReplySummary { messages, provider, reply };
        let mut replies: Vec<_> = self.replies.into_iter().map(reply).collect();
        replies.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.reply.cmp(&b.reply)));
        replies.truncate(MAX_LINES);
        (destinations, replies)
    }
}

/// `host: reply`, or a reply alone, which begins with a digit.
fn split(last: &str) -> (&str, &str) {
    let code = last.get(..3).is_some_and(|code| code.bytes().all(|b| b.is_ascii_digit()));
    match last.split_once(": ") {
        Some((host, reply))
            if !(code && last.as_bytes().get(3).is_some_and(|b| matches!(b, b' ' | b'-'))) =>
        {
            (host, reply)
        }
        _ => ("", last),
    }
}

/// Whose server it is: a known name, else the domain above the host's.
fn provider(host: &str) -> String {
    let end = host.find(['[', ' ', '(', ':']).unwrap_or(host.len());
    let name = host.get(..end).unwrap_or_default().trim().trim_end_matches('.').to_ascii_lowercase();
    if name.is_empty() {
        return host.to_owned();
    }
    let below = |domain: &str| name == domain || name.strip_suffix(domain).is_some_and(|n| n.ends_with('.'));
    if let Some((_, known)) = PROVIDERS.iter().find(|(domain, _)| below(domain)) {
        return (*known).to_owned();
    }
    match name.split_once('.') {
        Some((_, parent)) if parent.contains('.') => parent.to_owned(),
        _ => name,
    }
}

/// The first line of a reply without addresses, ids and numbers, so that equal troubles are equal texts.
fn normalised(reply: &str) -> String {
    let line = reply.lines().next().unwrap_or_default();
    let line = line.get(..line.floor_char_boundary(MAX_REPLY)).unwrap_or_default();
    let mut words = Vec::new();
    for (index, word) in line.split_whitespace().enumerate() {
        let is_code = index == 0 && word.len() == 3;
        let is_status = index == 1
            && word.split('.').count() == 3
            && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let differs = word.contains('@') || word.bytes().any(|b| b.is_ascii_digit());
        let shown = if differs && !is_code && !is_status { "…" } else { word };
        // Several in a row are as many as one.
        if shown != "…" || words.last() != Some(&"…") {
            words.push(shown);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_that_mean_the_same_are_the_same() {
        for (reply, expected) in [
            (
                "421 4.7.28 [192.0.2.1 15] Our system has detected unusual mail. abc12-3456si",
                "421 4.7.28 … Our system has detected unusual mail. …",
            ),
            (
                "450 4.2.0 <me@example.org>: greylisted for 300 seconds",
                "450 4.2.0 … greylisted for … seconds",
            ),
            ("451 try later\nreally", "451 try later"),
            ("", ""),
        ] {
            assert_eq!(normalised(reply), expected);
        }
    }

    #[test]
    fn servers_belong_to_providers() {
        for (host, expected) in [
            ("gmail-smtp-in.l.google.com [192.0.2.1]:25", "Gmail"),
            ("mx1.example.org[192.0.2.1]:25", "example.org"),
            ("example.org", "example.org"),
            ("notgoogle.com", "notgoogle.com"),
            ("[192.0.2.1]:25", "[192.0.2.1]:25"),
        ] {
            assert_eq!(provider(host), expected);
        }
    }

    #[test]
    fn the_last_attempt_is_host_and_reply() {
        for (last, expected) in [
            (
                "mx.example.org [192.0.2.1]:25: 450 4.2.0 a: b",
                ("mx.example.org [192.0.2.1]:25", "450 4.2.0 a: b"),
            ),
            ("451 4.3.0 cannot: no", ("", "451 4.3.0 cannot: no")),
            ("due by command", ("", "due by command")),
        ] {
            assert_eq!(split(last), expected);
        }
    }
}
