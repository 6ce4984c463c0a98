//! What keeps a harness from doing its work; what it finds out is in its report instead.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot use the certificate: {0}")]
    Tls(#[from] rustls::Error),
    #[error("waypost {words}: {said}")]
    Command { words: String, said: String },
    #[error("waypost serve did not get ready; its last words: {0}")]
    NotReady(String),
    #[error("{program} says what is no report: {error}")]
    NoReport { program: String, error: serde_json::Error },
    #[error("{0}")]
    Stuck(String),
    #[error("the store: {0}")]
    Store(#[from] store::StoreError),
    #[error("the layer below the program cannot be compiled: {0}")]
    Compiler(String),
    #[error("the record of file calls cannot be read: {0}")]
    Record(String),
}
