//! What is read through the store of the rows in the files beside this one, by the version of `waypost.db` that they were in.

use address::{Domain, Secret};
use directory::Directory;
use std::ops::ControlFlow;
use store::directory::{
    AccountRecord, CredentialKind, DomainKind, DomainRecord, KeyStage, RelayRecipients, RelayTarget,
};
use store::mailbox::{Annotation, ImportTotals, Mailbox, UidRuns};
use store::queue::QueueCount;
use store::report::{Due, FolderMark, Post, ReportKind, Retry, StoredReport, Tally};
use store::search::Query;
use store::trail::{Event, Outcome};
use store::{Id, Store};
use store::{OwnSts, StsPolicyRecord};

const ME: i64 = 7;
const INBOX: i64 = 11;
const SENT: i64 = 12;

fn id(number: i64) -> Id {
    Id::from_stored(number)
}

fn domain(name: &str) -> Domain {
    name.parse().unwrap()
}

pub(crate) async fn check(store: Store, version: usize, keeps_search: bool) {
    directory(&store);
    keys(&store, version);
    queue(&store).await;
    mail(&store, version).await;
    if version >= 2 {
        notes(&store);
        removed(&store, version).await;
    }
    if version >= 3 {
        imports(&store);
    }
    if version >= 4 {
        reports(&store);
    }
    if version >= 5 {
        assert_eq!(store.greylist_pass("192.0.2.0/24 example.net").unwrap(), Some(5_000));
    }
    if version >= 6 {
        sts(&store);
    }
    if version >= 9 {
        posts(&store);
    }
    if version >= 12 {
        let sender = store.remembered_sender("AAAABBBBCCCCDDDD").unwrap();
        assert_eq!(sender, Some("a.long.name@example.net".parse().unwrap()));
    }
    assert_eq!(store.recent_from(id(INBOX)).unwrap(), if version >= 11 { 8 } else { 1 });
    let offered = (version >= 13).then_some(100);
    assert_eq!(store.starttls_seen("mx.example.net").unwrap(), offered);
    trail(&store);
    search(&store, keeps_search);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    login(store).await;
}

fn directory(store: &Store) {
    let of = |name: &str, kind| DomainRecord {
        name: domain(name),
        kind,
        catch_all: None,
        language: None,
        quota: None,
    };
    let relay = DomainKind::Relay {
        to: RelayTarget::Url("smtp://inside.example".into()),
        recipients: RelayRecipients::Listed,
    };
    let own = DomainRecord {
        catch_all: Some("me@example.org".parse().unwrap()),
        language: Some("de".into()),
        quota: Some(9_000_000),
        ..of("example.org", DomainKind::Local)
    };
    let alias = of("alias.example", DomainKind::Alias { of: domain("example.org") });
    assert_eq!(store.domains().unwrap(), [alias, own, of("relay.example", relay)]);
    assert!(store.has_relay_recipient(&domain("relay.example"), "joe").unwrap());

    let me = AccountRecord {
        id: id(ME),
        address: "me@example.org".parse().unwrap(),
        name: Some("Me Myself".into()),
        language: Some("de".into()),
        quota: Some(5_000_000),
        disabled: false,
        used_bytes: 45,
        used_messages: 4,
    };
    let gone = AccountRecord {
        id: id(8),
        disabled: true,
        ..AccountRecord::new("gone@example.org".parse().unwrap())
    };
    assert_eq!(store.accounts(None).unwrap(), [me, gone]);
    let credentials = store.credentials(id(ME)).unwrap();
    let credentials: Vec<_> = credentials
        .iter()
        .map(|credential| (credential.id.get(), credential.kind, credential.label.as_str()))
        .collect();
    let expected = [
        (71, CredentialKind::Password, ""),
        (72, CredentialKind::App, "phone"),
        (73, CredentialKind::Certificate, "fingerprint"),
    ];
    assert_eq!(credentials, expected);
    assert_eq!(store.account_of_certificate("fingerprint").unwrap(), Some(id(ME)));
    let targets = store.alias_targets(&domain("example.org"), "info").unwrap();
    assert_eq!(targets, ["me@example.org".parse().unwrap()]);
    assert_eq!(store.meta("of-the-test").unwrap(), Some(vec![1, 2]));
}

/// The password is still the one.
async fn login(store: Store) {
    let directory = Directory::open(store, domain("mail.example.org")).await.unwrap();
    let password = Secret::new("correct horse battery".into());
    assert!(directory.log_in("me@example.org", &password).await.unwrap().is_some());
}

fn keys(store: &Store, version: usize) {
    let keys = store.signing_keys(&domain("example.org")).unwrap();
    let (stage, since) = if version >= 7 { (KeyStage::Retiring, 400) } else { (KeyStage::Active, 0) };
    let keys: Vec<_> = keys
        .iter()
        .map(|key| (key.selector.as_str(), key.pem.reveal().as_str(), key.stage, key.since))
        .collect();
    assert_eq!(keys, [("s1", "the key", stage, since)]);
}

async fn queue(store: &Store) {
    assert_eq!(store.queue_count().unwrap(), QueueCount { messages: 1, recipients: 2, held: 1, bytes: 7 });
    let scheduled = store.schedule_page(None, 10).unwrap();
    let scheduled: Vec<_> = scheduled
        .iter()
        .map(|row| {
            let r = &row.recipient;
            let address = r.address.to_string();
            (
                row.message.get(),
                r.position,
                address,
                r.parameters.as_str(),
                r.due,
                r.held,
                r.attempts,
                r.delay_told,
                r.last.as_deref(),
            )
        })
        .collect();
    let expected = [
        (51, 0, "a@example.com".to_owned(), "NOTIFY=NEVER", 600_000, false, 2, true, Some("421 4.7.0 later")),
        (51, 1, "b@example.com".to_owned(), "", 700_000, true, 0, false, None),
    ];
    assert_eq!(scheduled, expected);
    let (message, recipients) = store.queued(id(51)).unwrap().unwrap();
    assert_eq!(recipients.len(), 2);
    let sender = message.reverse_path.address().unwrap().to_string();
    assert_eq!((sender.as_str(), message.parameters.as_str()), ("sender@example.net", "RET=HDRS"));
    assert_eq!(&message.trace[..], b"Received: x");
    let origin = message.origin;
    assert_eq!(
        (origin.session.as_str(), origin.via.as_str(), origin.helo.as_str()),
        ("s1", "smtp", "client.example")
    );
    assert_eq!(origin.client, Some("192.0.2.9:25".parse().unwrap()));
    assert_eq!((origin.protocol.as_str(), origin.tls.as_deref()), ("ESMTPS", Some("TLSv1.3")));
    assert_eq!(origin.message_id.as_deref(), Some("<m@x>"));
    assert_eq!(body(store, message.body_id.get(), message.body_size).await, "waiting");
}

async fn body(store: &Store, body: i64, size: u64) -> String {
    let body = store.body(id(body), size).unwrap().read(usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn mail(store: &Store, version: usize) {
    let inbox = Mailbox {
        id: id(INBOX),
        account: id(ME),
        name: "INBOX".into(),
        role: None,
        uidvalidity: 4_000_000_000,
        uidnext: 9,
        modseq: 12,
        subscribed: true,
        messages: 3,
        unseen: 1,
        deleted: 1,
        octets: 24,
    };
    let sent = Mailbox {
        id: id(SENT),
        name: "Sent".into(),
        role: Some("\\Sent".into()),
        uidvalidity: 100,
        uidnext: 2,
        modseq: 2,
        subscribed: false,
        messages: 1,
        unseen: 0,
        deleted: 0,
        octets: 10,
        ..inbox.clone()
    };
    assert_eq!(store.mailboxes(id(ME)).unwrap(), [inbox, sent]);
    assert_eq!(store.subscriptions(id(ME)).unwrap(), ["INBOX"]);
    // Version 1 knew neither when a message came into its folder nor keywords.
    let (saved, keywords) = if version >= 2 { (8_500, "$Forwarded work") } else { (8_000, "") };
    for (mailbox, uid, message, body, prefix, text, received, saved, flags, keywords, modseq) in [
        (INBOX, 2, 201, 91, "A: 1", "hello", 5_000, 5_000, 0, "", 3),
        (INBOX, 3, 202, 91, "B: 2", "hello", 6_000, 6_000, 1, "", 12),
        (INBOX, 8, 203, 92, "", "world!", 7_000, 7_000, 9, "", 11),
        (SENT, 1, 204, 92, "C: 3", "world!", 8_000, saved, 1, keywords, 2),
    ] {
        let found = store.message(id(mailbox), uid).unwrap().unwrap();
        let row = &found.summary;
        assert_eq!((row.uid, row.id, row.body), (uid, id(message), id(body)));
        assert_eq!((row.received, row.saved), (received, saved), "{message}");
        assert_eq!((row.flags, row.keywords.as_str(), row.modseq), (flags, keywords, modseq), "{message}");
        assert_eq!(row.size, (prefix.len() + text.len()) as u64, "{message}");
        let read = found.body.read(usize::MAX).await.unwrap();
        assert_eq!((&found.prefix[..], &read[..]), (prefix.as_bytes(), text.as_bytes()), "{message}");
    }
    assert_eq!(store.uids(id(INBOX)).unwrap(), UidRuns::from_ranges([2..=3, 8..=8]));
    // Version 1 did not remember when: everything that is not there may have gone since.
    let vanished = store.vanished(id(INBOX), 6, &UidRuns::from(1..=8)).unwrap();
    let expected = if version >= 2 { vec![4..=7] } else { vec![1..=1, 4..=7] };
    assert_eq!(vanished, UidRuns::from_ranges(expected));
}

/// What is noted about folders.
fn notes(store: &Store) {
    let mut keywords = store.keywords(id(SENT)).unwrap();
    keywords.sort();
    assert_eq!(keywords, ["$Forwarded", "work"]);
    assert_eq!(store.acl(id(INBOX)).unwrap(), [("you@example.org".to_owned(), "lrs".to_owned())]);
    let note = |entry: &str, value: &str| Annotation { entry: entry.into(), value: value.into() };
    assert_eq!(store.metadata(id(ME), None).unwrap(), [note("/private/comment", "mine")]);
    assert_eq!(store.metadata(id(ME), Some(id(INBOX))).unwrap(), [note("/shared/comment", "ours")]);
}

/// A message that was removed, and one of a folder that was: both can be brought back.
async fn removed(store: &Store, version: usize) {
    while store.purge(0).await.unwrap() {}
    let removed = store.expunged(id(ME), None, 10).unwrap();
    let rows: Vec<_> = removed
        .iter()
        .map(|row| {
            (
                row.mailbox.get(),
                row.folder.as_str(),
                row.uid,
                row.message.get(),
                row.received,
                row.flags,
                row.keywords.as_str(),
            )
        })
        .collect();
    let expected = [(INBOX, "INBOX", 5, 205, 4_000, 1, "work"), (14, "Old", 1, 206, 3_000, 1, "")];
    assert_eq!(rows, expected);
    assert_eq!((removed[0].size, removed[0].prefix_size), (8, 4));
    for (row, expected) in removed.iter().zip(["gone", "old"]) {
        let body = store.expunged_body(row).unwrap().read(usize::MAX).await.unwrap();
        assert_eq!(body, expected.as_bytes());
    }
    let there = store.departed_message(id(INBOX), 5).unwrap().unwrap();
    assert_eq!(&there.prefix[..], b"D: 4");
    let rows = store.departed_messages(id(INBOX), &UidRuns::from(5..=6), 0, 10).unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.uid, row.saved, row.modseq)).collect();
    match version {
        2..=7 => assert_eq!(rows, [(5, 0, 0)]),
        // The other can be read, but not be brought back.
        _ => assert_eq!(rows, [(5, 4_500, 8), (6, 4_600, 9)]),
    }
}

fn imports(store: &Store) {
    let source = "imap://old.example/INBOX";
    assert_eq!(store.imported(id(ME), source, &[], 10).unwrap(), [(vec![1, 2], 5)]);
    let totals = ImportTotals { messages: 1, octets: 5, there: 1, there_octets: 5 };
    assert_eq!(store.import_totals(id(ME), source).unwrap(), totals);
}

fn reports(store: &Store) {
    let due = Due { kind: ReportKind::Dmarc, day: 20_000, domain: domain("example.net") };
    assert_eq!(store.due_reports(20_001, 10).unwrap(), std::slice::from_ref(&due));
    let Due { kind, day, domain: of } = due.clone();
    let tally = Tally { kind, day, domain: of, key: "what is counted".into(), count: 3 };
    assert_eq!(store.tallies(&due).unwrap(), [tally]);
    let sent = Due { kind: ReportKind::Tls, day: 20_001, ..due };
    assert_eq!(store.reports_sent(&sent).unwrap(), 2);
    let report = StoredReport {
        id: id(31),
        kind: ReportKind::Tls,
        domain: domain("example.org"),
        organization: "other.example".into(),
        name: "r1".into(),
        start: 100,
        stop: 200,
        received: 3_000,
        total: 10,
        failed: 4,
        content: b"{}".to_vec(),
    };
    assert_eq!(store.reports(&domain("example.org"), 0, 10).unwrap(), [report]);
    let mark = FolderMark { mailbox: id(INBOX), uidvalidity: 4_000_000_000, uid: 3 };
    assert_eq!(store.report_mark(id(INBOX)).unwrap(), Some(mark));
}

fn posts(store: &Store) {
    let retry = Retry { due: 500, attempts: 2, until: 900 };
    let post = Post { id: id(41), domain: domain("example.net"), uri: "https://web.example/r".into(), retry };
    assert_eq!(store.due_posts(500, 10).unwrap(), [post]);
    assert_eq!(store.post_content(id(41)).unwrap(), Some(vec![0x1f, 0x8b]));
}

fn sts(store: &Store) {
    let policy =
        StsPolicyRecord { id: "id1".into(), text: "version: STSv1".into(), fetched: 100, until: 200 };
    assert_eq!(store.sts_policy(&domain("example.net")).unwrap(), Some(policy));
    let own = OwnSts { mode: "enforce".into(), since: 300 };
    assert_eq!(store.own_sts(&domain("example.org")).unwrap(), Some(own));
}

fn trail(store: &Store) {
    let message = id(7_000_000_000_000_000_000);
    assert_eq!(store.trail_of_address("a@example.com", 10).unwrap(), [message]);
    let entries = store.trail(message).unwrap();
    let attempt = Event::Attempt {
        recipients: vec!["a@example.com".into()],
        host: "mx.example".into(),
        tls: Some("TLSv1.3".into()),
        outcome: Outcome::Deferred,
        reply: "421 later".into(),
        next: Some(6_000),
    };
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].at, &entries[0].event), (5_000, &attempt));
}

/// The kept text and preview are given, not those of the body, unless they are made anew.
fn search(store: &Store, kept: bool) {
    let bodies = [(id(91), 5), (id(92), 6)];
    for (word, expected) in [("keptabove", Some(91)), ("pthe", Some(91)), ("hello", None)] {
        let query = Query::Text(word.into());
        let found = store.search(id(ME), &query, &bodies, |_, _| ControlFlow::Continue(())).unwrap();
        assert_eq!(found, Some(expected.into_iter().filter(|_| kept).map(id).collect()), "{word}");
    }
    assert_eq!(store.previews(&bodies).unwrap()[0], if kept { "kept words" } else { "" });
}
