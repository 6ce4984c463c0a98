//! Reports about domains (DMARC, TLS): what is counted until it is sent, and what has come.
//!
//! What exactly is counted and what a report says is the `reports` crate's: here they are texts and octets.

mod sqlite;

use crate::{Id, Store, StoreError};
use address::Domain;
use serde::{Deserialize, Serialize};

/// Most different things that are counted for one domain and day: what comes beyond is not, and its report is large enough.
pub const MAX_KEYS: u64 = 10_000;
/// Most reports that are kept about one domain; the oldest go.
pub const MAX_REPORTS: u64 = 10_000;

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// A day's messages of a domain (RFC 9990).
    Dmarc,
    /// A day's connections to a domain's hosts (RFC 8460).
    Tls,
    /// One message that failed (RFC 9991).
    Failure,
}

/// Something that was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub kind: ReportKind,
    /// Days since 1970, UTC.
    pub day: u32,
    pub domain: Domain,
    pub key: String,
    pub count: u64,
}

/// A report that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub kind: ReportKind,
    pub day: u32,
    pub domain: Domain,
}

/// A report that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReport {
    pub id: Id,
    pub kind: ReportKind,
    pub domain: Domain,
    pub organization: String,
    /// The Report-ID.
    pub name: String,
    /// Seconds since 1970.
    pub start: u64,
    pub stop: u64,
    /// Milliseconds since 1970.
    pub received: i64,
    /// Messages or sessions, and those of them that failed.
    pub total: u64,
    pub failed: u64,
    pub content: Vec<u8>,
}

/// Where a report went that is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// The domains of the addresses that it was mailed to.
    pub mailed: Vec<Domain>,
    /// What is to be posted, and where.
    pub posts: Vec<NewPost>,
}

/// A report for a web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPost {
    pub uri: String,
    pub content: Vec<u8>,
}

/// A report that waits until a web server takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub id: Id,
    /// That it is about.
    pub domain: Domain,
    pub uri: String,
    pub retry: Retry,
}

/// How it stands with the attempts at something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// When the next is, in seconds since 1970.
    pub due: i64,
    /// How many failed.
    pub attempts: u32,
    /// When the last is, in seconds since 1970; 0 before the first.
    pub until: i64,
}

/// Up to which message a folder was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderMark {
    pub mailbox: Id,
    pub uidvalidity: u32,
    pub uid: u32,
}

impl Store {
    /// Adds to what is counted already. What would be more than [`MAX_KEYS`] for a domain and day is left out; returns how
    /// many tallies that were.
    pub async fn add_tallies(&self, tallies: Vec<Tally>) -> Result<u64, StoreError> {
        self.inner.committer.write(move |w| sqlite::add_tallies(w.db, &tallies)).await
    }

    /// The reports of days before `day`, by domain: at most `limit`.
    pub fn due_reports(&self, day: u32, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.inner.main.with(|db| sqlite::due(db, day, limit))
    }

    /// What was counted for one report.
    pub fn tallies(&self, due: &Due) -> Result<Vec<Tally>, StoreError> {
        self.inner.main.with(|db| sqlite::tallies(db, due))
    }

    /// Forgets what was counted: the report is sent as `sent` says, on the day `today`, or nobody wants it.
    pub async fn close_report(&self, due: Due, today: u32, sent: Sent) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::close(w.db, &due, today, &sent)).await
    }

    /// The reports whose next attempt is due by `now` (seconds since 1970), the most overdue first: at most `limit`.
    pub fn due_posts(&self, now: i64, limit: usize) -> Result<Vec<Post>, StoreError> {
        self.inner.main.with(|db| sqlite::due_posts(db, now, limit))
    }

    /// What is to be posted; none when that is done.
    pub fn post_content(&self, id: Id) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.main.with(|db| sqlite::post_content(db, id))
    }

    /// After an attempt: there is another, or with `None` it is done, or given up.
    pub async fn settle_post(&self, id: Id, retry: Option<Retry>) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::settle_post(w.db, id, retry)).await
    }

    /// How many reports of a kind were sent to addresses of a domain on a day.
    pub fn reports_sent(&self, due: &Due) -> Result<u64, StoreError> {
        self.inner.main.with(|db| sqlite::sent(db, due))
    }

    /// Keeps a report; whether it is new (a second copy is not).
    pub async fn add_report(&self, report: StoredReport) -> Result<bool, StoreError> {
        self.inner.committer.write(move |w| sqlite::add_report(w.db, &report)).await
    }

    /// The reports about a domain that came since a time (milliseconds since 1970), newest first: at most `limit`.
    pub fn reports(
        &self,
        domain: &Domain,
        since: i64,
        limit: usize,
    ) -> Result<Vec<StoredReport>, StoreError> {
        self.inner.main.with(|db| sqlite::reports(db, domain, since, limit))
    }

    /// Removes reports that came before a time, and what was not sent by a day.
    pub async fn forget_reports(&self, before: i64, day: u32) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::forget(w.db, before, day)).await
    }

    /// Where reading of a folder goes on.
    pub fn report_mark(&self, mailbox: Id) -> Result<Option<FolderMark>, StoreError> {
        self.inner.main.with(|db| sqlite::mark(db, mailbox))
    }

    pub async fn set_report_mark(&self, mark: FolderMark) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::set_mark(w.db, mark)).await
    }
}

#[cfg(test)]
mod tests;
