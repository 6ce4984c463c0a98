//! What local programs hand over: text with bare LF, and recipients in the header (`sendmail -t`).

use crate::header::Header;
use crate::list::{self, MAX_ADDRESSES};
use crate::{Error, Result};
use address::ForwardPath;

/// Turns any line end into CRLF, piece by piece: bare LF, and bare CR too, for neither may leave us (RFC 5321 §2.3.8).
///
/// ```
/// let mut out = Vec::new();
/// let mut lines = message::CrlfLines::default();
/// lines.push(b"a\nb\r", &mut out);
/// lines.push(b"\nc", &mut out);
/// lines.finish(&mut out);
/// assert_eq!(out, b"a\r\nb\r\nc\r\n");
/// ```
#[derive(Debug, Default, Clone)]
pub struct CrlfLines {
    after_cr: bool,
    in_line: bool,
}

impl CrlfLines {
    /// Converts the next piece.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            let pending = std::mem::take(&mut self.after_cr);
            if pending || byte == b'\n' {
                out.extend_from_slice(b"\r\n");
                self.in_line = false;
            }
            match byte {
                b'\r' => self.after_cr = true,
                b'\n' => {}
                byte => {
                    out.push(byte);
                    self.in_line = true;
                }
            }
        }
    }

    /// Ends the last line.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.after_cr || self.in_line {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// All of `text` with CRLF, and a line end at its end.
pub fn to_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32 + 2);
    let mut lines = CrlfLines::default();
    lines.push(text, &mut out);
    lines.finish(&mut out);
    out
}

/// Text without the `From ` line of an mbox, which some programs pass to `sendmail`.
pub fn skip_mbox_line(text: &[u8]) -> &[u8] {
    if !text.starts_with(b"From ") {
        return text;
    }
    memchr::memchr(b'\n', text).map_or(b"", |lf| &text[lf + 1..])
}

/// The recipients that the header names: To, Cc and Bcc, or if there is any Resent field, the Resent ones alone.
///
/// # Errors
/// An address that cannot be read, or more than [`MAX_ADDRESSES`].
pub fn header_recipients(header: &Header<'_>) -> Result<Vec<ForwardPath>> {
    let resent = ["Resent-To", "Resent-Cc", "Resent-Bcc"];
    let fields = if resent.iter().any(|name| header.contains(name)) { resent } else { ["To", "Cc", "Bcc"] };
    let mut paths = Vec::new();
    for field in header.fields().filter(|field| fields.iter().any(|name| field.is(name))) {
        for mailbox in list::parse(&field.value())? {
            let path = mailbox.path?;
            if !paths.contains(&path) {
                paths.push(path);
            }
            if paths.len() > MAX_ADDRESSES {
                return Err(Error::TooManyAddresses);
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn recipients_come_from_the_header() {
        let check = |raw: &str, expected: &[&str]| {
            let paths = header_recipients(&Header::parse(raw.as_bytes())).unwrap();
            assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{raw}");
        };
        check(
            "To: A <a@x.example>,\r\n root\r\nCC: us: b@x.example, a@x.example;\r\nbcc: c@x.example\r\n\r\nTo: d@x.example",
            &["<a@x.example>", "<root>", "<b@x.example>", "<c@x.example>"],
        );
        check("To: a@x.example\r\nResent-To: b@x.example\r\n", &["<b@x.example>"]);
        check("To: undisclosed-recipients:;\r\n", &[]);
        assert!(header_recipients(&Header::parse(b"To: two words\r\n")).is_err());
    }

    #[test]
    fn an_mbox_line_is_skipped() {
        assert_eq!(skip_mbox_line(b"From a@b Sat\nA: b\n"), b"A: b\n");
        assert_eq!(skip_mbox_line(b"From: a\n"), b"From: a\n");
    }

    proptest! {
        #[test]
        fn only_whole_line_ends_are_left(text in "[a\r\n]{0,40}", cut in 0usize..40) {
            let (mut out, mut lines) = (Vec::new(), CrlfLines::default());
            let cut = cut.min(text.len());
            lines.push(&text.as_bytes()[..cut], &mut out);
            lines.push(&text.as_bytes()[cut..], &mut out);
            lines.finish(&mut out);
            let out = String::from_utf8(out).unwrap();
            prop_assert!(!out.replace("\r\n", "").contains(['\r', '\n']));
            prop_assert!(out.is_empty() || out.ends_with("\r\n"));
            prop_assert_eq!(out.matches('a').count(), text.matches('a').count());
            prop_assert_eq!(to_crlf(out.as_bytes()), out.as_bytes());
        }
    }
}
