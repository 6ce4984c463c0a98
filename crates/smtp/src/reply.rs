//! What a server says: a code, perhaps an enhanced code, and lines of text (RFC 5321 §4.2, RFC 2034).

use bytes::{BufMut, Bytes, BytesMut};
use std::fmt;

/// Longest reply line in octets, code and CRLF included (RFC 5321 §4.5.3.1.5).
pub const MAX_REPLY_LINE: usize = 512;
/// Most lines of one reply; more are dropped. No RFC sets a bound; the longest EHLO reply needs about 25.
pub const MAX_REPLY_LINES: usize = 128;

/// A reply. Its text cannot hold a line end or another control character, whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    lines: Vec<String>,
}

impl Reply {
    /// A reply with an enhanced code, `Reply::new(550, (5, 1, 1), "no such user")`. A line feed in the text
    /// begins another line of the reply; other control characters become spaces. A code outside 200–599,
    /// which no caller should pass, is sent as 451.
    pub fn new(code: u16, enhanced: impl Into<EnhancedCode>, text: impl AsRef<str>) -> Self {
        Self::build(code, Some(enhanced.into()), text.as_ref().split('\n'))
    }

    /// A reply without an enhanced code: the greeting, those to HELO and EHLO, and 3xx (RFC 2034 §4).
    pub fn plain(code: u16, text: impl AsRef<str>) -> Self {
        Self::build(code, None, text.as_ref().split('\n'))
    }

    /// A reply from its parts, as a client reads it; `None` unless the code is in 200–599.
    pub fn from_parts<S: AsRef<str>>(
        code: u16,
        enhanced: Option<EnhancedCode>,
        lines: impl IntoIterator<Item = S>,
    ) -> Option<Self> {
        (200..600).contains(&code).then(|| Self::build(code, enhanced, lines))
    }

    fn build<S: AsRef<str>>(
        code: u16,
        enhanced: Option<EnhancedCode>,
        lines: impl IntoIterator<Item = S>,
    ) -> Self {
        debug_assert!((200..600).contains(&code), "{code} is no reply code");
        let code = if (200..600).contains(&code) { code } else { 451 };
        let mut lines: Vec<String> =
            lines.into_iter().take(MAX_REPLY_LINES).map(|line| clean(line.as_ref())).collect();
        if lines.is_empty() {
            lines.push(String::new());
        }
        Self { code, enhanced, lines }
    }

    /// The three-digit code, 200–599.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code (RFC 3463), which stands on every line.
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The text, line by line, without codes; at least one line.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 3xx.
    pub fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }

    /// 4xx: may be tried again.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// The bytes to send. Lines longer than [`MAX_REPLY_LINE`] are split at a space where there is one.
    /// Unless `utf8` (the client said SMTPUTF8, RFC 6531 §3.7.4.2) characters outside ASCII are written
    /// as `\x{C9}`.
    pub fn encode(&self, utf8: bool) -> Bytes {
        let room = MAX_REPLY_LINE - "250-".len() - "\r\n".len() - self.enhanced.map_or(0, |e| e.width() + 1);
        let texts: Vec<String> =
            self.lines.iter().map(|line| if utf8 { line.clone() } else { ascii(line) }).collect();
        let pieces: Vec<&str> = texts.iter().flat_map(|text| split(text, room)).collect();
        let mut out = BytesMut::new();
        for (i, piece) in pieces.iter().enumerate() {
            let separator = if i + 1 == pieces.len() { ' ' } else { '-' };
            out.put_slice(format!("{}{separator}", self.code).as_bytes());
            if let Some(enhanced) = self.enhanced {
                out.put_slice(enhanced.to_string().as_bytes());
                if !piece.is_empty() {
                    out.put_u8(b' ');
                }
            }
            out.put_slice(piece.as_bytes());
            out.put_slice(b"\r\n");
        }
        out.freeze()
    }
}

impl fmt::Display for Reply {
    /// One line for people and logs: `550 5.1.1 no such user`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for line in self.lines.iter().filter(|line| !line.is_empty()) {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

/// `class.subject.detail` (RFC 3463 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedCode {
    pub class: u8,
    pub subject: u16,
    pub detail: u16,
}

impl EnhancedCode {
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// Reads `5.1.1`: class 2, 4 or 5, the others at most three digits (RFC 3463 §2).
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: &str, digits| {
            let fits = (1..=digits).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            fits.then(|| part.parse::<u16>().ok()).flatten()
        };
        let mut parts = text.split('.');
        let class = number(parts.next()?, 1)?;
        let (subject, detail) = (number(parts.next()?, 3)?, number(parts.next()?, 3)?);
        let class = u8::try_from(class).ok().filter(|c| matches!(c, 2 | 4 | 5))?;
        parts.next().is_none().then_some(Self { class, subject, detail })
    }

    fn width(self) -> usize {
        self.to_string().len()
    }
}

impl From<(u8, u16, u16)> for EnhancedCode {
    fn from((class, subject, detail): (u8, u16, u16)) -> Self {
        Self { class, subject, detail }
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// No control characters: a peer's words quoted in a reply never begin another one.
fn clean(line: &str) -> String {
    let line = line.strip_suffix('\r').unwrap_or(line);
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn ascii(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.push_str(&format!("\\x{{{:X}}}", u32::from(c)));
        }
    }
    out
}

/// Cuts a text into pieces of at most `room` octets, after a space where the second half of a piece has one.
fn split(text: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > room {
        let limit = (0..=room).rev().find(|&i| rest.is_char_boundary(i)).unwrap_or(rest.len());
        let (head, _) = rest.split_at(limit);
        let cut = head.rfind(' ').filter(|&space| space >= room / 2).map_or(limit, |space| space + 1);
        let (piece, tail) = rest.split_at(cut);
        pieces.push(piece.trim_end());
        rest = tail;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(reply: &Reply, wire: &str) {
        assert_eq!(reply.encode(false), wire.as_bytes());
    }

    #[test]
    fn replies_are_written_as_the_rfc_shows_them() {
        check(&Reply::new(250, (2, 1, 5), "ok"), "250 2.1.5 ok\r\n");
        check(&Reply::plain(354, "go on"), "354 go on\r\n");
        check(
            &Reply::plain(250, "mx.example\nPIPELINING\nSIZE 10"),
            "250-mx.example\r\n250-PIPELINING\r\n250 SIZE 10\r\n",
        );
        check(&Reply::new(550, (5, 7, 1), "no\nreally no"), "550-5.7.1 no\r\n550 5.7.1 really no\r\n");
        check(&Reply::new(250, (2, 0, 0), ""), "250 2.0.0\r\n");
        check(&Reply::new(550, (5, 1, 1), "Zoë"), "550 5.1.1 Zo\\x{EB}\r\n");
        assert_eq!(Reply::new(550, (5, 1, 1), "Zoë").encode(true), "550 5.1.1 Zoë\r\n".as_bytes());
    }

    #[test]
    fn a_peers_words_cannot_begin_another_reply() {
        check(&Reply::new(550, (5, 1, 1), "no <a\r250 ok>"), "550 5.1.1 no <a 250 ok>\r\n");
        check(&Reply::new(550, (5, 1, 1), "a\r\n250 ok\0"), "550-5.1.1 a\r\n550 5.1.1 250 ok \r\n");
    }

    #[test]
    fn long_lines_are_split_at_a_space() {
        let text = format!("{} {}", "a".repeat(400), "b".repeat(400));
        check(
            &Reply::new(550, (5, 7, 1), text),
            &format!("550-5.7.1 {}\r\n550 5.7.1 {}\r\n", "a".repeat(400), "b".repeat(400)),
        );
    }

    #[test]
    fn enhanced_codes_are_three_short_numbers() {
        assert_eq!(EnhancedCode::parse("5.7.26"), Some(EnhancedCode::new(5, 7, 26)));
        for text in ["", "5.7", "3.1.1", "5.1.1.1", "5..1", "5.1.1234", "+5.1.1", "5.+1.1"] {
            assert_eq!(EnhancedCode::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_line_is_short_and_every_line_end_is_ours(text in ".{0,2000}", utf8: bool) {
            let reply = Reply::new(450, (4, 2, 0), &text);
            let wire = reply.encode(utf8);
            let wire = std::str::from_utf8(&wire).unwrap();
            prop_assert!(wire.ends_with("\r\n"));
            let lines: Vec<&str> = wire.trim_end_matches("\r\n").split("\r\n").collect();
            for (i, line) in lines.iter().enumerate() {
                prop_assert!(line.len() + 2 <= MAX_REPLY_LINE);
                prop_assert!(!line.contains(['\r', '\n', '\0']));
                let start = if i + 1 == lines.len() { "450 4.2.0" } else { "450-4.2.0" };
                prop_assert!(line.starts_with(start));
            }
        }
    }
}
