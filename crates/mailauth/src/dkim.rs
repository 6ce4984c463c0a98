//! DKIM: a domain signs a message, and anyone checks it with a key from the DNS (RFC 6376, with the
//! algorithms and key sizes of RFC 8301 and RFC 8463, and UTF-8 headers as RFC 8616 has them).
//!
//! [`Signer`] makes a `DKIM-Signature` field; [`Verifier`] checks all that a message has. Both hash the body
//! through a [`BodyHasher`], in pieces. [`SigningKey`] is the private key, [`KeyRecord`] the public one.

mod bodies;
mod canonical;
mod key;
mod outcome;
mod pending;
mod record;
mod short_rsa;
mod sign;
mod signature;
mod verify;

#[cfg(test)]
mod tests;

pub use canonical::{BodyHash, BodyHasher, Canonicalization, Form};
pub use key::SigningKey;
pub use outcome::{Failure, ResultWord, SignatureResult};
pub use pending::MAX_KEY_RECORDS;
pub use record::{KeyRecord, MAX_RSA_BITS, MIN_RSA_BITS, Service};
pub use sign::{LINE_WIDTH, Signer};
pub use signature::{Algorithm, MAX_SIGNED_FIELDS, Selector, Signature, key_name};
pub use verify::{MAX_SIGNATURES, Verifier};

pub(crate) use bodies::{Bodies, BodyHashes};
pub(crate) use canonical::write_field;
pub(crate) use pending::{Pending, try_keys, without_signature};
pub(crate) use record::verify as verify_with;
pub(crate) use sign::Folded;
pub(crate) use signature::{Kind, parse_domain, parse_selector};
pub(crate) use verify::Candidates;

pub use crate::tags::TagError;
