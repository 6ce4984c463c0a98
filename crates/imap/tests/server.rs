//! Runs the dialogues of `tests/server/*.imap`: a new behaviour is a new file. Each is run line by line and octet by
//! octet.
//!
//! ```text
//! # comment
//! config: tls, no-starttls, require-tls, no-login, no-sasl, no-compress, no-quota, no-unauthenticate, literal-minus, append-limit=100
//! login                               greeting, LOGIN and its answer, none of which is looked at
//! select                              the same, and SELECT INBOX
//! S: * 2 EXISTS                       a line the server sends; after … at its end anything may follow
//! C: a1 NOOP                          a line the client sends; escapes \r \n \0 \t \\ \xNN
//! c: a1 NOOP                          octets the client sends, no CRLF
//! next: no trycreate                  how the driver answers the next command or message: no, bad, trycreate
//! tell: 3                             the driver says that there are three messages
//! E: idle                             an event: starttls, idle, message …, end …, aborted, closed …
//! wait: 600                           seconds pass
//! end                                 the client closes
//! ```

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::VecDeque;
use std::path::Path;

use common::{Driver, open_config};
use imap::response::{Code, Data, Status};
use imap::server::Config;

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
    let settings = script.lines().filter_map(|line| line.strip_prefix("config: "));
    settings.flat_map(|words| words.split(", ")).for_each(|word| configure(&mut config, word));
    let mut driver = Driver::new(config);
    driver.drain();
    let mut log = VecDeque::new();
    for (number, line) in script.lines().enumerate() {
        let place = format!("{name}:{} by {chunk}", number + 1);
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
            let got = got.map(|got| String::from_utf8_lossy(&got).into_owned()).unwrap_or_default();
            let expected = String::from_utf8_lossy(&unescape(text)).into_owned();
            match expected.strip_suffix('…') {
                Some(start) => assert!(got.starts_with(start), "{place}: {got:?}"),
                None => assert_eq!(got, expected, "{place}"),
            }
        }
        "E" => {
            log.extend(driver.log.drain(..));
            assert_eq!(log.pop_front().as_deref(), Some(text), "{place}");
        }
        "login" => enter(driver, b"l LOGIN mrose secret\r\n"),
        "select" => enter(driver, b"l LOGIN mrose secret\r\ns SELECT INBOX\r\n"),
        "next" => driver.next = Some(status(text)),
        "tell" => {
            assert!(driver.session.may_tell(), "{place}");
            driver.session.data(&Data::Exists(text.parse().unwrap()));
            driver.drain();
        }
        "wait" => driver.wait(text.parse().unwrap()),
        "end" => {
            driver.session.handle_end();
            driver.drain();
        }
        "" | "config" => {}
        other => assert!(other.starts_with('#'), "{place}: what is {other:?}?"),
    }
}

fn enter(driver: &mut Driver, commands: &[u8]) {
    driver.input(commands);
    assert!(driver.sent.ends_with(b" completed\r\n") || driver.sent.ends_with(b" logged in\r\n"));
    driver.sent.clear();
}

fn configure(config: &mut Config, word: &str) {
    match word.split_once('=').unwrap_or((word, "")) {
        ("tls", _) => config.tls = true,
        ("no-starttls", _) => config.starttls = false,
        ("require-tls", _) => config.require_tls = true,
        ("no-login", _) => config.login = false,
        ("no-sasl", _) => config.mechanisms.clear(),
        ("no-compress", _) => config.compress = false,
        ("no-quota", _) => config.quota = false,
        ("no-unauthenticate", _) => config.unauthenticate = false,
        ("literal-minus", _) => config.literal_plus = false,
        ("append-limit", octets) => config.append_limit = Some(octets.parse().unwrap()),
        other => panic!("{other:?}"),
    }
}

fn status(text: &str) -> Status {
    match text {
        "no" => Status::no(None, "not here"),
        "bad" => Status::bad("not so"),
        "trycreate" => Status::no(Code::TryCreate, "no such mailbox"),
        other => panic!("{other:?}"),
    }
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
