//! The search as its users see it: the same answers whatever has been indexed.

use super::find::{Bounds, find};
use super::query::Matcher;
use super::*;
use crate::directory::{AccountRecord, DomainKind, DomainRecord};
use crate::mailbox::INBOX;
use crate::queue::{LocalCopy, NewMessage};
use crate::trail::Origin;
use crate::{Body, Options};
use bytes::Bytes;
use extract::{Extract, SEPARATOR};
use message::text::{Cut, fold};
use proptest::prelude::*;
use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

async fn with_account(folder: &Path) -> (Store, Id) {
    let store = Store::open(folder, &Options::default()).unwrap();
    let name = "example.org".parse().unwrap();
    let domain = DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
    store.add_domain(domain, Vec::new()).await.unwrap();
    let account = AccountRecord::new("me@example.org".parse().unwrap());
    let id = account.id;
    store.add_account(account, None).await.unwrap();
    (store, id)
}

/// Delivers it, and returns the body with its size.
async fn deliver(store: &Store, account: Id, text: &str) -> (Id, u64) {
    let body = Body::from_bytes(text.replace('\n', "\r\n"));
    let named = (body.id(), body.size());
    let copy = LocalCopy {
        recipient: "me@example.org".parse().unwrap(),
        account,
        mailbox: INBOX.into(),
        prefix: Bytes::from_static(b"Return-Path: <prefix@example.net>\r\n"),
        flags: 0,
    };
    let message = NewMessage {
        id: Id::generate(),
        reverse_path: "sender@example.net".parse().unwrap(),
        parameters: String::new(),
        body,
        trace: Bytes::new(),
        origin: Origin::default(),
        local: vec![copy],
        remote: Vec::new(),
    };
    store.accept(message).await.unwrap();
    named
}

const MAIL: [&str; 4] = [
    "From: Anna <anna@example.net>\nSubject: Holiday plans\n\nWe go to the seaside.\n",
    "From: Bert <bert@example.net>\nSubject: =?utf-8?Q?Stra=C3=9Fe?=\nCc: anna@example.net\n\nNo plans yet.\n",
    "From: C <c@example.net>\nSubject: x\nContent-Type: text/plain; charset=utf-8\n\n日本語のメール 100% \"AND\" NOT (a OR b*)\n",
    "From: D <d@example.net>\nSubject: empty\n\n",
];

async fn with_mail(folder: &Path) -> (Store, Id, Vec<(Id, u64)>) {
    let (store, account) = with_account(folder).await;
    let mut bodies = Vec::new();
    for text in MAIL {
        bodies.push(deliver(&store, account, text).await);
    }
    (store, account, bodies)
}

/// The ways of a search: as it comes, always by the index and as short reads as can be, always by the texts.
const WAYS: [Bounds; 3] = [
    Bounds { few: 1_000, page: Duration::from_millis(200) },
    Bounds { few: 0, page: Duration::ZERO },
    Bounds { few: usize::MAX, page: Duration::ZERO },
];

/// The messages that are found, by their places in `bodies`, whichever way.
fn found(store: &Store, account: Id, query: &Query, bodies: &[(Id, u64)]) -> Vec<usize> {
    let answers = WAYS.map(|bounds| {
        let mut last = 0;
        let answer = find(store, account, query, bodies, bounds, |done, total| {
            assert!(last <= done && done <= total && total == bodies.len() as u64);
            last = done;
            ControlFlow::Continue(())
        });
        let place = |id: Id| bodies.iter().position(|(body, _)| *body == id).unwrap();
        answer.unwrap().unwrap().into_iter().map(place).collect::<Vec<_>>()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{query:?}: {answers:?}");
    answers[0].clone()
}

fn check_all(store: &Store, account: Id, bodies: &[(Id, u64)]) {
    let check = |query: Query, expected: &[usize]| {
        assert_eq!(found(store, account, &query, bodies), expected, "{query:?}");
    };
    let text = |needle: &str| Query::Text(needle.into());
    let body = |needle: &str| Query::Body(needle.into());
    let field = |name: &str, needle: &str| Query::Header { name: name.into(), needle: needle.into() };
    check(text("PLANS"), &[0, 1]);
    check(body("plans"), &[1]);
    check(field("subject", "plans"), &[0]);
    check(text("anna@"), &[0, 1]);
    check(field("From", "anna@"), &[0]);
    check(field("cc", ""), &[1]);
    check(field("x-none", ""), &[]);
    check(text("straße"), &[1]);
    check(text("日本"), &[2]);
    check(text("本語の"), &[2]);
    check(body("\"and\" not (a or b*)"), &[2]);
    check(text("100% \""), &[2]);
    check(body("a"), &[0, 1, 2]);
    check(text(""), &[0, 1, 2, 3]);
    check(text("seaside nowhere"), &[]);
    check(text("prefix@"), &[]);
}

/// Waits until the indexer has come to everything.
fn settle(store: &Store) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let status = store.search_status().unwrap();
        if status.waiting == 0 && status.trouble.is_none() {
            return;
        }
        assert!(Instant::now() < until, "{status:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Rows of a table of `search.db`.
fn rows(folder: &Path, table: &str) -> i64 {
    let readers = Readers::new(Kind::Search, folder);
    let sql = format!("SELECT count(*) FROM {table}");
    readers.with(|db| Ok(db.query_row(&sql, [], |row| row.get(0))?)).unwrap()
}

#[tokio::test]
async fn what_is_not_indexed_is_found_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account, bodies) = with_mail(folder.path()).await;
    check_all(&store, account, &bodies);
    assert_eq!(store.search_status().unwrap().waiting, 4);
    store.start_indexer();
    settle(&store);
    check_all(&store, account, &bodies);
    assert_eq!(rows(folder.path(), "document"), 4);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_delivered_is_indexed_soon_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_account(folder.path()).await;
    store.start_indexer();
    store.start_indexer();
    let mut bodies = Vec::new();
    for text in MAIL {
        bodies.push(deliver(&store, account, text).await);
        settle(&store);
    }
    check_all(&store, account, &bodies);
    drop(store);
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    store.start_indexer();
    bodies.push(deliver(&store, account, "Subject: later\n\n").await);
    settle(&store);
    check_all(&store, account, &bodies[..4]);
    assert_eq!((rows(folder.path(), "document"), rows(folder.path(), "text")), (5, 5));
}

#[tokio::test]
async fn a_search_sees_its_own_bodies_only() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account, bodies) = with_mail(folder.path()).await;
    store.start_indexer();
    settle(&store);
    assert_eq!(found(&store, account, &Query::Text("plans".into()), &bodies[1..2]), [0]);
    assert_eq!(found(&store, account, &Query::Text("plans".into()), &[]), [0; 0]);
    // Of another account, which may have copies of the same bodies before it has documents.
    assert_eq!(found(&store, Id::generate(), &Query::Text("plans".into()), &bodies), [0, 1]);
}

#[tokio::test]
async fn what_messages_consist_of_is_the_same_kept_or_read() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _, bodies) = with_mail(folder.path()).await;
    let read = store.parsed_many(&bodies).unwrap();
    assert_eq!(store.previews(&bodies).unwrap()[..2], ["We go to the seaside.", "No plans yet."]);
    assert_eq!(read[0].envelope.subject.as_deref(), Some(&b"Holiday plans"[..]));
    store.start_indexer();
    settle(&store);
    assert_eq!(rows(folder.path(), "parsed"), 4);
    assert_eq!(store.parsed_many(&bodies).unwrap(), read);
    assert_eq!(store.parsed(bodies[2].0, bodies[2].1).unwrap(), read[2]);
    assert_eq!(store.previews(&bodies).unwrap()[..2], ["We go to the seaside.", "No plans yet."]);
    let missing = Id::generate();
    assert!(store.parsed(missing, 5).is_err());
}

#[tokio::test]
async fn a_large_message_is_read_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_account(folder.path()).await;
    let text = format!("Subject: large\n\n{}needle\n", "word ".repeat(60_000));
    let bodies = [deliver(&store, account, &text).await];
    assert_eq!(found(&store, account, &Query::Body("word needle".into()), &bodies), [0]);
    store.start_indexer();
    settle(&store);
    assert_eq!(found(&store, account, &Query::Body("word needle".into()), &bodies), [0]);
    assert_eq!(store.parsed(bodies[0].0, bodies[0].1).unwrap().root.size(), text.len() as u64 + 3 - 18);
}

#[tokio::test]
async fn what_is_longer_than_what_is_kept_is_found_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_account(folder.path()).await;
    let line = format!("{}\n", "word ".repeat(150).trim_end());
    let long = line.repeat(message::text::MAX_BODY / line.len() + 10);
    let fields = format!("X: {line}").repeat(message::text::MAX_HEADER / line.len() + 10);
    let parts = "Content-Type: multipart/mixed; boundary=b\n\n--b\n";
    let mut bodies = Vec::new();
    for text in [
        format!("{fields}X-Last: finch\n\nshort\n"),
        format!("Subject: x\n\n{long}caf\u{e9} finch\n"),
        format!("Subject: x\n{parts}\n{long}\n--b\nContent-Type: image/png; name=finch\n\n\n--b--\n"),
        format!("Subject: x\n{parts}Content-Type: message/rfc822\n\n{fields}X: finch\n\n{long}\n--b--\n"),
        format!("Subject: x\n\n{long}nothing\n"),
    ] {
        bodies.push(deliver(&store, account, &text).await);
    }
    let check = || {
        let found = |query: Query| found(&store, account, &query, &bodies);
        let field = |name: &str, needle: &str| Query::Header { name: name.into(), needle: needle.into() };
        assert_eq!(found(Query::Text("FINCH".into())), [0, 1, 2, 3]);
        // The name of an attachment is of the body.
        assert_eq!(found(Query::Body("finch".into())), [1, 2, 3]);
        assert_eq!(found(Query::Body("d\r\ncafe\u{301} finch\r\n".into())), [1]);
        assert_eq!(found(Query::Body("word nothing".into())), [0; 0]);
        assert_eq!(found(field("x-last", "finch")), [0]);
        assert_eq!(found(field("x-last", "")), [0]);
        assert_eq!(found(field("x", "finch")), [0; 0]);
        assert_eq!(found(field("content-type", "png")), [0; 0]);
    };
    check();
    store.start_indexer();
    settle(&store);
    check();
}

#[tokio::test]
async fn fields_of_parts_are_found_by_text_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account) = with_account(folder.path()).await;
    let text = "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\nContent-ID: <1@finch>\n\n\n--b--\n";
    let bodies = [deliver(&store, account, text).await];
    for _ in 0..2 {
        let found = |query: Query| found(&store, account, &query, &bodies).len();
        assert_eq!(found(Query::Text("Content-ID: <1@FINCH>".into())), 1);
        assert_eq!(found(Query::Text("image/png".into())), 1);
        assert_eq!(found(Query::Body("finch".into())), 0);
        assert_eq!(found(Query::Header { name: "Content-ID".into(), needle: String::new() }), 0);
        store.start_indexer();
        settle(&store);
    }
}

#[tokio::test]
async fn a_search_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account, bodies) = with_mail(folder.path()).await;
    let mut told = 0;
    let stop = |_, _| {
        told += 1;
        ControlFlow::Break(())
    };
    assert_eq!(store.search(account, &Query::Text("plans".into()), &bodies, stop).unwrap(), None);
    assert_eq!(told, 1);
}

#[tokio::test]
async fn what_is_removed_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account, bodies) = with_mail(folder.path()).await;
    store.start_indexer();
    settle(&store);
    let inbox = store.inbox(account).unwrap();
    store.remove_messages(inbox.id, vec![1]).await.unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while rows(folder.path(), "document") > 3 {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!((rows(folder.path(), "text"), rows(folder.path(), "document")), (3, 3));
    assert_eq!(found(&store, account, &Query::Text("plans".into()), &bodies[1..]), [0]);
}

#[tokio::test]
async fn a_damaged_index_is_set_aside_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account, bodies) = with_mail(folder.path()).await;
    store.start_indexer();
    settle(&store);
    drop(store);
    std::fs::write(folder.path().join("search.db"), [b'z'; 40_000]).unwrap();
    let _ = std::fs::remove_file(folder.path().join("search.db-wal"));
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    check_all(&store, account, &bodies);
    store.start_indexer();
    settle(&store);
    check_all(&store, account, &bodies);
    let aside = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().starts_with("search.db.damaged-")
    };
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().map(aside).filter(|aside| *aside).count(), 1);
}

#[tokio::test]
async fn an_index_that_is_damaged_while_it_is_used_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account, bodies) = with_mail(folder.path()).await;
    store.start_indexer();
    settle(&store);
    store.inner.search.failed(&StoreError::Damaged("search.db".into()));
    check_all(&store, account, &bodies);
    settle(&store);
    check_all(&store, account, &bodies);
    assert_eq!(rows(folder.path(), "document"), 4);
}

#[tokio::test]
async fn a_check_finds_damage_and_has_it_mended() {
    use std::os::unix::fs::FileExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (store, account, bodies) = with_mail(folder.path()).await;
    store.start_indexer();
    settle(&store);
    drop(store);
    let path = folder.path().join("search.db");
    // Else the write-ahead log has all that is damaged below.
    let db = Connection::open(&path).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let page: i64 = db
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'parsed'", [], |row| row.get(0))
        .unwrap();
    drop(db);
    let at = (u64::try_from(page).unwrap() - 1) * 16_384;
    std::fs::File::options().write(true).open(&path).unwrap().write_all_at(&[b'z'; 16_384], at).unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    assert_eq!(store.check().unwrap().len(), 1);
    store.start_indexer();
    settle(&store);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    check_all(&store, account, &bodies);
}

#[tokio::test]
async fn without_an_index_the_messages_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account, bodies) = with_mail(folder.path()).await;
    std::fs::create_dir(folder.path().join("search.db")).unwrap();
    store.start_indexer();
    check_all(&store, account, &bodies);
    assert!(store.search_status().unwrap().trouble.is_some());
}

#[tokio::test]
async fn the_index_is_rebuilt_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account, bodies) = with_mail(folder.path()).await;
    store.start_indexer();
    settle(&store);
    store.rebuild_search();
    check_all(&store, account, &bodies);
    settle(&store);
    check_all(&store, account, &bodies);
    assert_eq!(rows(folder.path(), "document"), 4);
    drop(store);
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    store.rebuild_search();
    settle(&store);
    assert_eq!(rows(folder.path(), "document"), 4);
}

#[tokio::test]
async fn an_index_that_has_grown_since_a_search_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (store, account, bodies) = with_mail(folder.path()).await;
    store.start_indexer();
    settle(&store);
    let db = open_or_replace(folder.path()).unwrap();
    let number = sqlite::owner(&db, account).unwrap();
    let bounds = Bounds { few: 0, ..Bounds::default() };
    let found =
        find(
            &store,
            account,
            &Query::Text("plans".into()),
            &bodies,
            bounds,
            |_, _| ControlFlow::Continue(()),
        );
    assert_eq!(found.unwrap().unwrap().len(), 2);
    // Each is a segment of its own, and they are merged into others.
    for word in 0..300 {
        let extract = Extract {
            header: "SUBJECT: X".into(),
            content: format!("WORD{word}").repeat(300),
            cut: Cut::default(),
        };
        sqlite::add(&db, number, Id::generate(), &extract).unwrap();
    }
    assert_eq!(store.check_search(), Vec::<String>::new());
}

/// Pieces that meet where words are folded, characters composed, or an expression of FTS5 is written.
const PIECES: [&str; 44] = [
    "a",
    "b",
    "AB",
    "aBa",
    " ",
    "\"",
    "'",
    " AND ",
    " OR ",
    "NOT ",
    "NEAR(",
    "*",
    "^",
    ":",
    "{",
    "}",
    "ß",
    "ẞ",
    "ss",
    "İ",
    "i\u{307}",
    "ı",
    "I",
    "é",
    "e\u{301}",
    "日",
    "本",
    "語",
    "한",
    "👍🏽",
    "👨\u{200d}👩",
    "\0",
    "\u{feff}",
    "\u{fffe}",
    "\u{fffd}",
    "\u{10ffff}",
    "\t",
    "(",
    "-",
    "+",
    "σ",
    "Σ",
    "ﬁ",
    "\u{300}",
];

fn words(pieces: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), pieces).prop_map(|pieces| pieces.concat())
}

/// What the definition says, in other words than [`Matcher`].
fn naive(query: &Query, extract: &Extract) -> bool {
    match query {
        Query::Text(needle) => [&extract.header, &extract.content].iter().any(|t| t.contains(&fold(needle))),
        Query::Body(needle) => extract.content.contains(&fold(needle)),
        Query::Header { name, needle } => {
            extract.header.split(SEPARATOR).next().unwrap().lines().any(|line| {
                line.split_once(": ")
                    .is_some_and(|(own, value)| own == fold(name) && value.contains(&fold(needle)))
            })
        }
    }
}

/// The index's answer.
fn indexed(db: &Connection, account: Id, query: &Query) -> Vec<Id> {
    let (matcher, mut found) = (Matcher::new(query), Vec::new());
    let range = sqlite::range(db, account).unwrap().unwrap();
    let mut look = |body: Id| {
        let matches = sqlite::with_text(db, body, |header, content, _| matcher.matches(header, content));
        if matches.unwrap().unwrap() {
            found.push(body);
        }
    };
    match matcher.expression() {
        Some(expression) => sqlite::candidates(db, &expression, range, |_, body| {
            look(body);
            Ok(true)
        })
        .unwrap(),
        None => {
            sqlite::documents(db, range, 1_000).unwrap().into_iter().for_each(|document| look(document.body))
        }
    }
    found
}

/// One for all cases: each has an account of its own.
static INDEX: LazyLock<(tempfile::TempDir, Mutex<Connection>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let db = open_or_replace(folder.path()).unwrap();
    (folder, Mutex::new(db))
});

proptest! {
    #[test]
    fn the_index_answers_as_reading_everything_would(
        texts in prop::collection::vec((words(0..8), words(0..30)), 1..8),
        kind in 0..3,
        needle in words(0..6),
        (from, start, length) in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..9usize),
    ) {
        // Half of the needles are cut from a text, so that they are found.
        let text: Vec<char> = texts[from.index(texts.len())].1.chars().collect();
        let cut: String = text.iter().skip(start.index(text.len() + 1)).take(length).collect();
        let needle = if length % 2 == 0 { cut } else { needle };
        let query = match kind {
            0 => Query::Text(needle),
            1 => Query::Body(needle),
            _ => Query::Header { name: "Subject".into(), needle },
        };
        let (account, db) = (Id::generate(), INDEX.1.lock().unwrap_or_else(PoisonError::into_inner));
        let transaction = db.unchecked_transaction().unwrap();
        let number = sqlite::owner(&db, account).unwrap();
        let mut expected = Vec::new();
        for (subject, content) in texts {
            let extract = Extract { header: format!("SUBJECT: {}\nTO: X", fold(&subject)), content: fold(&content), cut: Cut::default() };
            let body = Id::generate();
            sqlite::keep(&db, body, &extract).unwrap();
            sqlite::add(&db, number, body, &extract).unwrap();
            if naive(&query, &extract) {
                expected.push(body);
            }
        }
        transaction.commit().unwrap();
        prop_assert_eq!(indexed(&db, account, &query), expected, "{:?}", query);
    }
}

/// A message of parts, and what it says, put together by hand.
fn composed(subject: &str, parts: &[(String, bool)]) -> (String, Extract) {
    let escaped = |text: &str| text.bytes().map(|octet| format!("={octet:02X}")).collect::<String>();
    let (mut mail, mut header) = (String::new(), String::new());
    let mut field = |header: &mut String, line: &str, decoded: &str| {
        mail += line;
        *header += decoded;
    };
    field(
        &mut header,
        &format!("Subject: =?utf-8?Q?{}?=\n", escaped(subject)),
        &format!("Subject: {}\n", subject.replace('\0', "")),
    );
    let kind = "Content-Type: multipart/mixed; boundary=b\n";
    field(&mut header, kind, kind);
    let (mut mime, mut body) = (String::new(), String::new());
    let fields = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n";
    let filler = format!("{}\n", "fill".repeat(200));
    for (text, is_long) in parts {
        let filler = filler.repeat(if *is_long { message::text::MAX_BODY / filler.len() + 1 } else { 0 });
        mail += &format!("\n--b\n{fields}\n{filler}{}", escaped(text));
        mime += fields;
        body += &format!("{filler}{text}");
        body += if filler.is_empty() && text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    }
    mail += "\n--b--\n";
    let header = format!("{}{SEPARATOR}{}", fold(&header), fold(&mime));
    (mail, Extract { header, content: fold(&body), cut: Cut::default() })
}

/// One for all cases, whose bodies are their own.
static STORE: LazyLock<(tempfile::TempDir, tokio::runtime::Runtime, Store, Id)> = LazyLock::new(|| {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let (store, account) = runtime.block_on(with_account(folder.path()));
    store.start_indexer();
    (folder, runtime, store, account)
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn messages_are_found_by_what_they_say(
        mails in prop::collection::vec(
            (words(0..4), prop::collection::vec((words(0..9), prop::bool::weighted(0.1)), 1..3)), 1..4),
        kind in 0..3,
        needle in words(0..6),
        (from, start, length) in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..9usize),
    ) {
        let (_, runtime, store, account) = &*STORE;
        let text: Vec<char> = mails[from.index(mails.len())].1[0].0.chars().collect();
        let cut: String = text.iter().skip(start.index(text.len() + 1)).take(length).collect();
        let needle = if length % 2 == 0 { cut } else { needle };
        let query = match kind {
            0 => Query::Text(needle),
            1 => Query::Body(needle),
            _ => Query::Header { name: "Subject".into(), needle },
        };
        let (mut bodies, mut expected) = (Vec::new(), Vec::new());
        for (place, (subject, parts)) in mails.iter().enumerate() {
            let (mail, extract) = composed(subject, parts);
            bodies.push(runtime.block_on(deliver(store, *account, &mail)));
            expected.extend(naive(&query, &extract).then_some(place));
        }
        let sorted = |mut places: Vec<usize>| {
            places.sort_unstable();
            places
        };
        prop_assert_eq!(&sorted(found(store, *account, &query, &bodies)), &expected, "{:?}", query);
        settle(store);
        prop_assert_eq!(&sorted(found(store, *account, &query, &bodies)), &expected, "{:?} indexed", query);
    }
}
