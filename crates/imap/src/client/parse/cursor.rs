//! Walks along a response. Functions give `None` where the text is not what they read, and may have gone on by then.

use super::Place;
use crate::Flag;
use crate::set::{MAX_RANGES, Runs};

/// Deepest nesting of parentheses in what is passed over.
const MAX_SKIPPED_DEPTH: usize = 100;

#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    place: Place<'a>,
    at: usize,
}

/// A string, or what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    Nil,
    Octets(Vec<u8>),
    /// It was given out in pieces.
    Streamed,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(place: Place<'a>) -> Self {
        Self { place, at: 0 }
    }

    pub(super) fn unicode(&self) -> bool {
        self.place.unicode
    }

    fn ahead(&self) -> &'a [u8] {
        self.place.octets.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.ahead().first().copied()
    }

    /// What is left of the line.
    pub(super) fn rest(&self) -> &'a [u8] {
        let rest = self.ahead();
        let rest = rest.strip_suffix(b"\n").unwrap_or(rest);
        rest.strip_suffix(b"\r").unwrap_or(rest)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest().iter().all(|byte| *byte == b' ')
    }

    pub(super) fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    pub(super) fn skip(&mut self, octets: usize) {
        self.at += octets;
    }

    /// Any number of them, none as well.
    pub(super) fn spaces(&mut self) {
        while self.take(b' ') {}
    }

    fn run(&mut self, fits: impl Fn(u8) -> bool) -> Option<&'a str> {
        let ahead = self.ahead();
        let len = ahead.iter().position(|byte| !fits(*byte)).unwrap_or(ahead.len());
        self.at += len;
        std::str::from_utf8(ahead.get(..len)?).ok().filter(|text| !text.is_empty())
    }

    /// What has no space, bracket, brace, parenthesis or quote in it: a keyword, a tag, an item's name.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        self.run(|byte| byte > b' ' && byte != 0x7f && !b"()[]{}<>\"".contains(&byte))
    }

    /// An atom as servers write them: no space, no parenthesis, no quote. With a backslash before it: a flag.
    pub(super) fn atom(&mut self) -> Option<&'a str> {
        self.run(|byte| byte > b' ' && byte != 0x7f && !b"()\"".contains(&byte))
    }

    /// The same up to the end of a response code.
    pub(super) fn code_atom(&mut self) -> Option<&'a str> {
        self.run(|byte| byte > b' ' && byte != 0x7f && !b"()\"]".contains(&byte))
    }

    pub(super) fn number<N: TryFrom<u64>>(&mut self) -> Option<N> {
        let digits = self.run(|byte| byte.is_ascii_digit())?;
        N::try_from(digits.parse().ok()?).ok()
    }

    pub(super) fn nil(&mut self) -> bool {
        let nil = self.ahead().get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"NIL"))
            && self.ahead().get(3).is_none_or(|byte| b" )]\r\n".contains(byte));
        self.at += if nil { 3 } else { 0 };
        nil
    }

    /// `nstring`, or `astring` where a server is careless.
    pub(super) fn text(&mut self) -> Option<Text> {
        match self.peek()? {
            b'"' => self.quoted().map(Text::Octets),
            b'{' | b'~' if self.ahead().starts_with(b"{") || self.ahead().starts_with(b"~{") => {
                self.literal()
            }
            _ if self.nil() => Some(Text::Nil),
            _ => self.atom().map(|atom| Text::Octets(atom.as_bytes().to_vec())),
        }
    }

    pub(super) fn nstring(&mut self) -> Option<Option<Vec<u8>>> {
        match self.text()? {
            Text::Nil => Some(None),
            Text::Octets(octets) => Some(Some(octets)),
            Text::Streamed => None,
        }
    }

    /// NIL is nothing in it.
    pub(super) fn string(&mut self) -> Option<Vec<u8>> {
        self.nstring().map(Option::unwrap_or_default)
    }

    /// An atom `NIL` is a word here.
    pub(super) fn astring(&mut self) -> Option<Vec<u8>> {
        match self.peek()? {
            b'"' | b'{' | b'~' => self.string(),
            _ => self.atom().map(|atom| atom.as_bytes().to_vec()),
        }
    }

    /// The same, not UTF-8 replaced.
    pub(super) fn astring_text(&mut self) -> Option<String> {
        self.astring().map(|octets| String::from_utf8_lossy(&octets).into_owned())
    }

    fn quoted(&mut self) -> Option<Vec<u8>> {
        self.expect(b'"')?;
        let mut out = Vec::new();
        loop {
            let ahead = self.ahead();
            let len = memchr::memchr3(b'"', b'\\', b'\n', ahead)?;
            out.extend_from_slice(ahead.get(..len)?);
            self.at += len + 1;
            match ahead.get(len)? {
                b'"' => return Some(out),
                b'\\' => {
                    out.push(self.peek().filter(|byte| !b"\r\n".contains(byte))?);
                    self.at += 1;
                }
                _ => return None,
            }
        }
    }

    fn literal(&mut self) -> Option<Text> {
        self.take(b'~');
        self.expect(b'{')?;
        let len: usize = self.number()?;
        self.take(b'+');
        self.expect(b'}')?;
        self.take(b'\r');
        self.expect(b'\n')?;
        if self.place.streamed.contains(&self.at) {
            return Some(Text::Streamed);
        }
        let octets = self.ahead().get(..len)?.to_vec();
        self.at += len;
        Some(Text::Octets(octets))
    }

    /// Whether what has come ends with the head of a literal that a section's name stands before: a cheap look before the
    /// real one.
    pub(super) fn ends_with_section(&self) -> bool {
        let before = self.place.octets.iter().rposition(|byte| *byte == b'{').unwrap_or(0);
        let head = self.place.octets.get(..before).unwrap_or_default();
        let head = head.strip_suffix(b"~").unwrap_or(head).trim_ascii_end();
        let ends =
            |end: &[u8]| head.len() >= end.len() && head[head.len() - end.len()..].eq_ignore_ascii_case(end);
        [&b"]"[..], b">", b"RFC822", b"RFC822.HEADER", b"RFC822.TEXT"].into_iter().any(ends)
    }

    /// Whether the head of a literal is all that is left.
    pub(super) fn is_at_open_literal(&self) -> bool {
        let mut ahead = *self;
        ahead.take(b'~');
        ahead.expect(b'{').is_some()
            && ahead.number::<u64>().is_some()
            && {
                ahead.take(b'+');
                ahead.take(b'}')
            }
            && ahead.rest().is_empty()
    }

    /// What `one` reads, in parentheses.
    pub(super) fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.expect(b'(')?;
        let mut items = Vec::new();
        loop {
            self.spaces();
            if self.take(b')') {
                return Some(items);
            }
            items.push(one(self)?);
        }
    }

    /// What `one` reads, up to the end of the line.
    pub(super) fn all<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        loop {
            self.spaces();
            if self.is_at_end() {
                return Some(items);
            }
            items.push(one(self)?);
        }
    }

    /// Those that can be: neither `\Recent`, nor flags of others' making.
    pub(super) fn flags(&mut self) -> Option<Vec<Flag>> {
        self.flags_of_message().map(|(flags, _recent)| flags)
    }

    /// The same, and whether `\Recent` is among them.
    pub(super) fn flags_of_message(&mut self) -> Option<(Vec<Flag>, bool)> {
        let words = self.list(Self::atom)?;
        let recent = words.iter().any(|word| word.eq_ignore_ascii_case("\\Recent"));
        Some((words.into_iter().filter_map(Flag::parse).collect(), recent))
    }

    /// `1:3,7`, in whatever order.
    pub(super) fn runs(&mut self) -> Option<Runs> {
        self.ranges().map(|ranges| Runs::from_ranges(ranges.into_iter().map(|(a, b)| a.min(b)..=a.max(b))))
    }

    /// As they stand; a number is a range of one.
    pub(super) fn ranges(&mut self) -> Option<Vec<(u32, u32)>> {
        let mut ranges = Vec::new();
        loop {
            let first = self.number().filter(|number| *number > 0)?;
            let last = if self.take(b':') { self.number().filter(|number| *number > 0)? } else { first };
            ranges.push((first, last));
            if !self.take(b',') {
                return Some(ranges);
            }
            if ranges.len() >= MAX_RANGES * 8 {
                return None;
            }
        }
    }

    /// Passes over an atom, a string, or a list of them, with what may follow an atom in brackets.
    pub(super) fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0;
        loop {
            self.spaces();
            if self.take(b'(') {
                depth += 1;
                if depth > MAX_SKIPPED_DEPTH {
                    return None;
                }
                continue;
            } else if depth > 0 && self.take(b')') {
                depth -= 1;
            } else {
                self.text()?;
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}
