//! Peers that misbehave, at every stage, as clients and as the next server: nothing of theirs stays behind in the real
//! program, no message is lost, and none is delivered twice but where the peer kept its answer to itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

mod clients;
mod figures;
mod servers;
mod strangers;

use std::path::Path;
use std::time::{Duration, Instant};
use xtask::installation::{Installation, SMTP};
use xtask::wire::{Wire, stuffed};

/// For everything that is waited for: a loaded machine is slow, and whoever takes longer never gets there.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a test is. A first time, before which nothing is measured, leaves what is kept for later; then come the rounds.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// How often everybody misbehaves after the first time.
    rounds: usize,
    /// Within which all is to be given back.
    within: Duration,
}

impl Form {
    const SHORT: Self = Self { rounds: 2, within: LIMIT };
    /// For a machine with nothing else to do, by hand.
    const LONG: Self = Self { rounds: 9, within: Duration::from_secs(10) };
}

/// Whose mailbox is here.
const HERE: &str = "ann@example.org";

fn installation(extra: &xtask::installation::Extra<'_>) -> Installation {
    let installation = Installation::new(Path::new(env!("CARGO_BIN_EXE_waypost"))).unwrap();
    installation.configure(extra).unwrap();
    installation.populate(&["ann"]).unwrap();
    installation
}

/// A message that is named by its subject.
fn message(name: &str) -> Vec<u8> {
    let id = name.replace(' ', ".");
    // With all fields that a submitted message must have, so that none is added.
    let header = format!(
        "Subject: {name}\r\nFrom: <{HERE}>\r\nTo: <{HERE}>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\
         Message-ID: <{id}@misbehave.example>\r\n"
    );
    format!("{header}\r\n.a line\r\n{}", "and another\r\n".repeat(200)).into_bytes()
}

fn name_of(message: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    text.lines().find_map(|line| line.strip_prefix("Subject: ")).map(str::to_owned)
}

/// Sends these, `(name, recipient)`, as a client should; each is answered 250.
fn send<'a>(installation: &Installation, messages: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let mut wire = Wire::connect(installation.place(SMTP)).unwrap();
    assert_eq!(wire.reply().unwrap().code, 220);
    let mut ask = |octets: &[u8], code| assert_eq!(wire.ask(octets).unwrap().code, code);
    ask(b"EHLO client.example\r\n", 250);
    for (name, recipient) in messages {
        ask(format!("MAIL FROM:<{HERE}>\r\n").as_bytes(), 250);
        ask(format!("RCPT TO:<{recipient}>\r\n").as_bytes(), 250);
        ask(b"DATA\r\n", 354);
        ask(&stuffed(&message(name)), 250);
    }
    ask(b"QUIT\r\n", 221);
}

/// Waits until something is so, for so long at most.
#[track_caller]
fn until(limit: Duration, what: impl Fn() -> String, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !so() {
        assert!(Instant::now() < end, "{}: not within {limit:?}", what());
        std::thread::sleep(Duration::from_millis(20));
    }
}
