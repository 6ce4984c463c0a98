//! Removing messages, what is remembered of them, and bringing them back.

use super::*;
use crate::tests::{copy, message, read};
use crate::{Change, MailboxChange};

async fn mark(world: &World, uids: UidRuns) {
    world.store.set_flags(world.inbox, uids, FlagChange::add(flag::DELETED), None).await.unwrap();
}

#[tokio::test]
async fn only_marked_messages_are_expunged() {
    let world = World::new().await;
    world.fill(world.inbox, MANY).await;
    assert!(world.store.expunge(world.inbox, None).await.unwrap().is_empty());
    mark(&world, runs(&[2..=2, 4..=MANY])).await;
    let mut changes = world.store.changes();
    let some = world.store.expunge(world.inbox, Some(runs(&[1..=5]))).await.unwrap();
    assert_eq!(some, runs(&[2..=2, 4..=5]));
    let told = changes.recv().await.unwrap();
    assert!(matches!(told, Change::Mailbox { kind: MailboxChange::Expunged { ref uids }, modseq, .. }
        if **uids == some && modseq == world.get(world.inbox).modseq));
    assert_eq!(world.store.expunge(world.inbox, None).await.unwrap(), runs(&[6..=MANY]));
    assert_eq!(world.uids(world.inbox), runs(&[1..=1, 3..=3]));
    assert_eq!(world.used(world.account), (2, 2), "quota is given back at once");
    world.check();
}

#[tokio::test]
async fn removed_messages_are_gone_whatever_their_flags() {
    let world = World::new().await;
    world.fill(world.inbox, MANY).await;
    assert_eq!(world.store.remove_messages(world.inbox, vec![1, 3, MANY + 5]).await.unwrap(), 2);
    assert_eq!(world.store.remove_messages(world.inbox, 1..=MANY - 1).await.unwrap(), MANY as usize - 3);
    assert_eq!(world.uids(world.inbox), runs(&[MANY..=MANY]));
    world.check();
}

#[tokio::test]
async fn vanished_uids_are_remembered_and_else_guessed() {
    let world = World::new().await;
    world.fill(world.inbox, 20).await;
    let start = world.get(world.inbox).modseq;
    let vanished = |since, known: &UidRuns| world.store.vanished(world.inbox, since, known).unwrap();
    world.store.remove_messages(world.inbox, runs(&[2..=4, 8..=8])).await.unwrap();
    let middle = world.get(world.inbox).modseq;
    world.store.remove_messages(world.inbox, 5).await.unwrap();
    let all = UidRuns::from(ALL);
    assert_eq!(vanished(start, &all), runs(&[2..=5, 8..=8]));
    assert_eq!(vanished(start, &runs(&[4..=6])), runs(&[4..=5]));
    assert_eq!(vanished(middle, &all), runs(&[5..=5]));
    assert_eq!(vanished(middle + 1, &all), UidRuns::default());
    // Of an emptied folder all that anybody knows has gone.
    world.store.remove_messages(world.inbox, ALL).await.unwrap();
    assert_eq!(world.rows("vanished"), 0);
    let empty = world.get(world.inbox).modseq;
    assert_eq!(vanished(start, &all), runs(&[1..=20]));
    assert_eq!(vanished(empty, &all), UidRuns::default());
    assert_eq!(vanished(start, &runs(&[3..=4, 30..=40])), runs(&[3..=4]));
}

#[tokio::test]
async fn only_so_many_vanished_runs_are_remembered() {
    let world = World::new().await;
    world.fill(world.inbox, 20_000).await;
    let start = world.get(world.inbox).modseq;
    let odd: UidRuns = (1..=20_000).filter(|uid| uid % 2 == 1).collect();
    world.store.remove_messages(world.inbox, odd.clone()).await.unwrap();
    assert!(world.rows("vanished") <= 4_000 && world.rows("vanished") > 3_000);
    let counted: i64 = world.rows("vanished");
    let sql = "SELECT vanished FROM mailbox WHERE id = ?";
    let told: i64 =
        world.store.inner.main.with(|db| Ok(db.query_row(sql, [world.inbox], |r| r.get(0))?)).unwrap();
    assert_eq!(told, counted);
    assert_eq!(world.store.vanished(world.inbox, start, &ALL.into()).unwrap(), odd);
    let last = world.get(world.inbox).modseq - 1;
    let late = world.store.vanished(world.inbox, last, &ALL.into()).unwrap();
    assert_eq!((late.len(), late.last()), (crate::mailbox::SLICE as u32, Some(19_999)));
}

#[tokio::test]
async fn removed_messages_come_back_with_all_they_had() {
    let world = World::new().await;
    let new =
        crate::queue::NewMessage { local: vec![copy(world.account)], ..message(Body::from_bytes("body")) };
    world.store.accept(new).await.unwrap();
    let folder = world.make("Deep/Folder").await;
    world.store.append(folder, vec![new_copy("x", flag::SEEN | flag::DELETED, "Word")]).await.unwrap();
    let before = world.store.message(world.inbox, 1).unwrap().unwrap().summary;
    world.store.remove_messages(world.inbox, 1).await.unwrap();
    world.store.expunge(folder, None).await.unwrap();
    world.check();
    let world = world.reopened().await;
    let removed = world.store.expunged(world.account, None, 9).unwrap();
    assert_eq!(removed.iter().map(|one| one.folder.as_str()).collect::<Vec<_>>(), ["INBOX", "Deep/Folder"]);
    assert_eq!(world.store.expunged(world.account, Some(removed[0].id), 9).unwrap(), removed[1..]);
    assert_eq!(read(&world.store.expunged_body(&removed[0]).unwrap()).await, "body");
    assert!(removed[0].removed() >= before.received);
    // Its folder has gone meanwhile.
    world.store.delete_mailbox(folder).await.unwrap();
    let ids: Vec<Id> = removed.iter().map(|one| one.id).chain([Id::generate()]).collect();
    let somebody = world.another("you@example.org", None).await;
    assert_eq!(world.store.undelete(somebody, ids.clone()).await.unwrap(), 0, "not theirs");
    assert_eq!(world.store.undelete(world.account, ids.clone()).await.unwrap(), 2);
    assert_eq!(world.store.undelete(world.account, ids).await.unwrap(), 0);
    let after = world.store.message(world.inbox, 2).unwrap().unwrap();
    let kept = |row: &Summary| (row.id, row.body, row.size, row.received, row.flags);
    assert_eq!(kept(&after.summary), kept(&before));
    assert!(after.prefix.starts_with(b"Return-Path") && after.summary.modseq > before.modseq);
    let made = world.store.mailbox_named(world.account, "Deep/Folder").unwrap().unwrap();
    let row = &world.list(made.id)[0];
    assert_eq!((row.flags, row.keywords.as_str()), (flag::SEEN, "Word"));
    world.check();
}

#[tokio::test]
async fn removed_messages_can_still_be_read_by_uid() {
    let world = World::new().await;
    world.fill(world.inbox, 5).await;
    let before: Vec<Summary> = world.list(world.inbox);
    world.store.remove_messages(world.inbox, vec![2, 4]).await.unwrap();
    let departed =
        |uids, after, limit| world.store.departed_messages(world.inbox, &uids, after, limit).unwrap();
    let found = departed(UidRuns::from(1..=9), 0, 9);
    assert_eq!(found.iter().map(|one| one.uid).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(found[0], before[1]);
    let whole = world.store.departed_message(world.inbox, 2).unwrap().unwrap();
    assert_eq!((&whole.summary, read(&whole.body).await.len()), (&before[1], 1));
    assert_eq!(departed(UidRuns::from(1..=9), 2, 9).len(), 1);
    assert_eq!(departed(UidRuns::from(1..=9), 0, 1).len(), 1);
    assert!(departed(UidRuns::from(3..=3), 0, 9).is_empty());
    assert!(world.store.departed_message(world.inbox, 3).unwrap().is_none());
}

#[tokio::test]
async fn moved_messages_can_still_be_read_where_they_were() {
    let world = World::new().await;
    let new =
        crate::queue::NewMessage { local: vec![copy(world.account)], ..message(Body::from_bytes("body")) };
    world.store.accept(new).await.unwrap();
    let was = world.store.message(world.inbox, 1).unwrap().unwrap();
    let (one, two) = (world.make("One").await, world.make("Two").await);
    world.store.move_messages(world.inbox, 1, one).await.unwrap();
    world.store.move_messages(one, 1, two).await.unwrap();
    world.store.remove_messages(two, 1).await.unwrap();
    for folder in [world.inbox, one, two] {
        let left = world.store.departed_message(folder, 1).unwrap().unwrap();
        assert_eq!((left.prefix, read(&left.body).await), (was.prefix.clone(), read(&was.body).await));
        assert_eq!((left.summary.id, left.summary.flags), (was.summary.id, was.summary.flags));
    }
    // Only what was removed can be brought back, once; it can be read where it was all the same.
    let removed = world.store.expunged(world.account, None, 9).unwrap();
    assert_eq!(removed.iter().map(|one| one.mailbox).collect::<Vec<_>>(), [two]);
    assert_eq!(world.store.undelete(world.account, vec![removed[0].id]).await.unwrap(), 1);
    assert!(world.store.expunged(world.account, None, 9).unwrap().is_empty());
    assert_eq!(world.store.undelete(world.account, vec![removed[0].id]).await.unwrap(), 0);
    assert!(world.store.departed_message(two, 1).unwrap().is_some());
    world.check();
    // In an hour everybody has been told.
    let minutes = |count: i64| Id::generate().unix_ms() + count * 60_000;
    while world.store.purge(minutes(59)).await.unwrap() {}
    assert_eq!(world.rows("expunged"), 3);
    while world.store.purge(minutes(61)).await.unwrap() {}
    assert_eq!((world.rows("expunged"), world.rows("prefix")), (0, 1));
    assert_eq!(read(&world.store.message(two, 2).unwrap().unwrap().body).await, "body");
    world.check();
}

#[tokio::test]
async fn what_cannot_be_brought_back_can_be_read_for_an_hour() {
    let world = World::keeping(Duration::ZERO).await;
    world.fill(world.inbox, 2).await;
    world.store.remove_messages(world.inbox, 1).await.unwrap();
    assert!(world.store.departed_message(world.inbox, 1).unwrap().is_some());
    assert!(world.store.expunged(world.account, None, 9).unwrap().is_empty());
    while world.store.purge(Id::generate().unix_ms() + 61 * 60_000).await.unwrap() {}
    assert!(world.store.departed_message(world.inbox, 1).unwrap().is_none());
    world.check();
}

#[tokio::test]
async fn what_comes_back_must_have_room() {
    let world = World::new().await;
    world.fill(world.inbox, MANY).await;
    world.store.remove_messages(world.inbox, ALL).await.unwrap();
    let removed = world.store.expunged(world.account, None, 10_000).unwrap();
    let ids: Vec<Id> = removed.into_iter().map(|one| one.id).collect();
    world.limit(Some(1)).await;
    let over = world.store.undelete(world.account, ids.clone()).await;
    assert!(matches!(over, Err(StoreError::OverQuota(_))));
    assert_eq!(world.store.expunged(world.account, None, 10_000).unwrap().len(), ids.len());
    world.limit(None).await;
    assert_eq!(world.store.undelete(world.account, ids).await.unwrap(), MANY as usize);
    world.check();
}

#[tokio::test]
async fn what_nobody_brings_back_goes_in_time() {
    let world = World::new().await;
    world.fill(world.inbox, MANY).await;
    let body = world.list(world.inbox)[0].body;
    world.store.remove_messages(world.inbox, ALL).await.unwrap();
    let now = Id::generate().unix_ms();
    let days = |count: i64| now + count * 24 * 3_600_000;
    assert!(!world.store.purge(days(13)).await.unwrap());
    assert_eq!(world.rows("expunged"), i64::from(MANY));
    assert!(world.store.body(body, 1).is_ok());
    while world.store.purge(days(15)).await.unwrap() {}
    // Bodies follow with the transactions after; any write will do.
    while world.rows("unreferenced") > 0 {
        world.store.subscribe(world.account, "x", true).await.unwrap();
    }
    assert_eq!((world.rows("expunged"), world.rows("prefix")), (0, 0));
    assert!(world.store.body(body, 1).is_err());
    world.check();
}

#[tokio::test]
async fn a_deleted_folder_s_messages_can_be_brought_back() {
    let world = World::new().await;
    let folder = world.make("Oops").await;
    world.fill(folder, MANY).await;
    world.store.delete_mailbox(folder).await.unwrap();
    world.purge().await;
    let removed = world.store.expunged(world.account, None, 10_000).unwrap();
    assert_eq!((removed.len(), removed[0].folder.as_str()), (MANY as usize, "Oops"));
    let ids = removed.into_iter().map(|one| one.id).collect();
    assert_eq!(world.store.undelete(world.account, ids).await.unwrap(), MANY as usize);
    let back = world.store.mailbox_named(world.account, "Oops").unwrap().unwrap();
    assert_eq!(back.messages, u64::from(MANY));
    world.check();
}

#[tokio::test]
async fn nothing_is_left_of_a_removed_account() {
    let world = World::new().await;
    let you = world.another("you@example.org", None).await;
    let theirs = world.store.inbox(you).unwrap().id;
    world.fill(theirs, MANY).await;
    world.fill(world.inbox, 3).await;
    world.store.remove_messages(theirs, 1..=9).await.unwrap();
    world.store.remove_messages(world.inbox, 1).await.unwrap();
    let other = world.store.create_mailbox(you, "Other", None).await.unwrap().id;
    world.fill(other, 5).await;
    world.store.delete_mailbox(other).await.unwrap();
    world.store.set_metadata(you, None, vec![("/private/x".into(), Some(vec![1]))]).await.unwrap();
    world.store.remove_account(you).await.unwrap();
    assert!(
        world.store.mailboxes(you).unwrap().is_empty() && world.store.subscriptions(you).unwrap().is_empty()
    );
    world.purge().await;
    assert_eq!((world.rows("message"), world.rows("expunged")), (2, 1), "mine");
    assert_eq!((world.rows("emptied"), world.rows("annotation")), (0, 0));
    world.check();
}
