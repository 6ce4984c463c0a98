//! Bytes to [`Reply`]: the client's framing (RFC 5321 §4.2). Framed first, parsed second; what stands
//! after a whole reply stays in the buffer.

use crate::reply::{EnhancedCode, MAX_REPLY_LINES, Reply};
use bytes::{Buf, BytesMut};

/// Longest reply line taken, in octets with its line end. RFC 5321 §4.5.3.1.5 allows 512; servers that put a
/// URL and a ticket number on one line go past it.
pub const MAX_LINE: usize = 4096;
/// Longest line while a SASL exchange runs: 12,288 octets are "considered to be sufficient" (RFC 4954 §4).
pub const MAX_CHALLENGE_LINE: usize = 12_288 + 6;
/// Most octets of one reply, so that many long lines are bounded together.
pub const MAX_REPLY: usize = 64 * 1024;

/// Why what the peer sent is no reply. The connection cannot be used any more: nobody knows which command
/// its next words would answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    #[error("{0:?} is no SMTP reply: three digits from 200 to 599 must come first")]
    NoCode(String),
    #[error("a reply begins with {first} and goes on with {then}: one reply has one code")]
    CodesDiffer { first: u16, then: u16 },
    #[error("a reply line is longer than {0} octets")]
    LineTooLong(usize),
    #[error("a reply has more than {0} lines")]
    TooManyLines(usize),
    #[error("a reply is longer than {0} octets")]
    TooLong(usize),
}

/// Collects input and gives whole replies.
///
/// Tolerated, because servers do it and it cannot be misread: a line that ends with LF alone, a code without
/// a space after it, text that is not ASCII (UTF-8 if it is valid, else Latin-1), lines whose codes differ
/// within one class (the last one counts).
#[derive(Debug, Default)]
pub struct ReplyParser {
    buffer: BytesMut,
    /// How much of `buffer` is known to hold no LF.
    searched: usize,
    partial: Partial,
}

/// The lines of a reply whose last line has not come.
#[derive(Debug, Default)]
struct Partial {
    code: Option<u16>,
    texts: Vec<String>,
    octets: usize,
}

/// One line, its end removed.
struct Line<'a> {
    code: u16,
    last: bool,
    text: &'a [u8],
}

impl ReplyParser {
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing at all waits: neither bytes nor lines of an unfinished reply.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.partial.texts.is_empty()
    }

    /// Forgets all input.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next whole reply, if it has come. `seen` is shown each of its lines as the peer wrote it.
    /// No line may be longer than `max_line` octets.
    pub fn next(&mut self, max_line: usize, mut seen: impl FnMut(&str)) -> Result<Option<Reply>, ReplyError> {
        while let Some(length) = self.line_end(max_line)? {
            let raw = self.buffer.split_to(length);
            self.buffer.advance(1); // the LF
            let line = raw.strip_suffix(b"\r").unwrap_or(&raw);
            seen(&to_text(line));
            if let Some(reply) = self.partial.add(line)? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// Where the next LF stands.
    fn line_end(&mut self, max_line: usize) -> Result<Option<usize>, ReplyError> {
        let found = self.buffer.get(self.searched..).and_then(|rest| memchr::memchr(b'\n', rest));
        let length = found.map_or(self.buffer.len(), |at| self.searched + at);
        if length >= max_line {
            return Err(ReplyError::LineTooLong(max_line));
        }
        self.searched = if found.is_some() { 0 } else { length };
        Ok(found.map(|_| length))
    }
}

impl Partial {
    fn add(&mut self, raw: &[u8]) -> Result<Option<Reply>, ReplyError> {
        let line = parse_line(raw).ok_or_else(|| ReplyError::NoCode(shorten(raw)))?;
        let first = *self.code.get_or_insert(line.code);
        if first / 100 != line.code / 100 {
            return Err(ReplyError::CodesDiffer { first, then: line.code });
        }
        if self.texts.len() == MAX_REPLY_LINES {
            return Err(ReplyError::TooManyLines(MAX_REPLY_LINES));
        }
        self.octets += raw.len();
        if self.octets > MAX_REPLY {
            return Err(ReplyError::TooLong(MAX_REPLY));
        }
        self.texts.push(to_text(line.text));
        if !line.last {
            return Ok(None);
        }
        let texts = std::mem::take(self).texts;
        Ok(build(line.code, texts))
    }
}

/// `code [ SP / "-" text ]`. A letter right after the code is text whose space was forgotten; a fourth digit
/// is no code at all.
fn parse_line(line: &[u8]) -> Option<Line<'_>> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    if !digits.iter().all(u8::is_ascii_digit) || !(200..600).contains(&code) {
        return None;
    }
    match rest.split_first() {
        None => Some(Line { code, last: true, text: rest }),
        Some((b' ', text)) => Some(Line { code, last: true, text }),
        Some((b'-', text)) => Some(Line { code, last: false, text }),
        Some((b'0'..=b'9', _)) => None,
        Some(_) => Some(Line { code, last: true, text: rest }),
    }
}

/// Takes the enhanced code off the lines that begin with it. One whose class is not the code's is only words
/// (RFC 2034 §4: they must agree).
fn build(code: u16, mut texts: Vec<String>) -> Option<Reply> {
    let enhanced = texts
        .iter()
        .find_map(|text| EnhancedCode::parse(text.split(' ').next().unwrap_or_default()))
        .filter(|enhanced| u16::from(enhanced.class) == code / 100);
    if let Some(enhanced) = enhanced {
        let prefix = enhanced.to_string();
        for text in &mut texts {
            if let Some(rest) = text.strip_prefix(&prefix)
                && (rest.is_empty() || rest.starts_with(' '))
            {
                *text = rest.trim_start_matches(' ').to_owned();
            }
        }
    }
    Reply::from_parts(code, enhanced, texts)
}

/// UTF-8 where it is valid, else Latin-1: no octet of the peer's words is lost.
fn to_text(line: &[u8]) -> String {
    match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => line.iter().map(|&b| char::from(b)).collect(),
    }
}

/// As much of a line as an error message needs.
fn shorten(line: &[u8]) -> String {
    to_text(line).chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(input: &[u8]) -> (Vec<String>, Option<ReplyError>) {
        let mut parser = ReplyParser::default();
        parser.push(input);
        let mut replies = Vec::new();
        loop {
            match parser.next(MAX_LINE, |_| ()) {
                Ok(Some(reply)) => {
                    let enhanced = reply.enhanced().map_or(String::new(), |e| format!("[{e}]"));
                    replies.push(format!("{}{enhanced} {}", reply.code(), reply.lines().join("|")));
                }
                Ok(None) => return (replies, None),
                Err(error) => return (replies, Some(error)),
            }
        }
    }

    #[track_caller]
    fn check(input: impl AsRef<[u8]>, expected: &[&str]) {
        assert_eq!(all(input.as_ref()), (expected.iter().map(|&s| s.to_owned()).collect(), None));
    }

    #[track_caller]
    fn check_error(input: impl AsRef<[u8]>, expected: ReplyError) {
        assert_eq!(all(input.as_ref()).1, Some(expected));
    }

    #[test]
    fn replies_as_the_rfc_shows_them() {
        check("250 OK\r\n", &["250 OK"]);
        check(
            "250-First line\r\n250-Second line\r\n250-234 Text beginning with numbers\r\n250 The last line\r\n",
            &["250 First line|Second line|234 Text beginning with numbers|The last line"],
        );
        check("250 a\r\n550 b\r\n354 c\r\n", &["250 a", "550 b", "354 c"]);
        check("250-half\r\n", &[]);
        check("250 half", &[]);
    }

    #[test]
    fn text_may_be_missing_with_or_without_its_space() {
        check("250\r\n", &["250 "]);
        check("250 \r\n", &["250 "]);
        check("250-\r\n250\r\n", &["250 |"]);
    }

    #[test]
    fn enhanced_codes_are_taken_from_the_lines_that_bear_them() {
        check("550 5.1.1 no such user\r\n", &["550[5.1.1] no such user"]);
        check("250 2.0.0\r\n", &["250[2.0.0] "]);
        check("550-5.7.26 one\r\n550-5.7.26  two\r\n550 5.7.26 three\r\n", &["550[5.7.26] one|two|three"]);
        check("550-5.7.1 one\r\n550 5.7.26 two\r\n", &["550[5.7.1] one|5.7.26 two"]);
        check("550-see below\r\n550 5.7.1 two\r\n", &["550[5.7.1] see below|two"]);
        // Of another class, or no enhanced code at all.
        check("550 4.7.1 odd\r\n", &["550 4.7.1 odd"]);
        check("250 5.10.2.7 is my address\r\n", &["250 5.10.2.7 is my address"]);
    }

    #[test]
    fn what_cannot_be_misread_is_tolerated() {
        check("220 a\n250-b\n250 c\r\n", &["220 a", "250 b|c"]);
        check("220mx.example ESMTP\r\n", &["220 mx.example ESMTP"]);
        check("250\tok\r\n", &["250  ok"]);
        check("250 a\rb\0c\r\n", &["250 a b c"]);
        check("550 Zoë\r\n".as_bytes(), &["550 Zoë"]);
        check(b"550 Zo\xeb\r\n", &["550 Zoë"]);
        check("451-a\r\n452 b\r\n", &["452 a|b"]);
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for line in ["hello", "", "25", "2500 x", "150 x", "600 x", "+50 x", "\u{665}50 x", " 250 x"] {
            check_error(format!("{line}\r\n"), ReplyError::NoCode(line.to_owned()));
        }
        check_error("250-a\r\n550 b\r\n", ReplyError::CodesDiffer { first: 250, then: 550 });
    }

    #[test]
    fn everything_is_bounded() {
        let line = |octets: usize| format!("250 {}\r\n", "x".repeat(octets - 6));
        assert_eq!(all(line(MAX_LINE).as_bytes()).1, None);
        check_error(line(MAX_LINE + 1), ReplyError::LineTooLong(MAX_LINE));
        check_error("x".repeat(MAX_LINE), ReplyError::LineTooLong(MAX_LINE));
        assert_eq!(all(("250-x\r\n".repeat(MAX_REPLY_LINES - 1) + "250 x\r\n").as_bytes()).1, None);
        check_error("250-x\r\n".repeat(MAX_REPLY_LINES + 1), ReplyError::TooManyLines(MAX_REPLY_LINES));
        let long = format!("250-{}\r\n", "x".repeat(4000));
        check_error(long.repeat(20), ReplyError::TooLong(MAX_REPLY));
    }

    proptest! {
        #[test]
        fn how_bytes_arrive_does_not_matter(
            input in "(2[0-9]{2}[ -]?[a-z0-9. ]{0,9}\r?\n|[ -~]{0,9}\r\n){0,6}",
            cut in 0usize..200,
        ) {
            let bytes = input.as_bytes();
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let mut parser = ReplyParser::default();
            let mut replies = Vec::new();
            let mut error = None;
            for part in [head, tail] {
                parser.push(part);
                while error.is_none() {
                    match parser.next(MAX_LINE, |_| ()) {
                        Ok(Some(reply)) => replies.push(reply),
                        Ok(None) => break,
                        Err(e) => error = Some(e),
                    }
                }
            }
            let (whole, whole_error) = all(bytes);
            prop_assert_eq!(replies.len(), whole.len());
            prop_assert_eq!(error, whole_error);
        }

        #[test]
        fn a_reply_that_we_write_is_read_back(code in 200u16..600, text in "[ -~é]{0,40}") {
            let reply = Reply::plain(code, text.trim());
            let mut parser = ReplyParser::default();
            parser.push(&reply.encode(true));
            let read = parser.next(MAX_LINE, |_| ()).unwrap().unwrap();
            prop_assert_eq!(read.to_string(), reply.to_string());
        }
    }
}
