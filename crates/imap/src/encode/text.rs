//! The words that responses are made of: numbers, atoms, strings, dates.

use super::Encoder;
use crate::MailboxName;
use crate::name::encode_utf7;
use crate::set::Runs;
use jiff::Zoned;

/// Longest quoted string, in octets. RFC 9051 sets no bound; what is longer goes as a literal, which no client has to scan for
/// its end.
const MAX_QUOTED: usize = 1_000;

impl Encoder<'_> {
    pub(super) fn raw(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    pub(super) fn nil(&mut self) {
        self.raw(b"NIL");
    }

    /// `word SP number`.
    pub(super) fn labelled(&mut self, label: &[u8], value: impl Into<u64>) {
        self.raw(label);
        self.raw(b" ");
        self.number(value);
    }

    pub(super) fn number(&mut self, value: impl Into<u64>) {
        let mut digits = [0; 20];
        let start = write_digits(value.into(), &mut digits);
        self.raw(digits.get(start..).unwrap_or_default());
    }

    pub(super) fn runs(&mut self, runs: &Runs) {
        for (index, range) in runs.ranges().enumerate() {
            if index > 0 {
                self.raw(b",");
            }
            self.number(*range.start());
            if range.end() > range.start() {
                self.raw(b":");
                self.number(*range.end());
            }
        }
    }

    /// What `one` writes for each, with a space between.
    pub(super) fn spaced<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut one: impl FnMut(&mut Self, T),
    ) {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.raw(b" ");
            }
            one(self, item);
        }
    }

    /// The same in parentheses.
    pub(super) fn list<T>(&mut self, items: impl IntoIterator<Item = T>, one: impl FnMut(&mut Self, T)) {
        self.raw(b"(");
        self.spaced(items, one);
        self.raw(b")");
    }

    /// What this server chose as an atom. What is none is left out, character by character: it must not break the line.
    pub(super) fn atom(&mut self, text: &str) {
        match text.bytes().all(is_astring_char) {
            true => self.raw(text.as_bytes()),
            false => text.bytes().filter(|byte| is_astring_char(*byte)).for_each(|byte| self.raw(&[byte])),
        }
    }

    /// An atom where that is enough, else a string.
    pub(super) fn astring(&mut self, text: &str) {
        // NIL would be right, and is taken for nothing by some.
        let plain =
            !text.is_empty() && text.bytes().all(is_astring_char) && !text.eq_ignore_ascii_case("NIL");
        match plain {
            true => self.raw(text.as_bytes()),
            false => self.string(text.as_bytes()),
        }
    }

    pub(super) fn nstring(&mut self, text: Option<impl AsRef<[u8]>>) {
        match text {
            Some(text) => self.string(text.as_ref()),
            None => self.nil(),
        }
    }

    /// Quoted when it can be, else a literal. NUL, which a string cannot hold (RFC 9051 §4.3), is left out.
    pub(super) fn string(&mut self, text: &[u8]) {
        match self.quotable(text) {
            true => self.quoted(text),
            false if text.contains(&0) => {
                let clean: Vec<u8> = text.iter().copied().filter(|byte| *byte != 0).collect();
                self.string(&clean);
            }
            false => self.literal(text, false),
        }
    }

    fn quotable(&self, text: &[u8]) -> bool {
        let mut ascii = true;
        for byte in text {
            match byte {
                0 | b'\r' | b'\n' => return false,
                0x80.. => ascii = false,
                _ => {}
            }
        }
        text.len() <= MAX_QUOTED && (ascii || (self.enabled.unicode() && std::str::from_utf8(text).is_ok()))
    }

    fn quoted(&mut self, text: &[u8]) {
        self.raw(b"\"");
        let mut rest = text;
        while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
            let (clean, special) = rest.split_at(at);
            self.raw(clean);
            self.raw(b"\\");
            let (special, after) = special.split_at(1);
            self.raw(special);
            rest = after;
        }
        self.raw(rest);
        self.raw(b"\"");
    }

    /// All of it, however short.
    pub(super) fn literal(&mut self, octets: &[u8], binary: bool) {
        self.literal_head(octets.len() as u64, binary);
        self.raw(octets);
    }

    /// `{5}`, or `~{5}` when the octets may hold NUL.
    pub(super) fn literal_head(&mut self, size: u64, binary: bool) {
        self.raw(if binary { b"~{" } else { b"{" });
        self.number(size);
        self.raw(b"}\r\n");
    }

    pub(super) fn mailbox(&mut self, name: &MailboxName) {
        self.mailbox_text(name.as_str());
    }

    /// The same for a name that is none of a mailbox's, as the answer to `LIST "" ""`.
    pub(super) fn mailbox_text(&mut self, name: &str) {
        match self.enabled.unicode() {
            true => self.astring(name),
            false => self.astring(&encode_utf7(name)),
        }
    }

    /// As a string, where the grammar has no atom.
    pub(super) fn mailbox_string(&mut self, name: &str) {
        match self.enabled.unicode() {
            true => self.string(name.as_bytes()),
            false => self.string(encode_utf7(name).as_bytes()),
        }
    }

    /// For people. On one line, in ASCII for those who know no more, and never with the look of a response code.
    pub(super) fn response_text(&mut self, text: &str) {
        if text.is_empty() {
            // RFC 3501's grammar has no empty text.
            return self.raw(b"done");
        }
        for (index, character) in text.chars().enumerate() {
            match character {
                '[' if index == 0 => self.raw(b"("),
                character if character.is_control() => self.raw(b" "),
                character if !character.is_ascii() && !self.enabled.unicode() => self.raw(b"?"),
                character => self.raw(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    /// `"17-Jul-1996 02:44:25 -0700"`. Seconds of a zone, which the form has no place for, go into the time.
    pub(crate) fn date_time(&mut self, at: &Zoned) {
        const MONTHS: [&[u8; 5]; 12] = [
            b"-Jan-", b"-Feb-", b"-Mar-", b"-Apr-", b"-May-", b"-Jun-", b"-Jul-", b"-Aug-", b"-Sep-",
            b"-Oct-", b"-Nov-", b"-Dec-",
        ];
        let minutes = at.offset().seconds() / 60;
        let local = match at.offset().seconds() % 60 {
            0 => at.datetime(),
            _ => jiff::tz::Offset::from_seconds(minutes * 60)
                .unwrap_or(jiff::tz::Offset::UTC)
                .to_datetime(at.timestamp()),
        };
        let mut text = *b"\"00-Jan-0000 00:00:00 +0000\"";
        let two = |value: i32| [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8];
        text[1..3].copy_from_slice(&two(local.day().into()));
        if text[1] == b'0' {
            text[1] = b' ';
        }
        text[3..8].copy_from_slice(MONTHS[(local.month() as usize).saturating_sub(1).min(11)]);
        let year = i32::from(local.year()).clamp(0, 9999);
        text[8..10].copy_from_slice(&two(year / 100));
        text[10..12].copy_from_slice(&two(year % 100));
        text[13..15].copy_from_slice(&two(local.hour().into()));
        text[16..18].copy_from_slice(&two(local.minute().into()));
        text[19..21].copy_from_slice(&two(local.second().into()));
        text[22] = if minutes < 0 { b'-' } else { b'+' };
        text[23..25].copy_from_slice(&two(minutes.abs() / 60));
        text[25..27].copy_from_slice(&two(minutes.abs() % 60));
        self.raw(&text);
    }
}

/// `ASTRING-CHAR` (RFC 9051 §9).
fn is_astring_char(byte: u8) -> bool {
    crate::is_atom_char(byte) || byte == b']'
}

/// Into the end of `digits`; returns where they begin.
fn write_digits(mut value: u64, digits: &mut [u8; 20]) -> usize {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return at;
        }
    }
}
