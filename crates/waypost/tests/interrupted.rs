//! `import`, `export`, `backup` and `restore` that end in the middle, because they are killed or no more can be written: what is
//! there then is right, and the same command run again ends whole.
//!
//! Both are one limit on the size of a file: past it the system kills a program (SIGXFSZ), or one that has that ignored gets an
//! error from its write, as on a full disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use support::{Program, Ran, USER};

/// Blocks of 512 octets that a file may have: less than the mail needs in each of its forms, more than what is around it.
const LIMIT: &str = "3000";
/// Small messages, of which a large one is the middle.
const SMALL: usize = 24;
const LARGE: usize = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Killed,
    Full,
}

/// Runs a command that cannot write files past the limit, and sees that it ended by that.
fn interrupt(program: &Program, words: &[&str], end: End) {
    let script = match end {
        End::Killed => "ulimit -c 0; ulimit -f $0; exec \"$@\"",
        End::Full => "trap '' XFSZ; ulimit -f $0; exec \"$@\"",
    };
    let mut command = Command::new("sh");
    command.args(["-c", script, LIMIT, env!("CARGO_BIN_EXE_waypost")]).args(words);
    command.current_dir(program.folder()).env("WAYPOST_HOME", program.folder()).stdin(Stdio::null());
    let ran = Ran::new(command.output().unwrap());
    match end {
        End::Killed => assert_eq!(ran.code, None, "{words:?} was not killed: {ran:?}"),
        End::Full => assert!(matches!(ran.code, Some(1 | 75)) && !ran.err.is_empty(), "{words:?}: {ran:?}"),
    }
}

/// Text that cannot be compressed to nothing.
fn text(seed: u64, octets: usize) -> String {
    let mut state = seed;
    let mut text = format!("Subject: message {seed}\n\n");
    while text.len() < octets {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text += &data_encoding::BASE64.encode(&state.to_be_bytes());
        if text.len() % 64 < 12 {
            text.push('\n');
        }
    }
    text + "\n"
}

/// An installation with an account, and a Maildir beside it.
fn install() -> Program {
    let program = Program::installed();
    std::fs::create_dir_all(program.path("Maildir/cur")).unwrap();
    for number in 0..=SMALL {
        let size = if number == SMALL / 2 { LARGE } else { 100_000 };
        program.write(&format!("Maildir/cur/17000000{number:02}.x.host:2,S"), text(number as u64, size));
    }
    program
}

fn installed() -> Program {
    let program = install();
    program.run(&IMPORT).done();
    program
}

const IMPORT: [&str; 5] = ["import", "maildir", "Maildir", "--account", USER];

/// All messages of an account, as `export maildir` writes them: names and texts.
fn mail(program: &Program, folder: &str) -> Vec<(String, Vec<u8>)> {
    program.run(&["export", "maildir", folder, "--account", USER]).done();
    let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(program.path(folder).join("cur"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().split("U").nth(1).unwrap().to_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// Nothing is missing, nothing twice, and the store is as it should be.
fn assert_whole(program: &Program) {
    program.run(&["check", "store"]).done();
    let mut there: Vec<Vec<u8>> = mail(program, "all").into_iter().map(|(_, text)| text).collect();
    let mut expected: Vec<Vec<u8>> = std::fs::read_dir(program.path("Maildir/cur"))
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    there.sort();
    expected.sort();
    assert!(there == expected, "{} messages instead of {}", there.len(), expected.len());
}

fn import(end: End) {
    let program = install();
    interrupt(&program, &IMPORT, end);
    program.run(&IMPORT).done();
    assert_whole(&program);
}

#[test]
fn an_import_is_killed() {
    import(End::Killed);
}

#[test]
fn an_import_finds_the_disk_full() {
    import(End::Full);
}

fn export(end: End) {
    let program = installed();
    let expected = mail(&program, "expected");
    assert_eq!(expected.len(), SMALL + 1);
    // The server reads, the command writes.
    let _running = program.serve();
    let maildir = ["export", "maildir", "out", "--account", USER];
    interrupt(&program, &maildir, end);
    let so_far = std::fs::read_dir(program.path("out/cur")).unwrap().count();
    assert!((1..=SMALL).contains(&so_far), "{so_far}");
    assert!(mail(&program, "out") == expected, "the Maildir is not whole");
    assert_eq!(std::fs::read_dir(program.path("out/tmp")).unwrap().count(), 0);

    let mbox = ["export", "mbox", "mbox", "--account", USER, "--folder", "INBOX"];
    interrupt(&program, &mbox, end);
    assert!(!program.path("mbox/INBOX.mbox").exists());
    program.run(&mbox).done();
    let written = std::fs::read(program.path("mbox/INBOX.mbox")).unwrap();
    program.run(&["export", "mbox", "again", "--account", USER, "--folder", "INBOX"]).done();
    assert!(written == std::fs::read(program.path("again/INBOX.mbox")).unwrap(), "the mbox is not whole");
    assert_eq!(files(&program.path("mbox")), ["INBOX.mbox"]);
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn an_export_is_killed() {
    export(End::Killed);
}

#[test]
fn an_export_finds_the_disk_full() {
    export(End::Full);
}

fn backup(end: End) {
    let program = installed();
    let running = program.serve();
    interrupt(&program, &["backup", "backup"], end);
    let list = program.run(&["restore", "backup", "--list", "--json"]).done().json();
    assert_eq!(list.as_array().unwrap().len(), 0, "{list}");
    program.run(&["backup", "backup"]).done();
    program.run(&["backup", "--verify", "backup"]).done();
    drop(running);
    std::fs::remove_dir_all(program.path("data")).unwrap();
    program.run(&["restore", "backup"]).done();
    assert_whole(&program);
}

#[test]
fn a_backup_is_killed() {
    backup(End::Killed);
}

#[test]
fn a_backup_finds_the_disk_full() {
    backup(End::Full);
}

fn restore(end: End) {
    let program = installed();
    program.run(&["backup", "backup"]).done();
    std::fs::remove_dir_all(program.path("data")).unwrap();
    interrupt(&program, &["restore", "backup"], end);
    let ran = program.run(&["account", "list"]);
    assert_ne!(ran.code, Some(0), "half of the data passes for all of it: {ran:?}");
    program.run(&["restore", "backup"]).done();
    assert_whole(&program);

    // The account's mail alone, into an account that has none of it.
    program.run(&["account", "remove", USER, "--yes"]).done();
    program.run_with(&["account", "add", USER, "--password-stdin"], "correct horse battery\n").done();
    let words = ["restore", "backup", "--account", USER];
    std::fs::remove_dir_all(program.path("all")).unwrap();
    interrupt(&program, &words, end);
    program.run(&words).done();
    assert_whole(&program);
}

#[test]
fn a_restore_is_killed() {
    restore(End::Killed);
}

#[test]
fn a_restore_finds_the_disk_full() {
    restore(End::Full);
}
