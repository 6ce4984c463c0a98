//! `waypost decode`, with the captures that are the fuzzer's seeds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use std::path::Path;
use support::Program;

fn seed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/pcap").join(name);
    path.to_str().unwrap().to_owned()
}

const MESSAGE: &str = "Subject: test\r\n\r\nMAIL FROM:<not@a.command>\r\n.a dot\r\n";

#[test]
fn a_dialogue_is_printed_with_its_times() {
    let ran = Program::new().run(&["decode", &seed("ethernet.pcap")]).done();
    for line in [
        "   0.003000 S: 220 mx.example ESMTP",
        "   0.006000 C: MAIL FROM:<a@client.example> SIZE=60",
        "   0.008000 C: [message 1: 52 octets]",
        "  message 1: 52 octets from <a@client.example> to <b@mx.example>: 250 2.0.0 queued as 1",
    ] {
        assert!(ran.out.lines().any(|printed| printed == line), "{line}\n{}", ran.out);
    }
    assert!(ran.out.starts_with("#1 192.0.2.1:40000 -> 192.0.2.25:25 SMTP, "), "{}", ran.out);
    assert!(!ran.out.contains("not@a.command"), "{}", ran.out);
}

#[test]
fn messages_are_saved_and_named_in_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("messages");
    let words = ["decode", &seed("tls-465.pcapng"), "--json", "--save", saved.to_str().unwrap()];
    let program = Program::new();
    let json = program.run(&words).done().json();
    let dialogue = &json.as_array().unwrap()[0];
    assert_eq!(dialogue["server"], "192.0.2.25:465");
    assert_eq!(dialogue["tls"]["version"], "TLSv1.2");
    assert_eq!(dialogue["tls"]["decrypted"], true);
    assert_eq!(dialogue["ending"], "closed");
    assert_eq!(dialogue["began"], "2023-11-14T22:13:20Z");
    let message = &dialogue["messages"][0];
    assert_eq!((message["octets"].as_u64(), message["complete"].as_bool()), (Some(52), Some(true)));
    let file = message["file"].as_str().unwrap();
    assert_eq!(file, saved.join("0001-1.eml").to_str().unwrap());
    assert_eq!(std::fs::read_to_string(file).unwrap(), MESSAGE);
    // What is there already is not written over.
    let again = program.run(&words);
    assert!(again.code == Some(1) && again.err.contains("0001-1.eml"), "{again:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), MESSAGE);
}

#[test]
fn nothing_found_is_an_empty_array() {
    let ran = Program::new()
        .run(&["decode", &seed("ethernet.pcap"), "--address", "203.0.113.0/24", "--json"])
        .done();
    assert_eq!(ran.json(), serde_json::json!([]));
    assert!(ran.err.contains("no SMTP dialogue among"), "{}", ran.err);
}

#[test]
fn a_file_that_is_no_capture_is_a_failure() {
    let ran = Program::new().run(&["decode", file!()]);
    assert!(ran.code == Some(1), "{ran:?}");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let ran = Program::new().run(&["decode", manifest]);
    assert!(ran.code == Some(1) && ran.err.contains("not a capture"), "{ran:?}");
}
