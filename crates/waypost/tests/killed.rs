//! A 250 is a promise: `waypost serve` is killed in the middle of its work, again and again, and every message that
//! was answered 250 must be in its mailbox exactly once, whole; nothing that never ended may be there.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use store::{Options, Store};

const ROUNDS: usize = 4;
const SESSIONS: usize = 8;
const PROGRAM: &str = env!("CARGO_BIN_EXE_waypost");

/// Large enough that every fifth is a file of its own.
fn body(name: &str, large: bool) -> String {
    let lines = if large { 5_000 } else { 3 };
    format!("Subject: {name}\r\n\r\n{}", format!("{name} is here in full\r\n").repeat(lines))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn command(folder: &Path, words: &[&str], input: &str) {
    let mut child = Command::new(PROGRAM)
        .args(words)
        .arg("--config")
        .arg(folder.join("waypost.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{words:?}");
}

/// Starts the server and returns when it says that it is ready.
fn serve(folder: &Path) -> Child {
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--config"])
        .arg(folder.join("waypost.toml"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    child
}

/// What a session tells of a message.
enum Told {
    /// Sent to the last dot, or about to be.
    Ended(String),
    /// Answered 250.
    Promised(String),
}

/// What all sessions told.
#[derive(Default)]
struct Seen {
    ended: Vec<String>,
    promised: Vec<String>,
}

/// Sends until the server is gone.
fn send(port: u16, session: &str, tell: &mpsc::Sender<Told>) -> std::io::Result<()> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut say = |words: &str, code: &str| -> std::io::Result<()> {
        writer.write_all(words.as_bytes())?;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) == Some(&b' ') {
                assert!(line.starts_with(code), "{words:?}: {line}");
                return Ok(());
            }
        }
    };
    say("", "220")?;
    say("EHLO client.example\r\n", "250")?;
    for number in 0.. {
        let name = format!("{session}-{number}");
        say("MAIL FROM:<sender@example.net>\r\n", "250")?;
        say("RCPT TO:<me@example.org>\r\n", "250")?;
        say("DATA\r\n", "354")?;
        let message = format!("{}.\r\n", body(&name, number % 5 == 4));
        tell.send(Told::Ended(name.clone())).unwrap();
        say(&message, "250")?;
        tell.send(Told::Promised(name)).unwrap();
    }
    Ok(())
}

#[test]
fn what_was_answered_250_survives_kill_9_and_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let settings = format!(
        "hostname = \"mail.example.org\"\ndata = \"data\"\n[listen]\nsmtp = [\"127.0.0.1:{port}\"]\n\
         [limits]\nexempt = [\"127.0.0.0/8\"]\nmessages-per-session = 0\n"
    );
    std::fs::write(folder.path().join("waypost.toml"), settings).unwrap();
    command(folder.path(), &["domain", "add", "example.org"], "");
    command(folder.path(), &["account", "add", "me@example.org", "--password-stdin"], "a long password\n");

    let mut seen = Seen::default();
    for round in 0..ROUNDS {
        let mut server = serve(folder.path());
        let (tell, told) = mpsc::channel();
        for session in 0..SESSIONS {
            let (tell, session) = (tell.clone(), format!("r{round}s{session}"));
            std::thread::spawn(move || send(port, &session, &tell));
        }
        drop(tell);
        // The kill comes in the middle: after so many promises of this round, wherever the sessions are then.
        let until = seen.promised.len() + 60 + round * 17;
        while seen.promised.len() < until {
            let one = told.recv_timeout(Duration::from_secs(30));
            seen.hear(one.expect("the sessions ended or stood still before the kill; is the disk full?"));
        }
        server.kill().unwrap();
        server.wait().unwrap();
        // What was promised until the kill, to the end of every session.
        told.iter().for_each(|one| seen.hear(one));
    }
    check(&folder.path().join("data"), &seen);
}

impl Seen {
    fn hear(&mut self, told: Told) {
        match told {
            Told::Ended(name) => self.ended.push(name),
            Told::Promised(name) => self.promised.push(name),
        }
    }
}

fn check(data: &Path, seen: &Seen) {
    let store = Store::open(data, &Options::default()).unwrap();
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    let account = store.accounts(None).unwrap().remove(0);
    let inbox = store.inbox(account.id).unwrap();
    let listed = store.messages(inbox.id, 0, usize::MAX >> 1).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut found: HashMap<String, usize> = HashMap::new();
    for summary in &listed {
        let message = store.message(inbox.id, summary.uid).unwrap().unwrap();
        let text = runtime.block_on(message.body.read(usize::MAX)).unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        let name = text.lines().next().unwrap().trim_start_matches("Subject: ").to_owned();
        let large = name.rsplit('-').next().unwrap().parse::<usize>().unwrap() % 5 == 4;
        assert_eq!(text, body(&name, large), "{name} is not whole");
        *found.entry(name).or_default() += 1;
    }
    for name in &seen.promised {
        assert_eq!(found.get(name), Some(&1), "{name} was answered 250");
    }
    for name in found.keys() {
        assert!(seen.ended.contains(name), "{name} never ended");
    }
    assert!(seen.promised.len() >= ROUNDS * 60);
}
