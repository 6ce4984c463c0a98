//! The logs stay short under load, and close intake where they cannot.

use crate::database::Kind;
use crate::queue::NewMessage;
use crate::tests::{copy, message, with_account_in};
use crate::{Body, FreelistLimits, Id, Options, Store};
use std::path::Path;
use std::time::{Duration, Instant};

/// Of a log; so it is to be copied after a few messages.
const LIMIT: u64 = 1 << 20;
/// More than anything here takes, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn store(folder: &Path) -> (Store, Id) {
    let options = Options { log_limit: LIMIT, undelete: Duration::ZERO, ..Options::default() };
    with_account_in(Store::open(folder, &options).unwrap()).await
}

async fn deliver(store: &Store, account: Id) {
    let body = Body::from_bytes(vec![b'x'; 20_000]);
    store.accept(NewMessage { local: vec![copy(account)], ..message(body) }).await.unwrap();
}

/// Octets of both logs' files.
fn length(folder: &Path) -> u64 {
    let log = |kind: Kind| std::fs::metadata(kind.path(folder).with_extension("db-wal")).unwrap().len();
    log(Kind::Main).max(log(Kind::Bodies))
}

#[tokio::test]
async fn what_is_written_is_copied_back_before_the_log_is_long() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = store(folder.path()).await;
    for _ in 0..300 {
        deliver(&store, account).await;
    }
    let length = length(folder.path());
    // The schema has a quarter of the limit, and 300 messages have six times the limit.
    assert!(length < LIMIT / 2, "{length} octets");
    assert_eq!(store.trouble(), None);
}

#[tokio::test]
async fn a_reader_that_never_ends_closes_intake_until_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = store(folder.path()).await;
    let hold = store.hold_logs().unwrap();
    let mut delivered = 0;
    while store.trouble().is_none() {
        assert!(delivered < 200, "the log has no bound");
        deliver(&store, account).await;
        delivered += 1;
    }
    assert!(store.trouble().unwrap().contains("log"), "{:?}", store.trouble());
    // What is here already can be delivered and removed all the same.
    deliver(&store, account).await;
    drop(hold);
    let begun = Instant::now();
    // Nobody writes: it opens by itself.
    while let Some(trouble) = store.trouble() {
        assert!(begun.elapsed() < PATIENCE, "{trouble}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..200 {
        deliver(&store, account).await;
        assert_eq!(store.trouble(), None);
    }
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_database_gives_back_what_nothing_needs() {
    let folder = tempfile::tempdir().unwrap();
    let freelist = FreelistLimits { unused: Duration::from_millis(1), kept: 256 << 10 };
    let options = Options { freelist, undelete: Duration::ZERO, ..Options::default() };
    let (store, account) = with_account_in(Store::open(folder.path(), &options).unwrap()).await;
    for _ in 0..150 {
        deliver(&store, account).await;
    }
    let size = |kind: Kind| std::fs::metadata(kind.path(folder.path())).unwrap().len();
    let log = Kind::Bodies.path(folder.path()).with_extension("db-wal");
    let full = size(Kind::Bodies) + std::fs::metadata(log).unwrap().len();
    assert!(full > 3 << 20, "{full} octets");
    store.remove_account(account).await.unwrap();
    while store.purge(i64::MAX).await.unwrap() {}
    let begun = Instant::now();
    // Nobody writes: it goes by itself, but for what is kept and a piece of the log's last pages.
    while size(Kind::Bodies) > 512 << 10 {
        assert!(begun.elapsed() < PATIENCE, "{} of {full} octets", size(Kind::Bodies));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}
