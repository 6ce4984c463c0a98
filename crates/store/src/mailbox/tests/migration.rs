//! Data of earlier versions.

use super::*;
use crate::tests::read;

const V1: &str = "
    INSERT INTO domain(name, kind, created) VALUES('example.org', 'local', 0);
    INSERT INTO account(id, domain, local, used_bytes, used_messages) VALUES(7, 'example.org', 'me', 45, 4);
    INSERT INTO mailbox(id, account, name, role, uidvalidity, uidnext, modseq, subscribed) VALUES
      (11, 7, 'INBOX', NULL, 4000000000, 9, 12, 1), (12, 7, 'Sent', '\\Sent', 100, 2, 2, 0), (13, 7, 'Empty', NULL, 101, 1, 1, 1);
    INSERT INTO message(mailbox, uid, id, body, body_size, prefix, received, flags, modseq) VALUES
      (11, 2, 201, 91, 5, x'413a20310d0a', 5000, 0, 3),
      (11, 3, 202, 91, 5, x'423a20320d0a', 6000, 1, 12),
      (11, 8, 203, 92, 6, x'', 7000, 9, 11),
      (12, 1, 204, 92, 6, x'433a20330d0a3132333435', 8000, 1, 2);
    PRAGMA user_version = 1;";

#[tokio::test]
async fn mail_of_version_1_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, schema: &str, rows: &str| {
        let db = rusqlite::Connection::open(folder.path().join(name)).unwrap();
        db.execute_batch(schema).unwrap();
        db.execute_batch(rows).unwrap();
    };
    make("waypost.db", include_str!("../../migrations/main-1.sql"), V1);
    let bodies = "INSERT INTO body VALUES(91, CAST('hello' AS BLOB)), (92, CAST('world!' AS BLOB)); PRAGMA user_version = 1;";
    make("bodies.db", include_str!("../../migrations/bodies-1.sql"), bodies);

    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let account = store.accounts(None).unwrap()[0].id;
    let inbox = store.inbox(account).unwrap();
    let world = World { store, account, inbox: inbox.id, folder };
    world.check();
    assert_eq!((inbox.uidvalidity, inbox.uidnext, inbox.modseq), (4_000_000_000, 9, 12));
    assert_eq!((inbox.messages, inbox.unseen, inbox.deleted, inbox.octets), (3, 1, 1, 28));
    assert_eq!(world.names(), ["INBOX", "Empty", "Sent"]);
    assert_eq!(world.store.subscriptions(account).unwrap(), ["INBOX", "Empty"]);
    let rows: Vec<_> = world
        .list(inbox.id)
        .into_iter()
        .map(|row| (row.uid, row.size, row.received, row.saved, row.flags, row.modseq))
        .collect();
    assert_eq!(rows, [(2, 11, 5000, 5000, 0, 3), (3, 11, 6000, 6000, 1, 12), (8, 6, 7000, 7000, 9, 11)]);
    let sent = world.store.mailbox_named(account, "Sent").unwrap().unwrap();
    for (mailbox, uid, prefix, body) in [
        (inbox.id, 2, "A: 1\r\n", "hello"),
        (inbox.id, 3, "B: 2\r\n", "hello"),
        (inbox.id, 8, "", "world!"),
        (sent.id, 1, "C: 3\r\n12345", "world!"),
    ] {
        let found = world.store.message(mailbox, uid).unwrap().unwrap();
        assert_eq!(
            (found.prefix.as_ref(), read(&found.body).await.as_ref()),
            (prefix.as_bytes(), body.as_bytes())
        );
    }
    // What vanished before is not remembered; what vanishes now is.
    let all = UidRuns::from(ALL);
    assert_eq!(world.store.vanished(inbox.id, 5, &all).unwrap(), runs(&[1..=1, 4..=7]));
    world.store.remove_messages(inbox.id, 3).await.unwrap();
    assert_eq!(world.store.vanished(inbox.id, 12, &all).unwrap(), runs(&[3..=3]));
    assert!(world.get(inbox.id).modseq > 12);
    let made = world.make("New").await;
    assert!(world.get(made).uidvalidity > 4_000_000_000);
    world.fill(inbox.id, 1).await;
    assert_eq!(world.uids(inbox.id), runs(&[2..=2, 8..=9]));
    world.reopened().await.check();
}
