//! What was promised, and what came of it.

use super::letter::{Digest, LOCAL, Letter, digest_of, recognise};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Failures that are told in words; the others are counted.
const MAX_TOLD: usize = 50;

/// All messages of a run. Senders, sink and mailboxes write into one.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: HashMap<String, Entry>,
    /// When each start of the server was killed.
    kills: HashMap<u32, Instant>,
    pub(super) notifications: u64,
    pub(super) octets: u64,
    pub(super) failures: Vec<String>,
    pub(super) failed: u64,
}

#[derive(Debug)]
struct Entry {
    digest: Digest,
    /// It has 5 MB.
    large: bool,
    /// The last octets were about to be sent: from here on the server may have it.
    ended: bool,
    recipients: Vec<Recipient>,
}

#[derive(Debug)]
struct Recipient {
    address: &'static str,
    answer: Answer,
    arrivals: Vec<Arrival>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// None came.
    None,
    Promised,
    Refused,
}

#[derive(Debug, Clone, Copy)]
struct Arrival {
    /// Which start of the server brought it.
    start: u32,
    at: Instant,
}

/// What all of it comes to.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Tally {
    /// Messages begun, with those that were meant to fail.
    pub messages: u64,
    /// Recipients of messages, by what the server said at the end of data.
    pub promised: u64,
    /// Of those, the recipients of messages of 5 MB.
    pub promised_large: u64,
    pub refused: u64,
    /// Killed after the end was sent and before the answer came: of these either all recipients have it, or none.
    pub unanswered: u64,
    /// Of those, the ones that did arrive.
    pub unanswered_arrived: u64,
    /// Killed, or given up by the sender, before the end was sent.
    pub unfinished: u64,
    pub arrived_in_mailboxes: u64,
    pub arrived_elsewhere: u64,
    /// Recipients elsewhere that got it twice, because the kill fell between the next server's 250 and its recording.
    pub duplicates: u64,
    /// The longest such time, from the 250 to the kill.
    pub longest_before_kill_ms: u64,
}

impl Ledger {
    pub(super) fn begin(&mut self, letter: &Letter) {
        self.octets += letter.content.len() as u64;
        let recipient =
            |address: &&'static str| Recipient { address, answer: Answer::None, arrivals: Vec::new() };
        let recipients = letter.recipients.iter().map(recipient).collect();
        let (digest, large) = (letter.digest(), letter.is_large());
        self.entries.insert(letter.name.clone(), Entry { digest, large, ended: false, recipients });
    }

    pub(super) fn end(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.ended = true;
        }
    }

    pub(super) fn answer(&mut self, name: &str, address: &str, promised: bool) {
        let entry = self.entries.get_mut(name);
        let recipient = entry.and_then(|entry| entry.recipients.iter_mut().find(|r| r.address == address));
        if let Some(recipient) = recipient {
            recipient.answer = if promised { Answer::Promised } else { Answer::Refused };
        }
    }

    /// A message, in a mailbox or at the next server.
    pub(super) fn arrive(&mut self, message: &[u8], address: &str, start: u32) {
        let Some((name, content)) = recognise(message) else {
            self.notifications += 1;
            return;
        };
        let Some(entry) = self.entries.get_mut(name) else {
            return self.fail(format!("{name} arrived and was never sent"));
        };
        let whole = entry.digest == digest_of(content);
        match entry.recipients.iter_mut().find(|recipient| recipient.address == address) {
            Some(recipient) => recipient.arrivals.push(Arrival { start, at: Instant::now() }),
            None => self.fail(format!("{name} arrived at {address}, to whom it was not sent")),
        }
        if !whole {
            self.fail(format!("{name} arrived at {address} and is not what was sent"));
        }
    }

    pub(super) fn killed(&mut self, start: u32) {
        self.kills.insert(start, Instant::now());
    }

    pub(super) fn fail(&mut self, what: String) {
        self.failed += 1;
        if self.failures.len() < MAX_TOLD {
            self.failures.push(what);
        }
    }

    /// Holds every message against what was promised.
    pub(super) fn judge(&mut self) -> Tally {
        let mut tally = Tally::default();
        let mut wrong = Vec::new();
        for (name, entry) in &self.entries {
            tally.messages += 1;
            entry.judge(name, &mut wrong);
            for recipient in &entry.recipients {
                recipient.judge(name, entry.ended, &self.kills, &mut wrong);
                recipient.count(entry.ended, &self.kills, &mut tally);
                tally.promised_large += u64::from(entry.large && recipient.answer == Answer::Promised);
            }
        }
        wrong.into_iter().for_each(|what| self.fail(what));
        tally
    }
}

impl Entry {
    /// Without an answer, it was accepted or it was not: there is nothing between.
    fn judge(&self, name: &str, wrong: &mut Vec<String>) {
        let unanswered = self.recipients.iter().all(|recipient| recipient.answer == Answer::None);
        let arrived = self.recipients.iter().filter(|recipient| !recipient.arrivals.is_empty()).count();
        if unanswered && arrived != 0 && arrived != self.recipients.len() {
            wrong
                .push(format!("{name} had no answer, and arrived at {arrived} of {}", self.recipients.len()));
        }
    }
}

impl Recipient {
    fn is_local(&self) -> bool {
        LOCAL.contains(&self.address)
    }

    fn judge(&self, name: &str, ended: bool, kills: &HashMap<u32, Instant>, wrong: &mut Vec<String>) {
        let (address, times) = (self.address, self.arrivals.len());
        if self.answer == Answer::Promised && times == 0 {
            wrong.push(format!("{name} was answered 250 and did not arrive at {address}"));
        }
        if (self.answer == Answer::Refused || !ended) && times > 0 {
            let why = if ended { "was refused" } else { "never ended" };
            wrong.push(format!("{name} {why} and arrived at {address}"));
        }
        if self.is_local() && times > 1 {
            wrong.push(format!("{name} is {times} times in the mailbox of {address}"));
        }
        for (one, next) in self.arrivals.iter().zip(self.arrivals.iter().skip(1)) {
            if !self.is_local() && (one.start == next.start || !kills.contains_key(&one.start)) {
                wrong.push(format!("{name} arrived twice at {address} without a kill between"));
            }
        }
    }

    fn count(&self, ended: bool, kills: &HashMap<u32, Instant>, tally: &mut Tally) {
        let times = self.arrivals.len() as u64;
        let tallied = match self.answer {
            Answer::Promised => &mut tally.promised,
            Answer::Refused => &mut tally.refused,
            Answer::None if ended => &mut tally.unanswered,
            Answer::None => &mut tally.unfinished,
        };
        *tallied += 1;
        if self.answer == Answer::None && ended && times > 0 {
            tally.unanswered_arrived += 1;
        }
        let arrived =
            if self.is_local() { &mut tally.arrived_in_mailboxes } else { &mut tally.arrived_elsewhere };
        *arrived += times;
        if self.is_local() || times < 2 {
            return;
        }
        tally.duplicates += times - 1;
        for arrival in self.arrivals.iter().rev().skip(1) {
            let before = kills.get(&arrival.start).map(|kill| kill.saturating_duration_since(arrival.at));
            let before = u64::try_from(before.unwrap_or(Duration::ZERO).as_millis()).unwrap_or(u64::MAX);
            tally.longest_before_kill_ms = tally.longest_before_kill_ms.max(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const HERE: &str = LOCAL[0];
    const ELSEWHERE: &str = super::super::letter::REMOTE[0];

    /// What happened to one message with a recipient here and one elsewhere, and what is wrong with that.
    fn check(story: fn(&mut Ledger, &Letter), expected: &[&str]) {
        let mut letter = Letter::new("m".to_owned(), true, &mut Random::new(1));
        letter.recipients = vec![HERE, ELSEWHERE];
        let mut ledger = Ledger::default();
        ledger.begin(&letter);
        story(&mut ledger, &letter);
        ledger.judge();
        assert_eq!(ledger.failures, expected);
    }

    fn promise(ledger: &mut Ledger) {
        ledger.end("m");
        ledger.answer("m", HERE, true);
        ledger.answer("m", ELSEWHERE, true);
    }

    #[test]
    fn what_was_promised_must_arrive_once() {
        check(
            |ledger, letter| {
                promise(ledger);
                ledger.arrive(&letter.content, HERE, 1);
                ledger.arrive(&letter.content, ELSEWHERE, 1);
            },
            &[],
        );
        check(
            |ledger, letter| {
                promise(ledger);
                ledger.arrive(&letter.content, HERE, 1);
                ledger.arrive(&letter.content, HERE, 2);
            },
            &[
                "m is 2 times in the mailbox of ann@example.org",
                "m was answered 250 and did not arrive at dora@remote.example",
            ],
        );
    }

    #[test]
    fn a_duplicate_elsewhere_needs_a_kill() {
        check(
            |ledger, letter| {
                promise(ledger);
                ledger.arrive(&letter.content, HERE, 1);
                ledger.arrive(&letter.content, ELSEWHERE, 1);
                ledger.killed(1);
                ledger.arrive(&letter.content, ELSEWHERE, 2);
            },
            &[],
        );
        check(
            |ledger, letter| {
                promise(ledger);
                ledger.arrive(&letter.content, HERE, 1);
                ledger.arrive(&letter.content, ELSEWHERE, 1);
                ledger.arrive(&letter.content, ELSEWHERE, 1);
            },
            &["m arrived twice at dora@remote.example without a kill between"],
        );
    }

    #[test]
    fn what_was_not_promised_arrives_whole_or_not_at_all() {
        check(|ledger, _| ledger.end("m"), &[]);
        check(
            |ledger, letter| {
                ledger.end("m");
                ledger.arrive(&letter.content, HERE, 1);
            },
            &["m had no answer, and arrived at 1 of 2"],
        );
        check(
            |ledger, letter| {
                ledger.end("m");
                ledger.answer("m", HERE, false);
                ledger.arrive(&letter.content, HERE, 1);
            },
            &["m was refused and arrived at ann@example.org"],
        );
        check(
            |ledger, letter| {
                ledger.arrive(&letter.content, HERE, 1);
                ledger.arrive(&letter.content, ELSEWHERE, 1);
            },
            &[
                "m never ended and arrived at ann@example.org",
                "m never ended and arrived at dora@remote.example",
            ],
        );
    }

    #[test]
    fn what_was_promised_is_counted_by_its_size() {
        let mut letter = Letter::new("m".to_owned(), true, &mut Random::new(1));
        letter.recipients = vec![HERE, ELSEWHERE];
        for (octets, large) in [(5_000_000, 2), (4_999_999, 0)] {
            letter.content = vec![b'x'; octets];
            let mut ledger = Ledger::default();
            ledger.begin(&letter);
            assert_eq!(ledger.judge().promised_large, 0, "no answer yet");
            promise(&mut ledger);
            let tally = ledger.judge();
            assert_eq!((tally.promised, tally.promised_large), (2, large), "{octets} octets");
        }
    }

    #[test]
    fn every_octet_counts() {
        check(
            |ledger, letter| {
                promise(ledger);
                ledger.arrive(&letter.content, ELSEWHERE, 1);
                ledger.arrive(&[&letter.content[..], b"\r\n"].concat(), HERE, 1);
            },
            &["m arrived at ann@example.org and is not what was sent"],
        );
    }
}
