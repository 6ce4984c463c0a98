//! A message's header as signatures see it: fields as raw octets, found by name from the bottom.

use memchr::memchr;
use std::cmp::Ordering;

/// One header field, its folds and white space as they came, without its final CRLF.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) raw: &'a [u8],
    colon: usize,
}

impl<'a> Field<'a> {
    /// `raw` is one field, perhaps folded, without the CRLF at its end. `None` when it has no field name.
    pub(crate) fn parse(raw: &'a [u8]) -> Option<Self> {
        let colon = memchr(b':', raw)?;
        let field = Self { raw, colon };
        let name = field.name();
        (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(field)
    }

    /// The name without the white space that old messages have before the colon (RFC 5322 §4.5.8).
    pub(crate) fn name(&self) -> &'a [u8] {
        let name = &self.raw[..self.colon];
        let space = name.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
        &name[..name.len() - space]
    }

    /// Everything after the colon.
    pub(crate) fn value(&self) -> &'a [u8] {
        &self.raw[self.colon + 1..]
    }
}

/// The fields of a header in their order, and an index by name.
pub(crate) struct Header<'a> {
    fields: Vec<Field<'a>>,
    /// Indices of `fields`, by name without case, in the order of [`compare_names`], and then by place.
    by_name: Vec<usize>,
}

impl<'a> Header<'a> {
    /// Reads up to the empty line or the end. Lines that are no field (an mbox "From " line, garbage) are
    /// left out with their continuation lines. Only CRLF ends a line.
    pub(crate) fn parse(octets: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        let mut rest = octets;
        while !rest.is_empty() && !rest.starts_with(b"\r\n") {
            let (raw, after) = split_field(rest);
            fields.extend(Field::parse(raw));
            rest = after;
        }
        let mut by_name: Vec<usize> = (0..fields.len()).collect();
        by_name.sort_by(|a, b| compare_names(fields[*a].name(), fields[*b].name()));
        Self { fields, by_name }
    }

    pub(crate) fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The places of the fields of that name, from top to bottom.
    pub(crate) fn places(&self, name: &[u8]) -> &[usize] {
        let start = self.by_name.partition_point(|i| compare_names(self.fields[*i].name(), name).is_lt());
        let len =
            self.by_name[start..].partition_point(|i| compare_names(self.fields[*i].name(), name).is_eq());
        &self.by_name[start..start + len]
    }
}

/// Cuts one field with its continuation lines off the front, and the CRLF after it.
fn split_field(octets: &[u8]) -> (&[u8], &[u8]) {
    let mut from = 0;
    while let Some(lf) = memchr(b'\n', &octets[from..]).map(|at| from + at) {
        from = lf + 1;
        let ends = lf > 0 && octets[lf - 1] == b'\r' && !matches!(octets.get(from), Some(b' ' | b'\t'));
        if ends {
            return (&octets[..lf - 1], &octets[from..]);
        }
    }
    (octets.strip_suffix(b"\r\n").unwrap_or(octets), &[])
}

/// An order in which names that differ only in case are equal; shorter names first, as that is soon seen.
fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    let lower = || a.iter().map(u8::to_ascii_lowercase).cmp(b.iter().map(u8::to_ascii_lowercase));
    a.len().cmp(&b.len()).then_with(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: &[&str]) {
        let header = Header::parse(header.as_bytes());
        let fields: Vec<_> = header.fields().iter().map(|f| std::str::from_utf8(f.raw).unwrap()).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn fields_are_cut_at_crlf_only() {
        check("", &[]);
        check("A: 1\r\nB: 2\r\n\r\nC: body\r\n", &["A: 1", "B: 2"]);
        check("A: 1", &["A: 1"]);
        check("A: 1\r\n 2\r\n\t3\r\nB:\r\n", &["A: 1\r\n 2\r\n\t3", "B:"]);
        check("A: 1\nB: 2\r\nC: 3\r\n", &["A: 1\nB: 2", "C: 3"]);
        check("A: 1\r\n \r\n", &["A: 1\r\n "]);
    }

    #[test]
    fn what_is_no_field_is_left_out() {
        check("From joe Fri 11:00\r\nA: 1\r\n", &["A: 1"]);
        check("garbage\r\n : more\r\nA : 1\r\n", &["A : 1"]);
        check(": none\r\nA: 1\r\n", &["A: 1"]);
    }

    #[test]
    fn names_are_found_without_case_in_order() {
        let header = Header::parse(b"To: 1\r\nFrom: 2\r\nTO : 3\r\nReceived: 4\r\nto: 5\r\n");
        assert_eq!(header.places(b"tO"), [0, 2, 4]);
        assert_eq!(header.places(b"from"), [1]);
        assert_eq!(header.places(b"cc"), [0; 0]);
    }
}
