//! Why a report is not sent or kept now.

use store::StoreError;

/// Everything here is tried again by itself.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Directory(#[from] directory::DirectoryError),
    #[error("the DNS does not say now where {0} wants its reports")]
    Dns(address::Domain),
    #[error(
        "there is no address to send reports from: no domain has its mailboxes here; add one, or set from in [reports]"
    )]
    NoSender,
    #[error("the report could not be signed")]
    Signature,
    #[error("the system gives no random numbers")]
    Random,
    #[error("a message could not be read from disk: {0}")]
    Body(std::io::Error),
}
