//! Checking the signatures of a message (RFC 6376 §6).

use super::canonical::{BodyHash, BodyHasher, Form, hash_header};
use super::outcome::{Failure, SignatureResult};
use super::record::{self, KeyRecord};
use super::signature::{Algorithm, Selector, Signature, key_name};
use crate::header::{Field, Header};
use crate::lookup::{LookupError, Txt};
use crate::tags::{TagList, without_space};
use address::Domain;
use aws_lc_rs::digest::Digest;

/// Most signatures checked of one message, from the top; each costs a look-up and a verification, and the
/// sender chooses how many there are (RFC 6376 §6.1, §8.4).
pub const MAX_SIGNATURES: usize = 10;
/// Most records tried of one key name, where one is right (RFC 6376 §3.6.2.2, §6.1.2).
pub const MAX_KEY_RECORDS: usize = 4;

/// Checks all signatures of one message: the header at once, the body in pieces, then the keys.
#[derive(Debug)]
pub struct Verifier {
    candidates: Vec<Candidate>,
    bodies: Vec<Body>,
    unchecked: usize,
}

/// One `DKIM-Signature` field.
#[derive(Debug)]
struct Candidate {
    result: SignatureResult,
    /// `None`: the result is final already.
    open: Option<Open>,
}

/// A signature that waits for its body and key.
#[derive(Debug)]
struct Open {
    signature: Signature,
    data: Digest,
    /// Index in `bodies`.
    body: usize,
}

/// A hash of the body that one or more signatures need.
#[derive(Debug)]
struct Body {
    form: Form,
    limit: Option<u64>,
    hasher: BodyHasher,
}

impl Verifier {
    /// Reads a header, which may end with its empty line. `now` is the time of arrival in seconds since 1970.
    pub fn new(header: &[u8], now: u64) -> Self {
        let header = Header::parse(header);
        let places = header.places(b"dkim-signature");
        let unchecked = places.len().saturating_sub(MAX_SIGNATURES);
        let mut verifier = Self { candidates: Vec::new(), bodies: Vec::new(), unchecked };
        for place in places.iter().take(MAX_SIGNATURES) {
            let candidate = verifier.read(&header, *place, now);
            verifier.candidates.push(candidate);
        }
        verifier
    }

    /// How many signatures the message has beyond [`MAX_SIGNATURES`]; they have no result.
    pub fn unchecked(&self) -> usize {
        self.unchecked
    }

    /// The names whose TXT records [`finish`](Self::finish) will ask for, each once.
    pub fn key_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for open in self.candidates.iter().filter_map(|c| c.open.as_ref()) {
            let name = open.key_name();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Takes the next octets of the body.
    pub fn update(&mut self, octets: &[u8]) {
        for body in &mut self.bodies {
            body.hasher.update(octets);
        }
    }

    /// The results, in the order of the fields. `answer` is asked for names of
    /// [`key_names`](Self::key_names), perhaps more than once.
    pub fn finish(self, mut answer: impl FnMut(&str) -> Txt) -> Vec<SignatureResult> {
        let bodies: Vec<BodyHash> = self.bodies.into_iter().map(|body| body.hasher.finish()).collect();
        let close = |Candidate { mut result, open }| {
            if let Some((open, body)) =
                open.and_then(|open: Open| bodies.get(open.body).map(|body| (open, body)))
            {
                let limit = open.signature.body_length;
                result.unsigned_octets = limit.map_or(0, |limit| body.length.saturating_sub(limit));
                (result.outcome, result.testing) = open.close(body, answer(&open.key_name()));
            }
            result
        };
        self.candidates.into_iter().map(close).collect()
    }

    /// The hashes that wait for a key, and whose they are.
    #[cfg(test)]
    pub(super) fn signed_data(&self) -> impl Iterator<Item = (&Digest, &Signature)> {
        self.candidates.iter().filter_map(|c| c.open.as_ref()).map(|open| (&open.data, &open.signature))
    }

    fn read(&mut self, header: &Header<'_>, place: usize, now: u64) -> Candidate {
        let Some(field) = header.fields().get(place) else {
            return Candidate { result: describe(None, Err(Failure::Signature)), open: None };
        };
        let tags = match TagList::parse(field.value()) {
            Ok(tags) => tags,
            Err(error) => return Candidate { result: describe(None, Err(error.into())), open: None },
        };
        let signature = Signature::from_tags(&tags).and_then(|s| s.check_time(now).map(|()| s));
        let (result, open) = match signature {
            Ok(signature) => {
                let data = hash_signed(header, place, field, &signature);
                let body = self.body(signature.canonicalization.body, signature.body_length);
                // Until the key is known nothing passes.
                let unknown = Failure::KeyUnavailable(key_name(&signature.selector, &signature.domain));
                (Err(unknown), Some(Open { signature, data, body }))
            }
            Err(failure) => (Err(failure), None),
        };
        Candidate { result: describe(Some(&tags), result), open }
    }

    /// The index of the hash of this form and length, which is shared.
    fn body(&mut self, form: Form, limit: Option<u64>) -> usize {
        self.bodies.iter().position(|body| (body.form, body.limit) == (form, limit)).unwrap_or_else(|| {
            let hasher = BodyHasher::with_limit(form, limit.unwrap_or(u64::MAX));
            self.bodies.push(Body { form, limit, hasher });
            self.bodies.len() - 1
        })
    }
}

impl Open {
    fn key_name(&self) -> String {
        key_name(&self.signature.selector, &self.signature.domain)
    }

    /// RFC 6376 §6.1.2 and §6.1.3: the outcome, and whether the domain is only testing.
    fn close(&self, body: &BodyHash, answer: Txt) -> (Result<(), Failure>, bool) {
        let records = match answer {
            Ok(records) if records.is_empty() => {
                return (Err(Failure::NoKey(self.key_name(), LookupError::NoRecord)), false);
            }
            Ok(records) => records,
            Err(LookupError::Failed) => return (Err(Failure::KeyUnavailable(self.key_name())), false),
            Err(error) => return (Err(Failure::NoKey(self.key_name(), error)), false),
        };
        // A name may have other TXT records beside the key; what the record nearest to a key says is told.
        let mut told: Option<(Failure, bool)> = None;
        for text in records.iter().take(MAX_KEY_RECORDS) {
            let (failure, testing, is_key) = match KeyRecord::parse(text) {
                Ok(record) => match self.check(&record, body) {
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

    fn check(&self, record: &KeyRecord, body: &BodyHash) -> Result<(), Failure> {
        let key = record.public_key_for(&self.signature)?;
        if let Some(limit) = self.signature.body_length.filter(|limit| *limit > body.length) {
            return Err(Failure::BodyShorter { limit, length: body.length });
        }
        if body.octets() != self.signature.body_hash {
            return Err(Failure::BodyHash);
        }
        record::verify(&key, &self.data, &self.signature)
    }
}

/// The hash that the signer signed, if nothing was changed.
fn hash_signed(header: &Header<'_>, place: usize, field: &Field<'_>, signature: &Signature) -> Digest {
    let value_start = field.raw.len() - field.value().len();
    let extent = &signature.signature_extent;
    let before = field.raw.get(..value_start + extent.start).unwrap_or_default();
    let after = field.raw.get(value_start + extent.end..).unwrap_or_default();
    let emptied = [before, after].concat();
    let own = Field::parse(&emptied).unwrap_or(*field);
    let names = signature.signed_fields.iter().map(String::as_str);
    hash_header(header, names, Some(place), &own, signature.canonicalization.header)
}

/// What a field says of itself, as far as it can be read.
fn describe(tags: Option<&TagList<'_>>, outcome: Result<(), Failure>) -> SignatureResult {
    const START: usize = 8;
    let tag = |name: &str| tags.and_then(|tags| tags.get(name));
    let domain = tag("d").and_then(|text| Domain::parse(text).ok());
    let identity = domain.as_ref().and_then(|domain| super::signature::parse_identity(tag("i"), domain).ok());
    SignatureResult {
        identity: identity.map(|(identity, _)| identity),
        domain,
        selector: tag("s").and_then(|text| text.parse().ok()).map(|s: Selector| s.to_string()),
        algorithm: tag("a").and_then(|text| Algorithm::parse(text).ok()),
        signature_start: tag("b").map(|text| without_space(text).chars().take(START).collect()),
        testing: false,
        unsigned_octets: 0,
        outcome,
    }
}
