//! A store to back up, and what it looks like.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]
#![allow(dead_code, reason = "each test file uses a part of them")]

use address::Address;
use backup::{PruneReport, Repository, RunReport, Source};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::backup::QueueFate;
use store::directory::{AccountRecord, DomainKind, DomainRecord};
use store::mailbox::{FlagChange, FlagMode, Keywords, NewCopy, UidRuns};
use store::{Body, Id, Options, Store};
use tempfile::TempDir;

pub(crate) const USER: &str = "me@example.org";

/// `uid flags keywords received: text` of each message, by folder.
pub(crate) type Picture = BTreeMap<String, Vec<String>>;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) account: Id,
    pub(crate) place: TempDir,
}

impl World {
    /// Removed messages are gone at once.
    pub(crate) async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let options = Options { undelete: Duration::ZERO, ..Options::default() };
        let store = Store::open(&place.path().join("data"), &options).unwrap();
        let name = "example.org".parse().unwrap();
        let domain =
            DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
        store.add_domain(domain, Vec::new()).await.unwrap();
        let account = AccountRecord::new(USER.parse().unwrap());
        let id = account.id;
        store.add_account(account, None).await.unwrap();
        Self { store, account: id, place }
    }

    pub(crate) fn backups(&self) -> PathBuf {
        self.place.path().join("backups")
    }

    pub(crate) async fn back_up(&self) -> RunReport {
        self.back_up_from(&self.store).await.unwrap()
    }

    pub(crate) async fn back_up_from(&self, source: &impl Source) -> Result<RunReport, backup::BackupError> {
        let facts = source.facts().await?;
        let mut repository = Repository::create(&self.backups(), facts.installation)?;
        backup::run(source, &facts, &mut repository, &|_, _| ()).await
    }

    pub(crate) fn prune(&self, newest: u32) -> PruneReport {
        let mut repository = Repository::change(&self.backups()).unwrap();
        let keep = backup::Keep { newest: Some(newest), days: None };
        backup::prune(&mut repository, keep, Id::generate().unix_ms()).unwrap()
    }

    /// The data as it was at a moment, in a folder of its own.
    pub(crate) fn restored(&self, at: i64, queue: QueueFate) -> (TempDir, Store, backup::WholeReport) {
        let repository = Repository::read(&self.backups()).unwrap();
        let snapshot = repository.snapshot_at(Some(at)).unwrap();
        assert_eq!(snapshot.at, at);
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let report = backup::whole(&repository, &snapshot, &data, queue, &|_, _| ()).unwrap();
        let store = Store::open(&data, &Options::default()).unwrap();
        (folder, store, report)
    }

    pub(crate) fn folder(&self, name: &str) -> Option<Id> {
        let all = self.store.mailboxes(self.account).unwrap();
        all.into_iter().find(|folder| folder.name == name).map(|folder| folder.id)
    }

    pub(crate) async fn append(&self, folder: Id, text: &str, flags: u32, keywords: &str) {
        let keywords: Keywords = keywords.split_whitespace().collect();
        let copy = NewCopy {
            prefix: Bytes::from(format!("X-Prefix: {text}\r\n")),
            body: Body::from_bytes(text.to_owned()),
            flags,
            keywords,
            received: 1_000,
        };
        self.store.append(folder, vec![copy]).await.unwrap();
    }

    pub(crate) async fn fill(&self, folder: Id, count: u32) {
        let copy = |number| NewCopy {
            prefix: Bytes::new(),
            body: Body::from_bytes(format!("message {number}")),
            flags: 0,
            keywords: Keywords::default(),
            received: i64::from(number),
        };
        for first in (0..count).step_by(500) {
            let copies = (first..count.min(first + 500)).map(copy).collect();
            self.store.append(folder, copies).await.unwrap();
        }
    }

    pub(crate) async fn flag(&self, folder: Id, uid: u32, flags: u32) {
        let change = FlagChange { mode: FlagMode::Replace, flags, keywords: Keywords::default() };
        self.store.set_flags(folder, uid, change, None).await.unwrap();
    }
}

/// All of an account.
pub(crate) async fn picture(store: &Store, account: &str) -> Picture {
    let address: Address = account.parse().unwrap();
    let owner = store.account(address.domain().unwrap(), &address.local().folded()).unwrap().unwrap().id;
    let mut picture = Picture::new();
    for folder in store.mailboxes(owner).unwrap() {
        let mut lines = Vec::new();
        let all = UidRuns::from(1..=u32::MAX);
        for (summary, prefix) in store.prefixes(folder.id, &all, 0, 0, 1_000_000).unwrap() {
            let body = store.body(summary.body, summary.body_size()).unwrap();
            let text = body.read(usize::MAX).await.unwrap();
            let text = [&prefix[..], &text[..]].concat();
            lines.push(format!(
                "{} {} {} {}: {}",
                summary.uid,
                summary.flags,
                summary.keywords.as_str(),
                summary.received,
                String::from_utf8_lossy(&text)
            ));
        }
        picture.insert(format!("{} {}", folder.name, folder.uidvalidity), lines);
    }
    picture
}

/// Changes an octet of a file.
pub(crate) fn damage(path: &Path, from_end: usize) {
    let mut octets = std::fs::read(path).unwrap();
    let place = octets.len() - from_end;
    octets[place] ^= 0x40;
    std::fs::write(path, octets).unwrap();
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}
