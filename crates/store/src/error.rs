//! What can go wrong with the data, sorted by who can do something about it.

use crate::Id;
use crate::queue::Full;
use std::path::PathBuf;

#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Too many writes wait already: temporary, nothing was written.
    #[error("the store is busy: {0} writes are waiting")]
    Busy(usize),
    /// The disk failed or is full. For a write that was under way the outcome is unknown (DESIGN.md, Trouble).
    #[error("the store cannot write now: {0}")]
    Unavailable(String),
    #[error("{0} is damaged; run `waypost check store`, then restore it from a back-up")]
    Damaged(String),
    #[error("{0} is in use by another process; stop that one, or use its control socket")]
    Locked(PathBuf),
    #[error("{0} is from a newer version of Waypost (schema {1}); use that version or a back-up")]
    Newer(String, i64),
    #[error("{0} already exists")]
    Exists(String),
    #[error("there is no {0}")]
    NotFound(String),
    #[error("{0}")]
    Refused(String),
    /// Copies that their mailboxes have no room for, by quota. Nothing was written, for the others neither.
    #[error("no room for {}", names(.0))]
    NoRoom(Vec<Full>),
    /// What a user asked for does not fit into the account's quota, or its domain's. Nothing of it was written.
    #[error("no room for account {0}")]
    OverQuota(Id),
    /// There are bounds to what is kept, and this would be past one.
    #[error("{0}")]
    Limit(String),
    #[error("cannot use {path}: {reason}")]
    File { path: PathBuf, reason: String },
    /// A statement that should always work did not: a bug in Waypost.
    #[error("internal error in the store: {0}")]
    Bug(String),
}

impl StoreError {
    /// Whether trying again later can help: to a peer 451, to a program status 75.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable(_) | Self::Locked(_))
    }

    pub(crate) fn file(path: impl Into<PathBuf>, error: impl std::fmt::Display) -> Self {
        Self::File { path: path.into(), reason: error.to_string() }
    }
}

fn names(full: &[Full]) -> String {
    full.iter().map(|full| full.recipient.to_string()).collect::<Vec<_>>().join(", ")
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(
                Code::SystemIoFailure
                | Code::DiskFull
                | Code::ReadOnly
                | Code::CannotOpen
                | Code::OutOfMemory,
            ) => Self::Unavailable(error.to_string()),
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::Damaged(error.to_string()),
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Unavailable(error.to_string()),
            _ => Self::Bug(error.to_string()),
        }
    }
}
