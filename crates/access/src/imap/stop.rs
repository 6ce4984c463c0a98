//! Why a command is not carried out: the one place where faults become answers.

use super::connection::End;
use imap::response::{Code, Status};
use std::time::Duration;
use store::StoreError;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// How long the store may take for one step.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_secs(30);

/// A command ends here, or the connection does.
#[derive(Debug)]
pub(super) enum Stop {
    Answer(Status),
    End(End),
}

pub(super) type Outcome<T> = Result<T, Stop>;

impl Stop {
    pub(super) fn no(code: Code, text: impl Into<String>) -> Self {
        Self::Answer(Status::no(code, text))
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::Answer(Status::bad(text))
    }
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        let (code, text) = match &error {
            StoreError::NotFound(_) => (Code::Nonexistent, error.to_string()),
            StoreError::Exists(_) => (Code::AlreadyExists, error.to_string()),
            StoreError::OverQuota(_) => (Code::OverQuota, error.to_string()),
            StoreError::Limit(_) => (Code::Limit, error.to_string()),
            StoreError::Refused(_) => (Code::Cannot, error.to_string()),
            other if other.is_temporary() => {
                tracing::warn!(protocol = %"imap", %error, "a command was put off");
                (Code::Unavailable, "the mail store does not answer now; try again later".to_owned())
            }
            _ => {
                tracing::error!(protocol = %"imap", %error, "a command failed");
                (Code::ServerBug, "the mail store has a fault, which the log tells".to_owned())
            }
        };
        Self::no(code, text)
    }
}

/// Reads where waiting for a disk holds nobody up.
pub(super) async fn read<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Outcome<T> {
    Underway::begin(work).end(STORE_TIMEOUT).await
}

/// The same for what may take longer.
pub(super) async fn read_within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Outcome<T> {
    Underway::begin(work).end(limit).await
}

/// What is read while something else is done.
#[derive(Debug)]
pub(super) struct Underway<T>(JoinHandle<Result<T, StoreError>>);

impl<T: Send + 'static> Underway<T> {
    pub(super) fn begin(work: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Self {
        Self(spawn_blocking(work))
    }

    /// What was read, after waiting at most so long for it.
    pub(super) async fn end(self, limit: Duration) -> Outcome<T> {
        let overdue = |_| Stop::no(Code::Unavailable, format!("the mail store took longer than {limit:?}"));
        let cut = |_| Stop::no(Code::ServerBug, "reading the mail store was cut short");
        Ok(timeout(limit, self.0).await.map_err(overdue)?.map_err(cut)??)
    }
}
