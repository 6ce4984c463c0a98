//! Writing commands. A literal waits for the server's word unless it has said that it need not.

use super::{Error, WireName};
use crate::SequenceSet;
use crate::set::SeqNumber;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Longest string in a command: names and passwords are shorter, and servers need not take more.
pub const MAX_STRING: usize = 65_536;
/// Longest string that goes in quotes; servers' lines are bounded (RFC 7162 §4: 8192 octets at least).
const MAX_QUOTED: usize = 500;

/// What of literals the server takes at once (RFC 7888).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Literals {
    /// After its word only.
    Synchronizing,
    /// Up to 4,096 octets: LITERAL-, which IMAP4rev2 has in it.
    Minus,
    /// LITERAL+.
    Plus,
}

/// A command: what comes before the server is to be waited for, and what after.
#[derive(Debug)]
pub(super) struct Writer {
    done: VecDeque<Bytes>,
    text: BytesMut,
    literals: Literals,
    unicode: bool,
    /// After a parenthesis: no space.
    opened: bool,
}

impl Writer {
    pub(super) fn new(tag: &str, literals: Literals, unicode: bool) -> Self {
        Self { done: VecDeque::new(), text: BytesMut::from(tag), literals, unicode, opened: false }
    }

    /// With the line's end.
    pub(super) fn finish(mut self) -> VecDeque<Bytes> {
        self.text.extend_from_slice(b"\r\n");
        self.done.push_back(self.text.freeze());
        self.done
    }

    /// What needs no quoting.
    pub(super) fn raw(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// A parenthesis, within which the next word needs no space.
    pub(super) fn open(&mut self) {
        self.word("(");
        self.opened = true;
    }

    fn space(&mut self) {
        if !std::mem::take(&mut self.opened) {
            self.raw(" ");
        }
    }

    /// With a space before it, as the others.
    pub(super) fn word(&mut self, text: &str) {
        self.space();
        self.raw(text);
    }

    /// Whether strings may be UTF-8.
    pub(super) fn unicode(&self) -> bool {
        self.unicode
    }

    /// From outside.
    pub(super) fn atom(&mut self, what: &'static str, text: &str) -> Result<(), Error> {
        let fits = !text.is_empty()
            && text.len() <= 1_000
            && text.bytes().all(|b| crate::is_atom_char(b) || b == b']');
        fits.then(|| self.word(text)).ok_or(Error::Character(what))
    }

    pub(super) fn string(&mut self, what: &'static str, text: &[u8]) -> Result<(), Error> {
        self.space();
        if text.contains(&0) {
            return Err(Error::Character(what));
        }
        if text.len() > MAX_STRING {
            return Err(Error::TooLong(what, MAX_STRING));
        }
        let unicode = self.unicode && std::str::from_utf8(text).is_ok();
        let quotable = text.iter().all(|byte| !b"\r\n".contains(byte) && (byte.is_ascii() || unicode));
        if quotable && text.len() <= MAX_QUOTED {
            self.text.extend_from_slice(b"\"");
            for byte in text {
                if b"\"\\".contains(byte) {
                    self.text.extend_from_slice(b"\\");
                }
                self.text.extend_from_slice(&[*byte]);
            }
            self.text.extend_from_slice(b"\"");
        } else {
            self.literal(text);
        }
        Ok(())
    }

    fn literal(&mut self, octets: &[u8]) {
        let at_once = match self.literals {
            Literals::Synchronizing => false,
            Literals::Minus => octets.len() <= 4_096,
            Literals::Plus => true,
        };
        let plus = if at_once { "+" } else { "" };
        self.raw(&format!("{{{}{plus}}}\r\n", octets.len()));
        if !at_once {
            self.done.push_back(self.text.split().freeze());
        }
        self.text.extend_from_slice(octets);
    }

    /// The head of a message that the caller sends when the server has said so.
    pub(super) fn message(mut self, size: u64) -> VecDeque<Bytes> {
        self.raw(&format!(" {{{size}}}"));
        self.finish()
    }

    pub(super) fn mailbox(&mut self, name: &WireName) -> Result<(), Error> {
        self.string("name of a mailbox", name.as_bytes())
    }

    pub(super) fn set(&mut self, what: &'static str, set: &SequenceSet) -> Result<(), Error> {
        let text = match set {
            SequenceSet::Saved => "$".to_owned(),
            SequenceSet::Numbers(ranges) | SequenceSet::WithSaved(ranges) => {
                let number = |number: &SeqNumber| match number {
                    SeqNumber::Number(number) => number.to_string(),
                    SeqNumber::Last => "*".to_owned(),
                };
                let range = |(first, last): &(SeqNumber, SeqNumber)| match first == last {
                    true => number(first),
                    false => format!("{}:{}", number(first), number(last)),
                };
                let end = set.has_saved().then(|| "$".to_owned());
                ranges.iter().map(range).chain(end).collect::<Vec<_>>().join(",")
            }
        };
        if text.is_empty() {
            return Err(Error::Nothing(what));
        }
        self.word(&text);
        Ok(())
    }
}
