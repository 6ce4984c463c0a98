//! Runs of a back-up: what one costs, what changes meanwhile, what is interrupted, what is damaged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod common;

use backup::{Back, BackupError, Fetched, Put, Repository, Sink, Source};
use bytes::Bytes;
use common::{Picture, World, damage, files, picture};
use std::cell::{Cell, RefCell};
use store::backup::{Changes, Cut, Facts, Known, Named, QueueFate, Table};
use store::mailbox::{INBOX, Mailbox, NewCopy, Summary, UidRuns};
use store::queue::{NewMessage, NewRecipient};
use store::trail::Origin;
use store::{Body, Id};

/// More than a cut brings, in several parts.
const MANY: u32 = 2_600;

#[tokio::test]
async fn a_second_run_copies_what_is_new() {
    let world = World::new().await;
    let inbox = world.folder(INBOX).unwrap();
    world.fill(inbox, MANY).await;
    let first = world.back_up().await;
    assert_eq!((first.messages, first.new_bodies), (u64::from(MANY), u64::from(MANY)));

    world.append(inbox, "one more", 0, "").await;
    world.flag(inbox, 3, 1).await;
    let second = world.back_up().await;
    assert_eq!((second.messages, second.new_bodies), (u64::from(MANY) + 1, 1));
    assert!(second.written * 2 < first.written, "{} after {}", second.written, first.written);

    // Nothing new: the tables alone are looked at, and are the same but for nothing.
    let third = world.back_up().await;
    assert_eq!((third.messages, third.new_bodies, third.written), (second.messages, 0, 0));
    let (_folder, store, _) = world.restored(first.at, QueueFate::Hold);
    assert_eq!(picture(&store, common::USER).await.values().map(Vec::len).sum::<usize>(), MANY as usize);
}

/// Does something to the store before each answer, until the moment has come.
struct Busy<'a> {
    world: &'a World,
    round: Cell<u32>,
    at_moment: RefCell<Option<Picture>>,
}

impl Busy<'_> {
    async fn disturb(&self) {
        if self.at_moment.borrow().is_some() {
            return;
        }
        let round = self.round.replace(self.round.get() + 1);
        let (inbox, archive) = (self.world.folder(INBOX).unwrap(), self.world.folder("Archive").unwrap());
        let store = &self.world.store;
        match round % 4 {
            // From what was read to what was not, and back.
            0 => drop(store.move_messages(inbox, round * 7 + 1, archive).await.unwrap()),
            1 => drop(store.move_messages(archive, round + 1, inbox).await.unwrap()),
            2 => self.world.append(inbox, &format!("meanwhile {round}"), 1, "new").await,
            _ => drop(store.remove_messages(inbox, UidRuns::from(round * 5..=round * 5 + 2)).await.unwrap()),
        }
    }
}

impl Source for Busy<'_> {
    async fn facts(&self) -> Result<Facts, BackupError> {
        self.world.store.facts().await
    }

    async fn cut(&self, known: Vec<Known>) -> Result<Cut, BackupError> {
        self.disturb().await;
        let cut = Source::cut(&self.world.store, known).await?;
        if matches!(cut, Cut::Complete { .. }) {
            *self.at_moment.borrow_mut() = Some(picture(&self.world.store, common::USER).await);
        }
        Ok(cut)
    }

    async fn changes(&self, folder: Known, after: u32) -> Result<Changes, BackupError> {
        self.disturb().await;
        Source::changes(&self.world.store, folder, after).await
    }

    async fn import_notes(&self, after: Option<(Id, Vec<u8>)>) -> Result<Table, BackupError> {
        Source::import_notes(&self.world.store, after).await
    }

    async fn bodies(&self, wanted: &[Named]) -> Result<Vec<Fetched>, BackupError> {
        self.disturb().await;
        self.world.store.bodies(wanted).await
    }
}

#[tokio::test]
async fn what_changes_meanwhile_is_as_it_was_at_the_moment() {
    let world = World::new().await;
    let (inbox, archive) = (world.folder(INBOX).unwrap(), world.folder("Archive").unwrap());
    world.fill(inbox, MANY).await;
    world.fill(archive, MANY).await;
    for _ in 0..2 {
        let busy = Busy { world: &world, round: Cell::new(0), at_moment: RefCell::default() };
        let report = world.back_up_from(&busy).await.unwrap();
        assert!(report.damaged.is_empty());
        let (_folder, store, whole) = world.restored(report.at, QueueFate::Hold);
        assert_eq!(whole.loaded.without_body, 0);
        assert!(picture(&store, common::USER).await == busy.at_moment.take().unwrap(), "not the moment");
    }
}

/// Breaks off at a call.
struct Dying<'a> {
    world: &'a World,
    left: Cell<u32>,
}

impl Dying<'_> {
    fn step(&self) -> Result<(), BackupError> {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        if left == 0 { Err(BackupError::Other("killed".to_owned())) } else { Ok(()) }
    }
}

impl Source for Dying<'_> {
    async fn facts(&self) -> Result<Facts, BackupError> {
        self.world.store.facts().await
    }

    async fn cut(&self, known: Vec<Known>) -> Result<Cut, BackupError> {
        self.step()?;
        Source::cut(&self.world.store, known).await
    }

    async fn changes(&self, folder: Known, after: u32) -> Result<Changes, BackupError> {
        self.step()?;
        Source::changes(&self.world.store, folder, after).await
    }

    async fn import_notes(&self, after: Option<(Id, Vec<u8>)>) -> Result<Table, BackupError> {
        self.step()?;
        Source::import_notes(&self.world.store, after).await
    }

    async fn bodies(&self, wanted: &[Named]) -> Result<Vec<Fetched>, BackupError> {
        self.step()?;
        self.world.store.bodies(wanted).await
    }
}

#[tokio::test]
async fn an_interrupted_run_leaves_what_was_and_the_next_goes_on() {
    let world = World::new().await;
    world.fill(world.folder(INBOX).unwrap(), MANY).await;
    let mut calls = 0;
    loop {
        let dying = Dying { world: &world, left: Cell::new(calls) };
        if world.back_up_from(&dying).await.is_ok() {
            break;
        }
        let repository = Repository::read(&world.backups()).unwrap();
        assert!(repository.snapshots().unwrap().good.is_empty());
        assert!(matches!(repository.snapshot_at(None), Err(BackupError::Refused(_))));
        calls += 1;
    }
    assert!(calls > 5, "{calls}");
    assert!(files(&world.backups().join("packs")).iter().all(|path| path.extension().unwrap() == "pack"));
    let report = world.back_up().await;
    let (_folder, store, _) = world.restored(report.at, QueueFate::Hold);
    assert_eq!(picture(&store, common::USER).await, picture(&world.store, common::USER).await);
}

#[tokio::test]
async fn damage_is_named_and_stored_again() {
    let world = World::new().await;
    let inbox = world.folder(INBOX).unwrap();
    world.append(inbox, &"0123456789".repeat(10), 0, "").await;
    world.back_up().await;
    let pack = files(&world.backups().join("packs")).remove(0);
    let whole = std::fs::read(&pack).unwrap();
    let verify = || {
        let repository = Repository::read(&world.backups()).unwrap();
        let report = backup::verify(&repository, &|_, _| ()).unwrap();
        (report.ok, report.damaged.join("\n"))
    };
    assert_eq!(verify(), (true, String::new()));
    // Every octet counts: of bodies, rows, names, lengths, the index.
    for from_end in (1..=whole.len()).step_by(37) {
        damage(&pack, from_end);
        let (ok, damaged) = verify();
        assert!(!ok && damaged.contains("packs/"), "{from_end} of {}: {damaged}", whole.len());
        std::fs::write(&pack, &whole).unwrap();
    }
    // The body is the first object: 8 octets of the pack's beginning, 65 of the object's.
    damage(&pack, whole.len() - 8 - 65 - 1);
    let (_, damaged) = verify();
    assert!(damaged.contains("me@example.org, folder INBOX: message 1 has lost its body"), "{damaged}");

    // Without the file the next run stores again what the data still has.
    std::fs::remove_file(&pack).unwrap();
    assert!(!verify().0);
    let report = world.back_up().await;
    assert_eq!(report.new_bodies, 1);
    let (_folder, store, _) = world.restored(report.at, QueueFate::Hold);
    assert_eq!(picture(&store, common::USER).await, picture(&world.store, common::USER).await);

    let snapshot = files(&world.backups().join("snapshots")).pop().unwrap();
    damage(&snapshot, 90);
    assert!(verify().1.contains("snapshots/"), "{}", verify().1);
}

#[tokio::test]
async fn what_nothing_names_is_freed() {
    let world = World::new().await;
    let inbox = world.folder(INBOX).unwrap();
    // What does not become smaller.
    let text: String =
        (0..40_000u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    world.append(inbox, &text, 0, "").await;
    world.append(inbox, "small", 0, "").await;
    world.back_up().await;
    world.store.remove_messages(inbox, UidRuns::from(1)).await.unwrap();
    let last = world.back_up().await;
    let size =
        || files(&world.backups().join("packs")).iter().map(|f| f.metadata().unwrap().len()).sum::<u64>();
    let before = size();
    let report = world.prune(1);
    assert_eq!((report.removed, report.kept), (1, 1));
    assert_eq!(size(), before - report.freed);
    assert!(size() * 4 < before, "{} of {before}", size());
    let (_folder, store, _) = world.restored(last.at, QueueFate::Hold);
    assert_eq!(picture(&store, common::USER).await, picture(&world.store, common::USER).await);
    // Back-ups go on as if nothing had been.
    assert_eq!(world.back_up().await.new_bodies, 0);
}

#[tokio::test]
async fn what_was_in_the_queue_is_held_sent_or_dropped() {
    let world = World::new().await;
    let to = |address: &str| NewRecipient {
        address: address.parse().unwrap(),
        parameters: String::new(),
        due: 5,
        held: false,
    };
    let message = NewMessage {
        id: Id::generate(),
        reverse_path: "me@example.org".parse().unwrap(),
        parameters: String::new(),
        body: Body::from_bytes("Subject: x\r\n\r\nto leave\r\n"),
        trace: Bytes::from_static(b"Received: from x\r\n"),
        origin: Origin { session: "s".into(), via: "smtp".into(), ..Origin::default() },
        local: Vec::new(),
        remote: vec![to("a@far.example"), to("b@far.example")],
    };
    world.store.accept(message.clone()).await.unwrap();
    let report = world.back_up().await;
    assert_eq!(report.queued, 1);
    for (fate, recipients, held) in
        [(QueueFate::Hold, 2, 2), (QueueFate::Send, 2, 0), (QueueFate::Drop, 0, 0)]
    {
        let (_folder, store, whole) = world.restored(report.at, fate);
        let count = store.queue_count().unwrap();
        assert_eq!((count.recipients, count.held, whole.loaded.queued), (recipients, held, recipients));
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
        if recipients > 0 {
            let (found, _) = store.queued(message.id).unwrap().unwrap();
            let body = store.body(found.body_id, found.body_size).unwrap();
            assert_eq!(body.read(usize::MAX).await.unwrap(), "Subject: x\r\n\r\nto leave\r\n");
        }
    }
}

#[tokio::test]
async fn data_and_other_things_are_not_written_over() {
    let world = World::new().await;
    let report = world.back_up().await;
    let repository = Repository::read(&world.backups()).unwrap();
    let snapshot = repository.snapshot_at(Some(report.at)).unwrap();
    let again =
        backup::whole(&repository, &snapshot, &world.place.path().join("other"), QueueFate::Hold, &|_, _| ());
    again.unwrap();
    let twice =
        backup::whole(&repository, &snapshot, &world.place.path().join("other"), QueueFate::Hold, &|_, _| ());
    assert!(matches!(twice, Err(BackupError::Refused(_))), "{twice:?}");
    // While it is read nothing is written.
    let busy = Repository::change(&world.backups());
    assert!(matches!(busy, Err(BackupError::Temporary(_))));
    drop(repository);

    let others = tempfile::tempdir().unwrap();
    std::fs::write(others.path().join("letter.txt"), "x").unwrap();
    let refused = Repository::create(others.path(), Id::generate());
    assert!(matches!(refused, Err(BackupError::Refused(text)) if text.contains("other things")));
    let refused = Repository::create(&world.backups(), Id::generate());
    assert!(matches!(refused, Err(BackupError::Refused(text)) if text.contains("another installation")));
    let refused = repository_before(&world, report.at - 1);
    assert!(refused.contains("from that time or before"), "{refused}");
}

fn repository_before(world: &World, at: i64) -> String {
    let repository = Repository::read(&world.backups()).unwrap();
    repository.snapshot_at(Some(at)).unwrap_err().to_string()
}

/// Puts messages back into a store.
struct Into<'a> {
    world: &'a World,
    anywhere: bool,
}

impl Sink for Into<'_> {
    async fn prepare(&self, folder: &Mailbox) -> Result<(), BackupError> {
        drop(self.world.store.create_mailbox(self.world.account, &folder.name, None).await);
        Ok(())
    }

    async fn missing(&self, folder: &str, messages: &[Summary]) -> Result<Vec<bool>, BackupError> {
        let folder = self.world.folder(folder).unwrap();
        let briefs: Vec<_> = messages.iter().map(|one| (one.id, one.received, one.body_size())).collect();
        Ok(self.world.store.are_missing(folder, self.anywhere, &briefs)?)
    }

    async fn put(&self, folder: &str, messages: Vec<Back>) -> Result<Vec<Put>, BackupError> {
        let folder = self.world.folder(folder).unwrap();
        let copies = messages.into_iter().map(|Back { summary, prefix, body }| {
            let Summary { id, flags, keywords, received, .. } = summary;
            (id, NewCopy { prefix, body: Body::from_bytes(body), flags, keywords, received })
        });
        let put = self.world.store.put_back(folder, self.anywhere, copies.collect()).await?;
        Ok(put.into_iter().map(|put| if put { Put::Restored } else { Put::Known }).collect())
    }
}

#[tokio::test]
async fn an_account_gets_back_what_is_missing() {
    let world = World::new().await;
    let (inbox, archive) = (world.folder(INBOX).unwrap(), world.folder("Archive").unwrap());
    for text in ["stays", "moves", "goes"] {
        world.append(inbox, text, 5, "work").await;
    }
    let lists = world.store.create_mailbox(world.account, "Lists/rust", None).await.unwrap().id;
    world.append(lists, "in a folder that goes", 0, "").await;
    world.back_up().await;
    world.store.move_messages(inbox, 2, archive).await.unwrap();
    world.store.remove_messages(inbox, UidRuns::from(3)).await.unwrap();
    world.store.delete_mailbox(lists).await.unwrap();
    while world.store.purge(i64::MAX).await.unwrap() {}

    let repository = Repository::read(&world.backups()).unwrap();
    let snapshot = repository.snapshot_at(None).unwrap();
    let address = common::USER.parse().unwrap();
    let restore = async |anywhere, wanted: &str| {
        let sink = Into { world: &world, anywhere };
        let wanted = |name: &str| wanted.is_empty() || name == wanted;
        let report =
            backup::account(&repository, &snapshot, &address, wanted, &sink, &|_, _| ()).await.unwrap();
        assert!(report.failed.is_empty(), "{report:?}");
        report.folders.iter().map(|one| one.restored).sum::<u64>()
    };
    assert_eq!(restore(true, "").await, 2);
    assert_eq!(restore(true, "").await, 0);
    // Of one folder: as that was.
    assert_eq!(restore(false, INBOX).await, 1);
    assert_eq!(restore(false, INBOX).await, 0);
    let now = picture(&world.store, common::USER).await;
    let texts = |folder: &str| -> Vec<String> {
        let (_, lines) = now.iter().find(|(name, _)| name.starts_with(folder)).unwrap();
        let after = |line: &String| line.split_once(' ').unwrap().1.to_owned();
        lines.iter().map(after).collect()
    };
    let line = |text: &str| format!("5 work 1000: X-Prefix: {text}\r\n{text}");
    assert_eq!(texts(INBOX), [line("stays"), line("goes"), line("moves")]);
    assert_eq!(texts("Lists/rust"), ["0  1000: X-Prefix: in a folder that goes\r\nin a folder that goes"]);

    let stranger = "nobody@example.org".parse().unwrap();
    let sink = Into { world: &world, anywhere: true };
    let none = backup::account(&repository, &snapshot, &stranger, |_| true, &sink, &|_, _| ()).await;
    assert!(matches!(none, Err(BackupError::Refused(_))));
}

#[tokio::test]
async fn uids_and_modification_sequences_are_not_given_twice() {
    let world = World::new().await;
    let inbox = world.folder(INBOX).unwrap();
    world.append(inbox, "one", 0, "").await;
    let report = world.back_up().await;
    // After the back-up, and lost.
    world.append(inbox, "two", 0, "").await;
    let lost = world.store.mailbox(inbox).unwrap().unwrap();

    let (_folder, store, _) = world.restored(report.at, QueueFate::Hold);
    let restored = store.mailbox(inbox).unwrap().unwrap();
    assert_eq!(restored.uidvalidity, lost.uidvalidity);
    assert!(restored.uidnext > lost.uidnext && restored.modseq > lost.modseq);
    // A client that saw the lost message is told that it has gone, and of the flags of the other.
    let gone = store.vanished(inbox, lost.modseq, &UidRuns::from(1..=2)).unwrap();
    assert_eq!(gone, UidRuns::from(2));
    let changed = store.messages_in(inbox, &UidRuns::from(1..=2), lost.modseq, 0, 10).unwrap();
    assert_eq!(changed.iter().map(|one| one.uid).collect::<Vec<_>>(), [1]);
}
