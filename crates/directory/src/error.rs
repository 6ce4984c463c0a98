//! What can go wrong.

#[derive(Debug, Clone, thiserror::Error)]
pub enum DirectoryError {
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error("{0} in the database cannot be read")]
    Damaged(&'static str),
    #[error("the system gives no random numbers")]
    NoRandomness,
    #[error("the password cannot be used: {0}")]
    Password(String),
}
