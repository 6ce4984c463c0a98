//! Framing: from octets to lines, bounded, before anything looks at their meaning.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

/// Octets that wait to become lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: BytesMut,
    skip: Skip,
}

/// Whether the start of the line has been thrown away, for being too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Skip {
    #[default]
    No,
    /// The last octet thrown away was a CR, so that an LF alone now ends the line properly.
    AfterCr,
    Yes,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Without its CRLF. May hold anything but LF.
    Text(Bytes),
    /// Ended with CRLF, but was longer than allowed; its octets are gone.
    TooLong,
    /// An LF without a CR before it. Where the line ends is now a matter of opinion.
    BareLf,
}

impl Lines {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// All that waits, for a reader of another kind.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next line, at most `limit` octets with its CRLF.
    pub(crate) fn next(&mut self, limit: usize) -> Option<Line> {
        let Some(at) = memchr(b'\n', &self.buffer) else {
            if self.buffer.len() >= limit || self.skip != Skip::No {
                self.skip_all();
            }
            return None;
        };
        let skip = std::mem::take(&mut self.skip);
        let mut line = self.buffer.split_to(at + 1);
        if !(line.ends_with(b"\r\n") || skip == Skip::AfterCr && line.len() == 1) {
            return Some(Line::BareLf);
        }
        if skip != Skip::No || line.len() > limit {
            return Some(Line::TooLong);
        }
        line.truncate(line.len() - 2);
        Some(Line::Text(line.freeze()))
    }

    fn skip_all(&mut self) {
        if let Some(last) = self.buffer.last() {
            self.skip = if *last == b'\r' { Skip::AfterCr } else { Skip::Yes };
        }
        self.buffer.advance(self.buffer.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(input: &[u8], chunk: usize) -> Vec<Line> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for piece in input.chunks(chunk) {
            lines.push(piece);
            out.extend(std::iter::from_fn(|| lines.next(8)));
        }
        out
    }

    #[test]
    fn lines_are_framed_alike_however_they_arrive() {
        let text = |text: &'static [u8]| Line::Text(Bytes::from_static(text));
        let check = |input: &[u8], expected: Vec<Line>| {
            for chunk in 1..=input.len() {
                assert_eq!(frame(input, chunk), expected, "{input:?} by {chunk}");
            }
        };
        check(b"STAT\r\nQUIT\r\n", vec![text(b"STAT"), text(b"QUIT")]);
        check(b"\r\n", vec![text(b"")]);
        check(b"123456\r\n", vec![text(b"123456")]);
        check(b"1234567\r\nA\r\n", vec![Line::TooLong, text(b"A")]);
        check(b"12345678901234567890\r\nA\r\n", vec![Line::TooLong, text(b"A")]);
        check(b"1234567\nA\r\n", vec![Line::BareLf, text(b"A")]);
        check(b"12345678901234567890\nA\r\n", vec![Line::BareLf, text(b"A")]);
        check(b"A\nB\r\n", vec![Line::BareLf, text(b"B")]);
        check(b"A\rB\r\n", vec![text(b"A\rB")]);
        check(b"A\r\r\n", vec![text(b"A\r")]);
    }
}
