//! The store as its users see it: what is durable, what is removed, what is told to whom.

use crate::directory::{AccountRecord, CredentialKind, CredentialRecord, DomainKind, DomainRecord};
use crate::mailbox::{FlagChange, INBOX, flag};
use crate::queue::{Fate, Full, LocalCopy, NewMessage, NewRecipient, RecipientChange};
use crate::trail::{Entry, Event, Origin};
use crate::{Body, Change, Id, MailboxChange, Options, Store, StoreError};
use address::{Address, ReversePath, Secret};
use bytes::Bytes;
use std::path::Path;
use std::time::Duration;

pub(crate) fn open(folder: &Path) -> Store {
    Store::open(folder, &Options::default()).unwrap()
}

/// A store with the account `me@example.org`.
pub(crate) async fn with_account(folder: &Path) -> (Store, Id) {
    with_account_in(open(folder)).await
}

pub(crate) async fn with_account_in(store: Store) -> (Store, Id) {
    let name = "example.org".parse().unwrap();
    let domain = DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
    store.add_domain(domain, Vec::new()).await.unwrap();
    let account = AccountRecord::new("me@example.org".parse().unwrap());
    let id = account.id;
    store.add_account(account, None).await.unwrap();
    (store, id)
}

pub(crate) fn message(body: Body) -> NewMessage {
    NewMessage {
        id: Id::generate(),
        reverse_path: "sender@example.net".parse().unwrap(),
        parameters: "RET=HDRS".into(),
        body,
        trace: Bytes::from_static(b"Received: from x by y\r\n"),
        origin: Origin { session: "s1".into(), via: "smtp".into(), ..Origin::default() },
        local: Vec::new(),
        remote: Vec::new(),
    }
}

pub(crate) fn copy(account: Id) -> LocalCopy {
    let recipient = "me@example.org".parse().unwrap();
    LocalCopy {
        recipient,
        account,
        mailbox: INBOX.into(),
        prefix: Bytes::from_static(b"Return-Path: <>\r\n"),
        flags: 0,
    }
}

fn recipient(address: &str) -> NewRecipient {
    NewRecipient { address: address.parse().unwrap(), parameters: "NOTIFY=NEVER".into(), due: 5, held: false }
}

pub(crate) async fn read(body: &Body) -> Bytes {
    body.read(usize::MAX).await.unwrap()
}

#[tokio::test]
async fn an_accepted_message_is_in_its_mailbox_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_account(folder.path()).await;
    let mut changes = store.changes();
    let new =
        NewMessage { local: vec![copy(account)], ..message(Body::from_bytes("Subject: x\r\n\r\nhello\r\n")) };
    store.accept(new.clone()).await.unwrap();
    let told = changes.recv().await.unwrap();
    let kind = MailboxChange::Delivered { first: 1, last: 1 };
    assert!(matches!(told, Change::Mailbox { kind: told, .. } if told == kind));
    drop(store);

    let store = open(folder.path());
    let inbox = store.inbox(account).unwrap();
    let listed = store.messages(inbox.id, 0, 10).unwrap();
    assert_eq!(listed.len(), 1);
    let found = store.message(inbox.id, listed[0].uid).unwrap().unwrap();
    assert_eq!(found.prefix, "Return-Path: <>\r\nReceived: from x by y\r\n");
    assert_eq!(read(&found.body).await, "Subject: x\r\n\r\nhello\r\n");
    assert_eq!(found.summary.size, (found.prefix.len() + 21) as u64);
    assert_eq!(store.account_by_id(account).unwrap().unwrap().used_bytes, found.summary.size);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn large_bodies_are_files_and_go_with_their_last_message() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { undelete: Duration::ZERO, ..Options::default() };
    let (store, account) = with_account_in(Store::open(folder.path(), &options).unwrap()).await;
    let mut spool = store.spool();
    let piece = Bytes::from(vec![b'x'; 100_000]);
    for _ in 0..30 {
        spool.write(piece.clone()).await.unwrap();
    }
    let body = spool.finish().await.unwrap();
    assert!(body.in_memory().is_none());
    let local = vec![copy(account), copy(account)];
    let path = store.inner.files.path(body.id());
    store.accept(NewMessage { local, ..message(body) }).await.unwrap();

    let inbox = store.inbox(account).unwrap();
    let found = store.message(inbox.id, 2).unwrap().unwrap();
    assert_eq!(read(&found.body).await.len(), 3_000_000);
    assert_eq!(store.remove_messages(inbox.id, vec![1]).await.unwrap(), 1);
    assert!(path.exists());
    assert_eq!(store.remove_messages(inbox.id, vec![1, 2]).await.unwrap(), 1);
    assert!(store.expunged(account, None, 9).unwrap().is_empty(), "nothing can be brought back");
    assert!(path.exists(), "somebody may not have been told");
    let in_an_hour = Id::generate().unix_ms() + 61 * 60 * 1_000;
    while store.purge(in_an_hour).await.unwrap() {}
    // The next transaction takes it along; any write will do.
    store.subscribe(account, "Other", true).await.unwrap();
    assert!(!path.exists());
    assert_eq!(store.account_by_id(account).unwrap().unwrap().used_bytes, 0);
}

#[tokio::test]
async fn a_dropped_spool_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut spool = store.spool();
    spool.write(vec![b'x'; 500_000].into()).await.unwrap();
    assert_eq!(store.inner.files.list().unwrap().len(), 1);
    drop(spool);
    assert_eq!(store.inner.files.list().unwrap().len(), 0);
}

#[tokio::test]
async fn past_the_budget_bodies_go_to_disk_and_the_budget_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options { body_budget: 50_000, ..Options::default() }).unwrap();
    let mut first = store.spool();
    first.write(vec![b'x'; 45_000].into()).await.unwrap();
    let first = first.finish().await.unwrap();
    assert_eq!(store.budget().percent_used(), 90);
    let mut second = store.spool();
    second.write(vec![b'y'; 10_000].into()).await.unwrap();
    let second = second.finish().await.unwrap();
    assert!(first.in_memory().is_some() && second.in_memory().is_none());
    assert_eq!(read(&second).await, vec![b'y'; 10_000]);
    store.budget().set_limit(100_000);
    assert_eq!(store.budget().percent_used(), 45);
    let mut third = store.spool();
    third.write(vec![b'z'; 10_000].into()).await.unwrap();
    assert!(third.finish().await.unwrap().in_memory().is_some());
    drop(first);
    assert_eq!(store.budget().percent_used(), 0);
}

#[tokio::test]
async fn the_queue_hears_of_a_message_when_it_is_durable_and_finds_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut feed = store.queue_feed().unwrap();
    assert!(store.queue_feed().is_none());
    let remote = vec![recipient("a@example.com"), recipient("b@example.com")];
    let new = NewMessage { remote, ..message(Body::from_bytes("x\r\n")) };
    let id = new.id;
    store.accept(new).await.unwrap();
    let fresh = feed.recv().await.unwrap();
    assert_eq!((fresh.id, fresh.recipients.len()), (id, 2));
    drop((fresh, feed, store));

    let store = open(folder.path());
    let page = store.schedule_page(None, 10).unwrap();
    assert_eq!(page.len(), 2);
    assert_eq!(store.schedule_page(Some((id, 0)), 10).unwrap().len(), 1);
    let waiting = store.waiting_page(Some((id, 0)), 10).unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].scheduled.message, id);
    assert_eq!(
        (waiting[0].scheduled.recipient.position, waiting[0].reverse_path.to_string()),
        (1, "<sender@example.net>".to_owned())
    );
    let (message, recipients) = store.queued(id).unwrap().unwrap();
    assert_eq!(message.reverse_path, "sender@example.net".parse::<ReversePath>().unwrap());
    assert_eq!(
        (message.parameters.as_str(), recipients[0].parameters.as_str()),
        ("RET=HDRS", "NOTIFY=NEVER")
    );
    assert_eq!(read(&store.body(message.body_id, message.body_size).unwrap()).await, "x\r\n");
}

#[tokio::test]
async fn recipients_close_one_by_one_and_the_last_takes_the_message_along() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let remote = vec![recipient("a@example.com"), recipient("b@example.com")];
    let new = NewMessage { remote, ..message(Body::from_bytes("x\r\n")) };
    let (message, body) = (new.id, new.body.id());
    store.accept(new).await.unwrap();
    let change = |position, fate| vec![RecipientChange { message, position, fate }];
    let deferred = Fate::Deferred { due: 77, delay_told: true, last: "451 later".into() };
    store.record(change(0, Fate::Closed), Vec::new()).await.unwrap();
    store.record(change(1, deferred), Vec::new()).await.unwrap();
    let (_, left) = store.queued(message).unwrap().unwrap();
    assert_eq!((left.len(), left[0].position, left[0].due, left[0].attempts), (1, 1, 77, 1));
    store.record(change(1, Fate::Held), Vec::new()).await.unwrap();
    assert_eq!(store.queue_count().unwrap().held, 1);
    store.record(change(1, Fate::Closed), Vec::new()).await.unwrap();
    assert!(store.queued(message).unwrap().is_none());
    store.record(Vec::new(), Vec::new()).await.unwrap();
    assert!(store.body(body, 3).is_err());
}

#[tokio::test]
async fn a_job_that_fails_is_undone_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_account(folder.path()).await;
    let good = NewMessage { local: vec![copy(account)], ..message(Body::from_bytes("good")) };
    // The second copy has no mailbox, so the first must not stay either.
    let bad =
        NewMessage { local: vec![copy(account), copy(Id::generate())], ..message(Body::from_bytes("bad")) };
    let (bad, good) = tokio::join!(store.accept(bad), store.accept(good));
    assert!(matches!(bad, Err(StoreError::NotFound(_))));
    good.unwrap();
    let inbox = store.inbox(account).unwrap();
    assert_eq!(store.messages(inbox.id, 0, 10).unwrap().len(), 1);
}

#[tokio::test]
async fn bodies_that_nothing_names_are_swept_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let orphan = Body::from_bytes("orphan");
    let (id, files) = (orphan.id(), store.inner.files.clone());
    let insert = move |w: &crate::committer::Writer<'_>| crate::body::insert(w, &orphan, &files);
    store.inner.committer.write(insert).await.unwrap();
    let mut draft = store.inner.files.create(Id::generate()).unwrap();
    draft.write(b"x").unwrap();
    draft.finish().unwrap();
    assert!(store.body(id, 6).is_ok());
    drop(store);
    let store = open(folder.path());
    store.record(Vec::new(), Vec::new()).await.unwrap();
    assert!(store.body(id, 6).is_err());
    assert_eq!(store.inner.files.list().unwrap().len(), 0);
}

#[tokio::test]
async fn one_process_owns_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(folder.path());
    assert!(matches!(Store::open(folder.path(), &Options::default()), Err(StoreError::Locked(_))));
}

#[tokio::test]
async fn the_trail_is_found_by_message_and_by_address_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let id = Id::generate();
    let refused = Event::Refused {
        origin: Origin::default(),
        from: "Sender@example.net".into(),
        recipients: vec!["Nobody@Example.org".into()],
        reply: "550 5.1.1 no such user".into(),
        verdicts: Vec::new(),
    };
    store.tell(Entry::now(id, refused.clone()));
    assert_eq!(store.trail_of_address("nobody@example.org", 5).unwrap(), [id]);
    assert_eq!(store.trail_of_address("sender@EXAMPLE.net", 5).unwrap(), [id]);
    assert_eq!(store.trail(id).unwrap()[0].event, refused);
    assert_eq!(store.trail_newest(5).unwrap(), [id]);
}

#[tokio::test]
async fn the_trail_is_searched_page_by_page_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let note = |text: &str| Event::Note { text: text.into() };
    let ids: Vec<Id> = (0..=crate::trail::MENTIONS_PAGE).map(|_| Id::generate()).collect();
    for id in &ids {
        store.tell(Entry::now(*id, note("nothing")));
    }
    store.tell(Entry::now(ids[0], note("a \"Quoted\" \\ word")));
    let (found, next) = store.trail_mentioning("\"quoteD\" \\", None).unwrap();
    assert_eq!((found, next), (Vec::new(), Some(ids[1])), "the first page ends before it");
    let (found, next) = store.trail_mentioning("\"quoteD\" \\", next).unwrap();
    assert_eq!((found, next), (vec![ids[0]], Some(ids[0])));
    assert_eq!(store.trail_mentioning("quoted", next).unwrap(), (Vec::new(), None));
}

#[tokio::test]
async fn a_damaged_trail_is_set_aside_and_acceptances_are_rebuilt_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_account(folder.path()).await;
    store.tell(Entry::now(Id::generate(), Event::Note { text: "before".into() }));
    let new = NewMessage {
        local: vec![copy(account)],
        remote: vec![recipient("a@b.example")],
        ..message(Body::from_bytes("x"))
    };
    let id = new.id;
    store.accept(new).await.unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.trail(id).unwrap().len(), 2);
    assert_eq!(store.trail_of_address("a@b.example", 5).unwrap(), [id]);
    drop(store);
    std::fs::write(folder.path().join("trail.db"), [b'z'; 20_000]).unwrap();
    let store = open(folder.path());
    assert!(store.trail(id).unwrap().is_empty());
}

#[tokio::test]
async fn a_trail_whose_head_alone_is_sound_is_begun_anew() {
    use std::os::unix::fs::FileExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let event = |text: &str| Event::Note { text: text.into() };
    let (before, after) = (Id::generate(), Id::generate());
    (0..200).for_each(|_| store.tell(Entry::now(before, event("before"))));
    assert_eq!(store.trail(before).unwrap().len(), 200);
    drop(store);
    let path = folder.path().join("trail.db");
    // Else the write-ahead log has all that is damaged below.
    let db = rusqlite::Connection::open(&path).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(db);
    let length = std::fs::metadata(&path).unwrap().len();
    let rest = vec![b'z'; usize::try_from(length - 4096).unwrap()];
    std::fs::File::options().write(true).open(&path).unwrap().write_all_at(&rest, 4096).unwrap();
    let store = open(folder.path());
    store.tell(Entry::now(after, event("after")));
    assert_eq!((store.trail(before).unwrap().len(), store.trail(after).unwrap().len()), (0, 1));
}

#[tokio::test]
async fn an_account_goes_with_all_its_mail_however_much_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_account(folder.path()).await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..1_100 {
        let (store, local) = (store.clone(), vec![copy(account)]);
        let new = NewMessage { local, ..message(Body::from_bytes("x")) };
        running.spawn(async move { store.accept(new).await });
    }
    assert!(running.join_all().await.into_iter().all(|accepted| accepted.is_ok()));
    let inbox = store.inbox(account).unwrap();
    store.remove_account(account).await.unwrap();
    assert!(store.account_by_id(account).unwrap().is_none());
    assert!(store.mailboxes(account).unwrap().is_empty());
    while store.purge(0).await.unwrap() {}
    assert!(store.messages(inbox.id, 0, 10).unwrap().is_empty());
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn the_directory_refuses_what_contradicts_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_account(folder.path()).await;
    let me: Address = "me@example.org".parse().unwrap();
    let again = store.account_by_id(account).unwrap().unwrap();
    let again = AccountRecord { id: Id::generate(), ..again };
    assert!(matches!(store.add_account(again.clone(), None).await, Err(StoreError::Exists(_))));
    assert!(matches!(store.add_alias(me.clone(), vec![me.clone()]).await, Err(StoreError::Exists(_))));
    let elsewhere = AccountRecord { address: "me@elsewhere.example".parse().unwrap(), ..again };
    assert!(matches!(store.add_account(elsewhere, None).await, Err(StoreError::NotFound(_))));
    let domain = "example.org".parse().unwrap();
    assert!(matches!(store.remove_domain(domain).await, Err(StoreError::Refused(_))));
    store.remove_account(account).await.unwrap();
    store.remove_domain("example.org".parse().unwrap()).await.unwrap();
    assert!(store.domains().unwrap().is_empty() && store.mailboxes(account).unwrap().is_empty());
}

#[tokio::test]
async fn a_domain_that_was_looked_up_before_changes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let name: address::Domain = "example.org".parse().unwrap();
    assert_eq!(store.domain(&name).unwrap(), None);
    let mut domain = DomainRecord {
        name: name.clone(),
        kind: DomainKind::Local,
        catch_all: None,
        language: None,
        quota: None,
    };
    store.add_domain(domain.clone(), Vec::new()).await.unwrap();
    assert_eq!(store.domain(&name).unwrap().as_ref(), Some(&domain));
    domain.quota = Some(1);
    store.update_domain(domain.clone()).await.unwrap();
    assert_eq!(store.domain(&name).unwrap().as_ref(), Some(&domain));
    store.remove_domain(name.clone()).await.unwrap();
    assert_eq!(store.domain(&name).unwrap(), None);
}

#[tokio::test]
async fn a_queued_message_goes_to_a_mailbox_with_its_body_in_one_transaction() {
    for size in [10, crate::body::INLINE_LIMIT + 1] {
        let folder = tempfile::tempdir().unwrap();
        let (store, account) = with_account(folder.path()).await;
        let body = Body::from_bytes(vec![b'x'; size]);
        let new = NewMessage { remote: vec![recipient("me@example.org")], ..message(body.clone()) };
        store.accept(new.clone()).await.unwrap();
        let closed = RecipientChange { message: new.id, position: 0, fate: Fate::Closed };
        let delivered = NewMessage { local: vec![copy(account)], remote: Vec::new(), ..new };
        store.record(vec![closed], vec![delivered]).await.unwrap();
        // The next transaction removes what the last one left without a name.
        store.subscribe(account, "Other", true).await.unwrap();

        assert_eq!(store.queue_count().unwrap().messages, 0);
        let inbox = store.inbox(account).unwrap();
        let found = store.message(inbox.id, 1).unwrap().unwrap();
        assert_eq!(read(&found.body).await.len(), size);
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_mailbox_is_read_from_its_newest_message_and_remembers_what_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_account(folder.path()).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let new = NewMessage { local: vec![copy(account)], ..message(Body::from_bytes("x")) };
        ids.push(new.id);
        store.accept(new).await.unwrap();
    }
    let inbox = store.inbox(account).unwrap().id;
    let uids = |before, limit| -> Vec<u32> {
        store.messages_before(inbox, before, limit).unwrap().iter().map(|summary| summary.uid).collect()
    };
    assert_eq!((uids(u32::MAX, 2), uids(2, 2), uids(1, 2)), (vec![3, 2], vec![1], vec![]));
    assert_eq!(store.uid_of(inbox, ids[1]).unwrap(), Some(2));
    assert_eq!(store.uid_of(inbox, Id::generate()).unwrap(), None);
    for _ in 0..2 {
        store.set_flags(inbox, 2, FlagChange::add(flag::SEEN), None).await.unwrap();
    }
    store.set_flags(inbox, 9, FlagChange::add(flag::SEEN), None).await.unwrap();
    let flags: Vec<u32> = store.messages(inbox, 0, 9).unwrap().iter().map(|summary| summary.flags).collect();
    assert_eq!((flags, store.inbox(account).unwrap().unseen), (vec![0, flag::SEEN, 0], 2));
}

#[tokio::test]
async fn a_certificate_is_one_account_s_however_close_two_claim_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, me) = with_account(folder.path()).await;
    let claim = |account| {
        let (kind, verifier) = (CredentialKind::Certificate, Secret::new(String::new()));
        let record = CredentialRecord { id: Id::generate(), account, kind, label: "ab".repeat(32), verifier };
        store.add_credential(record)
    };
    let you = Id::generate();
    let (first, second) = tokio::join!(claim(me), claim(you));
    first.unwrap();
    let refused = second.unwrap_err().to_string();
    assert!(refused.contains("stands for another account: remove it there first"), "{refused}");
    assert!(matches!(claim(me).await, Err(StoreError::Exists(_))));
    assert_eq!(store.account_of_certificate(&"ab".repeat(32)).unwrap(), Some(me));
    assert!(store.credentials(you).unwrap().is_empty());
}

/// A message of 100 octets for the account's INBOX.
fn hundred(account: Id) -> NewMessage {
    NewMessage { local: vec![copy(account)], ..message(Body::from_bytes(vec![b'x'; 100])) }
}

async fn with_quotas(folder: &Path, account: Option<u64>, domain: Option<u64>) -> (Store, Id) {
    let (store, id) = with_account(folder).await;
    let record = store.account_by_id(id).unwrap().unwrap();
    store.update_account(AccountRecord { quota: account, ..record }).await.unwrap();
    let record = store.domain(&"example.org".parse().unwrap()).unwrap().unwrap();
    store.update_domain(DomainRecord { quota: domain, ..record }).await.unwrap();
    (store, id)
}

#[tokio::test]
async fn messages_of_the_same_moment_do_not_exceed_a_quota_together() {
    // Each alone has room; what is put above a message counts for those that come after it.
    for (quota, domain_quota, fit) in [
        (None, None, 8),
        (Some(100), None, 1),
        (Some(99), None, 0),
        (Some(300), None, 2),
        (None, Some(100), 1),
        (None, Some(99), 0),
        (Some(1000), Some(300), 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, account) = with_quotas(folder.path(), quota, domain_quota).await;
        let messages: Vec<NewMessage> = (0..8).map(|_| hundred(account)).collect();
        let expected: Vec<StoreError> = messages
            .iter()
            .map(|new| {
                let full = Full { message: new.id, recipient: "me@example.org".parse().unwrap() };
                StoreError::NoRoom(vec![full])
            })
            .collect();
        let mut waiting = tokio::task::JoinSet::new();
        for (new, expected) in messages.into_iter().zip(expected) {
            let store = store.clone();
            waiting.spawn(async move {
                let outcome = store.accept(new).await;
                if let Err(error) = &outcome {
                    assert_eq!(format!("{error:?}"), format!("{expected:?}"));
                }
                outcome.is_ok()
            });
        }
        let accepted = waiting.join_all().await.into_iter().filter(|accepted| *accepted).count();
        assert_eq!(accepted, fit, "{quota:?} {domain_quota:?}");
        let record = store.account_by_id(account).unwrap().unwrap();
        assert_eq!(record.used_messages, fit as u64);
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_has_no_room_for_one_is_done_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_quotas(folder.path(), Some(50), None).await;
    let queued = NewMessage { remote: vec![recipient("me@example.org")], ..message(Body::from_bytes("x")) };
    store.accept(queued.clone()).await.unwrap();
    let closed = RecipientChange { message: queued.id, position: 0, fate: Fate::Closed };
    let small = NewMessage { local: vec![copy(account)], remote: Vec::new(), ..queued };
    let large = NewMessage { remote: vec![recipient("you@example.net")], ..hundred(account) };
    let recorded = store.record(vec![closed.clone()], vec![small.clone(), large.clone()]).await;
    let Err(StoreError::NoRoom(full)) = recorded else { panic!("{recorded:?}") };
    assert_eq!(full, [Full { message: large.id, recipient: "me@example.org".parse().unwrap() }]);
    assert_eq!(store.queue_count().unwrap().recipients, 1);
    assert_eq!(store.account_by_id(account).unwrap().unwrap().used_bytes, 0);
    // The same again, for those who have room.
    let large = NewMessage { local: Vec::new(), ..large };
    store.record(vec![closed], vec![small, large]).await.unwrap();
    assert_eq!(store.queue_count().unwrap().recipients, 1);
    assert_eq!(store.account_by_id(account).unwrap().unwrap().used_messages, 1);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}
