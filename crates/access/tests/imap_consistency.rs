//! Many clients on shared folders: whatever they and others do, each is told the truth, and all end with the same.
//!
//! Lists of steps are generated, carried out by the real server over loopback, and shrunk when something is wrong. Each client
//! keeps its picture of the folder from untagged responses alone ([`consistency::picture`]); one is of another account, whose
//! rights come and go, and two are told of everything at once (RFC 5465). Two forms:
//! - one step after the other: after each, the client that took it must know exactly what it may know by then;
//! - all clients at once: nothing that a client is told may contradict what it was told before, and after a last NOOP all
//!   know the same.
//!
//! `just consistency` runs them long: `PROPTEST_CASES` says how many lists (32 if not given), `IMAP_CONSISTENCY_STEPS` how long they are at most (40).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
mod consistency;

use consistency::step::{Step, steps};
use consistency::{at_once, in_turn};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

fn check(run: impl Fn(&tokio::runtime::Runtime, &[Step])) {
    let cases = number("PROPTEST_CASES").unwrap_or(32) as u32;
    let longest = number("IMAP_CONSISTENCY_STEPS").unwrap_or(40);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let outcome = TestRunner::new(config).run(&steps(longest), |steps| {
        run(&runtime, &steps);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[test]
fn each_step_tells_its_client_what_it_may_know() {
    check(|runtime, steps| runtime.block_on(in_turn(steps)));
}

#[test]
fn clients_at_once_end_with_the_same() {
    check(|runtime, steps| runtime.block_on(at_once(steps)));
}
