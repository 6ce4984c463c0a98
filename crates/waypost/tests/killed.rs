//! A 250 is a promise: `waypost serve` is killed in the middle of its work, again and again.
//!
//! What happens, and what must hold, is said in [`xtask::crash`]; `cargo xtask crash` does the same a thousand times.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::time::Duration;
use xtask::crash::{Settings, run};

const ROUNDS: u32 = 20;

#[test]
fn what_was_answered_250_survives_kill_9_and_is_there_once() {
    let program = env!("CARGO_BIN_EXE_waypost").into();
    let settings = Settings { rounds: ROUNDS, longest: Duration::from_millis(400), ..Settings::new(program) };
    let report = run(&settings, |_| {}).unwrap();
    assert!(report.failed == 0, "{report:#?}");
    assert!(report.tally.promised_large > 0, "{report:#?}");
    assert!(report.tally.arrived_in_mailboxes > 0 && report.tally.arrived_elsewhere > 0, "{report:#?}");
}
