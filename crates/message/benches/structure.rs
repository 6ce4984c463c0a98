//! What is done with every message that is delivered or listed: `cargo bench -p message`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use message::structure::{Parsed, Scanner};
use message::text::{Extractor, fold};
use message::transfer::Decoder;

fn main() {
    divan::main();
}

const HEADER: &str = "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\nTo: Somebody <somebody@example.net>, b@example.net\r\n\
    Cc: \"Doe, John\" <john@example.org>\r\nSubject: the usual =?utf-8?q?caf=C3=A9?=\r\nMessage-ID: <1@example.org>\r\n\
    References: <0@example.org>\r\n <-1@example.org>\r\nIn-Reply-To: <0@example.org>\r\n\
    Date: Sat, 21 Nov 2026 16:08:04 +0000\r\nMIME-Version: 1.0\r\nX-Mailer: a program, 1.0\r\n\
    DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;\r\n\ts=one; h=From:To:Subject:Date;\r\n\tb=QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD\r\n";

/// A letter of 4 KiB.
fn plain() -> Vec<u8> {
    let mut message = format!("{HEADER}Content-Type: text/plain; charset=utf-8\r\n\r\n");
    while message.len() < 4096 {
        message += "Some words that fill a line of the usual length, as people write them.\r\n";
    }
    message.into_bytes()
}

/// As a newsletter comes: text, HTML and an image, some 100 KB.
fn mixed() -> Vec<u8> {
    let cell =
        "<tr><td style=3D\"color:red\">Some words</td><td><b>in</b> a cell &amp; another</td></tr>=\r\n";
    let image = format!("{}\r\n", "QUJD".repeat(19));
    format!(
        "{HEADER}Content-Type: multipart/mixed; boundary=\"=_a\"\r\n\r\n--=_a\r\nContent-Type: multipart/alternative; boundary=\"=_b\"\r\n\r\n\
         --=_b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}--=_b\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n<html>{}\r\n--=_b--\r\n--=_a\r\nContent-Type: image/png; name=\"a.png\"\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"a.png\"\r\n\r\n{}--=_a--\r\n",
        "Some words in a line.\r\n".repeat(100),
        cell.repeat(300),
        image.repeat(1000),
    )
    .into_bytes()
}

fn messages() -> [(&'static str, Vec<u8>); 2] {
    [("plain", plain()), ("mixed", mixed())]
}

fn message(name: &str) -> Vec<u8> {
    messages().into_iter().find(|(own, _)| *own == name).map(|(_, message)| message).unwrap_or_default()
}

fn scan(message: &[u8]) -> Parsed {
    let mut scanner = Scanner::new();
    scanner.feed(message);
    scanner.finish()
}

#[divan::bench(args = ["plain", "mixed"])]
fn structure(bencher: Bencher<'_, '_>, name: &str) {
    let message = message(name);
    bencher.counter(BytesCount::new(message.len())).bench(|| scan(black_box(&message)));
}

#[divan::bench(args = ["plain", "mixed"])]
fn structure_and_text(bencher: Bencher<'_, '_>, name: &str) {
    let message = message(name);
    bencher.counter(BytesCount::new(message.len())).bench(|| {
        let mut extractor = Extractor::new();
        extractor.feed(black_box(&message));
        extractor.finish()
    });
}

/// As FETCH of ENVELOPE and BODYSTRUCTURE has it from the store.
#[divan::bench(args = ["plain", "mixed"])]
fn read_what_was_kept(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = scan(&message(name)).to_bytes();
    bencher.counter(BytesCount::new(bytes.len())).bench(|| Parsed::from_bytes(black_box(&bytes)));
}

#[divan::bench(args = ["base64", "quoted-printable"])]
fn decode(bencher: Bencher<'_, '_>, encoding: &str) {
    let body = mixed();
    bencher.counter(BytesCount::new(body.len())).bench(|| {
        let mut out = Vec::new();
        if let Some(mut decoder) = Decoder::new(encoding.as_bytes()) {
            decoder.feed(black_box(&body), &mut out);
            decoder.finish(&mut out);
        }
        out
    });
}

#[divan::bench(args = ["some words", "Gr\u{fc}\u{df}e und W\u{f6}rter"])]
fn fold_case(bencher: Bencher<'_, '_>, words: &str) {
    let text = words.repeat(100);
    bencher.counter(BytesCount::new(text.len())).bench(|| fold(black_box(&text)));
}
