//! The operations as faces use them: on a store, over the socket, without a server.

mod control;
mod moving;
mod operations;
mod rotation;
mod shapes;

use crate::queue::{Action, QueueAnswer};
use crate::{Actor, AdminError, Operation, Operations, account, domain};
use address::{Address, Secret};
use bytes::Bytes;
use std::path::Path;
use std::sync::Mutex;
use store::directory::DomainKind;
use store::mailbox::INBOX;
use store::queue::{LocalCopy, NewMessage, NewRecipient};
use store::trail::{Delivery, Entry, Event, Origin};
use store::{Body, Id, Options, Store};

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn open(folder: &Path) -> Operations {
    Operations::new(Store::open(folder, &Options::default()).unwrap())
}

async fn root<O: Operation>(operations: &Operations, operation: O) -> Result<O::Answer, AdminError> {
    operations.call(&Actor::Root, operation).await
}

fn local(name: &str) -> domain::Add {
    let domain = name.parse().unwrap();
    domain::Add { domain, kind: DomainKind::Local, recipients: Vec::new(), language: None, quota: None }
}

fn person(text: &str) -> account::Add {
    account::Add { address: address(text), name: None, language: None, quota: None, password: None }
}

fn chosen(password: &str) -> account::Password {
    account::Password::Chosen { password: Secret::new(password.to_owned()), cram_md5: false }
}

/// An installation with `example.org` and `me@example.org` in it.
async fn installed(folder: &Path) -> Operations {
    let operations = open(folder);
    root(&operations, local("example.org")).await.unwrap();
    root(&operations, person("me@example.org")).await.unwrap();
    operations
}

/// A message from `you@example.net`, with trail, for `me@example.org` or for strangers.
fn arriving(body: &[u8]) -> NewMessage {
    NewMessage {
        id: Id::generate(),
        reverse_path: "you@example.net".parse().unwrap(),
        parameters: "RET=HDRS".into(),
        body: Body::from_bytes(body.to_vec()),
        trace: Bytes::from_static(b"Received: from x by y\r\n"),
        origin: Origin {
            session: "s1".into(),
            via: "smtp".into(),
            message_id: Some("<1@example.net>".into()),
            ..Origin::default()
        },
        local: Vec::new(),
        remote: Vec::new(),
    }
}

async fn deliver(operations: &Operations, body: &[u8]) -> Id {
    let (store, me) = (operations.store(), address("me@example.org"));
    let account = store.account(me.domain().unwrap(), "me").unwrap().unwrap().id;
    let prefix = Bytes::from_static(b"Return-Path: <you@example.net>\r\n");
    let copy = LocalCopy { recipient: me, account, mailbox: INBOX.into(), prefix, flags: 0 };
    let new = NewMessage { local: vec![copy], ..arriving(body) };
    let delivery = Delivery {
        recipient: "me@example.org".into(),
        account: "me@example.org".into(),
        mailbox: INBOX.into(),
    };
    tell(store, &new, vec!["me@example.org".into()], vec![delivery]);
    store.accept(new.clone()).await.unwrap();
    new.id
}

async fn enqueue(operations: &Operations, recipients: &[&str]) -> Id {
    let store = operations.store();
    let remote =
        |text: &&str| NewRecipient { address: address(text), parameters: String::new(), due: 5, held: false };
    let new = NewMessage {
        remote: recipients.iter().map(remote).collect(),
        ..arriving(b"Subject: x\r\n\r\ny\r\n")
    };
    tell(store, &new, recipients.iter().map(|text| (*text).to_owned()).collect(), Vec::new());
    store.accept(new.clone()).await.unwrap();
    new.id
}

fn tell(store: &Store, new: &NewMessage, recipients: Vec<String>, delivered: Vec<Delivery>) {
    let (origin, from) = (new.origin.clone(), store::trail::sender(&new.reverse_path));
    let event =
        Event::Accepted { origin, from, recipients, delivered, size: new.body.size(), verdicts: Vec::new() };
    store.tell(Entry::now(new.id, event));
}

/// A running queue that remembers what it was told.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<Told>>);

type Told = (Action, Id, Vec<u32>, String);

impl crate::Queue for Heard {
    fn change(&self, action: Action, message: Id, positions: Vec<u32>, actor: String) -> QueueAnswer<'_> {
        let count = positions.len();
        self.0.lock().unwrap().push((action, message, positions, actor));
        Box::pin(async move { Ok(count) })
    }
}
