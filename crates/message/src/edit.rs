//! Header edits that never touch the body: the result is a short prefix and ranges of the original.

use crate::field::{MALFORMED, NewField};
use crate::header::{Field, Header};
use bytes::Bytes;
use std::ops::Range;

/// Collects edits to a message's header.
///
/// ```
/// use message::{Edit, NewField};
///
/// let raw = b"Bcc: secret@example.org\r\nSubject: hello\r\n\r\nbody\r\n";
/// let mut edit = Edit::new(raw);
/// edit.remove("Bcc");
/// edit.add_missing("Date", || NewField::new("Date", "Sat, 1 Jan 2028 10:00:00 +0000"));
/// let edited = edit.finish();
/// assert_eq!(edited.to_vec(raw), b"Date: Sat, 1 Jan 2028 10:00:00 +0000\r\nSubject: hello\r\n\r\nbody\r\n");
/// ```
#[derive(Debug, Clone)]
pub struct Edit<'a> {
    header: Header<'a>,
    removed: Vec<Range<usize>>,
    prefix: String,
}

impl<'a> Edit<'a> {
    /// Edits the header of `message`. The first part of it is enough, as long as the header is complete.
    pub fn new(message: &'a [u8]) -> Self {
        Self { header: Header::parse(message), removed: Vec::new(), prefix: String::new() }
    }

    /// The header before any edit.
    pub fn header(&self) -> Header<'a> {
        self.header
    }

    /// Removes every field of this name, as it is in the original.
    pub fn remove(&mut self, name: &str) {
        self.remove_if(|field| field.is(name));
    }

    /// Removes the original's fields for which `test` holds.
    pub fn remove_if(&mut self, test: impl Fn(&Field<'a>) -> bool) {
        self.removed.extend(self.header.fields().filter(test).map(|field| field.range()));
    }

    /// Puts a field above all others, also those prepended before.
    pub fn prepend(&mut self, field: &NewField) {
        self.prefix.insert_str(0, field.as_str());
    }

    /// Adds a field unless the original has one of this name. Returns whether it was added.
    pub fn add_missing(&mut self, name: &str, make: impl FnOnce() -> NewField) -> bool {
        let missing = !self.header.contains(name);
        if missing {
            self.prepend(&make());
        }
        missing
    }

    /// The edited message.
    pub fn finish(mut self) -> Edited {
        self.removed.sort_by_key(|range| range.start);
        let mut kept = Vec::new();
        let mut next = 0;
        for range in self.removed {
            if range.start > next {
                kept.push(next..range.start);
            }
            next = next.max(range.end);
        }
        let first = kept.first().map_or(next, |range: &Range<usize>| range.start);
        // A first line that starts with white space would continue our last field and change its meaning.
        if !self.prefix.is_empty() && matches!(self.header.as_bytes().get(first), Some(b' ' | b'\t')) {
            self.prefix.push_str(&format!("{MALFORMED}:\r\n"));
        }
        Edited { prefix: self.prefix.into(), kept, rest: next }
    }
}

/// An edited message: `prefix`, then the `kept` ranges of the original, then all of it from `rest` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// New fields.
    pub prefix: Bytes,
    /// Ranges of the original's header that stay, in order; short.
    pub kept: Vec<Range<usize>>,
    /// Offset from which everything stays, the body included.
    pub rest: usize,
}

impl Edited {
    /// Octets of the result, given those of the original.
    pub fn len(&self, original: usize) -> usize {
        let kept: usize = self.kept.iter().map(ExactSizeIterator::len).sum();
        self.prefix.len() + kept + original.saturating_sub(self.rest)
    }

    /// Whether nothing changes.
    pub fn is_unchanged(&self) -> bool {
        self.prefix.is_empty() && self.kept.is_empty() && self.rest == 0
    }

    /// The result as slices of the original, which must be the one that was edited.
    pub fn slices<'a>(&'a self, original: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let kept = self.kept.iter().map(|range| original.get(range.clone()).unwrap_or_default());
        let rest = original.get(self.rest..).unwrap_or_default();
        std::iter::once(&*self.prefix)
            .chain(kept)
            .chain(std::iter::once(rest))
            .filter(|slice| !slice.is_empty())
    }

    /// The result as shared pieces of the original: no body is copied.
    pub fn pieces(&self, original: &Bytes) -> Vec<Bytes> {
        self.slices(original)
            .map(|slice| {
                if slice.as_ptr() == self.prefix.as_ptr() {
                    self.prefix.clone()
                } else {
                    original.slice_ref(slice)
                }
            })
            .collect()
    }

    /// The result in one piece.
    pub fn to_vec(&self, original: &[u8]) -> Vec<u8> {
        self.slices(original).collect::<Vec<_>>().concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(input: &str, edit: impl FnOnce(&mut Edit<'_>), expected: &str) {
        let mut edits = Edit::new(input.as_bytes());
        edit(&mut edits);
        let edited = edits.finish();
        assert_eq!(String::from_utf8(edited.to_vec(input.as_bytes())).unwrap(), expected, "{input:?}");
        assert_eq!(edited.len(input.len()), expected.len());
        assert_eq!(edited.pieces(&Bytes::copy_from_slice(input.as_bytes())).concat(), expected.as_bytes());
    }

    #[test]
    fn removed_fields_go_with_their_folding() {
        let input = "A: 1\r\nbCC: x,\r\n y\r\nC: 2\r\nBcc: z\r\n\r\nBcc: body\r\n";
        check(input, |e| e.remove("Bcc"), "A: 1\r\nC: 2\r\n\r\nBcc: body\r\n");
        check(input, |_| (), input);
        check("Bcc: x", |e| e.remove("Bcc"), "");
        check(
            "Bcc: x\r\n\r\n",
            |e| {
                e.remove("Bcc");
                e.remove("bcc")
            },
            "\r\n",
        );
    }

    #[test]
    fn missing_fields_are_added_on_top() {
        let date = || NewField::new("Date", "now");
        check("A: 1\r\n\r\nx", |e| assert!(e.add_missing("Date", date)), "Date: now\r\nA: 1\r\n\r\nx");
        check("date: 1\r\n\r\nx", |e| assert!(!e.add_missing("Date", date)), "date: 1\r\n\r\nx");
        check("\r\nx", |e| e.prepend(&date()), "Date: now\r\n\r\nx");
    }

    #[test]
    fn a_stray_continuation_does_not_join_our_field() {
        let result = NewField::new("Authentication-Results", "mx.example; none");
        check(
            " spf=pass\r\nA: b\r\n\r\n",
            |e| e.prepend(&result),
            "Authentication-Results: mx.example; none\r\nX-Malformed:\r\n spf=pass\r\nA: b\r\n\r\n",
        );
    }

    proptest! {
        #[test]
        fn the_body_never_changes(header in "((Bcc|A|Date): ?[a-z:]{0,4}(\r\n [a-z])?\r\n|[a-z \n]){0,8}", body in proptest::collection::vec(any::<u8>(), 0..40)) {
            let raw = [header.as_bytes(), b"\r\n", &body].concat();
            let offset = Header::parse(&raw).body_offset();
            let mut edit = Edit::new(&raw);
            edit.remove("Bcc");
            edit.add_missing("Date", || NewField::new("Date", "now"));
            edit.prepend(&NewField::new("Received", "by us"));
            let out = edit.finish().to_vec(&raw);
            let after = Header::parse(&out);
            prop_assert_eq!(&out[after.body_offset()..], &raw[offset..]);
            prop_assert!(!after.contains("Bcc") && after.contains("Date"));
            prop_assert_eq!(after.hops(), 1);
        }
    }
}
