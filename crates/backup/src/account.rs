//! Bringing mail of one account back into data that lives on.
//!
//! The rows of the account are put into a store of their own, in a folder that goes afterwards: so they are read as
//! today's, whichever schema they are of.

use crate::BackupError;
use crate::name::Name;
use crate::repository::Repository;
use crate::run::Progress;
use crate::snapshot::Snapshot;
use address::Address;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use store::backup::{Loader, Messages, Table};
use store::mailbox::{Mailbox, Summary, UidRuns};
use store::{Id, Options, Store};

/// Messages that are asked about at once.
const PAGE: usize = 500;
/// Octets of messages that are put at once; one message more may be in it.
const BATCH: usize = 4 << 20;
/// Messages that are put at once.
const MAX_BATCH: usize = 200;

/// A message that was backed up.
#[derive(Debug, Clone)]
pub struct Back {
    pub summary: Summary,
    pub prefix: Bytes,
    pub body: Bytes,
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    Restored,
    /// It is there.
    Known,
    Failed(String),
}

/// Where messages are put.
pub trait Sink {
    /// Sees to it that there is a folder of this name.
    fn prepare(&self, folder: &Mailbox) -> impl Future<Output = Result<(), BackupError>>;
    /// Of each message, whether it is missing.
    fn missing(
        &self,
        folder: &str,
        messages: &[Summary],
    ) -> impl Future<Output = Result<Vec<bool>, BackupError>>;
    fn put(&self, folder: &str, messages: Vec<Back>) -> impl Future<Output = Result<Vec<Put>, BackupError>>;
}

/// What was restored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// The snapshot's moment, in milliseconds since 1970.
    pub at: i64,
    pub account: String,
    pub folders: Vec<FolderReport>,
    /// What could not be restored.
    pub failed: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderReport {
    pub folder: String,
    /// In the back-up.
    pub messages: u64,
    pub restored: u64,
    /// Those that are there.
    pub known: u64,
    pub failed: u64,
}

/// Puts the messages of an account that are missing into its folders; `wanted`: of which folders.
///
/// # Errors
/// [`BackupError::Refused`] when the back-up has no such account, or none of these folders.
pub async fn account(
    repository: &Repository,
    snapshot: &Snapshot,
    address: &Address,
    wanted: impl Fn(&str) -> bool,
    sink: &impl Sink,
    progress: &impl Progress,
) -> Result<AccountReport, BackupError> {
    let scratch = Scratch::new()?;
    let mut report =
        AccountReport { at: snapshot.at, account: address.to_string(), ..AccountReport::default() };
    load(repository, snapshot, address, &scratch.0, &mut report.failed)?;
    let store = Store::open(&scratch.0, &Options::default())?;
    let domain = address.domain().map(|domain| store.account(domain, &address.local().folded()));
    let none = || BackupError::Refused(format!("there is no account {address} in that back-up"));
    let owner = domain.transpose()?.flatten().ok_or_else(none)?.id;
    let folders: Vec<Mailbox> =
        store.mailboxes(owner)?.into_iter().filter(|folder| wanted(&folder.name)).collect();
    if folders.is_empty() {
        return Err(BackupError::Refused(format!("{address} has no such folder in that back-up")));
    }
    let of = folders.iter().map(|folder| folder.messages).sum();
    for folder in &folders {
        sink.prepare(folder).await?;
        let mut one = Restoring {
            repository,
            sink,
            report: FolderReport { folder: folder.name.clone(), ..FolderReport::default() },
            failed: &mut report.failed,
            waiting: Vec::new(),
            octets: 0,
        };
        let before: u64 = report.folders.iter().map(|one| one.messages).sum();
        one.folder(&store, folder, &|read| progress.at(before + read, of)).await?;
        let one = one.report;
        report.folders.push(one);
    }
    Ok(report)
}

fn load(
    repository: &Repository,
    snapshot: &Snapshot,
    address: &Address,
    folder: &Path,
    failed: &mut Vec<String>,
) -> Result<(), BackupError> {
    let mut loader = Loader::new(folder, snapshot.schema)?;
    for name in &snapshot.tables {
        loader.load(&repository.get_rows::<Table>(*name)?)?;
    }
    for (id, name) in loader.folders(Some(address))? {
        let parts = snapshot.mailboxes.get(&id).into_iter().flat_map(|folder| folder.parts.values());
        for part in parts {
            match repository.get_rows::<Messages>(*part) {
                Ok(part) => [part.messages, part.prefixes].iter().try_for_each(|table| loader.load(table))?,
                Err(BackupError::Damaged(what)) => failed.push(format!("{name}: {what} is damaged")),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(loader.finish_rows()?)
}

/// A folder that is being restored.
struct Restoring<'a, S> {
    repository: &'a Repository,
    sink: &'a S,
    report: FolderReport,
    failed: &'a mut Vec<String>,
    waiting: Vec<Back>,
    octets: usize,
}

impl<S: Sink> Restoring<'_, S> {
    async fn folder(
        &mut self,
        store: &Store,
        folder: &Mailbox,
        progress: &impl Fn(u64),
    ) -> Result<(), BackupError> {
        let (all, mut after) = (UidRuns::from(1..=u32::MAX), 0);
        loop {
            let page = store.prefixes(folder.id, &all, 0, after, PAGE)?;
            let Some((last, _)) = page.last() else { return self.put().await };
            after = last.uid;
            let summaries: Vec<Summary> = page.iter().map(|(summary, _)| summary.clone()).collect();
            let missing = self.sink.missing(&folder.name, &summaries).await?;
            for ((summary, prefix), missing) in page.into_iter().zip(missing) {
                self.report.messages += 1;
                if missing {
                    self.take(summary, prefix).await?;
                } else {
                    self.report.known += 1;
                }
            }
            progress(self.report.messages);
        }
    }

    async fn take(&mut self, summary: Summary, prefix: Bytes) -> Result<(), BackupError> {
        match self.repository.get(Name::body(summary.body)) {
            Ok(body) => {
                self.octets += body.len();
                self.waiting.push(Back { summary, prefix, body: body.into() });
            }
            Err(BackupError::Damaged(what)) => self.fail(summary.uid, &format!("{what} is damaged")),
            Err(error) => return Err(error),
        }
        if self.octets > BATCH || self.waiting.len() >= MAX_BATCH { self.put().await } else { Ok(()) }
    }

    async fn put(&mut self) -> Result<(), BackupError> {
        self.octets = 0;
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let uids: Vec<u32> = waiting.iter().map(|back| back.summary.uid).collect();
        let outcomes = self.sink.put(&self.report.folder, waiting).await?;
        for (uid, outcome) in uids.into_iter().zip(outcomes) {
            match outcome {
                Put::Restored => self.report.restored += 1,
                Put::Known => self.report.known += 1,
                Put::Failed(why) => self.fail(uid, &why),
            }
        }
        Ok(())
    }

    fn fail(&mut self, uid: u32, why: &str) {
        self.report.failed += 1;
        self.failed.push(format!("{}, message {uid}: {why}", self.report.folder));
    }
}

/// A folder for its owner alone, which goes when it is done with.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, BackupError> {
        let path = std::env::temp_dir().join(format!("waypost-restore-{}", Id::generate()));
        // Not one that is there: somebody else may have made it.
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|e| BackupError::file(&path, e))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
