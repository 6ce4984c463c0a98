//! What can be wrong with what a person or program hands over.

use address::AddressError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("an address cannot be read: {0}")]
    Address(#[from] AddressError),
    #[error(
        "the header names more than {} recipients; send the message in parts",
        crate::list::MAX_ADDRESSES
    )]
    TooManyAddresses,
    #[error("{0:?} is not one address; write it like Name <user@example.org>")]
    NotOneAddress(String),
    #[error("{0:?} is not a status code like 5.1.1")]
    Status(String),
}

pub type Result<T> = std::result::Result<T, Error>;
