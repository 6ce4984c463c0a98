//! Snapshots: what the data was at one moment.

use crate::BackupError;
use crate::name::{Name, checksum};
use crate::repository::{Repository, list, write_file};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use store::Id;

/// UIDs whose messages are stored together: a change of one message stores this many again, some 50 KB.
pub(crate) const PART: u32 = 512;

/// The first and the last UID of a part.
pub(crate) fn uids_of(part: u32) -> (u32, u32) {
    let first = part.saturating_mul(PART);
    (first, first.saturating_add(PART - 1))
}

/// The messages of a folder, by parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Folder {
    /// The modification sequence up to which they are known.
    pub(crate) modseq: u64,
    pub(crate) parts: BTreeMap<u32, Name>,
}

/// What the data was at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Milliseconds since 1970.
    pub at: i64,
    pub schema: u32,
    pub installation: Id,
    pub accounts: u64,
    pub folders: u64,
    pub messages: u64,
    /// Of these messages.
    pub octets: u64,
    /// Messages in the queue.
    pub queued: u64,
    /// The files that it is in, and others; one that is missing says that something was lost.
    pub(crate) packs: Vec<String>,
    pub(crate) tables: Vec<Name>,
    pub(crate) mailboxes: BTreeMap<Id, Folder>,
}

impl Snapshot {
    /// When it was made, in UTC, for people.
    pub fn time(&self) -> String {
        let at = Timestamp::from_millisecond(self.at).unwrap_or_default();
        at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
    }

    fn path(&self, folder: &Path) -> Result<PathBuf, BackupError> {
        let at = Timestamp::from_millisecond(self.at).map_err(|e| BackupError::Other(e.to_string()))?;
        Ok(folder.join("snapshots").join(at.strftime("%Y%m%dT%H%M%S.%3fZ.json").to_string()))
    }

    /// The rows of its messages.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Name> + '_ {
        self.mailboxes.values().flat_map(|folder| folder.parts.values().copied())
    }

    /// Writes it: from here on it can be restored. All that it names must be durable.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let mut text = serde_json::to_string(self).map_err(|e| BackupError::Other(e.to_string()))?;
        let sum = HEXLOWER.encode(&checksum(&[text.as_bytes()]));
        text.push('\n');
        text.push_str(&sum);
        text.push('\n');
        write_file(&self.path(folder)?, text.as_bytes())
    }

    fn read(path: &Path) -> Result<Self, BackupError> {
        let text = std::fs::read_to_string(path).map_err(|e| BackupError::file(path, e))?;
        let damaged = || {
            let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            BackupError::Damaged(format!("snapshots/{file}"))
        };
        let (json, sum) = text.split_once('\n').ok_or_else(damaged)?;
        if HEXLOWER.encode(&checksum(&[json.as_bytes()])) != sum.trim_end() {
            return Err(damaged());
        }
        serde_json::from_str(json).map_err(|_| damaged())
    }

    pub(crate) fn remove(&self, folder: &Path) -> Result<(), BackupError> {
        let path = self.path(folder)?;
        std::fs::remove_file(&path).map_err(|e| BackupError::file(&path, e))?;
        crate::pack::sync_parent(&path)
    }
}

/// Snapshots, and what is wrong with those that cannot be read.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// Oldest first.
    pub good: Vec<Snapshot>,
    pub damaged: Vec<String>,
}

impl Repository {
    pub fn snapshots(&self) -> Result<Snapshots, BackupError> {
        let mut found = Snapshots::default();
        for path in list(&self.folder().join("snapshots"), "json")? {
            match Snapshot::read(&path) {
                Ok(snapshot) => found.good.push(snapshot),
                Err(BackupError::Damaged(what)) => found.damaged.push(what),
                Err(error) => return Err(error),
            }
        }
        found.good.sort_by_key(|snapshot| snapshot.at);
        Ok(found)
    }

    /// The newest snapshot that was made not after a moment, in milliseconds since 1970; without one the newest.
    pub fn snapshot_at(&self, moment: Option<i64>) -> Result<Snapshot, BackupError> {
        let all = self.snapshots()?;
        let newest = all.good.into_iter().rfind(|one| moment.is_none_or(|moment| one.at <= moment));
        newest.ok_or_else(|| {
            let when = if moment.is_some() { " from that time or before" } else { "" };
            BackupError::Refused(format!("there is no back-up{when} in {}", self.folder().display()))
        })
    }
}
