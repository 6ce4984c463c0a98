use super::*;
use crate::tests::open;

#[tokio::test]
async fn a_sender_is_remembered_across_restarts_until_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let sender = |text: &str| text.parse::<Address>().unwrap();
    {
        let store = open(folder.path());
        for (token, address, until) in [
            ("ONE", "one@far.example", 100),
            ("TWO", "\"t w o\"@far.example", 200),
            ("ONE", "one@far.example", 300),
            ("ONE", "one@far.example", 150),
        ] {
            store.remember_sender(token.to_owned(), sender(address), until).await.unwrap();
        }
    }
    let store = open(folder.path());
    store.forget_senders(150).await.unwrap();
    assert_eq!(store.remembered_sender("ONE").unwrap(), Some(sender("one@far.example")));
    assert_eq!(store.remembered_sender("TWO").unwrap(), Some(sender("\"t w o\"@far.example")));
    assert_eq!(store.remembered_sender("three").unwrap(), None);
    store.forget_senders(200).await.unwrap();
    assert_eq!(store.remembered_sender("TWO").unwrap(), None);
    assert!(store.remembered_sender("ONE").unwrap().is_some());
}

#[tokio::test]
async fn of_too_many_the_oldest_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let address: Address = "a@far.example".parse().unwrap();
    for until in [5, 3, 1, 2, 4] {
        store.remember_sender(until.to_string(), address.clone(), until).await.unwrap();
    }
    store.forget_senders_above(0, 2).await.unwrap();
    let left = ["1", "2", "3", "4", "5"].map(|token| store.remembered_sender(token).unwrap().is_some());
    assert_eq!(left, [false, false, false, true, true]);
}
