//! Mail in and out, over the socket's shapes.

use super::*;
use crate::import::{self, Content, Incoming, MAX_MESSAGE, Outcome, Prepare, Put, Upload};
use crate::{Octets, export, mail};
use store::mailbox::flag;

fn me() -> Address {
    address("me@example.org")
}

fn incoming(key: &str, content: Content) -> Incoming {
    let keywords = ["work", "not one", "a(b"].map(str::to_owned).into();
    Incoming {
        key: Octets::from(key.to_owned()),
        content,
        flags: flag::SEEN | 1 << 20,
        keywords,
        received: 1_000,
    }
}

fn put(messages: Vec<Incoming>) -> Put {
    Put { account: me(), folder: "New/Place".into(), source: "there".into(), messages }
}

fn prepare(folder: &str, role: Option<&str>, dry_run: bool) -> Prepare {
    Prepare { account: me(), folder: folder.into(), role: role.map(str::to_owned), subscribed: true, dry_run }
}

#[tokio::test]
async fn a_folder_is_prepared_once_and_by_its_use() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let check = async |operation: Prepare, name: &str, new: bool| {
        let prepared = root(&operations, operation).await.unwrap();
        assert_eq!((prepared.folder.as_str(), prepared.new), (name, new));
    };
    check(prepare("Gesendet", Some("\\sent"), false), "Sent", false).await;
    check(prepare("Mine", Some("\\Flagged"), true), "Mine", true).await;
    check(prepare("Mine", Some("\\Flagged"), false), "Mine", true).await;
    check(prepare("Mine", None, false), "Mine", false).await;
    let report = root(&operations, export::Folders { account: me() }).await.unwrap();
    assert!(report.subscriptions.contains(&"Mine".to_owned()));
    let mine = report.folders.iter().find(|folder| folder.name == "Mine").unwrap();
    assert_eq!((mine.role.as_deref(), mine.subscribed), (Some("\\Flagged"), true));
    assert!(root(&operations, prepare("", None, false)).await.is_err());
}

#[tokio::test]
async fn messages_come_small_and_large_and_go_again() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    root(&operations, prepare("New/Place", None, false)).await.unwrap();
    let (id, large) = (Id::generate(), vec![b'x'; 3 << 20]);
    for piece in large.chunks(1 << 20) {
        root(&operations, Upload { id, data: piece.to_vec().into() }).await.unwrap();
    }
    let messages = vec![
        incoming("1", Content::Octets("small".to_owned().into())),
        incoming("2", Content::Uploaded(id)),
        incoming("1", Content::Octets("again".to_owned().into())),
    ];
    let outcomes = root(&operations, put(messages)).await.unwrap();
    assert_eq!(outcomes, [Outcome::Imported, Outcome::Imported, Outcome::Known]);
    let gone = root(&operations, put(vec![incoming("3", Content::Uploaded(id))])).await.unwrap_err();
    assert!(gone.to_string().contains("nothing was uploaded"), "{gone}");
    let known = import::Known { account: me(), source: "there".into(), after: Octets::default() };
    let known = root(&operations, known).await.unwrap();
    assert_eq!(known, [(Octets::from("1".to_owned()), 5), (Octets::from("2".to_owned()), 3 << 20)]);

    let page = |after, bare| export::Page { account: me(), folder: "New/Place".into(), after, bare };
    let list = root(&operations, page(0, false)).await.unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].data, Some("small".to_owned().into()));
    assert_eq!(
        (list[0].flags, list[0].received, &list[0].keywords[..]),
        (flag::SEEN, 1_000, &["work".to_owned()][..])
    );
    assert_eq!((&list[1].data, list[1].size), (&None, 3 << 20));
    assert_eq!(root(&operations, page(0, true)).await.unwrap()[0].data, None);
    assert!(root(&operations, page(2, false)).await.unwrap().is_empty());
    let raw = mail::Raw { account: me(), folder: "New/Place".into(), uid: 2, offset: 0 };
    assert_eq!(root(&operations, raw).await.unwrap().size, 3 << 20);
}

#[tokio::test]
async fn one_message_that_cannot_be_does_not_keep_the_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    root(&operations, prepare("New/Place", None, false)).await.unwrap();
    let setting = account::Setting::Quota(Some(1_000));
    root(&operations, account::Set { address: me(), setting }).await.unwrap();
    let text = |size: usize| Content::Octets("x".repeat(size).into());
    let messages = vec![incoming("1", text(600)), incoming("2", text(600)), incoming("3", text(100))];
    let outcomes = root(&operations, put(messages)).await.unwrap();
    assert_eq!(outcomes, [Outcome::Imported, Outcome::NoRoom, Outcome::Imported]);
    let piece = vec![0; 64 << 20];
    let (id, mut refused) = (Id::generate(), None);
    for _ in 0..=MAX_MESSAGE / piece.len() as u64 {
        refused = root(&operations, Upload { id, data: piece.clone().into() }).await.err();
    }
    assert!(matches!(refused, Some(AdminError::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn nobody_imports_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    let stranger = Actor::Account(address("you@example.org"));
    let denied = operations.call(&stranger, prepare("Mine", None, false)).await.unwrap_err();
    assert!(matches!(denied, AdminError::Denied(_)));
    let upload = Upload { id: Id::generate(), data: Octets::default() };
    assert!(matches!(operations.call(&stranger, upload).await, Err(AdminError::Denied(_))));
}

#[test]
fn names_are_made_to_fit() {
    for (levels, expected) in [
        (&[][..], "INBOX"),
        (&["inbox", "A"], "INBOX/A"),
        (&["a/b", "", "c\r\n"], "a_b/_/c__"),
        (&["Grüße"], "Grüße"),
    ] {
        assert_eq!(import::folder_name(levels), expected, "{levels:?}");
    }
}

#[test]
fn octets_are_base64() {
    let octets = Octets::from(vec![0xff, 0]);
    let json = serde_json::to_string(&octets).unwrap();
    assert_eq!(json, "\"/wA=\"");
    assert_eq!(serde_json::from_str::<Octets>(&json).unwrap(), octets);
    assert!(serde_json::from_str::<Octets>("\"?\"").is_err());
}
