//! The administrative commands as a shell runs them, without a server: what they print, and their status.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn install() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("waypost.toml"), "hostname = \"mail.example.org\"\ndata = \"data\"\n")
        .unwrap();
    home
}

fn run(home: &Path, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_waypost"))
        .args(words)
        .env("WAYPOST_HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Runs the words, split at spaces, and returns standard output after checking the status.
fn check(home: &Path, words: &str, input: &str, status: i32) -> String {
    let output = run(home, &words.split(' ').collect::<Vec<_>>(), input);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{words}: {told}");
    assert!(status == 0 || !told.is_empty() || !output.stdout.is_empty(), "{words}: silent");
    String::from_utf8(output.stdout).unwrap()
}

fn json(home: &Path, words: &str, status: i32) -> Value {
    serde_json::from_str(&check(home, &format!("{words} --json"), "", status)).unwrap()
}

#[test]
fn an_installation_is_made_and_taken_apart() {
    let home = install();
    let home = home.path();
    for list in ["domain list", "account list", "alias list", "queue list", "queue summary"] {
        assert_eq!(json(home, list, 0), Value::Array(Vec::new()), "{list}");
    }
    check(home, "domain add example.org", "", 0);
    check(home, "domain add example.org", "", 1);
    check(home, "account add me@example.org --password-stdin", "correct horse battery\n", 0);
    check(home, "account add me@example.org --password-stdin", "x\n", 1);
    let missing = json(home, "account show nobody@example.org", 1);
    assert!(
        missing["error"].as_str().unwrap().contains("nobody@example.org"),
        "a document, whatever the answer"
    );
    check(home, "account add you@example.org", "", 2);
    check(home, "alias add info@example.org me@example.org", "", 0);
    check(home, "alias add @example.org me@example.org", "", 0);
    assert_eq!(json(home, "alias list", 0).as_array().unwrap().len(), 2);
    assert_eq!(json(home, "domain show example.org", 0)["catch_all"], "me@example.org");
    assert_eq!(json(home, "account show me@example.org", 0)["aliases"][0], "info@example.org");
    check(home, "account language me@example.org de", "", 0);
    check(home, "account quota me@example.org 1MiB", "", 0);
    assert_eq!(json(home, "account list", 0)[0]["quota"], 1 << 20);
    let password = check(home, "account app-password me@example.org --name phone", "", 0);
    assert_eq!(password.lines().next().unwrap().len(), 23);
    assert_eq!(json(home, "account app-password me@example.org --list", 0)[0]["name"], "phone");

    let digits = "0a".repeat(32);
    check(home, &format!("account certificate add me@example.org --fingerprint {digits}"), "", 0);
    assert_eq!(json(home, "account certificate list me@example.org", 0)[0]["fingerprint"], *digits);
    assert_eq!(json(home, "account show me@example.org", 0)["certificates"][0], *digits);
    std::fs::write(home.join("no.pem"), "no certificate").unwrap();
    let file = home.join("no.pem");
    check(home, &format!("account certificate add me@example.org --file {}", file.display()), "", 1);
    check(home, &format!("account certificate remove me@example.org --fingerprint {digits}"), "", 0);
    assert_eq!(json(home, "account certificate list me@example.org", 0), Value::Array(Vec::new()));

    let records = check(home, "domain dns example.org", "", 0);
    assert!(records.contains("example.org. IN MX 10 mail.example.org."), "{records}");
    assert!(records.contains("w1._domainkey.example.org. IN TXT \"v=DKIM1; k=rsa; p="), "{records}");

    check(home, "account remove me@example.org", "", 2);
    check(home, "domain remove example.org --yes", "", 0);
    assert_eq!(json(home, "domain list", 0), Value::Array(Vec::new()));
}

#[test]
fn a_language_without_texts_is_kept_and_said_to_be_none() {
    let home = install();
    let home = home.path();
    for (words, unknown) in [
        ("domain add example.org --language fr-CA", Some("fr-CA")),
        ("domain language example.org de-AT", None),
        ("account add me@example.org --password-stdin --language tlh", Some("tlh")),
        ("account language me@example.org none", None),
        ("account language me@example.org EN", None),
        ("account language me@example.org sv", Some("sv")),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let output = run(home, &words, "correct horse battery\n");
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match unknown {
            Some(tag) => assert!(said.contains(&format!("in {tag} yet: English is used; there are en, de"))),
            None => assert!(said.is_empty(), "{said}"),
        }
    }
    assert_eq!(json(home, "account show me@example.org", 0)["language"], "sv");
}

#[test]
fn what_is_not_there_is_status_1_and_the_document_is_there_all_the_same() {
    let home = install();
    let home = home.path();
    check(home, "domain show example.org", "", 1);
    assert_eq!(json(home, "trail nobody@example.org", 1), Value::Array(Vec::new()));
    assert_eq!(json(home, "queue retry --all", 1)["recipients"], 0);
    assert_eq!(json(home, "check store", 0)["ok"], true);
    let index = json(home, "check store --rebuild-search", 0);
    assert_eq!(
        (&index["copies"], &index["waiting"], &index["trouble"]),
        (&0.into(), &0.into(), &Value::Null)
    );
    check(home, "queue show not-an-id", "", 2);
    check(home, "mail list", "", 2);
}

#[test]
fn data_in_use_without_a_server_is_status_75() {
    let home = install();
    let data = home.path().join("data");
    let _store = store::Store::open(&data, &store::Options::default()).unwrap();
    let output = run(home.path(), &["domain", "list"], "");
    assert_eq!(output.status.code(), Some(75));
    assert!(String::from_utf8_lossy(&output.stderr).contains("just starting"));
}
