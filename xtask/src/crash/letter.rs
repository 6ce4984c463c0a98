//! What is sent: messages that can be told apart, and whose every octet is known.

use crate::installation::HOPS;
use crate::random::Random;
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt::Write as _;
use std::ops::Range;

/// Mailboxes here.
pub(super) const LOCAL: [&str; 2] = ["ann@example.org", "bob@example.org"];
/// At the next server.
pub(super) const REMOTE: [&str; 2] = ["dora@remote.example", "emil@other.example"];
/// Who submits.
pub(super) const SUBMITTER: &str = LOCAL[0];

/// The first field of what is sent: whatever stands before it was added on the way.
const MARK: &str = "X-Crash: ";
/// Lines of a large message: with this many it has [`LARGE_OCTETS`].
const LARGE: Range<u64> = 70_000..76_000;
/// Of a large message, at least.
const LARGE_OCTETS: usize = 5_000_000;
/// Of a small one.
const SMALL: Range<u64> = 1..60;
/// Of one that is larger than what is kept among others in a database, and smaller than the large ones.
const MIDDLING: Range<u64> = 2_000..5_000;
/// Once in so many messages one is large, or middling.
const ONE_IN_LARGE: u64 = 150;
const ONE_IN_MIDDLING: u64 = 25;
/// Once in so many messages something is wrong with one.
const ONE_IN_FLAWED: u64 = 12;

/// The SHA-256 of a message as it was sent.
pub(super) type Digest = [u8; 32];

/// Why a message must not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Its sender goes away in the middle.
    Unfinished,
    /// Its sender thinks better of it: RSET between two chunks. Without chunks, it is [`Flaw::Unfinished`].
    Reset,
    /// It has a bare LF (RFC 5321 §2.3.8).
    BareNewline,
    /// It has been everywhere (RFC 5321 §6.3).
    Loop,
}

#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) name: String,
    pub(super) recipients: Vec<&'static str>,
    pub(super) flaw: Option<Flaw>,
    pub(super) content: Vec<u8>,
}

impl Letter {
    /// `everywhere`: for recipients elsewhere too.
    pub(super) fn new(name: String, everywhere: bool, random: &mut Random) -> Self {
        let mut recipients: Vec<&'static str> = LOCAL.into_iter().filter(|_| random.one_in(2)).collect();
        if everywhere {
            recipients.extend(REMOTE.into_iter().filter(|_| random.one_in(2)));
        }
        if recipients.is_empty() {
            recipients.push(if everywhere { REMOTE[0] } else { LOCAL[0] });
        }
        let flaws = [Flaw::Unfinished, Flaw::Reset, Flaw::BareNewline, Flaw::Loop];
        let flaw = random.one_in(ONE_IN_FLAWED).then(|| flaws[usize::from(random.below(4).to_le_bytes()[0])]);
        let range = match () {
            () if random.one_in(ONE_IN_LARGE) => LARGE,
            () if random.one_in(ONE_IN_MIDDLING) => MIDDLING,
            () => SMALL,
        };
        let lines = range.start + random.below(range.end - range.start);
        let content = content(&name, lines, flaw);
        Self { name, recipients, flaw, content }
    }

    /// One of 5 MB for a mailbox here, and `everywhere`: for a recipient elsewhere too.
    pub(super) fn large(name: String, everywhere: bool) -> Self {
        let mut recipients = vec![LOCAL[0]];
        recipients.extend(REMOTE.first().copied().filter(|_| everywhere));
        let content = content(&name, LARGE.start, None);
        Self { name, recipients, flaw: None, content }
    }

    pub(super) fn is_large(&self) -> bool {
        self.content.len() >= LARGE_OCTETS
    }

    pub(super) fn digest(&self) -> Digest {
        digest_of(&self.content)
    }
}

fn content(name: &str, lines: u64, flaw: Option<Flaw>) -> Vec<u8> {
    let mut text = format!(
        "{MARK}{name}\r\nFrom: <{SUBMITTER}>\r\nTo: undisclosed-recipients:;\r\nSubject: {name}\r\n\
         Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <{name}@crash.example>\r\n"
    );
    if flaw == Some(Flaw::Loop) {
        text.push_str(&"Received: from here by here; Thu, 1 Jan 2026 00:00:00 +0000\r\n".repeat(HOPS + 1));
    }
    text.push_str("\r\n");
    for line in 0..lines {
        // Every seventh line begins with a dot, some are nothing else; all but those have 76 octets.
        let start = ["", "", "", "", "", "", "."][usize::try_from(line % 7).unwrap_or(0)];
        let end = if line % 49 == 48 { "" } else { "the quick brown fox jumps over the lazy dog" };
        let _ = match end {
            "" => write!(text, "{start}\r\n"),
            end => write!(text, "{start}{line:>8} {name:<20} {end}\r\n"),
        };
    }
    if flaw == Some(Flaw::BareNewline) {
        text.push_str("this line ends with half an end\nand this one well\r\n");
    }
    text.into_bytes()
}

pub(super) fn digest_of(content: &[u8]) -> Digest {
    let mut octets = [0; 32];
    octets.copy_from_slice(digest(&SHA256, content).as_ref());
    octets
}

/// The name in a message that arrived, and all of it as it was sent. `None`: it is another's, a notification's perhaps.
pub(super) fn recognise(message: &[u8]) -> Option<(&str, &[u8])> {
    let mark = MARK.as_bytes();
    let mut from = 0;
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        if line == b"\r\n" {
            return None;
        }
        if let Some(name) = line.strip_prefix(mark) {
            return Some((std::str::from_utf8(name).ok()?.trim_end(), message.get(from..)?));
        }
        from += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_is_recognised_below_what_was_added() {
        let sent = content("r1", 3, None);
        let arrived = [b"Received: by us\r\n", &sent[..]].concat();
        assert_eq!(recognise(&arrived), Some(("r1", &sent[..])));
        assert_eq!(recognise(b"From: a@b\r\n\r\nX-Crash: r1\r\n"), None);
    }

    #[test]
    fn some_have_5_mb() {
        assert!(Letter::large("r1".to_owned(), true).is_large());
        assert!(content("r1", SMALL.end, None).len() < 8_000);
    }
}
