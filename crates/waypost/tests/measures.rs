//! The measurements (`cargo xtask measure`), briefly and without another server beside: that client and server agree on what was
//! delivered, fetched, found and told, and that each figure is printed with its target. How fast that is, is no matter for a test.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::path::Path;
use xtask::measure::{Context, Name, Report, run};

/// Few, and enough for a message with the word that is searched for.
const MESSAGES: u64 = 60;

fn measure(name: Name) -> Report {
    let context = Context {
        program: Path::new(env!("CARGO_BIN_EXE_waypost")),
        filler: None,
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

/// The figures that have a target, in their order.
fn held_against_a_target(name: Name) -> Vec<String> {
    let report = measure(name);
    let held = report.figures.iter().filter(|figure| figure.target.is_some() && figure.reached.is_some());
    held.map(|figure| figure.name.clone()).collect()
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

#[test]
fn an_idle_connection_is_measured_of_trusted_clients_and_strangers() {
    assert_eq!(
        held_against_a_target(Name::Idle),
        ["plain_pss", "tls_pss", "stranger_pss", "stranger_silent_dns_pss"]
    );
}

#[test]
fn a_fast_session_is_measured_beside_slow_ones() {
    assert_eq!(held_against_a_target(Name::SlowSenders), ["beside_vs_alone"]);
}

#[test]
fn acceptance_is_measured_beside_relaying() {
    assert_eq!(held_against_a_target(Name::Local), ["local_vs_relayed"]);
}

#[test]
fn mail_to_others_is_measured_beside_dead_destinations() {
    assert_eq!(
        held_against_a_target(Name::DeadDestination),
        [
            "retries_in_a_turn",
            "with_dead_vs_without",
            "with_slow_vs_without",
            "with_silent_vs_without",
            "with_dead_at_start_vs_without"
        ]
    );
}

#[test]
fn a_long_queue_is_measured() {
    assert_eq!(
        held_against_a_target(Name::Million),
        ["new_mail_delivered_after", "memory_highest_pss", "queue_summary", "queue_list", "with_vs_empty"]
    );
}

#[test]
fn bulk_work_is_measured() {
    assert_eq!(
        held_against_a_target(Name::Bulk),
        [
            "messages_copied_p99_vs_quiet",
            "folder_deleted_p99_vs_quiet",
            "messages_removed_p99_vs_quiet",
            "account_removed_p99_vs_quiet"
        ]
    );
}
