//! Adding, flagging, copying and moving messages.

use super::*;
use crate::committer::Part;
use crate::mailbox::{MAX_APPENDED, MAX_KEYWORDS, UidPairs};
use crate::tests::{copy, message, read};
use crate::{Change, MailboxChange};
use std::sync::Arc;

#[tokio::test]
async fn appended_messages_are_there_with_all_they_came_with() {
    let world = World::new().await;
    let mut changes = world.store.changes();
    let first = NewCopy { prefix: "X-Above: 1\r\n".into(), ..new_copy("one", flag::SEEN, "b A") };
    let done =
        world.store.append(world.inbox, vec![first, new_copy("two", flag::DELETED, "")]).await.unwrap();
    assert_eq!(done.uids, runs(&[1..=2]));
    assert_eq!(done.uidvalidity, world.get(world.inbox).uidvalidity);
    let told = changes.recv().await.unwrap();
    let Change::Mailbox { account, mailbox, modseq, kind } = told else { panic!("{told:?}") };
    assert_eq!((account, mailbox, modseq), (world.account, world.inbox, done.modseq));
    assert_eq!(kind, MailboxChange::Delivered { first: 1, last: 2 });
    let found = world.store.message(world.inbox, 1).unwrap().unwrap();
    assert_eq!(
        (found.prefix.as_ref(), read(&found.body).await.as_ref()),
        (&b"X-Above: 1\r\n"[..], &b"one"[..])
    );
    let summary = &found.summary;
    assert_eq!((summary.size, summary.body_size(), summary.prefix_size), (15, 3, 12));
    assert_eq!((summary.received, summary.flags, summary.keywords.as_str()), (1_000, flag::SEEN, "A b"));
    assert!(summary.saved > 1_000 && summary.modseq == done.modseq);
    assert_eq!(world.used(world.account), (18, 2));
    world.reopened().await.check();
}

#[tokio::test]
async fn what_is_appended_goes_in_whole_or_not_at_all() {
    let world = World::new().await;
    let append = |copies| world.store.append(world.inbox, copies);
    world.limit(Some(4)).await;
    let over = append(vec![new_copy("abc", 0, ""), new_copy("de", 0, "")]).await;
    assert!(matches!(over, Err(StoreError::OverQuota(id)) if id == world.account), "{over:?}");
    let bad = append(vec![new_copy("a", 0, ""), new_copy("b", 0, "no(t")]).await;
    assert!(matches!(bad, Err(StoreError::Refused(_))), "{bad:?}");
    let many = append((0..=MAX_APPENDED).map(|_| new_copy("", 0, "")).collect()).await;
    assert!(matches!(many, Err(StoreError::Limit(_))), "{many:?}");
    assert!(append(Vec::new()).await.unwrap().uids.is_empty());
    assert_eq!((world.get(world.inbox).messages, world.rows("message")), (0, 0));
    append(vec![new_copy("abcd", 0, "")]).await.unwrap();
    world.check();
}

#[tokio::test]
async fn an_appended_message_is_no_delivery_that_the_trail_lost() {
    let world = World::new().await;
    let note = crate::trail::Event::Note { text: "before".into() };
    world.store.tell(crate::trail::Entry::now(Id::generate(), note));
    world.store.append(world.inbox, vec![new_copy("x", 0, "")]).await.unwrap();
    let id = world.list(world.inbox)[0].id;
    let world = world.reopened().await;
    assert!(world.store.trail(id).unwrap().is_empty());
}

#[tokio::test]
async fn a_message_is_replaced_by_another() {
    let world = World::new().await;
    let drafts = world.store.mailbox_named(world.account, "Drafts").unwrap().unwrap().id;
    world.store.append(drafts, vec![new_copy("first", flag::DRAFT, "")]).await.unwrap();
    world.limit(Some(6)).await;
    let sent = world.store.replace(drafts, 1, world.inbox, new_copy("second", 0, "")).await.unwrap();
    assert_eq!((sent.uids, world.get(drafts).messages), (runs(&[1..=1]), 0));
    let gone = world.store.replace(drafts, 1, world.inbox, new_copy("", 0, "")).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))));
    let over = world.store.replace(world.inbox, 1, drafts, new_copy("seventh", 0, "")).await;
    assert!(matches!(over, Err(StoreError::OverQuota(_))));
    assert_eq!(world.uids(world.inbox), runs(&[1..=1]));
    world.check();
}

#[tokio::test]
async fn flags_and_keywords_are_added_removed_and_replaced() {
    let world = World::new().await;
    world.fill(world.inbox, 4).await;
    let set = |uids: UidRuns, change| world.store.set_flags(world.inbox, uids, change, None);
    let before = world.get(world.inbox).modseq;
    let done =
        set(runs(&[2..=3]), change(FlagMode::Add, flag::SEEN | flag::DELETED, "Work b")).await.unwrap();
    assert_eq!(
        (done.changed, done.modified, done.modseqs),
        (runs(&[2..=3]), UidRuns::default(), vec![before + 1])
    );
    // Nothing new is nothing changed, and another case is the same keyword.
    let again = set(runs(&[2..=2, 9..=9]), change(FlagMode::Add, flag::SEEN, "WORK")).await.unwrap();
    assert_eq!((again.changed.len(), again.modseqs.len()), (0, 0));
    set(runs(&[3..=3]), change(FlagMode::Remove, flag::DELETED, "work x")).await.unwrap();
    set(runs(&[4..=4]), change(FlagMode::Replace, flag::FLAGGED, "wORK")).await.unwrap();
    let rows: Vec<(u32, u32, String, u64)> = world
        .list(world.inbox)
        .into_iter()
        .map(|row| (row.uid, row.flags, row.keywords.as_str().to_owned(), row.modseq - before))
        .collect();
    let (seen, deleted) = (flag::SEEN, flag::DELETED);
    assert_eq!(rows[1], (2, seen | deleted, "b Work".into(), 1));
    assert_eq!(rows[2], (3, seen, "b".into(), 2));
    assert_eq!(rows[3], (4, flag::FLAGGED, "Work".into(), 3));
    assert_eq!(world.store.keywords(world.inbox).unwrap(), ["b", "Work", "x"]);
    world.check();
}

#[tokio::test]
async fn flags_of_many_are_set_in_slices_and_told_once_each() {
    let world = World::new().await;
    world.fill(world.inbox, MANY).await;
    let mut changes = world.store.changes();
    let done = world.store.set_flags(world.inbox, ALL, FlagChange::add(flag::SEEN), None).await.unwrap();
    assert_eq!(done.changed, runs(&[1..=MANY]));
    let (mut told, mut last) = (UidRuns::default(), 0);
    for told_as in &done.modseqs {
        let change = changes.recv().await.unwrap();
        let Change::Mailbox { modseq, kind: MailboxChange::Flags { uids }, .. } = change else { panic!() };
        assert!(modseq > last && modseq == *told_as);
        (last, told) = (modseq, told.union(&uids));
    }
    assert_eq!(told, runs(&[1..=MANY]));
    assert_eq!(world.get(world.inbox).unseen, 0);
    world.check();
}

#[tokio::test]
async fn what_changed_since_is_left_alone_and_found() {
    let world = World::new().await;
    world.fill(world.inbox, 5).await;
    let since = world.get(world.inbox).modseq;
    let store = &world.store;
    store.set_flags(world.inbox, 3, FlagChange::add(flag::SEEN), None).await.unwrap();
    let done = store.set_flags(world.inbox, ALL, FlagChange::add(flag::FLAGGED), Some(since)).await.unwrap();
    assert_eq!((done.modified, done.changed), (runs(&[3..=3]), runs(&[1..=2, 4..=5])));
    let changed = |since| -> UidRuns {
        let rows = store.messages_in(world.inbox, &UidRuns::from(2..=4), since, 0, 9).unwrap();
        rows.into_iter().map(|row| row.uid).collect()
    };
    assert_eq!(changed(0), runs(&[2..=4]));
    assert_eq!(changed(since), runs(&[2..=4]));
    assert_eq!(changed(since + 1), runs(&[2..=2, 4..=4]));
    assert_eq!(changed(u64::MAX), UidRuns::default());
}

#[tokio::test]
async fn a_folder_has_so_many_keywords_and_no_more() {
    let world = World::new().await;
    world.fill(world.inbox, 1).await;
    let all = (0..MAX_KEYWORDS).map(|n| format!("k{n}")).collect::<Vec<_>>().join(" ");
    let add = |text: &str| world.store.set_flags(world.inbox, 1, change(FlagMode::Add, 0, text), None);
    add(&all).await.unwrap();
    assert!(matches!(add("one-more").await, Err(StoreError::Limit(_))));
    assert!(matches!(add("\\Bad").await, Err(StoreError::Refused(_))));
    add("K0").await.unwrap();
    assert_eq!(world.store.keywords(world.inbox).unwrap().len(), MAX_KEYWORDS);
}

#[tokio::test]
async fn messages_are_copied_in_the_order_of_their_uids() {
    let world = World::new().await;
    let new =
        crate::queue::NewMessage { local: vec![copy(world.account)], ..message(Body::from_bytes("body")) };
    world.store.accept(new).await.unwrap();
    world.fill(world.inbox, MANY).await;
    world.store.remove_messages(world.inbox, 5).await.unwrap();
    world.store.set_flags(world.inbox, 1, change(FlagMode::Add, flag::FLAGGED, "Word"), None).await.unwrap();
    let to = world.make("To").await;
    world.store.append(to, vec![new_copy("", 0, "WORD")]).await.unwrap();
    let copied = world.store.copy_messages(world.inbox, ALL, to).await.unwrap();
    let pairs = UidPairs { from: runs(&[1..=4, 6..=MANY + 1]), to: runs(&[2..=MANY + 1]) };
    assert_eq!((copied.uidvalidity, copied.pairs), (world.get(to).uidvalidity, pairs));
    let (old, new) =
        (world.store.message(world.inbox, 1).unwrap().unwrap(), world.store.message(to, 2).unwrap().unwrap());
    assert_eq!((old.prefix.clone(), read(&new.body).await), (new.prefix.clone(), read(&old.body).await));
    let kept = |row: &Summary| (row.id, row.body, row.size, row.received, row.flags);
    assert_eq!(kept(&old.summary), kept(&new.summary));
    assert_eq!(new.summary.keywords.as_str(), "WORD", "as the folder spells it");
    assert!(new.summary.saved >= old.summary.saved);
    world.check();
    // Into itself, once.
    let twice = world.store.copy_messages(to, runs(&[2..=u32::MAX]), to).await.unwrap();
    assert_eq!((twice.pairs.from.len(), twice.pairs.to), (MANY, runs(&[MANY + 2..=2 * MANY + 1])));
    assert!(world.store.copy_messages(world.inbox, 5, to).await.unwrap().pairs.from.is_empty());
    world.check();
}

#[tokio::test]
async fn a_copy_that_does_not_fit_leaves_nothing() {
    let world = World::new().await;
    world.fill(world.inbox, MANY).await;
    let you = world.another("you@example.org", Some(u64::from(MANY) - 1)).await;
    let theirs = world.store.inbox(you).unwrap().id;
    for how in ["copy", "move"] {
        let done = match how {
            "copy" => world.store.copy_messages(world.inbox, ALL, theirs).await,
            _ => world.store.move_messages(world.inbox, ALL, theirs).await,
        };
        assert!(matches!(done, Err(StoreError::OverQuota(id)) if id == you), "{how}: {done:?}");
        assert_eq!((world.used(you), world.get(theirs).messages), ((0, 0), 0));
    }
    let copied = world.store.copy_messages(world.inbox, 1..=9, theirs).await.unwrap();
    assert_eq!((copied.pairs.to, world.used(you)), (runs(&[1..=9]), (9, 9)));
    world.check();
}

#[tokio::test]
async fn a_copy_that_fails_midway_is_undone() {
    let world = World::new().await;
    world.fill(world.inbox, MANY).await;
    // The limit of keywords is met in the last slice only.
    let to = world.make("To").await;
    let all = (0..MAX_KEYWORDS).map(|n| format!("k{n}")).collect::<Vec<_>>().join(" ");
    world.store.append(to, vec![new_copy("", 0, &all)]).await.unwrap();
    world.store.set_flags(world.inbox, MANY, change(FlagMode::Add, 0, "other"), None).await.unwrap();
    let done = world.store.copy_messages(world.inbox, ALL, to).await;
    assert!(matches!(done, Err(StoreError::Limit(_))), "{done:?}");
    assert_eq!(world.uids(to), runs(&[1..=1]));
    assert!(world.store.expunged(world.account, None, 9).unwrap().is_empty());
    world.check();
}

#[tokio::test]
async fn moved_messages_are_in_one_folder_and_vanish_from_the_other() {
    let world = World::new().await;
    let new =
        crate::queue::NewMessage { local: vec![copy(world.account)], ..message(Body::from_bytes("body")) };
    world.store.accept(new).await.unwrap();
    world.fill(world.inbox, MANY).await;
    let to = world.make("To").await;
    let (since, used) = (world.get(world.inbox).modseq, world.used(world.account));
    world.limit(Some(1)).await;
    let mut changes = world.store.changes();
    let moved = world.store.move_messages(world.inbox, 1..=MANY, to).await.unwrap();
    assert_eq!(moved.pairs, UidPairs { from: runs(&[1..=MANY]), to: runs(&[1..=MANY]) });
    let told = (changes.recv().await.unwrap(), changes.recv().await.unwrap());
    let first = runs(&[1..=SLICE / 10]);
    assert!(matches!(told.0, Change::Mailbox { mailbox, kind: MailboxChange::Expunged { ref uids }, .. }
        if mailbox == world.inbox && *uids == Arc::new(first)));
    assert!(
        matches!(told.1, Change::Mailbox { mailbox, kind: MailboxChange::Delivered { first: 1, .. }, .. }
        if mailbox == to)
    );
    assert_eq!(world.uids(world.inbox), runs(&[MANY + 1..=MANY + 1]));
    assert_eq!(world.store.vanished(world.inbox, since, &ALL.into()).unwrap(), runs(&[1..=MANY]));
    assert_eq!(world.used(world.account), used, "what is moved takes no room, also when there is none left");
    assert!(world.store.expunged(world.account, None, 9).unwrap().is_empty());
    let found = world.store.message(to, 1).unwrap().unwrap();
    assert_eq!(found.prefix, "Return-Path: <>\r\nReceived: from x by y\r\n");
    world.check();
    // To another account, whose quota it then takes.
    world.limit(None).await;
    let you = world.another("you@example.org", None).await;
    let theirs = world.store.inbox(you).unwrap().id;
    world.store.move_messages(to, 1..=10, theirs).await.unwrap();
    assert_eq!((world.used(you).1, world.used(world.account).1), (10, used.1 - 10));
    // Into itself: new UIDs, each once.
    world.store.move_messages(theirs, ALL, theirs).await.unwrap();
    assert_eq!(world.uids(theirs), runs(&[11..=20]));
    world.check();
}

const SLICE: u32 = crate::mailbox::SLICE as u32;

/// So much bulk work that nobody else is expected.
async fn leave_alone(world: &World) {
    for _ in 0..100 {
        world.store.inner.committer.write_part(Part::Next, |_| Ok(())).await.unwrap();
    }
}

/// The UIDs of the next messages that are told to be there.
async fn delivered(changes: &mut crate::Changes) -> std::ops::RangeInclusive<u32> {
    let told = changes.recv().await.unwrap();
    let Change::Mailbox { kind: MailboxChange::Delivered { first, last }, .. } = told else {
        panic!("{told:?}")
    };
    first..=last
}

#[tokio::test]
async fn bulk_work_is_done_in_small_parts_until_nobody_else_has_written_for_a_while() {
    let world = World::new().await;
    let to = world.make("To").await;
    world.fill(world.inbox, SLICE / 10 * 100 + SLICE).await;
    let mut changes = world.store.changes();
    world.store.copy_messages(world.inbox, ALL, to).await.unwrap();
    for part in 0..100 {
        let first = part * SLICE / 10 + 1;
        assert_eq!(delivered(&mut changes).await, first..=first + SLICE / 10 - 1);
    }
    assert_eq!(delivered(&mut changes).await.count() as u32, SLICE);
}

#[tokio::test]
async fn bulk_work_takes_a_smaller_part_where_others_wait_for_the_same_transaction() {
    let world = World::new().await;
    world.fill(world.inbox, MANY).await;
    let to = world.make("To").await;
    leave_alone(&world).await;
    let mut changes = world.store.changes();
    world.store.copy_messages(world.inbox, ALL, to).await.unwrap();
    assert_eq!(delivered(&mut changes).await, 1..=SLICE, "alone");
    let to = world.make("Also").await;
    leave_alone(&world).await;
    let mut changes = world.store.changes();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    // A transaction, bulk work too, that lasts until two jobs wait for the next one.
    let busy = tokio::spawn({
        let store = world.store.clone();
        async move {
            let work = move |_: &crate::committer::Writer<'_>| {
                begun.send(()).unwrap();
                released.recv().unwrap();
                Ok(())
            };
            store.inner.committer.write_part(Part::Next, work).await
        }
    });
    tokio::task::yield_now().await;
    has_begun.recv().unwrap();
    let copy = world.store.copy_messages(world.inbox, 1..=SLICE, to);
    let other = world.store.inner.committer.write(|_| Ok(()));
    let (copied, other, ()) = tokio::join!(copy, other, async { release.send(()).unwrap() });
    busy.await.unwrap().unwrap();
    other.unwrap();
    assert_eq!(copied.unwrap().pairs.to, runs(&[1..=SLICE]));
    assert_eq!(delivered(&mut changes).await, 1..=SLICE / 10);
    assert_eq!(delivered(&mut changes).await, SLICE / 10 + 1..=SLICE / 5);
}
