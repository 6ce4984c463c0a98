//! The power goes, at any point of a run. What happens, and what must hold, is said in [`xtask::power_cut`];
//! `cargo xtask power-cut` does the same a thousand times.

use std::path::Path;
use xtask::power_cut::{Report, Settings, run};

/// Two records: in the second a sync fails.
const POINTS: u32 = 20;
/// Of the slow tier.
const MANY_POINTS: u32 = 300;
const PER_RECORD: u32 = 10;
/// Runs of which one must find it: what is recorded, and what a cut loses of it, is luck.
const TRIES: u32 = 6;

fn cut(points: u32, forgotten: Option<fn(&Path) -> bool>) -> Report {
    let settings = Settings {
        points,
        points_per_record: PER_RECORD,
        seed: 4,
        promises: [20, 40],
        forgotten,
        ..Settings::new(crate::PROGRAM.into())
    };
    run(&settings, |_| {}).unwrap()
}

fn survives(points: u32) {
    let report = cut(points, None);
    assert!(report.failed == 0, "{report:#?}");
    let damage = report.damage;
    assert!(damage.writes_lost > 0 && damage.writes_torn > 0 && damage.names_lost > 0, "{report:#?}");
    assert!(report.promises > 0 && report.cut_again > 0, "{report:#?}");
}

#[test]
fn what_was_answered_250_survives_a_power_cut() {
    survives(POINTS);
}

/// `cargo test -p waypost --test faults -- --ignored power_cuts`
#[test]
#[ignore = "takes minutes"]
fn what_was_answered_250_survives_hundreds_of_power_cuts() {
    survives(MANY_POINTS);
}

/// The harness sees what it is there for.
fn is_seen(forgotten: fn(&Path) -> bool) -> bool {
    (0..TRIES).any(|_| cut(PER_RECORD, Some(forgotten)).failed > 0)
}

#[test]
fn a_250_before_the_sync_does_not_go_unseen() {
    assert!(is_seen(|path| path.to_string_lossy().ends_with("waypost.db-wal")));
}

#[test]
fn a_folder_that_is_not_synced_does_not_go_unseen() {
    assert!(is_seen(|path| path.starts_with("data/bodies") && path.iter().count() == 3));
}
