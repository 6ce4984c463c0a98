//! The messages: alike but for their numbers, so that writing them costs nothing.

use crate::client::Content;
use address::Address;
use bytes::Bytes;
use std::fmt::Write as _;

/// Digits of a message's number.
const DIGITS: usize = 20;
/// A line of filling with its end: what mail programs write.
const LINE: usize = 78;

/// A message to be numbered. All of them share the text.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    before_number: String,
    after_number: String,
    text: Bytes,
}

impl Letter {
    /// Of `size` octets, or as many as its header needs. `run` makes its Message-IDs differ from those of others.
    pub(super) fn new(from: &Address, to: &Address, date: &jiff::Zoned, run: u64, size: usize) -> Self {
        let mut before_number = format!("From: <{from}>\r\nTo: <{to}>\r\nSubject: waypost bench\r\n");
        let date = jiff::fmt::rfc2822::to_string(date).unwrap_or_default();
        // Writing to a string cannot fail.
        if !date.is_empty() {
            let _ = write!(before_number, "Date: {date}\r\n");
        }
        let _ = write!(before_number, "Message-ID: <{run:016x}.");
        let after_number = format!("@{}>\r\n\r\n", from.host());
        let header = before_number.len() + DIGITS + after_number.len();
        let text = filling(size.saturating_sub(header)).into();
        Self { before_number, after_number, text }
    }

    pub(super) fn octets(&self) -> u64 {
        (self.before_number.len() + DIGITS + self.after_number.len() + self.text.len()) as u64
    }

    /// The message of this number.
    pub(super) fn numbered(&self, number: u64) -> Content {
        let Self { before_number, after_number, text } = self;
        let header = format!("{before_number}{number:0DIGITS$}{after_number}");
        Content { prefix: header.into(), ..Content::from_bytes(text.clone()) }
    }
}

/// Lines of text, `size` octets in all; the last one is shorter, or longer by what is too short for a line.
fn filling(size: usize) -> Vec<u8> {
    let mut octets = Vec::with_capacity(size);
    while let Some(left @ 2..) = size.checked_sub(octets.len()) {
        let line = if left <= LINE + 1 { left } else { LINE };
        octets.resize(octets.len() + line - 2, b'x');
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(size: usize) -> Letter {
        let address: Address = "a@example.org".parse().unwrap();
        Letter::new(&address, &address, &jiff::Zoned::now(), 7, size)
    }

    fn text(letter: &Letter, number: u64) -> String {
        let Content { prefix, body } = letter.numbered(number);
        String::from_utf8([&prefix[..], &body.in_memory().unwrap()[..]].concat()).unwrap()
    }

    #[test]
    fn a_letter_has_its_size_and_short_whole_lines() {
        let smallest = letter(0).octets();
        for size in (smallest + 2..smallest + 400).chain([1 << 16, 1 << 20]) {
            let letter = letter(usize::try_from(size).unwrap());
            assert_eq!(letter.octets(), size);
            let text = text(&letter, 1);
            assert!(text.ends_with("\r\n") && text.lines().all(|line| line.len() < 80), "{size}");
        }
        assert_eq!(letter(1).octets(), smallest);
    }

    #[test]
    fn each_number_makes_another_message_id() {
        let letter = letter(0);
        let last = text(&letter, u64::MAX);
        assert!(
            last.contains("Message-ID: <0000000000000007.18446744073709551615@example.org>\r\n"),
            "{last}"
        );
        let first = text(&letter, 1);
        assert!(first.contains("7.00000000000000000001@example.org>\r\n"), "{first}");
    }
}
