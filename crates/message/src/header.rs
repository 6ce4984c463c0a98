//! Reading header fields from raw bytes (RFC 5322 §2.2), without copying and without ever failing.
//!
//! What arrives is not always a header: lines without a colon, binary, lines that end in a bare LF, no empty
//! line at all. Every byte before the first empty line belongs to exactly one [`Field`], malformed ones too, so that
//! nothing hides between two fields.

use address::Address;
use std::ops::Range;

/// Largest header that intake should take, in octets. RFC 5322 sets no bound; this is ten times what large
/// legitimate headers need (Exim's `header_maxsize` is the same), and a larger one costs every later reader.
pub const MAX_HEADER: usize = 1024 * 1024;
/// Longest field name looked at, in octets: RFC 5322 §2.1.1 allows no line longer.
pub const MAX_NAME: usize = 998;

/// The header of a message: everything up to the first empty line.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    raw: &'a [u8],
    body: usize,
    complete: bool,
}

impl<'a> Header<'a> {
    /// Finds the header of `message`. Lines end with CRLF or LF (a bare CR ends nothing). Without an empty line all of
    /// it is header.
    pub fn parse(message: &'a [u8]) -> Self {
        let mut start = 0;
        while let Some(rest) = message.get(start..) {
            let Some(lf) = memchr::memchr(b'\n', rest) else { break };
            if matches!(&rest[..lf], b"" | b"\r") {
                return Self { raw: &message[..start], body: start + lf + 1, complete: true };
            }
            start += lf + 1;
        }
        Self { raw: message, body: message.len(), complete: false }
    }

    /// The fields' bytes, without the empty line.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// Octets of the header, without the empty line. To be compared with [`MAX_HEADER`].
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Where the body starts in the message: after the empty line, or at the end when there is none.
    pub fn body_offset(&self) -> usize {
        self.body
    }

    /// Whether the empty line was there.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// All fields in order.
    pub fn fields(&self) -> Fields<'a> {
        Fields { raw: self.raw, next: 0 }
    }

    /// The fields of this name, whatever their case.
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = Field<'a>> + use<'a, 'n> {
        self.fields().filter(move |field| field.is(name))
    }

    /// The first field of this name.
    pub fn get(&self, name: &str) -> Option<Field<'a>> {
        self.all(name).next()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// How many servers the message has passed: its `Received` fields (RFC 5321 §6.3).
    pub fn hops(&self) -> usize {
        self.all("Received").count()
    }

    /// Whether the message was delivered to this address before: a `Delivered-To` says so, and delivering it again
    /// would be a loop.
    pub fn was_delivered_to(&self, address: &Address) -> bool {
        let folded = address.folded();
        self.all("Delivered-To").any(|field| {
            let value = field.value();
            let value = value.trim_start_matches('<').trim_end_matches('>');
            value.parse::<Address>().is_ok_and(|seen| seen.folded() == folded)
        })
    }
}

/// The iterator of [`Header::fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    raw: &'a [u8],
    next: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let start = self.next;
        if start >= self.raw.len() {
            return None;
        }
        let mut end = start;
        loop {
            end = memchr::memchr(b'\n', &self.raw[end..]).map_or(self.raw.len(), |lf| end + lf + 1);
            // A line that starts with white space continues the field (RFC 5322 §2.2.3).
            if !matches!(self.raw.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        self.next = end;
        Some(Field::read(&self.raw[start..end], start))
    }
}

/// One header field with its continuation lines, or a malformed line.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    bytes: &'a [u8],
    offset: usize,
    name: Option<&'a str>,
    value: usize,
}

impl<'a> Field<'a> {
    pub(crate) fn read(bytes: &'a [u8], offset: usize) -> Self {
        let malformed = Self { bytes, offset, name: None, value: 0 };
        let window = &bytes[..bytes.len().min(MAX_NAME)];
        let Some(colon) = memchr::memchr(b':', window) else { return malformed };
        // White space before the colon is obsolete but read (RFC 5322 §4.5.3).
        let name = bytes[..colon].trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return malformed;
        }
        Self { name: std::str::from_utf8(name).ok(), value: colon + 1, ..malformed }
    }

    /// The name as it is written, or `None` for a line that is no field.
    pub fn name(&self) -> Option<&'a str> {
        self.name
    }

    /// Whether the field has this name, whatever its case.
    pub fn is(&self, name: &str) -> bool {
        self.name.is_some_and(|own| own.eq_ignore_ascii_case(name))
    }

    /// Everything after the colon, with folding, without the last line end. All of a malformed line.
    pub fn raw_value(&self) -> &'a [u8] {
        let value = &self.bytes[self.value..];
        let value = value.strip_suffix(b"\n").unwrap_or(value);
        value.strip_suffix(b"\r").unwrap_or(value)
    }

    /// The value unfolded and trimmed; what is not UTF-8 becomes U+FFFD. Encoded words stay as they are.
    pub fn value(&self) -> String {
        let text = String::from_utf8_lossy(self.raw_value());
        text.trim_matches([' ', '\t', '\r', '\n']).replace(['\r', '\n'], "")
    }

    /// All of the field with its line ends.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the field stands in the message.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(input: &str, fields: &[(&str, &str)], body: usize) {
        let header = Header::parse(input.as_bytes());
        let seen: Vec<_> = header.fields().map(|f| (f.name().unwrap_or("").to_owned(), f.value())).collect();
        let seen: Vec<_> = seen.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!((seen.as_slice(), header.body_offset()), (fields, body), "{input:?}");
    }

    #[test]
    fn fields_read_as_rfc_5322_says() {
        check("A: b\r\nC:d\r\n\r\nbody", &[("A", "b"), ("C", "d")], 13);
        check("A: b\r\n c\r\n\td\r\n\r\n", &[("A", "b c\td")], 16);
        check("A : b\r\n\r\n", &[("A", "b")], 9);
        check("A:\r\n\r\n", &[("A", "")], 6);
        check("\r\nbody", &[], 2);
        check("", &[], 0);
    }

    #[test]
    fn odd_input_is_read_too() {
        check("A: b\nC: d\n\nbody", &[("A", "b"), ("C", "d")], 11);
        check("A: b\n\r\nbody", &[("A", "b")], 7);
        check("A: b", &[("A", "b")], 4);
        check("A: b\rC: d", &[("A", "bC: d")], 9);
        check("no colon\r\nA: b\r\n\r\n", &[("", "no colon"), ("A", "b")], 18);
        check(" starts folded\r\nA: b\r\n", &[("", "starts folded"), ("A", "b")], 22);
        check("From a@b Sat Jan 1 10:00\nA: b\n\n", &[("", "From a@b Sat Jan 1 10:00"), ("A", "b")], 31);
        check("ü: b\r\n: c\r\n", &[("", "ü: b"), ("", ": c")], 12);
    }

    #[test]
    fn hops_and_loops_are_counted() {
        let raw = b"received: a\r\nReceived: b\r\nDelivered-To: <Me@Example.org>\r\nX: Received: c\r\n\r\nReceived: d\r\n";
        let header = Header::parse(raw);
        assert_eq!(header.hops(), 2);
        assert!(header.was_delivered_to(&"me@example.ORG".parse().unwrap()));
        assert!(!header.was_delivered_to(&"you@example.org".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn every_byte_of_the_header_is_in_one_field(raw in "([a-zA:\\r\\n \t\\x00é]|\r\n){0,60}") {
            let header = Header::parse(raw.as_bytes());
            let mut next = 0;
            for field in header.fields() {
                prop_assert_eq!(field.range().start, next);
                next = field.range().end;
                let _ = (field.name(), field.value());
            }
            prop_assert_eq!(next, header.len());
            prop_assert!(header.body_offset() <= raw.len());
        }
    }
}
