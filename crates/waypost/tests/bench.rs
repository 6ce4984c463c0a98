//! `waypost bench` against a server that has a certificate and knows who may log in.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

mod support;

use serde_json::Value;
use smtp::server::Protocol;
use support::{Behaviour, PASSWORD, Program, Received, Server, USER};

const MESSAGES: usize = 6;
const CONNECTIONS: usize = 2;

/// What was sent to such a server with these words, and what it has.
fn bench(behaviour: Behaviour, scheme: &str, words: &[&str], password: &str) -> (Value, Vec<Received>) {
    let server = Server::start(behaviour);
    let place = format!("{scheme}://{}", server.place);
    let (messages, connections) = (MESSAGES.to_string(), CONNECTIONS.to_string());
    let mut all = vec!["bench", "--json", "--server", &place, "--messages", &messages];
    all.extend(["--connections", &connections, "--from", USER]);
    all.extend(words);
    let ran = Program::new().run_with(&all, format!("{password}\n"));
    let report = ran.json();
    assert_eq!(ran.code == Some(0), report["ok"] == true, "{ran:#?}");
    (report, server.received())
}

fn log_in(more: &[&'static str]) -> Vec<&'static str> {
    [&["--auth", USER, "--password-stdin", "--insecure"], more].concat()
}

/// From the first octet on.
fn implicit() -> Behaviour {
    let mut behaviour = Behaviour::submission();
    behaviour.config.tls = true;
    behaviour
}

#[test]
fn all_is_sent_over_tls_by_who_logged_in() {
    type Case = (Behaviour, &'static str, Vec<&'static str>, usize);
    let cases: [Case; 4] = [
        (Behaviour::submission(), "smtp", log_in(&["--tls", "starttls"]), MESSAGES),
        (Behaviour::submission(), "smtp", log_in(&["--tls", "starttls", "--keep"]), CONNECTIONS),
        (implicit(), "smtps", log_in(&[]), MESSAGES),
        (implicit(), "smtps", log_in(&["--keep"]), CONNECTIONS),
    ];
    for (behaviour, scheme, words, connections) in cases {
        let (report, received) = bench(behaviour, scheme, &words, PASSWORD);
        assert_eq!(report["ok"], true, "{scheme} {words:?}: {report:#}");
        assert_eq!((received.len(), &report["accepted"]), (MESSAGES, &Value::from(MESSAGES)));
        assert_eq!(report["connections_opened"], connections, "{scheme} {words:?}");
        for message in received {
            assert_eq!((message.tls, message.user.as_deref()), (true, Some(USER)), "{scheme} {words:?}");
        }
    }
}

#[test]
fn who_may_not_log_in_sends_nothing() {
    for (behaviour, scheme) in [(Behaviour::submission(), "smtp"), (implicit(), "smtps")] {
        let (report, received) = bench(behaviour, scheme, &log_in(&[]), "another");
        assert_eq!((&report["ok"], &report["accepted"], received.len()), (&false.into(), &0.into(), 0));
        assert!(report["problems"][0]["text"].as_str().unwrap().contains("535"), "{report:#}");
    }
}

#[test]
fn without_tls_nothing_is_encrypted_and_nobody_logged_in() {
    let (report, received) = bench(Behaviour::new(Protocol::Smtp), "smtp", &["--tls", "none"], "");
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!(received.len(), MESSAGES);
    assert!(received.iter().all(|message| !message.tls && message.user.is_none()), "{received:#?}");
}
