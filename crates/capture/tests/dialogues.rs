//! What is written down of what was said.

#[allow(unreachable_pub, reason = "a module that several tests share")]
mod support;

use capture::dialogue::{Protocol, Via};
use capture::{Secrets, Settings};
use support::*;

fn check(input: &str, expected: &str) -> Told {
    let told = decode(Settings::default(), &file(&conversation(input).frames));
    let expected: String = expected
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty())
        .fold(String::new(), |text, line| text + line + "\n");
    assert_eq!(text(told.only()), expected);
    told
}

/// Nothing of it is told in other words, or in another order.
fn check_as_said(dialogue: &str) -> Told {
    check(dialogue, dialogue)
}

#[test]
fn a_transaction_and_its_message() {
    let told = decode(Settings::default(), &file(&conversation(TRANSACTION).frames));
    assert_eq!(text(told.only()), TOLD);
    let message = &told.only().messages[0];
    assert_eq!(message.from.as_deref(), Some("a@client.example"));
    assert_eq!(message.to, ["b@mx.example"]);
    assert_eq!((message.via, message.octets, message.complete), (Via::Data, 52, true));
    assert_eq!(message.reply.as_deref(), Some("250 2.0.0 queued as 1"));
}

#[test]
fn chunks_are_counted() {
    let told = check(
        "
        S: 220 mx
        C: EHLO c
        S: 250-mx
        S: 250 CHUNKING
        C: MAIL FROM:<>
        C: RCPT TO:<b@mx>
        C: BDAT 14
        C: QUIT: a line
        C: BDAT 8 LAST
        C: .
        C:
        C: x
        C: QUIT
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 250 done
        S: 221 bye
        ",
        "
        S: 220 mx
        C: EHLO c
        S: 250-mx
        S: 250 CHUNKING
        C: MAIL FROM:<>
        C: RCPT TO:<b@mx>
        C: BDAT 14
        == message 1: 14 octets
        C: BDAT 8 LAST
        == message 1: 8 octets
        C: QUIT
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 250 done
        S: 221 bye
        ",
    );
    assert_eq!(told.messages[&(1, 1)], b"QUIT: a line\r\n.\r\n\r\nx\r\n");
    let message = &told.only().messages[0];
    assert_eq!((message.via, message.octets, message.complete), (Via::Bdat, 22, true));
    assert_eq!(message.reply.as_deref(), Some("250 done"));
}

#[test]
fn data_that_is_refused_has_no_content() {
    check_as_said(
        "
        S: 220 mx
        C: MAIL FROM:<a@b>
        C: RCPT TO:<c@d>
        C: DATA
        S: 250 ok
        S: 550 no
        S: 503 no recipients
        C: RSET
        S: 250 ok
        C: QUIT
        S: 221 bye
        ",
    );
}

#[test]
fn secrets_are_hidden() {
    const INPUT: &str = "
        S: 220 mx
        C: EHLO c
        S: 250 AUTH PLAIN LOGIN
        C: AUTH PLAIN AG1lAHNlY3JldA==
        S: 535 no
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: bWU=
        S: 334 UGFzc3dvcmQ6
        C: *
        S: 501 cancelled
        C: auth XOAUTH2 dXNlcj1tZQFhdXRo extra
        S: 504 no
        C: AUTH LOGIN
        C: bWU=
        C: c2VjcmV0
        S: 504 no such mechanism
        S: 500 what
        S: 500 what
        C: QUIT
        S: 221 bye
    ";
    check(
        INPUT,
        "
        S: 220 mx
        C: EHLO c
        S: 250 AUTH PLAIN LOGIN
        C: AUTH PLAIN [hidden: 16 octets]
        S: 535 no
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: [hidden: 4 octets]
        S: 334 UGFzc3dvcmQ6
        C: *
        S: 501 cancelled
        C: auth XOAUTH2 [hidden: 22 octets]
        S: 504 no
        C: AUTH LOGIN
        S: 504 no such mechanism
        C: [hidden: 4 octets]
        C: [hidden: 8 octets]
        S: 500 what
        S: 500 what
        C: QUIT
        S: 221 bye
        ",
    );
    let settings = Settings { secrets: Secrets::Show, ..Settings::default() };
    let told = decode(settings, &file(&conversation(INPUT).frames));
    assert!(text(told.only()).contains("C: AUTH PLAIN AG1lAHNlY3JldA==\n"));
}

#[test]
fn lmtp_replies_for_each_recipient() {
    let told = check(
        "
        S: 220 mx LMTP
        C: LHLO c
        S: 250 mx
        C: MAIL FROM:<a@b>
        C: RCPT TO:<c@d>
        C: RCPT TO:<e@d>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: .
        S: 250 first
        S: 452 second
        C: DATA
        S: 503 no
        C: QUIT
        S: 221 bye
        ",
        "
        S: 220 mx LMTP
        C: LHLO c
        S: 250 mx
        C: MAIL FROM:<a@b>
        C: RCPT TO:<c@d>
        C: RCPT TO:<e@d>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 354 go
        == message 1: 0 octets
        S: 250 first
        S: 452 second
        C: DATA
        S: 503 no
        C: QUIT
        S: 221 bye
        ",
    );
    assert_eq!(told.only().protocol, Protocol::Lmtp);
    assert_eq!(told.only().messages[0].reply.as_deref(), Some("452 second"));
}

#[test]
fn very_long_transcripts_are_bounded() {
    let mut input = String::from("S: 220 mx\n");
    for _ in 0..15_000 {
        input.push_str("C: NOOP\nS: 250 ok, and here is a rather long text that fills the transcript\n");
    }
    let told = decode(Settings::default(), &file(&conversation(&input).frames));
    let dialogue = told.only();
    assert!(dialogue.left_out > 0);
    assert_eq!(dialogue.entries.len() as u64 + dialogue.left_out, 30_001);
}
