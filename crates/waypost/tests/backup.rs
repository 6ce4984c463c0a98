//! `waypost backup` and `waypost restore`, as a shell runs them: with and without the server, under load, killed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{Program, Running, USER};

/// Waiting for what comes soon on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An installation with one account and some mail.
fn install(messages: usize) -> Program {
    let program = Program::installed();
    let mbox: String = (0..messages)
        .map(|number| {
            format!(
                "From a@b Tue Nov 14 22:13:20 2023\nSubject: old {number}\nStatus: RO\n\ntext {number}\n\n"
            )
        })
        .collect();
    program.write("Archive.mbox", mbox);
    program.run(&["import", "mbox", "Archive.mbox", "--account", USER]).done();
    program
}

/// An installation without data.
fn elsewhere() -> Program {
    let program = Program::new();
    program.write("waypost.toml", "hostname = \"mail.example.org\"\ndata = \"data\"\n");
    program
}

fn subjects(program: &Program, folder: &str) -> Vec<String> {
    let words = ["mail", "list", "--account", USER, "--folder", folder, "--limit", "10000", "--json"];
    let list = program.run(&words).done().json();
    let mut subjects: Vec<String> =
        list.as_array().unwrap().iter().map(|one| one["subject"].as_str().unwrap().to_owned()).collect();
    subjects.sort();
    subjects
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} in {value}"))
}

#[test]
fn all_of_it_comes_back_where_there_is_no_data() {
    let program = install(5);
    let target = program.path("backup");
    let target = target.to_str().unwrap();
    let first = program.run(&["backup", target, "--json"]).done().json();
    assert_eq!(
        (number(&first, "messages"), number(&first, "new_bodies"), number(&first, "accounts")),
        (5, 5, 1)
    );
    let again = program.run(&["backup", target, "--json"]).done().json();
    assert_eq!((number(&again, "new_bodies"), number(&again, "written")), (0, 0));
    let verified = program.run(&["backup", "--verify", target, "--json"]).done().json();
    assert_eq!((&verified["ok"], number(&verified, "snapshots")), (&true.into(), 2));
    let list = program.run(&["restore", target, "--list", "--json"]).done().json();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert!(program.run(&["restore", target, "--list"]).done().out.contains("MESSAGES"));

    // Not over data; not without back-ups; not from before the first.
    for (words, why) in [
        (&["restore", target][..], "already exists"),
        (&["restore", "data"], "no back-ups"),
        (&["restore", target, "--at", "2001-01-01"], "no back-up from that time"),
        (&["backup", "data"], "other things"),
    ] {
        let ran = program.run(words);
        assert!(ran.code == Some(1) && ran.err.contains(why), "{words:?}: {ran:?}");
    }
    assert_eq!(program.run(&["restore", target, "--at", "soon"]).code, Some(2));
    assert_eq!(program.run(&["restore", target, "--folder", "x"]).code, Some(2));

    let other = elsewhere();
    let report = other.run(&["restore", target, "--json"]).done().json();
    assert_eq!((number(&report, "messages"), number(&report, "accounts")), (5, 1));
    assert_eq!(subjects(&other, "Archive"), subjects(&program, "Archive"));
    other.run(&["check", "store"]).done();
    // What was imported is known there, and back-ups go on from where they were.
    other.write("Archive.mbox", std::fs::read(program.path("Archive.mbox")).unwrap());
    let newer = other.run(&["backup", target, "--keep", "1", "--json"]).done().json();
    assert_eq!((number(&newer, "new_bodies"), number(&newer["pruned"], "removed")), (0, 2));

    let mode = std::fs::metadata(target).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o077, 0);
}

/// Whatever is printed of it names each of several.
#[test]
fn each_of_two_comes_back_by_its_time_as_it_is_listed() {
    let program = install(1);
    program.run(&["backup", "backup"]).done();
    let mbox = "From a@b Tue Nov 14 22:13:20 2023\nSubject: later\n\ntext\n\n";
    program.write("INBOX.mbox", mbox);
    program.run(&["import", "mbox", "INBOX.mbox", "--account", USER]).done();
    program.run(&["backup", "backup"]).done();

    let listed = program.run(&["restore", "backup", "--list"]).done().out;
    let times: Vec<String> = listed.lines().skip(1).map(|line| line.trim_start()[..30].to_owned()).collect();
    let json = program.run(&["restore", "backup", "--list", "--json"]).done().json();
    let from = program.path("backup");
    for (index, time) in times.iter().enumerate() {
        let at = number(&json[index], "at");
        // Without the zone it is a time of here.
        for form in [time.as_str(), &time[..23], &at.to_string()] {
            let other = elsewhere();
            let words = ["restore", from.to_str().unwrap(), "--at", form, "--json"];
            let report = other.run(&words).done().json();
            let found = (number(&report, "at"), number(&report, "messages"));
            assert_eq!(found, (at, 1 + index as u64), "{form} of {listed}");
        }
    }
    // All of the second, minute and day of the last one.
    for length in [19, 16, 10] {
        let words = ["restore", "backup", "--at", &times[1][..length], "--account", USER, "--json"];
        let report = program.run(&words).done().json();
        let messages: u64 =
            report["folders"].as_array().unwrap().iter().map(|one| number(one, "messages")).sum();
        assert_eq!(messages, 2, "{} of {listed}", &times[1][..length]);
    }
}

#[test]
fn one_folder_comes_back_into_the_running_server() {
    let program = install(3);
    program.run(&["backup", "backup"]).done();
    let served = Serving::new(&program);
    let list =
        program.run(&["mail", "list", "--account", USER, "--folder", "Archive", "--json"]).done().json();
    assert_eq!(list.as_array().unwrap().len(), 3);
    served.deliver(1, "stays");
    // The folder's mail goes with the account, which comes again, empty.
    program.run(&["account", "remove", USER, "--yes"]).done();
    program.run_with(&["account", "add", USER, "--password-stdin"], "correct horse battery\n").done();
    let words = ["restore", "backup", "--account", USER, "--folder", "Archive", "--json"];
    let report = program.run(&words).done().json();
    assert_eq!(number(&report["folders"][0], "restored"), 3);
    let report = program.run(&words).done().json();
    assert_eq!((number(&report["folders"][0], "restored"), number(&report["folders"][0], "known")), (0, 3));
    assert_eq!(subjects(&program, "Archive"), ["old 0", "old 1", "old 2"]);
    let ran = program.run(&["restore", "backup", "--account", USER, "--folder", "Nowhere"]);
    assert!(ran.code == Some(1) && ran.err.contains("no such folder"), "{ran:?}");
    let ran = program.run(&["restore", "backup", "--account", "nobody@example.org"]);
    assert!(ran.code == Some(1) && ran.err.contains("no account"), "{ran:?}");
}

#[test]
fn a_message_larger_than_a_line_of_the_socket_goes_both_ways() {
    let program = install(0);
    let text = format!("Subject: large\n\n{}", "0123456789\n".repeat(1_300_000));
    program.write("INBOX.mbox", format!("From a@b Tue Nov 14 22:13:20 2023\n{text}\n"));
    program.run(&["import", "mbox", "INBOX.mbox", "--account", USER, "--folder", "INBOX"]).done();
    let served = Serving::new(&program);
    program.run(&["backup", "backup"]).done();
    let raw = |program: &Program| {
        let uid = program.run(&["mail", "list", "--account", USER, "--json"]).done().json()[0]["uid"].clone();
        program.run(&["mail", "show", &uid.to_string(), "--account", USER, "--source"]).done().out
    };
    let before = raw(&program);
    assert!(before.len() > 14_000_000);
    program.run(&["account", "remove", USER, "--yes"]).done();
    program.run_with(&["account", "add", USER, "--password-stdin"], "correct horse battery\n").done();
    let report = program.run(&["restore", "backup", "--account", USER, "--json"]).done().json();
    assert_eq!(report["failed"].as_array().unwrap().len(), 0);
    assert!(raw(&program) == before, "the message has changed");
    drop(served);
}

/// Mail comes all the time; back-ups are made, and killed. What was accepted before one began is in it.
#[test]
fn mail_that_comes_meanwhile_is_not_lost() {
    let program = install(200);
    let served = Arc::new(Serving::new(&program));
    let (stop, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = {
        let (served, stop, accepted) = (Arc::clone(&served), Arc::clone(&stop), Arc::clone(&accepted));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                served.deliver(20, "new");
                accepted.fetch_add(20, Ordering::Relaxed);
            }
        })
    };
    for _ in 0..3 {
        kill_a_backup(&program);
        let before = accepted.load(Ordering::Relaxed);
        let report = program.run(&["backup", "backup", "--json"]).done().json();
        assert!(number(&report, "messages") >= (200 + before) as u64, "{before} accepted before {report}");
        assert_eq!(
            (number(&report, "removed_meanwhile"), report["damaged"].as_array().unwrap().len()),
            (0, 0)
        );
    }
    stop.store(true, Ordering::Relaxed);
    load.join().unwrap();
    let last = program.run(&["backup", "backup", "--json"]).done().json();
    assert_eq!(number(&last, "messages") as usize, 200 + accepted.load(Ordering::Relaxed));
    program.run(&["backup", "--verify", "backup"]).done();

    let other = elsewhere();
    let from = program.path("backup");
    other.run(&["restore", from.to_str().unwrap()]).done();
    other.run(&["check", "store"]).done();
    for folder in ["INBOX", "Archive"] {
        assert_eq!(subjects(&other, folder), subjects(&program, folder));
    }
}

/// Begins a back-up and kills it when it has begun to write.
fn kill_a_backup(program: &Program) {
    let mut child = program.spawn(&["backup", "backup"]);
    let packs = program.path("backup/packs");
    let writing = || {
        let parts = std::fs::read_dir(&packs).into_iter().flatten().flatten();
        parts.into_iter().any(|entry| entry.path().extension().is_some_and(|end| end == "part"))
    };
    let begun = Instant::now();
    while !writing() && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "the back-up does not begin");
    }
    let _ = child.kill();
    child.wait().unwrap();
}

/// The server, and LMTP to it.
struct Serving {
    _running: Running,
    socket: std::path::PathBuf,
}

impl Serving {
    fn new(program: &Program) -> Self {
        Self { _running: program.serve(), socket: program.path("lmtp") }
    }

    /// Delivers messages and sees that each is accepted.
    fn deliver(&self, count: usize, subject: &str) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut expect = |code: &str| loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert!(line.starts_with(code), "{line:?} instead of {code}");
            if line.as_bytes()[3] == b' ' {
                return;
            }
        };
        expect("220");
        let mut say = |text: &str, code: &str| {
            stream.write_all(text.as_bytes()).unwrap();
            expect(code);
        };
        say("LHLO client.example\r\n", "250");
        for number in 0..count {
            say("MAIL FROM:<a@example.net>\r\n", "250");
            say(&format!("RCPT TO:<{USER}>\r\n"), "250");
            say("DATA\r\n", "354");
            say(&format!("Subject: {subject} {number}\r\n\r\ntext\r\n.\r\n"), "250");
        }
        say("QUIT\r\n", "221");
    }
}
