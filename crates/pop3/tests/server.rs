//! Runs the dialogues of `tests/server/*.pop3`: a new behaviour is a new file. Each is run line by line and octet by
//! octet.
//!
//! ```text
//! # comment
//! config: tls, no-stls, require-tls, no-sasl, login-delay=900, expire=60, expire=none, implementation=X
//! mail: Subject: one\r\n\r\ntext      a message of the maildrop; escapes \r \n \0 \t \\ \xNN
//! S: +OK                              a line the server sends
//! C: STAT                             a line the client sends
//! c: STAT                             octets the client sends, no CRLF
//! next: in-use                        how the driver answers the next event
//! E: commit [0]                       an event: starttls, commit, closed
//! wait: 600                           seconds pass
//! end                                 the client closes
//! ```

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::VecDeque;
use std::path::Path;

use common::{Driver, open_config};
use pop3::server::{Config, Decision, Expire, Refusal};

#[test]
fn dialogues() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 20);
    for file in files {
        let script = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        check(&name, &script, usize::MAX);
        check(&name, &script, 1);
    }
}

fn check(name: &str, script: &str, chunk: usize) {
    let mut config = open_config();
    let mut mail = Vec::new();
    for line in script.lines() {
        match line.split_once(": ") {
            Some(("config", words)) => words.split(", ").for_each(|word| configure(&mut config, word)),
            Some(("mail", text)) => mail.push(unescape(text)),
            _ => {}
        }
    }
    let mut driver = Driver::new(config, mail);
    driver.drain();
    let mut log = VecDeque::new();
    for (number, line) in script.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        step(&place, line, &mut driver, &mut log, chunk);
    }
    log.extend(driver.log.drain(..));
    assert_eq!(String::from_utf8_lossy(&driver.sent), "", "{name}: sent but not expected");
    assert!(log.is_empty(), "{name}: events not expected: {log:?}");
}

fn step(place: &str, line: &str, driver: &mut Driver, log: &mut VecDeque<String>, chunk: usize) {
    let (kind, text) = line.split_once(':').unwrap_or((line, ""));
    let text = text.strip_prefix(' ').unwrap_or(text);
    match kind {
        "C" | "c" => {
            let mut octets = unescape(text);
            octets.extend_from_slice(if kind == "C" { b"\r\n" } else { b"" });
            octets.chunks(chunk.min(octets.len().max(1))).for_each(|piece| driver.input(piece));
        }
        "S" => {
            let end = driver.sent.windows(2).position(|two| two == b"\r\n");
            let got = end.map(|end| driver.sent.drain(..end + 2).take(end).collect::<Vec<_>>());
            let got = got.map(|got| String::from_utf8_lossy(&got).into_owned());
            let expected = String::from_utf8_lossy(&unescape(text)).into_owned();
            assert_eq!(got, Some(expected), "{place}");
        }
        "E" => {
            log.extend(driver.log.drain(..));
            assert_eq!(log.pop_front().as_deref(), Some(text), "{place}");
        }
        "next" => driver.next = Some(decision(text)),
        "wait" => driver.wait(text.parse().unwrap()),
        "end" => {
            driver.session.handle_end();
            driver.drain();
        }
        "" | "config" | "mail" => {}
        other => assert!(other.starts_with('#'), "{place}: what is {other:?}?"),
    }
}

fn configure(config: &mut Config, word: &str) {
    match word.split_once('=').unwrap_or((word, "")) {
        ("tls", _) => config.tls = true,
        ("no-stls", _) => config.stls = false,
        ("require-tls", _) => config.require_tls = true,
        ("no-sasl", _) => config.mechanisms.clear(),
        ("login-delay", seconds) => config.login_delay = Some(seconds.parse().unwrap()),
        ("expire", "none") => config.expire = None,
        ("expire", days) => config.expire = Some(Expire::Days(days.parse().unwrap())),
        ("implementation", name) => config.implementation = Some(name.into()),
        other => panic!("{other:?}"),
    }
}

fn decision(text: &str) -> Decision {
    Decision::Refused(match text {
        "in-use" => Refusal::InUse,
        "login-delay" => Refusal::LoginDelay,
        "temporary" => Refusal::Temporary,
        "permanent" => Refusal::Permanent,
        "gone" => Refusal::Gone,
        "logged-in" => return Decision::LoggedIn,
        "not-all" => return Decision::Committed { all: false },
        "misfit" => return Decision::Message,
        other => panic!("{other:?}"),
    })
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let (octet, used) = match (first, tail) {
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [b'0', ..]) => (0, 2),
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', [b'x', a, b, ..]) => {
                let digits = [*a, *b];
                (u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap(), 4)
            }
            (octet, _) => (octet, 1),
        };
        out.push(octet);
        rest = &rest[used..];
    }
    out
}

/// Only what comes in one piece with STLS can be told from what comes under TLS, so this is not a dialogue file.
#[test]
fn plain_text_after_stls_ends_the_session() {
    let mut driver = Driver::new(Config::new("mx.example"), vec![]);
    driver.input(b"STLS\r\nUSER mrose\r\n");
    assert!(driver.sent.ends_with(b"-ERR nothing may follow STLS before its answer; closing\r\n"));
    assert_eq!(driver.log, ["closed InputAfterStls"]);

    let mut driver = Driver::new(Config::new("mx.example"), vec![]);
    driver.session.handle_input(driver.now, b"STLS\r\n");
    assert!(!driver.session.wants_input());
    driver.session.handle_input(driver.now, b"USER mrose\r\n");
    driver.drain();
    assert!(driver.sent.ends_with(b"+OK begin TLS negotiation\r\n"));
    assert_eq!(driver.log, ["closed InputAfterStls"]);
}

/// A part of a message must not look like the whole.
#[test]
fn a_message_that_cannot_be_read_on_is_not_ended() {
    let mut driver = Driver::new(open_config(), vec![b"A: b\r\n\r\nx\r\n".to_vec()]);
    driver.input(b"USER mrose\r\nPASS secret\r\nDELE 1\r\nRSET\r\n");
    driver.session.handle_input(driver.now, b"RETR 1\r\nQUIT\r\n");
    let fetch = driver.session.poll_event();
    assert!(matches!(fetch, Some(pop3::server::Event::Fetch { index: 0, .. })), "{fetch:?}");
    driver.session.answer(driver.now, Decision::Message);
    driver.session.handle_message(driver.now, b"A: b\r\n");
    driver.session.abort_message();
    driver.drain();
    assert!(driver.sent.ends_with(b"+OK 11 octets\r\nA: b\r\n"));
    assert_eq!(driver.log, ["closed MessageAborted"]);
}

/// A client that does not read does not keep the session: the driver cannot feed, and the time runs out.
#[test]
fn a_client_that_stops_reading_is_given_up() {
    let mut driver = Driver::new(open_config(), vec![b"A: b\r\n\r\nx\r\n".to_vec()]);
    driver.input(b"USER mrose\r\nPASS secret\r\n");
    driver.session.handle_input(driver.now, b"RETR 1\r\n");
    driver.session.poll_event();
    assert_eq!(driver.session.poll_timeout(), None);
    driver.session.answer(driver.now, Decision::Message);
    assert_eq!(driver.session.poll_timeout(), Some(driver.now + pop3::server::IDLE_TIMEOUT));
    driver.wait(600);
    assert_eq!(driver.log, ["closed Idle"]);
}

#[test]
fn a_setting_cannot_add_a_line() {
    let mut driver = Driver::new(Config::new("mx\r\n-ERR"), vec![]);
    driver.drain();
    assert_eq!(driver.sent, b"+OK mx-ERR POP3 server ready\r\n");
}

/// Inside a response the last word would be read as part of the message.
#[test]
fn nothing_is_said_in_the_middle_of_a_message() {
    let mut driver = Driver::new(open_config(), vec![b"A: b\r\n\r\nx\r\n".to_vec()]);
    driver.input(b"USER mrose\r\nPASS secret\r\n");
    driver.session.handle_input(driver.now, b"RETR 1\r\n");
    driver.session.poll_event();
    driver.session.answer(driver.now, Decision::Message);
    driver.session.handle_message(driver.now, b"A: b\r\n");
    driver.session.handle_input(driver.now, &vec![b'x'; pop3::server::INPUT_HARD_LIMIT + 1]);
    driver.drain();
    assert!(driver.sent.ends_with(b"A: b\r\n"));
    assert_eq!(driver.log, ["closed TooMuchInput"]);
}
