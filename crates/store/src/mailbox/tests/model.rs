//! Any operations in any order do to folders what they do to plain lists.

use super::*;
use crate::mailbox::FlagMask;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Folders that the steps work on, by their place in this list.
const FOLDERS: [&str; 3] = ["INBOX", "A", "B"];
/// What somebody may set who has not all rights.
const SOME: FlagMask = FlagMask { flags: flag::SEEN | flag::DELETED, keywords: false };

#[derive(Debug, Clone)]
enum Step {
    Append { to: usize, bodies: Vec<u8>, flags: u32 },
    Flags { of: usize, uids: (u32, u32), mode: u8, flags: u32, keyword: bool, stale: bool },
    Copy { from: usize, uids: (u32, u32), to: usize },
    Move { from: usize, uids: (u32, u32), to: usize },
    Expunge { of: usize },
    Remove { of: usize, uids: (u32, u32) },
    Undelete,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let (place, flags) = (0..FOLDERS.len(), 0u32..32);
    let uids = (1u32..12, 0u32..6).prop_map(|(first, more)| (first, first + more));
    prop_oneof![
        4 => (place.clone(), prop::collection::vec(0u8..9, 1..4), flags.clone())
            .prop_map(|(to, bodies, flags)| Step::Append { to, bodies, flags }),
        4 => (place.clone(), uids.clone(), 0u8..4, flags, any::<bool>(), any::<bool>())
            .prop_map(|(of, uids, mode, flags, keyword, stale)| Step::Flags { of, uids, mode, flags, keyword, stale }),
        2 => (place.clone(), uids.clone(), place.clone()).prop_map(|(from, uids, to)| Step::Copy { from, uids, to }),
        2 => (place.clone(), uids.clone(), place.clone()).prop_map(|(from, uids, to)| Step::Move { from, uids, to }),
        2 => place.clone().prop_map(|of| Step::Expunge { of }),
        1 => (place, uids).prop_map(|(of, uids)| Step::Remove { of, uids }),
        1 => Just(Step::Undelete),
        1 => Just(Step::Reopen),
    ]
}

/// Size, flags, whether it has the keyword, modification sequence.
type Row = (u64, u32, bool, u64);

#[derive(Debug, Clone, Default, PartialEq)]
struct Folder {
    rows: BTreeMap<u32, Row>,
    next: u32,
    /// UIDs that went, by the modification sequence of that.
    gone: Vec<(u64, u32)>,
}

impl Folder {
    fn take(&mut self, uid: u32, modseq: u64) -> Option<Row> {
        let row = self.rows.remove(&uid)?;
        self.gone.push((modseq, uid));
        Some(row)
    }

    fn put(&mut self, row: Row, modseq: u64) {
        self.rows.insert(self.next, (row.0, row.1, row.2, modseq));
        self.next += 1;
    }
}

struct Model {
    world: World,
    ids: Vec<Id>,
    folders: Vec<Folder>,
    /// What was removed: the folder's place and the row.
    removed: Vec<(usize, Row)>,
    seen: Vec<u64>,
}

impl Model {
    async fn new() -> Self {
        let world = World::new().await;
        let ids = vec![world.inbox, world.make("A").await, world.make("B").await];
        let folders = vec![Folder { next: 1, ..Folder::default() }; 3];
        let seen = ids.iter().map(|id| world.get(*id).modseq).collect();
        Self { world, ids, folders, removed: Vec::new(), seen }
    }

    fn modseq(&self, place: usize) -> u64 {
        self.world.get(self.ids[place]).modseq
    }

    fn there(&self, place: usize, uids: (u32, u32)) -> Vec<u32> {
        self.folders[place].rows.range(uids.0..=uids.1).map(|(uid, _)| *uid).collect()
    }

    async fn run(mut self, step: Step) -> Self {
        let store = self.world.store.clone();
        match step {
            Step::Append { to, bodies, flags } => {
                let copies =
                    bodies.iter().map(|size| new_copy(&"x".repeat(*size as usize), flags, "")).collect();
                let done = store.append(self.ids[to], copies).await.unwrap();
                let first = self.folders[to].next;
                for size in bodies {
                    self.folders[to].put((u64::from(size), flags, false, 0), done.modseq);
                }
                assert_eq!(done.uids, UidRuns::from(first..=self.folders[to].next - 1));
            }
            Step::Flags { of, uids, mode, flags, keyword, stale } => {
                self.set_flags(of, uids, mode, flags, keyword, stale).await;
            }
            Step::Copy { from, uids, to } => {
                let old = self.there(from, uids);
                let copied =
                    store.copy_messages(self.ids[from], uids.0..=uids.1, self.ids[to]).await.unwrap();
                let modseq = self.modseq(to);
                assert_eq!(copied.pairs.from, old.clone().into());
                assert_eq!(copied.pairs.to.first(), (!old.is_empty()).then_some(self.folders[to].next));
                for uid in old {
                    let row = self.folders[from].rows[&uid];
                    self.folders[to].put(row, modseq);
                }
            }
            Step::Move { from, uids, to } => {
                let old = self.there(from, uids);
                let moved = store.move_messages(self.ids[from], uids.0..=uids.1, self.ids[to]).await.unwrap();
                assert_eq!(moved.pairs.from, old.clone().into());
                // Within one folder, the messages leave before they come.
                let modseq = self.modseq(from) - u64::from(from == to);
                let rows: Vec<Row> =
                    old.iter().filter_map(|uid| self.folders[from].take(*uid, modseq)).collect();
                let modseq = self.modseq(to);
                rows.into_iter().for_each(|row| self.folders[to].put(row, modseq));
            }
            Step::Expunge { of } => {
                let all = self.folders[of].rows.iter();
                let marked: Vec<u32> =
                    all.filter(|(_, row)| row.1 & flag::DELETED != 0).map(|(uid, _)| *uid).collect();
                assert_eq!(store.expunge(self.ids[of], None).await.unwrap(), marked.clone().into());
                self.remove(of, marked);
            }
            Step::Remove { of, uids } => {
                let there = self.there(of, uids);
                let count = store.remove_messages(self.ids[of], uids.0..=uids.1).await.unwrap();
                assert_eq!(count, there.len());
                self.remove(of, there);
            }
            Step::Undelete => {
                let ids: Vec<Id> = store
                    .expunged(self.world.account, None, 1_000)
                    .unwrap()
                    .into_iter()
                    .map(|one| one.id)
                    .collect();
                assert_eq!(store.undelete(self.world.account, ids).await.unwrap(), self.removed.len());
                for (place, row) in std::mem::take(&mut self.removed) {
                    let modseq = self.modseq(place);
                    self.folders[place].put((row.0, row.1 & !flag::DELETED, row.2, 0), modseq);
                }
            }
            Step::Reopen => {
                drop(store);
                self.world = self.world.reopened().await;
            }
        }
        self
    }

    async fn set_flags(
        &mut self,
        of: usize,
        uids: (u32, u32),
        mode: u8,
        flags: u32,
        keyword: bool,
        stale: bool,
    ) {
        let modes = [FlagMode::Add, FlagMode::Remove, FlagMode::Replace, FlagMode::ReplaceAmong(SOME)];
        let mode = modes[usize::from(mode)];
        let since = stale.then(|| self.modseq(of).saturating_sub(2));
        let asked = change(mode, flags, if keyword { "Word" } else { "" });
        let done = self.world.store.set_flags(self.ids[of], uids.0..=uids.1, asked, since).await.unwrap();
        let (mut changed, mut modified) = (UidRuns::default(), UidRuns::default());
        for (uid, row) in self.folders[of].rows.range_mut(uids.0..=uids.1) {
            if since.is_some_and(|since| row.3 > since) {
                modified.push(*uid);
                continue;
            }
            let new = match mode {
                FlagMode::Add => (row.1 | flags, row.2 | keyword),
                FlagMode::Remove => (row.1 & !flags, row.2 & !keyword),
                FlagMode::Replace => (flags, keyword),
                FlagMode::ReplaceAmong(_) => (row.1 & !SOME.flags | flags & SOME.flags, row.2),
            };
            if new != (row.1, row.2) {
                changed.push(*uid);
                *row = (row.0, new.0, new.1, done.modseqs[0]);
            }
        }
        assert_eq!((done.changed, done.modified), (changed, modified));
    }

    fn remove(&mut self, of: usize, uids: Vec<u32>) {
        let modseq = self.modseq(of);
        for uid in uids {
            let row = self.folders[of].take(uid, modseq).unwrap();
            self.removed.push((of, row));
        }
    }

    fn check(&mut self, since: &[u64]) {
        self.world.check();
        for (place, id) in self.ids.iter().enumerate() {
            let folder = &self.folders[place];
            let rows: BTreeMap<u32, Row> = self
                .world
                .list(*id)
                .into_iter()
                .map(|row| (row.uid, (row.size, row.flags, row.keywords.contains("word"), row.modseq)))
                .collect();
            assert_eq!(rows, folder.rows, "{}", FOLDERS[place]);
            let now = self.world.get(*id);
            assert!(now.modseq >= self.seen[place], "never goes back");
            self.seen[place] = now.modseq;
            assert_eq!(now.uidnext, folder.next);
            // Told at least of what went since then, and of nothing that is there.
            let all = UidRuns::from(ALL);
            let vanished = self.world.store.vanished(*id, since[place], &all).unwrap();
            assert!(vanished.iter().all(|uid| !rows.contains_key(&uid) && uid < folder.next));
            assert!(folder.gone.iter().all(|(at, uid)| *at <= since[place] || vanished.contains(*uid)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn folders_do_as_lists_do(steps in prop::collection::vec(step(), 1..24), middle in 0usize..24) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            let mut since = model.seen.clone();
            for (number, step) in steps.into_iter().enumerate() {
                model = model.run(step).await;
                if number == middle {
                    since.clone_from(&(0..3).map(|place| model.modseq(place)).collect());
                }
                model.check(&since);
            }
        });
    }
}
