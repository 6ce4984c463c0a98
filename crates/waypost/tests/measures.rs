//! The measurements of mailboxes (`cargo xtask measure`), briefly and without another server beside: that client and
//! server agree on what was delivered, fetched, found and told. How fast that is, is no matter for a test.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::path::Path;
use xtask::measure::{Context, Name, Report, run};

/// Few, and enough for a message with the word that is searched for.
const MESSAGES: u64 = 60;

fn measure(name: Name) -> Report {
    let context = Context {
        program: Path::new(env!("CARGO_BIN_EXE_waypost")),
        filler: Path::new(""),
        peers: Path::new(""),
        rounds: 2,
        messages: Some(MESSAGES),
        connections: Some(12),
        minutes: None,
        alone: true,
        progress: &|_doing| {},
    };
    run(name, &context).unwrap()
}

fn names(report: &Report) -> Vec<&str> {
    report.figures.iter().map(|figure| figure.name.as_str()).collect()
}

#[test]
fn a_mailbox_is_filled_listed_searched_and_changed() {
    let report = measure(Name::Imap);
    for name in ["lmtp_one_mailbox", "append_eight", "list", "bodies", "search", "flag_all", "flag_single"] {
        assert!(names(&report).contains(&format!("{name}_waypost").as_str()), "{report:#?}");
    }
    assert!(report.figures.iter().all(|figure| figure.value.is_finite()), "{report:#?}");
}

#[test]
fn all_who_wait_in_a_folder_hear_of_a_delivery() {
    let report = measure(Name::ImapIdle);
    let notified = report.figures.iter().find(|figure| figure.name == "notified").unwrap();
    // Five deliveries to each of as many accounts as there are connections.
    assert_eq!(notified.value, 60.0, "{report:#?}");
}
