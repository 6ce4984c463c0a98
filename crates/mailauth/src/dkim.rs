//! DKIM: a domain signs a message, and anyone checks it with a key from the DNS (RFC 6376, with the
//! algorithms and key sizes of RFC 8301 and RFC 8463, and UTF-8 headers as RFC 8616 has them).
//!
//! [`Signer`] makes a `DKIM-Signature` field; [`Verifier`] checks all that a message has. Both hash the body
//! through a [`BodyHasher`], in pieces. [`SigningKey`] is the private key, [`KeyRecord`] the public one.

mod canonical;
mod key;
mod outcome;
mod record;
mod sign;
mod signature;
mod verify;

#[cfg(test)]
mod tests;

pub use canonical::{BodyHash, BodyHasher, Canonicalization, Form};
pub use key::SigningKey;
pub use outcome::{Failure, ResultWord, SignatureResult};
pub use record::{KeyRecord, MAX_RSA_BITS, MIN_RSA_BITS};
pub use sign::{LINE_WIDTH, Signer};
pub use signature::{Algorithm, MAX_SIGNED_FIELDS, Selector, Signature, key_name};
pub use verify::{MAX_KEY_RECORDS, MAX_SIGNATURES, Verifier};

pub use crate::tags::TagError;
