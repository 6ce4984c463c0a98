//! The program as it is run: what it prints where, and its exit status.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn waypost(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(words)
        .current_dir(folder)
        .env("WAYPOST_HOME", folder)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn check_config_says_yes_or_no() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waypost.toml");
    std::fs::write(&file, "hostname = 'mail.example.org'\n").unwrap();
    let good = waypost(folder.path(), &["check", "config", "--json"]);
    assert_eq!(good.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!(json["ok"], true);

    std::fs::write(&file, "hostname = 'mail.example.org'\n[limits]\nmesage-size = 1\n").unwrap();
    let wrong = waypost(folder.path(), &["check", "config", "--json"]);
    assert_eq!(wrong.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert_eq!((&json["ok"], &json["problems"][0]["line"]), (&false.into(), &3.into()));

    let text = stdout(&waypost(folder.path(), &["check", "config"]));
    assert!(
        text.contains("waypost.toml:3: limits.mesage-size: unknown key: did you mean message-size?"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "no colours but on a terminal: {text:?}");
}

/// As root, what is made may belong to the user `waypost`.
#[test]
fn quickstart_makes_a_system_here_once_and_leaves_nothing_when_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let quickstart = |words: &[&str], password: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_waypost"))
            .args([&["quickstart", "you@example.org", "--password-stdin"], words].concat())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may have ended before it read.
        let _ = child.stdin.take().unwrap().write_all(password.as_bytes());
        child.wait_with_output().unwrap()
    };
    let listed = || std::fs::read_dir(folder.path()).unwrap().count();
    std::fs::write(folder.path().join("data"), "no folder").unwrap();
    assert!(
        !quickstart(&[], "correct horse battery\n").status.success(),
        "where the data should be is a file"
    );
    assert_eq!(listed(), 1);

    std::fs::remove_file(folder.path().join("data")).unwrap();
    let made = quickstart(&[], "correct horse battery\n");
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(stdout(&made).contains("example.org. IN MX 10 mail.example.org."), "{}", stdout(&made));
    let good = waypost(folder.path(), &["check", "config"]);
    assert_eq!(good.status.code(), Some(0), "{}", stdout(&good));
    let account = waypost(folder.path(), &["account", "list", "--json"]);
    assert!(stdout(&account).contains("you@example.org"), "{}", stdout(&account));

    let before = listed();
    let again = quickstart(&["--dir", "."], "correct horse battery\n");
    assert_eq!((again.status.code(), listed()), (Some(1), before));
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already; nothing was changed"));
}

/// Only root can become another user; for others there is nothing to warn of.
#[test]
fn check_config_warns_root_of_files_that_the_user_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        "hostname = 'mail.example.org'\nuser = 'nobody'\n[tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'\n";
    let files =
        [("waypost.toml", settings), ("cert.pem", "BEGIN CERTIFICATE\n"), ("key.pem", "PRIVATE KEY\n")];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::fs::set_permissions(folder.path().join("key.pem"), Permissions::from_mode(0o600)).unwrap();
    let output = waypost(folder.path(), &["check", "config"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let warned =
        stdout(&output).contains("key.pem: Permission denied (os error 13), as the user nobody, who must");
    assert_eq!(warned, nix::unistd::geteuid().is_root(), "{}", stdout(&output));
}

#[test]
fn statuses_and_streams() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let missing = waypost(here, &["check", "config", "--config", "none.toml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stdout(&missing).contains("none.toml"));

    let usage = waypost(here, &["frobnicate"]);
    assert_eq!(usage.status.code(), Some(2));
    assert!(usage.stdout.is_empty() && !usage.stderr.is_empty());

    let version = waypost(here, &["--version"]);
    assert_eq!(
        (version.status.code(), stdout(&version)),
        (Some(0), format!("waypost {}\n", env!("CARGO_PKG_VERSION")))
    );

    let completions = waypost(here, &["completions", "bash"]);
    assert_eq!(completions.status.code(), Some(0));
    assert!(stdout(&completions).contains("quickstart"));
}
