//! Why an operation was not done, as it goes over the socket too.

use directory::DirectoryError;
use serde::{Deserialize, Serialize};
use store::StoreError;

/// The text says what was wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", content = "text", rename_all = "snake_case")]
pub enum AdminError {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Exists(String),
    /// What was asked cannot be.
    #[error("{0}")]
    Refused(String),
    /// The actor may not.
    #[error("{0}")]
    Denied(String),
    /// Trying again later can help: to a program status 75, over HTTP 503.
    #[error("{0}")]
    Temporary(String),
    /// The data is damaged, the disk failed, or there is a bug.
    #[error("{0}")]
    Failed(String),
}

impl AdminError {
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary(_))
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::NotFound(_) => Self::NotFound(text),
            StoreError::Exists(_) => Self::Exists(text),
            StoreError::Refused(_)
            | StoreError::NoRoom(_)
            | StoreError::OverQuota(_)
            | StoreError::Limit(_) => Self::Refused(text),
            StoreError::Busy(_) | StoreError::Unavailable(_) | StoreError::Locked(_) => Self::Temporary(text),
            StoreError::Damaged(_) | StoreError::Newer(..) | StoreError::File { .. } | StoreError::Bug(_) => {
                Self::Failed(text)
            }
        }
    }
}

impl From<DirectoryError> for AdminError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Store(error) => error.into(),
            DirectoryError::Password(_) => Self::Refused(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<mailauth::Error> for AdminError {
    fn from(error: mailauth::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for AdminError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(format!("cannot read the message: {error}"))
    }
}
