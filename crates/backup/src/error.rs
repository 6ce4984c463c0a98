//! What can go wrong with a back-up.

use std::path::{Path, PathBuf};
use store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("cannot use {path}: {reason}")]
    File { path: PathBuf, reason: String },
    #[error("{0} is damaged; `waypost backup --verify` says what else is")]
    Damaged(String),
    /// What was asked cannot be.
    #[error("{0}")]
    Refused(String),
    /// Trying again later can help.
    #[error("{0}")]
    Temporary(String),
    /// What the data was read from, or written to, said so.
    #[error("{0}")]
    Other(String),
}

impl BackupError {
    pub(crate) fn file(path: &Path, error: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_owned(), reason: error.to_string() }
    }
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            error if error.is_temporary() => Self::Temporary(text),
            StoreError::Exists(_) | StoreError::Refused(_) | StoreError::Newer(..) => Self::Refused(text),
            _ => Self::Other(text),
        }
    }
}
