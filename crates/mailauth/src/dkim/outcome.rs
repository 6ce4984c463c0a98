//! What a signature came to, and the reason in words.

use super::signature::{Algorithm, MAX_SIGNED_FIELDS};
use crate::{LookupError, tags::TagError};
use address::Domain;
use std::fmt;

/// The result of one `DKIM-Signature` field.
///
/// What the field says of itself is here also when it failed, as far as it could be read; only with
/// `outcome` `Ok` is it true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureResult {
    /// `d=`, who claims responsibility.
    pub domain: Option<Domain>,
    /// `s=`.
    pub selector: Option<String>,
    /// `a=`.
    pub algorithm: Option<Algorithm>,
    /// `i=` or its default, decoded.
    pub identity: Option<String>,
    /// The first eight characters of `b=`, which tell signatures apart in reports (RFC 6008 §4).
    pub signature_start: Option<String>,
    /// The key record says that the domain is only testing (`t=y`): a failure must not count more than no
    /// signature at all (RFC 6376 §3.6.1).
    pub testing: bool,
    /// Octets of the canonical body that `l=` leaves unsigned: anyone may have written them (RFC 6376 §8.2).
    pub unsigned_octets: u64,
    /// There is an `l=`, whether or not anything follows what it covers: some uses of DKIM forbid it (RFC 8460 §3).
    pub limited: bool,
    pub outcome: Result<(), Failure>,
}

impl SignatureResult {
    pub fn passed(&self) -> bool {
        self.outcome.is_ok()
    }

    /// The result as Authentication-Results has it.
    pub fn word(&self) -> ResultWord {
        self.outcome.as_ref().map_or_else(Failure::word, |()| ResultWord::Pass)
    }
}

/// The words of RFC 8601 §2.7.1; `none` is an empty list of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResultWord {
    Pass,
    Fail,
    Policy,
    Neutral,
    TempError,
    PermError,
}

impl ResultWord {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for ResultWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a signature did not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    // The message or the signature was changed, or someone else signed.
    #[error("body hash did not verify: the body was changed after it was signed")]
    BodyHash,
    #[error("signature did not verify: a signed header field was changed, or another key signed")]
    Signature,

    // The field cannot be understood.
    #[error("signature syntax: {0}")]
    Syntax(#[from] TagError),
    #[error("incompatible version v={0}")]
    Version(String),
    #[error("unknown algorithm a={0}")]
    Algorithm(String),
    #[error("unknown canonicalization c={0}")]
    Canonicalization(String),
    #[error("no known query method in q={0}")]
    QueryMethod(String),

    // The field is understood, and no signature can be like this.
    #[error("signature has no {0}= tag")]
    MissingTag(&'static str),
    #[error("From is not signed (h=)")]
    FromNotSigned,
    #[error("h= names more than {MAX_SIGNED_FIELDS} fields")]
    TooManyFields,
    #[error("identity i={0} is not within the domain d={1}")]
    Identity(String, Domain),
    #[error("the expiration x={expires} is not after the time of signing t={signed}")]
    ExpiresBeforeSigned { signed: u64, expires: u64 },
    #[error("signature expired at {0} (x=, seconds since 1970)")]
    Expired(u64),
    #[error("l={limit} is more than the {length} octets of the body")]
    BodyShorter { limit: u64, length: u64 },

    // Its key.
    #[error("no key at {0}: {1}")]
    NoKey(String, LookupError),
    #[error("key syntax: {0}")]
    KeySyntax(TagError),
    #[error("key record has the version v={0}, not DKIM1")]
    KeyVersion(String),
    #[error("key record has no p= tag")]
    KeyMissing,
    #[error("key revoked (p= is empty)")]
    KeyRevoked,
    #[error("key is not for this (s={0})")]
    KeyService(String),
    #[error("key does not allow the hash algorithm sha256 (h={0})")]
    KeyHash(String),
    #[error("key type k={0} is not the signature's")]
    KeyType(String),
    #[error("key allows no subdomain in i= (t=s), and the identity is {0}")]
    KeyStrict(String),
    #[error("key data (p=) is no {0} public key")]
    KeyData(&'static str),
    #[error("key could not be looked up at {0}; try again later")]
    KeyUnavailable(String),

    // What RFC 8301 does not accept any more.
    #[error("rsa-sha1 is too weak to be accepted")]
    RsaSha1,
    #[error("RSA key of {0} bits is too weak to be accepted (less than 1024)")]
    RsaTooShort(usize),
    #[error("RSA key of {0} bits is longer than this verifier takes (4096)")]
    RsaTooLong(usize),
}

impl Failure {
    /// RFC 8601 §2.7.1: `neutral` for what could not be processed, `permerror` for what will never verify.
    pub fn word(&self) -> ResultWord {
        match self {
            Self::BodyHash | Self::Signature => ResultWord::Fail,
            Self::Syntax(_)
            | Self::Version(_)
            | Self::Algorithm(_)
            | Self::Canonicalization(_)
            | Self::QueryMethod(_) => ResultWord::Neutral,
            Self::RsaSha1 | Self::RsaTooShort(_) | Self::RsaTooLong(_) => ResultWord::Policy,
            Self::KeyUnavailable(_) => ResultWord::TempError,
            Self::MissingTag(_)
            | Self::FromNotSigned
            | Self::TooManyFields
            | Self::Identity(..)
            | Self::ExpiresBeforeSigned { .. }
            | Self::Expired(_)
            | Self::BodyShorter { .. }
            | Self::NoKey(..)
            | Self::KeySyntax(_)
            | Self::KeyVersion(_)
            | Self::KeyMissing
            | Self::KeyRevoked
            | Self::KeyService(_)
            | Self::KeyHash(_)
            | Self::KeyType(_)
            | Self::KeyStrict(_)
            | Self::KeyData(_) => ResultWord::PermError,
        }
    }
}
