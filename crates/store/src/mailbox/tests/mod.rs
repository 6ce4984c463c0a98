//! Folders and messages as their users see them.

mod folders;
mod followed;
mod imported;
mod messages;
mod migration;
mod model;
mod removed;

use super::{FlagChange, FlagMode, Keywords, Mailbox, NewCopy, Summary, UidRuns, flag};
use crate::directory::AccountRecord;
use crate::tests::with_account_in;
use crate::{Body, Id, Options, Store, StoreError};
use std::time::Duration;
use tempfile::TempDir;

/// More than one slice.
const MANY: u32 = super::SLICE as u32 * 2 + 7;
const ALL: std::ops::RangeInclusive<u32> = 0..=u32::MAX;

/// A store with an account and its INBOX.
struct World {
    store: Store,
    account: Id,
    inbox: Id,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::keeping(Options::default().undelete).await
    }

    async fn keeping(undelete: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { undelete, ..Options::default() };
        let store = Store::open(folder.path(), &options).unwrap();
        let (store, account) = with_account_in(store).await;
        let inbox = store.inbox(account).unwrap().id;
        Self { store, account, inbox, folder }
    }

    /// The same data, opened again.
    async fn reopened(self) -> Self {
        let Self { store, account, inbox, folder } = self;
        drop(store);
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        Self { store, account, inbox, folder }
    }

    async fn make(&self, name: &str) -> Id {
        self.store.create_mailbox(self.account, name, None).await.unwrap().id
    }

    async fn fill(&self, mailbox: Id, count: u32) {
        let mut left = count as usize;
        while left > 0 {
            let now = left.min(super::MAX_APPENDED);
            let copies = (0..now).map(|_| new_copy("x", 0, "")).collect();
            self.store.append(mailbox, copies).await.unwrap();
            left -= now;
        }
    }

    async fn another(&self, address: &str, quota: Option<u64>) -> Id {
        let account = AccountRecord { quota, ..AccountRecord::new(address.parse().unwrap()) };
        let id = account.id;
        self.store.add_account(account, None).await.unwrap();
        id
    }

    async fn limit(&self, quota: Option<u64>) {
        let record = self.store.account_by_id(self.account).unwrap().unwrap();
        self.store.update_account(AccountRecord { quota, ..record }).await.unwrap();
    }

    fn get(&self, mailbox: Id) -> Mailbox {
        self.store.mailbox(mailbox).unwrap().unwrap()
    }

    fn list(&self, mailbox: Id) -> Vec<Summary> {
        self.store.messages(mailbox, 0, 1_000_000).unwrap()
    }

    fn uids(&self, mailbox: Id) -> UidRuns {
        self.store.uids(mailbox).unwrap()
    }

    fn names(&self) -> Vec<String> {
        self.store.mailboxes(self.account).unwrap().into_iter().map(|mailbox| mailbox.name).collect()
    }

    fn used(&self, account: Id) -> (u64, u64) {
        let record = self.store.account_by_id(account).unwrap().unwrap();
        (record.used_bytes, record.used_messages)
    }

    async fn purge(&self) {
        while self.store.purge(Id::generate().unix_ms()).await.unwrap() {}
    }

    /// What must always be so: counters are what counting finds, nothing is damaged.
    fn check(&self) {
        let mut used = (0, 0);
        for mailbox in self.store.mailboxes(self.account).unwrap() {
            let rows = self.list(mailbox.id);
            let count = |test: &dyn Fn(&Summary) -> bool| rows.iter().filter(|row| test(row)).count() as u64;
            assert_eq!(mailbox.messages, rows.len() as u64, "{}", mailbox.name);
            assert_eq!(mailbox.unseen, count(&|row| row.flags & flag::SEEN == 0), "{}", mailbox.name);
            assert_eq!(mailbox.deleted, count(&|row| row.flags & flag::DELETED != 0), "{}", mailbox.name);
            assert_eq!(mailbox.octets, rows.iter().map(|row| row.size).sum::<u64>(), "{}", mailbox.name);
            assert!(rows.iter().all(|row| row.modseq <= mailbox.modseq && row.uid < mailbox.uidnext));
            assert_eq!(self.uids(mailbox.id), rows.iter().map(|row| row.uid).collect());
            used = (used.0 + mailbox.octets, used.1 + mailbox.messages);
        }
        assert_eq!(self.used(self.account), used);
        assert_eq!(self.store.check().unwrap(), Vec::<String>::new());
    }

    /// Rows of a table, whosever they are.
    fn rows(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.store.inner.main.with(|db| Ok(db.query_row(&sql, [], |row| row.get(0))?)).unwrap()
    }
}

fn words(text: &str) -> Keywords {
    text.split(' ').collect()
}

fn new_copy(body: &str, flags: u32, keywords: &str) -> NewCopy {
    let (body, keywords) = (Body::from_bytes(body.to_owned()), words(keywords));
    NewCopy { prefix: bytes::Bytes::new(), body, flags, keywords, received: 1_000 }
}

fn change(mode: FlagMode, flags: u32, keywords: &str) -> FlagChange {
    FlagChange { mode, flags, keywords: words(keywords) }
}

fn runs(ranges: &[std::ops::RangeInclusive<u32>]) -> UidRuns {
    ranges.iter().cloned().collect()
}
