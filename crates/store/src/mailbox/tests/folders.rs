//! Folders, subscriptions, access lists and annotations.

use super::*;
use crate::mailbox::{Annotation, INBOX, MAX_ANNOTATION, MAX_ANNOTATIONS, MAX_DEPTH, MAX_FOLDERS, MAX_NAME};
use crate::{Change, MailboxChange};

#[tokio::test]
async fn folders_are_made_with_those_they_are_in() {
    let world = World::new().await;
    let made = world.store.create_mailbox(world.account, "Work/2026/May", Some("\\Archive")).await.unwrap();
    assert_eq!((made.name.as_str(), made.role.as_deref()), ("Work/2026/May", Some("\\Archive")));
    assert_eq!((made.uidnext, made.messages, made.subscribed), (1, 0, false));
    let defaults = ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"];
    let expected = [&defaults[..], &["Work", "Work/2026", "Work/2026/May"]].concat();
    assert_eq!(world.names(), expected);
    assert_eq!(world.store.mailbox(made.id).unwrap(), Some(made.clone()));
    assert_eq!(world.store.mailbox_named(world.account, "Work/2026/May").unwrap(), Some(made));
    let again = world.store.create_mailbox(world.account, "Work", None).await;
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
    let bad = world.store.create_mailbox(world.account, "Work//x", None).await;
    assert!(matches!(bad, Err(StoreError::Refused(_))), "{bad:?}");
    let nobody = world.store.create_mailbox(Id::generate(), "Work", None).await;
    assert!(matches!(nobody, Err(StoreError::NotFound(_))), "{nobody:?}");
}

#[tokio::test]
async fn a_folder_made_again_at_once_has_a_larger_uidvalidity() {
    let world = World::new().await;
    let mut last = world.get(world.inbox).uidvalidity;
    for _ in 0..5 {
        let made = world.make("Again").await;
        let validity = world.get(made).uidvalidity;
        assert!(validity > last);
        last = validity;
        world.store.delete_mailbox(made).await.unwrap();
    }
    let world = world.reopened().await;
    let made = world.make("Again").await;
    assert!(world.get(made).uidvalidity > last);
}

#[tokio::test]
async fn a_renamed_folder_takes_along_what_is_in_it() {
    let world = World::new().await;
    let (deep, beside) = (world.make("a/b/c").await, world.make("ab").await);
    let a = world.store.mailbox_named(world.account, "a").unwrap().unwrap();
    world.fill(deep, 3).await;
    let before = world.get(deep);
    world.store.rename_mailbox(a.id, "x/y").await.unwrap();
    let after = world.get(deep);
    assert_eq!(after, Mailbox { name: "x/y/b/c".into(), ..before });
    assert_eq!(world.get(beside).name, "ab");
    assert_eq!(world.get(a.id).name, "x/y");
    assert!(world.store.mailbox_named(world.account, "x").unwrap().is_some());
    assert!(world.store.mailbox_named(world.account, "a").unwrap().is_none());
    world.check();
}

#[tokio::test]
async fn folders_are_renamed_only_to_what_is_free() {
    let world = World::new().await;
    for name in ["a/x/x", "b/x", "c"] {
        world.make(name).await;
    }
    let id = |name: &str| world.store.mailbox_named(world.account, name).unwrap().unwrap().id;
    let before = world.names();
    let rename = |from: &str, to: &str| {
        let (store, id, to) = (world.store.clone(), id(from), to.to_owned());
        async move { store.rename_mailbox(id, &to).await }
    };
    assert!(matches!(rename("a", "b").await, Err(StoreError::Exists(_))));
    assert!(matches!(rename("a", "a").await, Err(StoreError::Exists(_))));
    assert!(matches!(rename("a", "a/b").await, Err(StoreError::Refused(_))));
    assert!(matches!(rename("a", "").await, Err(StoreError::Refused(_))));
    assert!(matches!(rename("a", INBOX).await, Err(StoreError::Exists(_))));
    let long = "n".repeat(MAX_NAME - 1);
    assert!(matches!(rename("a", &long).await, Err(StoreError::Limit(_))));
    let deep = vec!["d"; MAX_DEPTH].join("/");
    assert!(matches!(rename("a", &deep).await, Err(StoreError::Limit(_))));
    let gone = world.store.rename_mailbox(Id::generate(), "z").await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))));
    assert_eq!(world.names(), before, "what was refused changed nothing");
    // What is in the way of a part: "b" is free once it has gone, "b/x" is not.
    world.store.delete_mailbox(id("b")).await.unwrap();
    assert!(matches!(rename("a", "b").await, Err(StoreError::Exists(_))));
    // Up by one, where the names overlap.
    world.store.delete_mailbox(id("a")).await.unwrap();
    rename("a/x", "a").await.unwrap();
    assert!(world.names().contains(&"a".to_owned()) && world.names().contains(&"a/x".to_owned()));
}

#[tokio::test]
async fn inbox_is_renamed_by_moving_its_messages() {
    let world = World::new().await;
    world.fill(world.inbox, MANY).await;
    let below = world.make("INBOX/below").await;
    world.store.rename_mailbox(world.inbox, "Old").await.unwrap();
    let old = world.store.mailbox_named(world.account, "Old").unwrap().unwrap();
    assert_eq!((old.messages, world.get(world.inbox).messages), (u64::from(MANY), 0));
    assert_eq!(world.get(world.inbox).name, INBOX);
    assert_eq!(world.get(below).name, "INBOX/below");
    assert_eq!(world.used(world.account).1, u64::from(MANY));
    world.check();
}

#[tokio::test]
async fn a_deleted_folder_is_gone_at_once_and_its_rows_by_and_by() {
    let world = World::keeping(Duration::ZERO).await;
    let folder = world.make("Large").await;
    world.make("Large/inner").await;
    world.fill(folder, MANY).await;
    world.store.set_flags(folder, 1, change(FlagMode::Add, 0, "word"), None).await.unwrap();
    world.store.set_acl(folder, "you@example.org", "lr").await.unwrap();
    let mut changes = world.store.changes();
    world.store.delete_mailbox(folder).await.unwrap();
    assert!(matches!(
        changes.recv().await.unwrap(),
        Change::Mailbox { mailbox, kind: MailboxChange::Gone, .. } if mailbox == folder
    ));
    assert!(matches!(changes.recv().await.unwrap(), Change::Folders { account } if account == world.account));
    assert_eq!(world.store.mailbox(folder).unwrap(), None);
    assert!(world.names().contains(&"Large/inner".to_owned()));
    assert_eq!(world.used(world.account), (0, 0));
    world.store.purge_wanted().await;
    // A kill after the first slice.
    assert!(world.store.purge(0).await.unwrap());
    assert!(world.rows("message") > 0);
    let world = world.reopened().await;
    world.purge().await;
    for table in ["message", "keyword", "acl", "emptied", "expunged"] {
        assert_eq!(world.rows(table), 0, "{table}");
    }
    world.check();
    let refused = world.store.delete_mailbox(world.inbox).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))));
    assert!(matches!(world.store.delete_mailbox(folder).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn what_is_asked_of_a_folder_that_has_gone_is_refused() {
    let world = World::new().await;
    let folder = world.make("Gone").await;
    world.fill(folder, 2).await;
    world.store.delete_mailbox(folder).await.unwrap();
    let (store, inbox) = (&world.store, world.inbox);
    world.fill(inbox, 1).await;
    let not_found = |what: &str, error: Option<StoreError>| {
        assert!(matches!(error, Some(StoreError::NotFound(_))), "{what}: {error:?}");
    };
    not_found("append", store.append(folder, vec![new_copy("x", 0, "")]).await.err());
    not_found("flags", store.set_flags(folder, 1, FlagChange::add(1), None).await.err());
    not_found("copy to", store.copy_messages(inbox, ALL, folder).await.err());
    not_found("copy from", store.copy_messages(folder, ALL, inbox).await.err());
    not_found("move to", store.move_messages(inbox, ALL, folder).await.err());
    not_found("expunge", store.expunge(folder, None).await.err());
    not_found("acl", store.set_acl(folder, "a", "l").await.err());
    assert_eq!(store.remove_messages(folder, ALL).await.unwrap(), 0);
    assert!(world.uids(folder).is_empty() && store.messages(folder, 0, 9).unwrap().is_empty());
    assert_eq!(store.message(folder, 1).unwrap().map(|found| found.summary), None);
    world.check();
}

#[tokio::test]
async fn subscriptions_are_names() {
    let world = World::new().await;
    let (store, account) = (&world.store, world.account);
    assert_eq!(store.subscriptions(account).unwrap().len(), 6);
    store.subscribe(account, "Not there", true).await.unwrap();
    store.subscribe(account, "Not there", true).await.unwrap();
    store.subscribe(account, "Trash", false).await.unwrap();
    let names = store.subscriptions(account).unwrap();
    assert!(names[0] == "INBOX" && names.contains(&"Not there".into()) && !names.contains(&"Trash".into()));
    let trash = store.mailbox_named(account, "Trash").unwrap().unwrap();
    assert!(!trash.subscribed && world.get(world.inbox).subscribed);
    assert!(matches!(store.subscribe(account, "a//b", true).await, Err(StoreError::Refused(_))));
    // A subscription outlives the folder, and its being renamed.
    store.subscribe(account, "Trash", true).await.unwrap();
    store.rename_mailbox(trash.id, "Bin").await.unwrap();
    assert!(
        !world.get(trash.id).subscribed && store.subscriptions(account).unwrap().contains(&"Trash".into())
    );
}

#[tokio::test]
async fn an_account_has_so_many_folders_and_no_more() {
    let world = World::new().await;
    let account = world.account;
    let fill = move |w: &crate::committer::Writer<'_>| {
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
                   INSERT INTO mailbox(id, account, name, uidvalidity) SELECT i, ?1, 'n' || i, i FROM n";
        Ok(w.db.execute(sql, (account, MAX_FOLDERS as i64 - 6))?)
    };
    world.store.inner.committer.write(fill).await.unwrap();
    let over = world.store.create_mailbox(account, "One more", None).await;
    assert!(matches!(over, Err(StoreError::Limit(_))));
    assert_eq!(world.names().len(), MAX_FOLDERS);
}

#[tokio::test]
async fn access_lists_say_what_is_shared() {
    let world = World::new().await;
    let (store, folder) = (&world.store, world.make("Shared").await);
    let mut changes = store.changes();
    store.set_acl(folder, "you@example.org", "lr").await.unwrap();
    assert!(matches!(changes.recv().await.unwrap(), Change::Access { account } if account == world.account));
    store.set_acl(folder, "anyone", "l").await.unwrap();
    store.set_acl(folder, "you@example.org", "lrs").await.unwrap();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(store.acl(folder).unwrap(), [pair("anyone", "l"), pair("you@example.org", "lrs")]);
    let domain = "example.org".parse().unwrap();
    let shared = |who: &[&str]| -> Vec<String> {
        store.shared_with(&domain, who).unwrap().into_iter().map(|mailbox| mailbox.name).collect()
    };
    assert_eq!(shared(&["you@example.org", "anyone"]), ["Shared"]);
    assert!(shared(&["other@example.org"]).is_empty());
    assert!(store.shared_with(&"example.net".parse().unwrap(), &["anyone"]).unwrap().is_empty());
    store.remove_acl(folder, "anyone").await.unwrap();
    store.remove_acl(folder, "anyone").await.unwrap();
    assert!(shared(&["anyone"]).is_empty());
    let long = store.set_acl(folder, &"x".repeat(10_000), "l").await;
    assert!(matches!(long, Err(StoreError::Limit(_))));
}

#[tokio::test]
async fn what_changes_an_annotation_changes_the_folder() {
    let world = World::new().await;
    let mut changes = world.store.changes();
    let set = async |place, entry: &str, value: Option<&str>| {
        let entries = vec![(entry.to_owned(), value.map(|value| value.as_bytes().to_vec()))];
        world.store.set_metadata(world.account, place, entries).await.unwrap();
        world.get(world.inbox).modseq
    };
    let before = world.get(world.inbox).modseq;
    for (value, more) in [(Some("a"), 1), (Some("a"), 1), (Some("b"), 2), (None, 3), (None, 3)] {
        assert_eq!(set(Some(world.inbox), "/shared/x", value).await, before + more, "{value:?}");
    }
    assert_eq!(set(None, "/private/x", Some("a")).await, before + 3, "of the account");
    let mut told = Vec::new();
    while let Ok(change) = changes.try_recv() {
        if let Change::Mailbox { modseq, kind: MailboxChange::Annotated, .. } = change {
            told.push(modseq - before);
        }
    }
    assert_eq!(told, [1, 2, 3]);
    world.check();
}

#[tokio::test]
async fn what_sessions_were_told_of_is_noted_and_never_less() {
    let world = World::new().await;
    world.fill(world.inbox, 3).await;
    let modseq = world.get(world.inbox).modseq;
    for (told, from, count) in [(0, 1, 3), (3, 3, 1), (2, 3, 1), (4, 4, 0)] {
        world.store.note_told(world.inbox, told).await.unwrap();
        assert_eq!(world.store.recent_from(world.inbox).unwrap(), from, "{told}");
        assert_eq!(world.store.count_from(world.inbox, from).unwrap(), count, "{told}");
    }
    assert_eq!(world.get(world.inbox).modseq, modseq);
    let world = world.reopened().await;
    assert_eq!(world.store.recent_from(world.inbox).unwrap(), 4);
    let gone = Id::generate();
    world.store.note_told(gone, 9).await.unwrap();
    assert_eq!((world.store.recent_from(gone).unwrap(), world.store.count_from(gone, 1).unwrap()), (1, 0));
}

#[tokio::test]
async fn annotations_are_private_or_shared() {
    let world = World::new().await;
    let (store, me, inbox) = (&world.store, world.account, Some(world.inbox));
    let you = world.another("you@example.org", None).await;
    let mut changes = store.changes();
    let set = |who, place, entry: &str, value: Option<&[u8]>| {
        let entries = vec![(entry.to_owned(), value.map(<[u8]>::to_vec))];
        store.set_metadata(who, place, entries)
    };
    set(me, inbox, "/Private/Comment", Some(b"mine")).await.unwrap();
    set(you, inbox, "/private/comment", Some(b"yours")).await.unwrap();
    for who in [me, you] {
        let annotated = changes.recv().await.unwrap();
        assert!(matches!(annotated, Change::Mailbox { kind: MailboxChange::Annotated, .. }), "{annotated:?}");
        let Change::Metadata { account, mailbox, by, entries } = changes.recv().await.unwrap() else {
            panic!()
        };
        assert_eq!((account, mailbox, by, &*entries), (me, inbox, who, &["/private/comment".to_owned()][..]));
    }
    set(me, inbox, "/shared/comment", Some(b"ours\0")).await.unwrap();
    set(me, None, "/private/x", Some(b"account")).await.unwrap();
    let note = |entry: &str, value: &[u8]| Annotation { entry: entry.into(), value: value.into() };
    let shared = note("/shared/comment", b"ours\0");
    assert_eq!(store.metadata(me, inbox).unwrap(), [note("/private/comment", b"mine"), shared.clone()]);
    assert_eq!(store.metadata(you, inbox).unwrap(), [note("/private/comment", b"yours"), shared]);
    assert_eq!(store.metadata(me, None).unwrap(), [note("/private/x", b"account")]);
    set(me, inbox, "/shared/comment", None).await.unwrap();
    assert_eq!(store.metadata(you, inbox).unwrap().len(), 1);
    for (place, entry) in [(None, "/shared/x"), (inbox, "/other/x"), (inbox, "/private//x"), (inbox, "x")] {
        let refused = set(me, place, entry, Some(b"")).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{entry}");
    }
    let large = vec![b'x'; MAX_ANNOTATION + 1];
    assert!(matches!(set(me, inbox, "/private/x", Some(&large)).await, Err(StoreError::Limit(_))));
    let many = (0..=MAX_ANNOTATIONS).map(|n| (format!("/private/n{n}"), Some(Vec::new()))).collect();
    assert!(matches!(store.set_metadata(me, None, many).await, Err(StoreError::Limit(_))));
    assert_eq!(store.metadata(me, None).unwrap().len(), 1);
}
