//! The message as programs hand it over: LF or CRLF, with or without a header, ended by a lone dot or not.

use super::Invocation;
use crate::client::{Here, random};
use crate::exit::Failure;
use address::Address;
use message::{Draft, Edit, Header, Mailbox};
use std::io::BufRead;

/// Reads up to the end, or to a lone dot unless `ignore_dot`; CRLF throughout.
///
/// # Errors
/// Standard input cannot be read, or has more than `limit` octets.
pub(super) fn read(input: &mut impl BufRead, ignore_dot: bool, limit: u64) -> Result<Vec<u8>, Failure> {
    let unreadable = |error| Failure::try_again(format!("cannot read standard input: {error}"));
    let mut text = Vec::new();
    loop {
        let begin = text.len();
        let left = limit.saturating_add(1).saturating_sub(begin as u64);
        let count =
            std::io::Read::take(&mut *input, left).read_until(b'\n', &mut text).map_err(unreadable)?;
        if text.len() as u64 > limit {
            return Err(Failure::no(format!(
                "the message is larger than {limit} octets, which limits.message-size allows"
            )));
        }
        let line = text.get(begin..).unwrap_or_default();
        if !ignore_dot && matches!(line, b"." | b".\n" | b".\r\n") {
            text.truncate(begin);
            break;
        }
        if count == 0 {
            break;
        }
    }
    Ok(separated(&message::to_crlf(message::skip_mbox_line(&text))))
}

/// The message with the empty line that its author forgot: where the first line stands that is no field.
fn separated(text: &[u8]) -> Vec<u8> {
    let mut at = 0;
    for line in text.split_inclusive(|&octet| octet == b'\n') {
        let folded = at > 0 && matches!(line.first(), Some(b' ' | b'\t'));
        if line == b"\r\n" {
            return text.to_vec();
        }
        if !folded && !is_field(line) {
            break;
        }
        at += line.len();
    }
    let (header, body) = text.split_at(at);
    [header, b"\r\n", body].concat()
}

/// `Name:` (RFC 5322 §2.2).
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|&octet| octet == b':').next().unwrap_or_default();
    let name = name.trim_ascii_end();
    !name.is_empty()
        && name.len() < line.len()
        && name.iter().all(u8::is_ascii_graphic)
        && line.contains(&b':')
}

/// Without Bcc, and with From where it is missing. What else is missing the server adds.
pub(super) fn complete(
    text: &[u8],
    invocation: &Invocation,
    author: Address,
    here: &Here,
) -> Result<Vec<u8>, Failure> {
    let mut edit = Edit::new(text);
    let resent = edit.header().contains("Resent-From");
    edit.remove("Bcc");
    edit.remove("Resent-Bcc");
    let without = edit.finish().to_vec(text);
    if resent || Header::parse(&without).contains("From") {
        return Ok(without);
    }
    let from = Mailbox { name: invocation.full_name.clone(), address: author };
    // A draft knows how a name that is not plain is written; its first field is From.
    let draft = Draft {
        from,
        to: vec![],
        cc: vec![],
        subject: String::new(),
        text: String::new(),
        attachments: vec![],
    };
    let written = draft.build(&jiff::Zoned::now(), random()?, &here.host);
    let first = Header::parse(&written).fields().next().map(|field| field.range());
    let from = first.and_then(|range| written.get(range)).unwrap_or_default();
    Ok([from, &without].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, ignore_dot: bool, expected: &str) {
        let text = read(&mut input.as_bytes(), ignore_dot, 1000).unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&text), expected, "{input:?}");
    }

    #[test]
    fn a_lone_dot_ends_it_unless_told_otherwise() {
        check("A: b\n\nx\n.\nQUIT\n", false, "A: b\r\n\r\nx\r\n");
        check("A: b\r\n\r\nx\r\n.\r\ny\r\n", false, "A: b\r\n\r\nx\r\n");
        check("A: b\n\nx\n.\ny\n", true, "A: b\r\n\r\nx\r\n.\r\ny\r\n");
        check("A: b\n\n..\n. \n.", false, "A: b\r\n\r\n..\r\n. \r\n");
    }

    #[test]
    fn what_is_no_header_is_text() {
        check("just text\n", true, "\r\njust text\r\n");
        check("A: b\n c\nno field\nX: y\n", true, "A: b\r\n c\r\n\r\nno field\r\nX: y\r\n");
        check("From me@x Sat Jan 1\nA: b\n\nx\n", true, "A: b\r\n\r\nx\r\n");
        check("", true, "\r\n");
        check("A: b\n", true, "A: b\r\n\r\n");
    }

    #[test]
    fn it_is_bounded() {
        let large = "x".repeat(1001);
        assert!(read(&mut large.as_bytes(), true, 1000).is_err());
        assert!(read(&mut large.as_bytes(), true, 1001).is_ok());
    }

    #[test]
    fn a_missing_from_is_added_and_bcc_goes() {
        let here = Here { host: "h.example".parse().unwrap(), user: "ann".to_owned() };
        let author = || here.address().unwrap();
        let plain = Invocation::default();
        let named = Invocation { full_name: Some("Ann Ö".to_owned()), ..Invocation::default() };
        let done = |text: &[u8], invocation| {
            String::from_utf8(complete(text, invocation, author(), &here).unwrap()).unwrap()
        };
        assert_eq!(done(b"To: x\r\n\r\nx", &plain), "From: ann@h.example\r\nTo: x\r\n\r\nx");
        assert_eq!(done(b"From: me\r\nBCC: y\r\n z\r\n\r\nx", &plain), "From: me\r\n\r\nx");
        assert!(done(b"\r\nx", &named).starts_with("From: =?utf-8?"), "{}", done(b"\r\nx", &named));
    }
}
