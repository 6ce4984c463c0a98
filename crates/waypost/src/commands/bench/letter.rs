//! The messages: alike but for their numbers, so that writing them costs nothing.

use address::Address;
use std::fmt::Write as _;
use std::sync::Arc;

/// Octets that each connection has of its own; the rest of a large message is shared by all.
const OWN: usize = crate::client::PIECE;
/// Digits of a message's number.
const DIGITS: usize = 20;
/// A line of filling with its end: what mail programs write.
const LINE: usize = 78;

/// A message to be numbered. Clones share all but the beginning.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    head: Vec<u8>,
    rest: Arc<[u8]>,
    number_at: usize,
}

impl Letter {
    /// Of `size` octets, or as many as its header needs. `run` makes its Message-IDs differ from those of others.
    pub(super) fn new(from: &Address, to: &Address, date: &jiff::Zoned, run: u64, size: usize) -> Self {
        let mut text = String::new();
        let date = jiff::fmt::rfc2822::to_string(date).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(text, "From: <{from}>\r\nTo: <{to}>\r\nSubject: waypost bench\r\n");
        if !date.is_empty() {
            let _ = write!(text, "Date: {date}\r\n");
        }
        let _ = write!(text, "Message-ID: <{run:016x}.");
        let number_at = text.len();
        let _ = write!(text, "{:0DIGITS$}@{}>\r\n\r\n", 0, from.host());
        let mut octets = text.into_bytes();
        fill(&mut octets, size);
        let rest = octets.split_off(octets.len().min(OWN));
        Self { head: octets, rest: rest.into(), number_at }
    }

    pub(super) fn octets(&self) -> u64 {
        (self.head.len() + self.rest.len()) as u64
    }

    /// The message of this number.
    pub(super) fn numbered(&mut self, number: u64) -> [&[u8]; 2] {
        let digits = format!("{number:0DIGITS$}");
        if let Some(place) = self.head.get_mut(self.number_at..self.number_at + DIGITS) {
            place.copy_from_slice(digits.as_bytes());
        }
        [&self.head, &self.rest]
    }
}

/// Lines of text up to `size` octets; the last one is shorter, or longer by what is too short for a line.
fn fill(octets: &mut Vec<u8>, size: usize) {
    while let Some(left @ 2..) = size.checked_sub(octets.len()) {
        let line = if left <= LINE + 1 { left } else { LINE };
        octets.resize(octets.len() + line - 2, b'x');
        octets.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(size: usize) -> Letter {
        let address: Address = "a@example.org".parse().unwrap();
        Letter::new(&address, &address, &jiff::Zoned::now(), 7, size)
    }

    #[test]
    fn a_letter_has_its_size_and_short_whole_lines() {
        let smallest = letter(0).octets();
        for size in (smallest + 2..smallest + 400).chain([OWN as u64, OWN as u64 + 1, 1 << 20]) {
            let mut letter = letter(usize::try_from(size).unwrap());
            assert_eq!(letter.octets(), size);
            let text = String::from_utf8(letter.numbered(1).concat()).unwrap();
            assert!(text.ends_with("\r\n") && text.lines().all(|line| line.len() < 80), "{size}");
        }
        assert_eq!(letter(1).octets(), smallest);
    }

    #[test]
    fn each_number_makes_another_message_id() {
        let mut letter = letter(0);
        let last = String::from_utf8(letter.numbered(u64::MAX).concat()).unwrap();
        assert!(
            last.contains("Message-ID: <0000000000000007.18446744073709551615@example.org>\r\n"),
            "{last}"
        );
        let first = String::from_utf8(letter.numbered(1).concat()).unwrap();
        assert!(first.contains("7.00000000000000000001@example.org>\r\n"), "{first}");
    }
}
