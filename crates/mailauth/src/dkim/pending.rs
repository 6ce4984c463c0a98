//! A signature whose header is hashed, and which waits for its body and its key. DKIM-Signature and
//! ARC-Message-Signature are the same here (RFC 8617 §4.1.2).

use super::bodies::{Bodies, BodyHashes, BodyIndex};
use super::canonical::{BodyHash, hash_header};
use super::outcome::Failure;
use super::record::{self, KeyRecord, Service};
use super::signature::{Signature, key_name};
use crate::header::{Field, Header};
use crate::lookup::{LookupError, Txt};
use aws_lc_rs::digest::Digest;
use std::ops::Range;

/// Most records tried of one key name, where one is right (RFC 6376 §3.6.2.2, §6.1.2).
pub const MAX_KEY_RECORDS: usize = 4;

/// One signature, its header hashed.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) signature: Signature,
    pub(super) data: Digest,
    body: BodyIndex,
}

impl Pending {
    /// Hashes what `signature`, read from the field `own` at its place, covers of the header.
    pub(crate) fn new(
        header: &Header<'_>,
        own: (usize, &Field<'_>),
        signature: Signature,
        bodies: &mut Bodies,
    ) -> Self {
        let body = bodies.want(signature.canonicalization.body, signature.body_length);
        Self { data: hash_signed(header, own, &signature), signature, body }
    }

    pub(crate) fn key_name(&self) -> String {
        key_name(&self.signature.selector, &self.signature.domain)
    }

    /// RFC 6376 §6.1.2 and §6.1.3: the outcome, and whether the domain is only testing.
    pub(crate) fn close(
        &self,
        bodies: &BodyHashes,
        service: Service,
        answer: Txt,
    ) -> (Result<(), Failure>, bool) {
        try_keys(&self.key_name(), answer, |record| {
            record.check_service(service)?;
            self.check(record, bodies.get(self.body))
        })
    }

    /// Octets of the body that the signature does not cover, by `l=`.
    pub(crate) fn unsigned_octets(&self, bodies: &BodyHashes) -> u64 {
        let length = bodies.get(self.body).map_or(0, BodyHash::length);
        self.signature.body_length.map_or(0, |limit| length.saturating_sub(limit))
    }

    fn check(&self, record: &KeyRecord, body: Option<&BodyHash>) -> Result<(), Failure> {
        let signature = &self.signature;
        let key = record.public_key(signature.algorithm)?;
        record.check_identity(signature)?;
        let body = body.ok_or(Failure::BodyHash)?;
        if let Some(limit) = signature.body_length.filter(|limit| *limit > body.length) {
            return Err(Failure::BodyShorter { limit, length: body.length });
        }
        if body.octets() != signature.body_hash {
            return Err(Failure::BodyHash);
        }
        record::verify(&key, &self.data, signature.algorithm, &signature.signature)
    }
}

/// Tries the keys of an answer until one says yes, and whether the key that had the last word is for testing
/// only. A name may have other TXT records beside the key; what the record nearest to a key says is told.
pub(crate) fn try_keys(
    name: &str,
    answer: Txt,
    check: impl Fn(&KeyRecord) -> Result<(), Failure>,
) -> (Result<(), Failure>, bool) {
    let no_key = |error| Failure::NoKey(name.to_owned(), error);
    let records = match answer {
        Ok(records) if records.is_empty() => return (Err(no_key(LookupError::NoRecord)), false),
        Ok(records) => records,
        Err(LookupError::Failed) => return (Err(Failure::KeyUnavailable(name.to_owned())), false),
        Err(error) => return (Err(no_key(error)), false),
    };
    let mut told: Option<(Failure, bool)> = None;
    for text in records.iter().take(MAX_KEY_RECORDS) {
        let (failure, testing, is_key) = match KeyRecord::parse(text) {
            Ok(record) => match check(&record) {
                Ok(()) => return (Ok(()), record.testing),
                Err(failure) => (failure, record.testing, true),
            },
            Err(failure) => (failure, false, false),
        };
        if told.is_none() || is_key {
            told = Some((failure, testing));
        }
    }
    told.map_or((Err(Failure::KeyMissing), false), |(failure, testing)| (Err(failure), testing))
}

/// The hash that the signer signed, if nothing was changed.
fn hash_signed(header: &Header<'_>, (place, field): (usize, &Field<'_>), signature: &Signature) -> Digest {
    let emptied = without_signature(field, &signature.signature_extent);
    let own = Field::parse(&emptied).unwrap_or(*field);
    let names = signature.signed_fields.iter().map(String::as_str);
    hash_header(header, names, Some(place), &own, signature.canonicalization.header)
}

/// A field with the value of its `b=` taken out, which stands at `extent` of its value.
pub(crate) fn without_signature(field: &Field<'_>, extent: &Range<usize>) -> Vec<u8> {
    let value_start = field.raw.len() - field.value().len();
    let before = field.raw.get(..value_start + extent.start).unwrap_or_default();
    let after = field.raw.get(value_start + extent.end..).unwrap_or_default();
    [before, after].concat()
}
