mod answers;

use super::super::open::OpenMailbox;
use super::super::view::View;
use super::*;
use bytes::Bytes;
use imap::search::{FlagKey, SearchFlag, SearchKey};
use imap::{Flag, SequenceSet};
use jiff::Timestamp;
use store::directory::{AccountRecord, DomainKind, DomainRecord};
use store::mailbox::{Keywords, NewCopy, Summary, flag};
use store::{Body, Options};

/// By which ages are counted.
const NOW: Timestamp = Timestamp::constant(1_583_200_000, 0);

/// A folder with messages.
struct World {
    store: Store,
    account: Id,
    inbox: Id,
    view: View,
    rows: Vec<Summary>,
    _folder: tempfile::TempDir,
}

fn copy(body: &Body, prefix: &'static str, flags: u32) -> NewCopy {
    let (prefix, keywords) = (Bytes::from_static(prefix.as_bytes()), Keywords::default());
    NewCopy { prefix, body: body.clone(), flags, keywords, received: 0 }
}

impl World {
    /// With a view of the first messages, so many.
    async fn of(copies: Vec<NewCopy>, count: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let name = "example.org".parse().unwrap();
        let domain =
            DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
        store.add_domain(domain, Vec::new()).await.unwrap();
        let record = AccountRecord::new("me@example.org".parse().unwrap());
        let account = record.id;
        store.add_account(record, None).await.unwrap();
        let inbox = store.inbox(account).unwrap().id;
        store.append(inbox, copies).await.unwrap();
        let rows = store.messages(inbox, 0, 100).unwrap();
        let view = View::new(OpenMailbox::with(count), true);
        Self { store, account, inbox, view, rows, _folder: folder }
    }

    /// With seven messages.
    async fn new() -> Self {
        let body = |words: &str| Body::from_bytes(format!("Subject: x\r\n\r\n{words}\r\n"));
        let (red, blue, green) = (body("red"), body("blue"), body("green"));
        let copies = vec![
            copy(&blue, "", flag::SEEN),
            // Two copies of one body: what is above one of them is not above the other.
            copy(&red, "X-Above: blue\r\n", 0),
            copy(&red, "", 0),
            copy(&body("blue red"), "", flag::FLAGGED),
            copy(&green, "", 0),
            copy(&blue, "", 0),
            copy(&green, "", flag::FLAGGED),
        ];
        Self::of(copies, 7).await
    }

    async fn find(&self, key: &SearchKey, page: usize, bounds: Bounds) -> Found {
        let criteria = Criteria::new(key, &self.view, NOW).unwrap();
        let uids = criteria.within(self.view.uids());
        let rounds = 1 + criteria.words.len() as u64;
        let progress = Arc::new(Progress::of(rounds * u64::from(uids.len())));
        let pages = Pages::new(self.store.clone(), self.inbox, uids).of_rows(page);
        let pages = criteria.read(pages);
        let found = matching(self.store.clone(), self.account, pages, criteria, bounds, &progress).await;
        let (done, total) = progress.numbers();
        assert_eq!(done, total);
        found.unwrap()
    }

    /// However few rows are read, and kept, at once.
    async fn check(&self, key: SearchKey, expected: &[u32]) {
        let modseqs = self.rows.iter().filter(|row| expected.contains(&row.uid)).map(|row| row.modseq);
        let modseq = modseqs.max().unwrap_or(0);
        for page in [2, 100] {
            for few in [1, 3, 100] {
                for bounds in
                    [Bounds { candidates: few, formulas: 100 }, Bounds { candidates: 100, formulas: few }]
                {
                    let found = self.find(&key, page, bounds).await;
                    let uids: Vec<u32> = found.uids.iter().collect();
                    assert_eq!(uids, expected, "{key:?}, pages of {page}, {bounds:?}");
                    assert_eq!(found.modseq, modseq, "{key:?}");
                }
            }
        }
    }
}

fn text(words: &str) -> SearchKey {
    SearchKey::Text(words.into())
}

fn body(words: &str) -> SearchKey {
    SearchKey::Body(words.into())
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

fn or(one: SearchKey, other: SearchKey) -> SearchKey {
    SearchKey::Or(Box::new((one, other)))
}

fn has(flag: Flag, set: bool) -> SearchKey {
    SearchKey::Flag(FlagKey { flag: SearchFlag::System(flag), set })
}

fn uids(from: u32, to: u32) -> SearchKey {
    let number = imap::SeqNumber::Number;
    SearchKey::Uid(SequenceSet::Numbers(vec![(number(from), number(to))]))
}

#[tokio::test]
async fn what_a_key_names_is_found() {
    let world = World::new().await;
    let header = |needle: &str| SearchKey::Header { name: "x-above".into(), needle: needle.into() };
    for (key, expected) in [
        (SearchKey::All, &[1, 2, 3, 4, 5, 6, 7][..]),
        (has(Flag::Seen, true), &[1]),
        (text("blue"), &[1, 2, 4, 6]),
        (body("blue"), &[1, 4, 6]),
        (header("blue"), &[2]),
        (header(""), &[2]),
        (header("red"), &[]),
        (not(text("blue")), &[3, 5, 7]),
        (SearchKey::And(vec![has(Flag::Seen, false), text("blue")]), &[2, 4, 6]),
        (SearchKey::And(vec![body("blue"), body("red")]), &[4]),
        (SearchKey::And(vec![uids(2, 4), text("blue")]), &[2, 4]),
        (SearchKey::And(vec![uids(2, 6), uids(1, 3), not(body("green"))]), &[2, 3]),
        (or(has(Flag::Flagged, true), body("blue")), &[1, 4, 6, 7]),
        (or(body("red"), body("green")), &[2, 3, 4, 5, 7]),
        (not(or(text("blue"), body("red"))), &[5, 7]),
        (or(SearchKey::And(vec![has(Flag::Flagged, true), text("green")]), text("x-above")), &[2, 7]),
        (or(uids(1, 1), uids(7, 7)), &[1, 7]),
    ] {
        world.check(key, expected).await;
    }
}
