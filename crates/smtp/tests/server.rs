//! The server's half against transcripts, and however its input is cut.
//!
//! `tests/server/*.smtp` are run line by line and written again; the result must be the file as it stands.
//! After a change that is meant, `UPDATE_EXPECT=1` writes the files and the difference is reviewed.
//!
//! | line | meaning |
//! |---|---|
//! | `#` | a remark |
//! | `@ NAME VALUE` | a setting, before everything else |
//! | `C: TEXT` | the client sends the text and CRLF |
//! | `C+ TEXT` | the same, but together with the next line |
//! | `C> TEXT` | the client sends the text alone; `\r \n \0 \\ \xHH` are octets |
//! | `T: N` | N seconds pass; `tls`: the handshake is done; `eof`: the client is gone; `stop`: the server stops |
//! | `S: TEXT` | the server replied |
//! | `E: TEXT` | the driver was told |

#![allow(clippy::unwrap_used, reason = "helpers of tests: what they cannot do fails the test")]

#[path = "server/driver.rs"]
mod driver;

use driver::Driver;
use proptest::prelude::*;
use std::fmt::Write;
use std::path::Path;

#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "smtp"));
    files.sort();
    assert!(files.len() > 10, "the transcripts are gone");
    let mut wrong = String::new();
    for file in files {
        let expected = std::fs::read_to_string(&file).unwrap();
        let found = replay(&expected);
        if found == expected {
            continue;
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, &found).unwrap();
        } else {
            write!(wrong, "{}\n{}\n", file.display(), difference(&expected, &found)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn replay(script: &str) -> String {
    let settings = script.lines().filter_map(|line| line.strip_prefix("@ "));
    let mut driver = Driver::new(settings);
    let (mut out, mut held, mut greeted) = (String::new(), Vec::new(), false);
    for line in script.lines() {
        if line.starts_with("S: ") || line.starts_with("E: ") {
            continue;
        }
        // An empty line may have lost the space behind its colon.
        let (kind, text) = if line == "C:" { ("C: ", "") } else { line.split_at(line.len().min(3)) };
        if !greeted && matches!(kind, "C: " | "C+ " | "C> " | "T: ") {
            greeted = true;
            out.push_str(&driver.run());
        }
        writeln!(out, "{line}").unwrap();
        match kind {
            "C+ " | "C: " => held.extend([text.as_bytes(), b"\r\n"].concat()),
            "C> " => held.extend(octets(text)),
            "T: " => driver.happen(text),
            _ => continue,
        }
        if kind != "C+ " {
            driver.send(&std::mem::take(&mut held));
            out.push_str(&driver.run());
        }
    }
    out
}

/// Reads `\r \n \0 \\ \xHH`.
fn octets(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.bytes());
    while let Some(octet) = rest.next() {
        out.push(match octet {
            b'\\' => match rest.next().unwrap() {
                b'r' => b'\r',
                b'n' => b'\n',
                b'0' => 0,
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            },
            octet => octet,
        });
    }
    out
}

/// The first line that differs, with those around it.
fn difference(expected: &str, found: &str) -> String {
    let pairs = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count();
    let from = pairs.saturating_sub(3);
    let show =
        |text: &str| text.lines().skip(from).take(8).map(|line| format!("    {line}\n")).collect::<String>();
    format!("line {}, expected:\n{}found:\n{}", pairs + 1, show(expected), show(found))
}

#[test]
fn a_parked_session_says_when_it_has_enough() {
    use smtp::server::{Config, Decision, Event, MAX_INPUT, Protocol, Session};
    let now = std::time::Instant::now();
    let mut session = Session::new(Config::new("mx.example".parse().unwrap(), Protocol::Smtp), now);
    assert!(matches!(session.poll_event(), Some(Event::Connect)));
    assert!(!session.talked_early() && session.poll_timeout().is_none());

    session.handle_input(now, &vec![b'a'; MAX_INPUT]);
    assert!(session.talked_early() && !session.wants_input() && session.poll_event().is_none());

    session.answer(Decision::Accept);
    assert!(
        session.poll_event().is_none() && session.wants_input(),
        "the line is thrown away as it is too long"
    );
    session.handle_input(now, b"\r\nNOOP\r\n");
    assert!(session.poll_event().is_none());
    let said = session.poll_transmit().unwrap();
    assert_eq!(said, "220 mx.example ESMTP\r\n500 5.5.2 the line is too long\r\n250 2.0.0 nothing done\r\n");
    assert_eq!(session.poll_timeout(), Some(now + std::time::Duration::from_secs(300)));
}

#[test]
fn an_answer_that_makes_no_sense_is_451() {
    use smtp::server::{Config, Decision, Protocol, Session};
    let wrong = [
        Decision::Refuse(smtp::Reply::plain(250, "fine")),
        Decision::AcceptWith(smtp::Reply::new(450, (4, 0, 0), "wait")),
        Decision::Challenge(Vec::new()),
        Decision::Recipients(Vec::new()),
    ];
    for (decision, code) in wrong.into_iter().zip(["451", "450", "451", "451"]) {
        let now = std::time::Instant::now();
        let mut session = Session::new(Config::new("mx.example".parse().unwrap(), Protocol::Smtp), now);
        session.poll_event();
        session.answer(decision);
        assert!(session.poll_transmit().unwrap().starts_with(code.as_bytes()));
    }
}

/// What clients say, and what they should not.
fn dialogue() -> impl Strategy<Value = Vec<u8>> {
    let usual = prop_oneof![
        Just("MAIL FROM:<a@b.example>\r\n"),
        Just("MAIL FROM:<a@b.example> BODY=BINARYMIME SIZE=10\r\n"),
        Just("RCPT TO:<c@d.example>\r\n"),
        Just("RCPT TO:<unknown@d.example>\r\n"),
        Just("DATA\r\na\r\n..b\r\n.\r\n"),
        Just("DATA\r\na\nb\r\n.\r\n"),
        Just("DATA\r\n.\r\n"),
        Just("BDAT 6\r\nabc\r\n\r"),
        Just("BDAT 5 LAST\r\n\nab\r\n"),
        Just("BDAT 40 LAST\r\n01234567890123456789012345678901234567\r\n"),
        Just("BDAT 0 LAST\r\n"),
    ];
    let other = prop_oneof![
        Just("EHLO client.example\r\n"),
        Just("RSET\r\n"),
        Just("NOOP\r\n"),
        Just("AUTH PLAIN AHUAcA==\r\n"),
        Just("AUTH LOGIN\r\ndQ==\r\n*\r\n"),
        Just("NOOP\nRSET\r\n"),
        Just("\0\r\n"),
        Just("XFORWARD ADDR=192.0.2.1\r\n"),
        Just("VRFY a\r\n"),
        Just("RCPT TO:<\u{e9}@d.example>\r\n"),
    ];
    let line = prop_oneof![3 => usual, 1 => other];
    prop::collection::vec(line, 0..24).prop_map(|lines| ["EHLO c\r\n", &lines.concat()].concat().into_bytes())
}

proptest! {
    // A find becomes a transcript, not a seed.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn how_the_input_is_cut_changes_nothing(
        wire in dialogue(), cuts in prop::collection::vec(1usize..30, 0..60), normalise: bool)
    {
        let bare = if normalise { "bare normalise" } else { "bare reject" };
        let settings = ["pipelining lenient", bare, "size 30", "mechanisms PLAIN LOGIN", "xforward yes"];
        let mut whole = Driver::new(settings.into_iter());
        whole.send(&wire);
        let expected = whole.run();

        let mut cut = Driver::new(settings.into_iter());
        let (mut rest, mut found) = (&wire[..], cut.run());
        for size in cuts.into_iter().chain(std::iter::repeat(7)) {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(size.min(rest.len()));
            cut.send(piece);
            found.push_str(&cut.run());
            rest = after;
        }
        // Within a step, events come before replies: each kind is compared on its own.
        let only = |text: &str, kind: &str| text.lines().filter(|line| line.starts_with(kind)).collect::<Vec<_>>().join("\n");
        prop_assert_eq!(only(&found, "S:"), only(&expected, "S:"));
        prop_assert_eq!(only(&found, "E:"), only(&expected, "E:"));
    }

    #[test]
    fn no_input_panics_or_is_kept_without_bound(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20)) {
        let mut driver = Driver::new(["pipelining lenient"].into_iter());
        driver.run();
        driver.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n");
        for piece in pieces {
            driver.send(&piece);
            driver.run();
        }
    }
}
