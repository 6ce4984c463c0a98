use super::*;
use mail_parser::{MessageParser, PartType};
use proptest::prelude::*;

fn needs(message: &[u8], body: Body, smtputf8: bool) {
    assert_eq!(Needs::of(message), Needs { body, smtputf8 }, "{:?}", String::from_utf8_lossy(message));
}

#[test]
fn needs_are_read_from_the_bytes() {
    needs(b"A: b\r\n\r\nhello\r\n", Body::SevenBit, false);
    needs("A: b\r\n\r\nh\u{e9}llo\r\n".as_bytes(), Body::EightBit, false);
    needs("A: \u{e9}\r\n\r\nhello\r\n".as_bytes(), Body::SevenBit, true);
    needs(b"A: b\r\n\r\nhello\n", Body::Binary, false);
    needs(b"A: b\r\n\r\nhel\rlo\r\n", Body::Binary, false);
    needs(b"A: b\r\n\r\nhel\0lo\r\n", Body::Binary, false);
    let at = |n| [b"A: b\r\n\r\n", "x".repeat(n).as_bytes(), b"\r\n"].concat();
    needs(&at(998), Body::SevenBit, false);
    needs(&at(999), Body::Binary, false);
}

fn check(input: &str, expected: &str) -> Vec<Signature> {
    let down = downgrade(input.replace('\n', "\r\n").as_bytes()).expect("needs more than 7 bits");
    assert_eq!(String::from_utf8(down.message).unwrap().replace("\r\n", "\n"), expected);
    down.broken
}

#[test]
fn text_becomes_quoted_printable_and_the_rest_base64() {
    check(
        "Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\u{fc}\u{df}e\n--b\nContent-Type: image/png\nContent-Transfer-Encoding: BINARY\n\n\u{89}PNG\n--b\n\nascii\n--b--\n",
        "Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe\n--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nwolQTkc=\n\n--b\n\nascii\n--b--\n",
    );
}

#[test]
fn a_message_without_mime_becomes_mime() {
    check(
        "Subject: Gr\u{fc}\u{df}e\n\nGr\u{fc}\u{df}e\n",
        "Subject: =?utf-8?B?R3LDvMOfZQ==?=\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe\n",
    );
}

#[test]
fn a_line_that_is_no_field_becomes_none_and_does_not_end_the_header() {
    check(
        "A: b\n\0\0\n\0From: other@example.org\nC: \0d\n\nx\n",
        "A: b\nX-Malformed:\nX-Malformed: From: other@example.org\nC: d\n\nx\n",
    );
}

#[test]
fn parameters_are_still_read_when_one_is_not_ascii() {
    check(
        "Content-Type: multipart/mixed; name=\"Gr\u{fc}\u{df}e ;\u{e9}\"; boundary=\"b\"\n\n--b\n\nx\n--b--\n",
        "Content-Type: multipart/mixed; name=\"=?utf-8?B?R3LDvMOfZQ==?=\n ;=?utf-8?B?w6k=?=\"; boundary=\"b\"\n\n--b\n\nx\n--b--\n",
    );
    check(
        "Content-Type: multipart/mixed; name=Gr\u{fc}n; x=\"a\" <\u{e9} <u\"; boundary=\"b\"\n\n--b\n\nx\n--b--\n",
        "Content-Type: multipart/mixed; name==?utf-8?B?R3LDvG4=?=; x=\"a\" <_ <u\";\n boundary=\"b\"\n\n--b\n\nx\n--b--\n",
    );
}

#[test]
fn messages_within_are_taken_apart_too() {
    check(
        "Content-Type: message/rfc822\n\nSubject: in\nContent-Type: text/plain; charset=utf-8\n\n\u{e9}\n",
        "Content-Type: message/rfc822\n\nSubject: in\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9\n",
    );
}

#[test]
fn broken_signatures_are_named() {
    let message = "DKIM-Signature: v=1; bh=x;\n d=example.org; s=a\nARC-Message-Signature: i=1\nContent-Type: multipart/signed; boundary=b\n\n--b\n\n\u{e9}\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n";
    let down = downgrade(message.replace('\n', "\r\n").as_bytes()).unwrap();
    assert_eq!(
        down.broken,
        [Signature::Mime, Signature::Dkim { domain: "example.org".into() }, Signature::Arc]
    );
    assert_eq!(downgrade(b"DKIM-Signature: d=x\r\n\r\nascii\r\n"), None);
}

#[test]
fn what_cannot_be_taken_apart_becomes_octets() {
    check(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed\n\n\u{e9}\n",
        "MIME-Version: 1.0\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nw6kNCg==\n",
    );
}

/// The content of every leaf as mail-parser reads it.
fn contents(message: &[u8]) -> Vec<Vec<u8>> {
    let parsed = MessageParser::default().parse(message).unwrap();
    let leaf = |part: &mail_parser::MessagePart<'_>| match &part.body {
        PartType::Multipart(_) | PartType::Message(_) => None,
        _ => Some(part.contents().to_vec()),
    };
    parsed.parts.iter().filter_map(leaf).collect()
}

fn lines_fit(message: &[u8]) -> bool {
    Body::of(message) == Body::SevenBit
}

proptest! {
    #[test]
    fn the_result_is_7_bit_and_says_the_same(
        texts in proptest::collection::vec("([a-zA-Z=. é\u{fffd}]{0,30}(\r\n)?){0,5}x", 1..5),
        data in proptest::collection::vec(any::<u8>(), 1..200),
        long in 0usize..2000,
    ) {
        let mut message = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=b\"\r\n\r\n".to_vec();
        for text in &texts {
            message.extend(b"--=b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
            message.extend(text.as_bytes());
            message.extend("y".repeat(long).as_bytes());
            message.extend(b"\r\n");
        }
        message.extend(b"--=b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n");
        message.extend(data.iter().filter(|b| !matches!(b, b'\r' | b'\n' | b'-')));
        message.extend(b"z\r\n--=b--\r\n");
        if let Some(down) = downgrade(&message) {
            prop_assert!(lines_fit(&down.message));
            prop_assert_eq!(contents(&down.message), contents(&message));
            prop_assert_eq!(downgrade(&down.message), None);
        }
    }

    #[test]
    fn any_input_becomes_7_bit(raw in proptest::collection::vec(any::<u8>(), 0..300), head in "((Content-Type|Content-Transfer-Encoding|Subject): (multipart/mixed; boundary=b|message/rfc822|base64|quoted-printable|x-uu|é|[ -~]{0,40})\r\n){0,4}(\r\n)?", parts in "(--b(--)?\r\n|é|\r\n|=|Content-Type: text/html\r\n){0,20}") {
        let message = [head.as_bytes(), parts.as_bytes(), &raw].concat();
        if let Some(down) = downgrade(&message) {
            prop_assert!(lines_fit(&down.message), "{:?}", String::from_utf8_lossy(&down.message));
        }
    }
}
