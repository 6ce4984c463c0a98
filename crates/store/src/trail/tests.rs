//! How long the trail is kept.

use super::{Entry, Event};
use crate::tests::message;
use crate::{Body, Id, Options, Store};
use std::path::Path;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);
/// More than any pruning takes, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn keeping(folder: &Path, trail_kept: Duration) -> Store {
    Store::open(folder, &Options { trail_kept, ..Options::default() }).unwrap()
}

fn ago(time: Duration) -> i64 {
    Id::generate().unix_ms() - time.as_millis() as i64
}

/// Tells of so many messages of that time, with a sender, a recipient, and an attempt each.
fn tell(store: &Store, count: usize, at: i64) {
    let mut id = Id::at(at);
    for number in 0..count {
        id = id.next();
        let accepted = Event::Accepted {
            origin: message(Body::from_bytes("")).origin,
            from: format!("from{number}@example.net"),
            recipients: vec![format!("to{number}@example.org")],
            delivered: Vec::new(),
            size: 1,
            verdicts: Vec::new(),
        };
        store.tell(Entry { message: id, at, event: accepted });
        store.tell(Entry { message: id, at, event: Event::Note { text: "tried".into() } });
    }
}

/// Rows of what was written so far: events, and addresses of messages. Only reads, so that what is removed meanwhile is
/// removed by an idle server.
fn rows(store: &Store) -> (u64, u64) {
    let count = |table: &str| {
        store.inner.trail_readers.with(|db| {
            Ok(db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))?)
        })
    };
    (count("event").unwrap() as u64, count("party").unwrap() as u64)
}

/// Returns when there are so many.
fn wait(store: &Store, expected: (u64, u64)) {
    let begun = Instant::now();
    loop {
        let found = rows(store);
        if found == expected {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{found:?} rows, not {expected:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_older_than_the_setting_goes_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = keeping(folder.path(), HOUR);
    // Several batches of them, each more than is removed at once.
    tell(&store, 4_000, ago(2 * HOUR));
    tell(&store, 300, ago(HOUR / 2));
    store.inner.trail.flush();
    wait(&store, (600, 600));
    assert_eq!(store.trail_of_address("to299@example.org", 5).unwrap().len(), 1);
    assert!(store.trail_of_address("to300@example.org", 5).unwrap().is_empty());
}

#[test]
fn a_shorter_time_acts_on_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let old = ago(20 * 24 * HOUR);
    let store = keeping(folder.path(), 30 * 24 * HOUR);
    tell(&store, 2_000, old);
    tell(&store, 10, ago(Duration::ZERO));
    store.inner.trail.flush();
    assert_eq!(rows(&store), (4_020, 4_020));
    store.set_trail_kept(10 * 24 * HOUR);
    wait(&store, (20, 20));
    drop(store);
    // And at a start, whatever was told before it.
    let store = keeping(folder.path(), Duration::ZERO);
    wait(&store, (0, 0));
}

/// What is written is old when it comes, as under a load that has lasted for the time that the trail is kept.
#[test]
fn removing_keeps_up_with_full_batches() {
    let folder = tempfile::tempdir().unwrap();
    let store = keeping(folder.path(), HOUR);
    for _ in 0..10 {
        tell(&store, 2_500, ago(2 * HOUR));
        store.inner.trail.flush();
        let (events, _) = rows(&store);
        assert!(events < 5_000, "{events} old events are left while more come");
    }
    wait(&store, (0, 0));
}
