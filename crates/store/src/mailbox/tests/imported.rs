//! What is brought from elsewhere is brought once.

use super::*;
use crate::mailbox::{Brought, ImportTotals, MAX_IMPORT_KEY};

fn brought(key: &str, text: &str) -> Brought {
    Brought { key: key.as_bytes().to_vec(), copy: new_copy(text, flag::SEEN, "") }
}

#[tokio::test]
async fn a_message_of_a_source_comes_once() {
    let world = World::new().await;
    let import = async |source: &str, keys: &[&str]| {
        let messages = keys.iter().map(|key| brought(key, "text")).collect();
        world.store.import(world.inbox, source, messages).await.unwrap()
    };
    assert_eq!(import("a", &["1", "2", "1"]).await, [true, true, false]);
    assert_eq!(import("a", &["2", "3"]).await, [false, true]);
    assert_eq!(import("a", &["1", "2", "3"]).await, [false; 3]);
    assert_eq!(import("b", &["1"]).await, [true], "another source has keys of its own");
    assert_eq!(world.list(world.inbox).len(), 4);

    // Wherever they are by now.
    let elsewhere = world.make("Elsewhere").await;
    world.store.move_messages(world.inbox, 1, elsewhere).await.unwrap();
    world.store.remove_messages(world.inbox, 2).await.unwrap();
    assert_eq!(import("a", &["1", "2", "3"]).await, [false; 3]);
    let totals = world.store.import_totals(world.account, "a").unwrap();
    assert_eq!(totals, ImportTotals { messages: 3, octets: 12, there: 1, there_octets: 4 });

    let key = |text: &str| (text.as_bytes().to_vec(), 4);
    let page = |after: &str| world.store.imported(world.account, "a", after.as_bytes(), 2).unwrap();
    assert_eq!((page(""), page("2"), page("3")), (vec![key("1"), key("2")], vec![key("3")], vec![]));
    assert!(world.store.imported(world.account, "c", b"", 2).unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_taken_is_not_noted() {
    let world = World::new().await;
    world.limit(Some(10)).await;
    let too_much = vec![brought("1", "12345"), brought("2", "123456")];
    let refused = world.store.import(world.inbox, "a", too_much).await.unwrap_err();
    assert!(matches!(refused, StoreError::OverQuota(_)), "{refused:?}");
    assert_eq!(world.store.import_totals(world.account, "a").unwrap(), ImportTotals::default());
    assert!(world.store.import(world.inbox, "a", vec![brought("1", "12345")]).await.unwrap()[0]);
    let long = "k".repeat(MAX_IMPORT_KEY + 1);
    let refused = world.store.import(world.inbox, "a", vec![brought(&long, "x")]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Limit(_)), "{refused:?}");
}

#[tokio::test]
async fn an_account_takes_its_notes_along() {
    let world = World::new().await;
    let other = world.another("other@example.org", None).await;
    let theirs = world.store.inbox(other).unwrap().id;
    let messages = |count: u32| (0..count).map(|key| brought(&key.to_string(), "x")).collect::<Vec<_>>();
    world.store.import(world.inbox, "a", messages(1_000)).await.unwrap();
    world.store.import(theirs, "a", messages(3)).await.unwrap();
    world.store.remove_account(world.account).await.unwrap();
    world.purge().await;
    assert_eq!(world.store.import_totals(world.account, "a").unwrap(), ImportTotals::default());
    assert_eq!(world.store.import_totals(other, "a").unwrap().messages, 3);
}
