//! Whatever is done to mailboxes between back-ups: each can be restored as it was, also after older ones were removed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod common;

use common::{Picture, World, picture};
use proptest::prelude::*;
use store::backup::QueueFate;
use store::mailbox::UidRuns;

const FOLDERS: [&str; 4] = ["INBOX", "Archive", "Archive/old", "Sent"];

#[derive(Debug, Clone)]
enum Step {
    Append { folder: usize, text: u8, flags: u32 },
    Flag { folder: usize, place: u32, flags: u32 },
    Expunge { folder: usize, first: u32, count: u32 },
    Move { from: usize, to: usize, place: u32 },
    Copy { from: usize, to: usize, place: u32 },
    Make(usize),
    Remove(usize),
    BackUp,
    Prune(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let (folder, place, flags) = (0..FOLDERS.len(), 1..12u32, 0..32u32);
    prop_oneof![
        6 => (folder.clone(), any::<u8>(), flags.clone())
            .prop_map(|(folder, text, flags)| Step::Append { folder, text, flags }),
        3 => (folder.clone(), place.clone(), flags)
            .prop_map(|(folder, place, flags)| Step::Flag { folder, place, flags }),
        2 => (folder.clone(), place.clone(), 1..4u32)
            .prop_map(|(folder, first, count)| Step::Expunge { folder, first, count }),
        2 => (folder.clone(), folder.clone(), place.clone())
            .prop_map(|(from, to, place)| Step::Move { from, to, place }),
        1 => (folder.clone(), folder.clone(), place)
            .prop_map(|(from, to, place)| Step::Copy { from, to, place }),
        1 => folder.clone().prop_map(Step::Make),
        1 => folder.prop_map(Step::Remove),
        3 => Just(Step::BackUp),
        1 => (1..4u32).prop_map(Step::Prune),
    ]
}

impl Step {
    async fn run(&self, world: &World, points: &mut Vec<(i64, Picture)>) {
        let id = |place: &usize| world.folder(FOLDERS[*place]);
        match self {
            Self::Append { folder, text, flags } => {
                let Some(folder) = id(folder) else { return };
                world.append(folder, &format!("text {text}"), *flags, "work").await;
            }
            Self::Flag { folder, place, flags } => {
                let Some(folder) = id(folder) else { return };
                world.flag(folder, *place, *flags).await;
            }
            Self::Expunge { folder, first, count } => {
                let Some(folder) = id(folder) else { return };
                let uids = UidRuns::from(*first..=first + count);
                world.store.remove_messages(folder, uids).await.unwrap();
            }
            Self::Move { from, to, place } | Self::Copy { from, to, place } => {
                let (Some(from), Some(to)) = (id(from), id(to)) else { return };
                if matches!(self, Self::Copy { .. }) {
                    world.store.copy_messages(from, *place, to).await.unwrap();
                } else if from != to {
                    world.store.move_messages(from, *place, to).await.unwrap();
                }
            }
            // One that is there already stays.
            Self::Make(folder) => {
                drop(world.store.create_mailbox(world.account, FOLDERS[*folder], None).await)
            }
            Self::Remove(folder) => {
                let Some(folder) = id(folder) else { return };
                // INBOX cannot be.
                let _ = world.store.delete_mailbox(folder).await;
                while world.store.purge(i64::MAX).await.unwrap() {}
            }
            Self::BackUp => {
                let report = world.back_up().await;
                assert_eq!((report.removed_meanwhile, report.damaged.len()), (0, 0));
                points.push((report.at, picture(&world.store, common::USER).await));
            }
            Self::Prune(newest) if !points.is_empty() => {
                world.prune(*newest);
                let old = points.len().saturating_sub(*newest as usize);
                points.drain(..old);
            }
            Self::Prune(_) => {}
        }
    }
}

async fn check(steps: Vec<Step>) {
    let world = World::new().await;
    let mut points = Vec::new();
    for step in steps {
        step.run(&world, &mut points).await;
    }
    Step::BackUp.run(&world, &mut points).await;
    for (at, expected) in points {
        let (_folder, store, report) = world.restored(at, QueueFate::Hold);
        assert_eq!(report.damaged, Vec::<String>::new());
        assert_eq!(picture(&store, common::USER).await, expected);
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
        // Counters, quota and UIDs to come are those of what is there.
        let owner = store.accounts(None).unwrap().remove(0);
        let folders = store.mailboxes(owner.id).unwrap();
        let used = folders.iter().map(|folder| folder.octets).sum::<u64>();
        assert_eq!(owner.used_bytes, used);
        for folder in folders {
            let rows = store.messages(folder.id, 0, 1_000).unwrap();
            assert_eq!(folder.messages, rows.len() as u64);
            assert!(rows.iter().all(|row| row.uid < folder.uidnext && row.modseq <= folder.modseq));
        }
    }
    let repository = backup::Repository::read(&world.backups()).unwrap();
    let report = backup::verify(&repository, &|_, _| ()).unwrap();
    assert!(report.ok, "{:?}", report.damaged);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn each_back_up_is_what_there_was(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(steps));
    }
}
