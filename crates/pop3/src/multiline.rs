//! The text of a multi-line response: line ends, byte-stuffing and its end (RFC 1939 §3).

use bytes::{BufMut, BytesMut};
use memchr::{memchr, memchr2};

/// How much of a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    End,
    /// TOP: the header, then this many lines of the body.
    Header(u64),
    Lines(u64),
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineStart,
    InLine,
    /// A CR is held back until it is known whether an LF follows.
    AfterCr,
}

/// Writes a message as a multi-line response. Every line is made to end with CRLF: a bare CR or LF in the message
/// becomes one, since no two readers agree about them and the end of the response must not be in doubt.
#[derive(Debug)]
pub(crate) struct Encoder {
    place: Place,
    until: Until,
}

impl Encoder {
    pub(crate) fn whole() -> Self {
        Self { place: Place::LineStart, until: Until::End }
    }

    pub(crate) fn top(lines: u64) -> Self {
        Self { place: Place::LineStart, until: Until::Header(lines) }
    }

    /// Whether nothing more of the message is to be sent.
    pub(crate) fn is_done(&self) -> bool {
        self.until == Until::Done
    }

    pub(crate) fn push(&mut self, mut piece: &[u8], out: &mut impl BufMut) {
        while let Some(&first) = piece.first()
            && !self.is_done()
        {
            if self.place == Place::AfterCr {
                piece = if first == b'\n' { &piece[1..] } else { piece };
                self.end_line(out, Place::InLine);
                continue;
            }
            let end = memchr2(b'\r', b'\n', piece).unwrap_or(piece.len());
            let (text, rest) = piece.split_at(end);
            self.text(text, out);
            match rest.first() {
                Some(b'\r') => self.hold_cr(),
                Some(_) => self.end_line(out, self.place),
                None => {}
            }
            piece = rest.get(1..).unwrap_or_default();
        }
    }

    /// Ends a line that the message left open, and the response.
    pub(crate) fn finish(&mut self, out: &mut impl BufMut) {
        self.finish_line(out);
        self.until = Until::Done;
        out.put_slice(b".\r\n");
    }

    fn finish_line(&mut self, out: &mut impl BufMut) {
        if self.place != Place::LineStart && !self.is_done() {
            self.end_line(out, Place::InLine);
        }
    }

    fn text(&mut self, text: &[u8], out: &mut impl BufMut) {
        if text.is_empty() {
            return;
        }
        if self.place == Place::LineStart && text.starts_with(b".") {
            out.put_u8(b'.');
        }
        out.put_slice(text);
        self.place = Place::InLine;
    }

    /// The blank line that ends the header must be noticed although its CR may come in an earlier piece.
    fn hold_cr(&mut self) {
        if let (Place::LineStart, Until::Header(lines)) = (self.place, self.until) {
            // The line end to come is counted as the body's zeroth.
            self.until = Until::Lines(lines.saturating_add(1));
        }
        self.place = Place::AfterCr;
    }

    fn end_line(&mut self, out: &mut impl BufMut, from: Place) {
        out.put_slice(b"\r\n");
        self.until = match self.until {
            Until::Header(0) if from == Place::LineStart => Until::Done,
            Until::Header(lines) if from == Place::LineStart => Until::Lines(lines),
            Until::Lines(0 | 1) => Until::Done,
            Until::Lines(lines) => Until::Lines(lines - 1),
            other => other,
        };
        self.place = Place::LineStart;
    }
}

/// Counts the octets that RETR will send for a message, byte-stuffing not included (RFC 1939 §11).
///
/// ```
/// let mut octets = pop3::Octets::new();
/// octets.push(b"Subject: x\r\n\r\n.hidden\n");
/// octets.push(b"no end");
/// assert_eq!(octets.finish(), 31);
/// ```
#[derive(Debug)]
pub struct Octets {
    count: u64,
    /// What precedes the next octet.
    last: Option<u8>,
}

impl Octets {
    pub fn new() -> Self {
        Self { count: 0, last: None }
    }

    /// Counts the next piece of the message.
    pub fn push(&mut self, piece: &[u8]) {
        for &byte in piece {
            self.count += match (self.last, byte) {
                // CRLF.
                (Some(b'\r'), b'\n') => 0,
                // Whatever ends a line is sent as two octets.
                (_, b'\r' | b'\n') => 2,
                _ => 1,
            };
            self.last = Some(byte);
        }
    }

    /// The count; a last line without an end is given one.
    pub fn finish(self) -> u64 {
        match self.last {
            None | Some(b'\r' | b'\n') => self.count,
            Some(_) => self.count + 2,
        }
    }
}

impl Default for Octets {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the text of a multi-line response: takes the stuffing away and finds the end.
#[derive(Debug)]
pub(crate) struct Decoder {
    place: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    LineStart,
    InLine,
    AfterCr,
    /// After a dot at the start of a line.
    Dot,
    /// After that and a CR.
    DotCr,
    End,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self { place: Reading::LineStart }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.place == Reading::End
    }

    /// Moves octets from `input`, up to the end of the response, to `out`. Only CRLF.CRLF is an end.
    pub(crate) fn pull(&mut self, input: &mut BytesMut, out: &mut BytesMut) {
        while !self.is_done() && !input.is_empty() {
            if self.place == Reading::InLine {
                let end = memchr(b'\r', input).unwrap_or(input.len());
                out.extend_from_slice(&input.split_to(end));
            }
            if let Some(&byte) = input.first() {
                let _ = input.split_to(1);
                self.octet(byte, out);
            }
        }
    }

    fn octet(&mut self, byte: u8, out: &mut BytesMut) {
        self.place = match (self.place, byte) {
            (Reading::LineStart, b'.') => Reading::Dot,
            (Reading::Dot, b'\r') => Reading::DotCr,
            (Reading::DotCr, b'\n') => Reading::End,
            (Reading::DotCr, _) => {
                // The line began with a stuffed dot and a bare CR.
                out.put_u8(b'\r');
                Self::plain(Reading::AfterCr, byte, out)
            }
            (place, byte) => Self::plain(place, byte, out),
        };
    }

    fn plain(place: Reading, byte: u8, out: &mut BytesMut) -> Reading {
        out.put_u8(byte);
        match (place, byte) {
            (Reading::AfterCr, b'\n') => Reading::LineStart,
            (_, b'\r') => Reading::AfterCr,
            _ => Reading::InLine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(mut encoder: Encoder, message: &[u8], chunk: usize) -> String {
        let mut out = BytesMut::new();
        for piece in message.chunks(chunk) {
            encoder.push(piece, &mut out);
        }
        encoder.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn messages_are_stuffed_and_ended() {
        let check = |message: &str, expected: &str| {
            for chunk in 1..=message.len().max(1) {
                assert_eq!(encode(Encoder::whole(), message.as_bytes(), chunk), expected, "{message:?}");
            }
            let mut octets = Octets::new();
            octets.push(message.as_bytes());
            let stuffing = expected.split("\r\n").filter(|line| line.starts_with("..")).count();
            assert_eq!(octets.finish() as usize, expected.len() - 3 - stuffing, "{message:?}");
        };
        check("", ".\r\n");
        check("a\r\n", "a\r\n.\r\n");
        check("a", "a\r\n.\r\n");
        check("a\r", "a\r\n.\r\n");
        check("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n");
        check("a\r.\r\n", "a\r\n..\r\n.\r\n");
        check(".\r\n..\r\n", "..\r\n...\r\n.\r\n");
        check("\r\n\r\n", "\r\n\r\n.\r\n");
    }

    #[test]
    fn top_sends_the_header_the_blank_line_and_n_lines() {
        let message = "A: 1\r\nB: 2\r\n\r\n.one\r\n\r\nthree";
        let check = |message: &str, lines, expected: &str| {
            for chunk in 1..=message.len() {
                let sent = encode(Encoder::top(lines), message.as_bytes(), chunk);
                assert_eq!(sent, expected, "{lines} by {chunk}");
            }
        };
        check(message, 0, "A: 1\r\nB: 2\r\n\r\n.\r\n");
        check(message, 1, "A: 1\r\nB: 2\r\n\r\n..one\r\n.\r\n");
        check(message, 2, "A: 1\r\nB: 2\r\n\r\n..one\r\n\r\n.\r\n");
        check(message, u64::MAX, "A: 1\r\nB: 2\r\n\r\n..one\r\n\r\nthree\r\n.\r\n");
        check("A: 1\n\nx\ny\n", 1, "A: 1\r\n\r\nx\r\n.\r\n");
        check("A: 1\n\nx\ny\n", 0, "A: 1\r\n\r\n.\r\n");
        check("only: header", 0, "only: header\r\n.\r\n");
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_response() {
        let check = |input: &[u8], text: &[u8], left: &[u8]| {
            for chunk in 1..=input.len() {
                let (mut decoder, mut out, mut buffer) = (Decoder::new(), BytesMut::new(), BytesMut::new());
                for piece in input.chunks(chunk) {
                    buffer.extend_from_slice(piece);
                    decoder.pull(&mut buffer, &mut out);
                }
                assert!(decoder.is_done());
                assert_eq!((&out[..], &buffer[..]), (text, left), "{input:?} by {chunk}");
            }
        };
        check(b".\r\n+OK", b"", b"+OK");
        check(b"..\r\n.\r\n", b".\r\n", b"");
        check(b"a\n.\n\r\n.\r\n", b"a\n.\n\r\n", b"");
        check(b".\r.\r\n.\r\n", b"\r.\r\n", b"");
        check(b".a\r\n.\r\n", b"a\r\n", b"");
        check(b"a\r\r\n.\r\n", b"a\r\r\n", b"");
    }
}
