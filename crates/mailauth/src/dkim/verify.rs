//! Checking the signatures of a message (RFC 6376 §6).

use super::bodies::{Bodies, BodyHashes};
use super::outcome::{Failure, SignatureResult};
use super::pending::Pending;
use super::record::Service;
use super::signature::{Algorithm, Kind, Selector, Signature, key_name};
use crate::header::Header;
use crate::lookup::Txt;
use crate::tags::TagList;
use address::Domain;

/// Most signatures checked of one message, from the top; each costs a look-up and a verification, and the
/// sender chooses how many there are (RFC 6376 §6.1, §8.4).
pub const MAX_SIGNATURES: usize = 10;

/// Checks all signatures of one message: the header at once, the body in pieces, then the keys.
#[derive(Debug)]
pub struct Verifier {
    chosen: Candidates,
    bodies: Bodies,
    service: Service,
}

impl Verifier {
    /// Reads a header, which may end with its empty line. `now` is the time of arrival in seconds since 1970.
    pub fn new(header: &[u8], now: u64) -> Self {
        let mut bodies = Bodies::default();
        let chosen = Candidates::read(&Header::parse(header), now, &mut bodies);
        Self { chosen, bodies, service: Service::Mail }
    }

    /// For a message that is a use of DKIM of its own.
    #[must_use]
    pub fn for_service(self, service: Service) -> Self {
        Self { service, ..self }
    }

    /// How many signatures the message has beyond [`MAX_SIGNATURES`]; they have no result.
    pub fn unchecked(&self) -> usize {
        self.chosen.unchecked
    }

    /// The names whose TXT records [`finish`](Self::finish) will ask for, each once.
    pub fn key_names(&self) -> Vec<String> {
        self.chosen.key_names()
    }

    /// Takes the next octets of the body.
    pub fn update(&mut self, octets: &[u8]) {
        self.bodies.update(octets);
    }

    /// The results, in the order of the fields. `answer` is asked for names of
    /// [`key_names`](Self::key_names), perhaps more than once.
    pub fn finish(self, answer: impl FnMut(&str) -> Txt) -> Vec<SignatureResult> {
        self.chosen.close(&self.bodies.finish(), self.service, answer)
    }

    /// The hashes that wait for a key, and whose they are.
    #[cfg(test)]
    pub(super) fn signed_data(&self) -> impl Iterator<Item = (&aws_lc_rs::digest::Digest, &Signature)> {
        self.chosen.pending().map(|pending| (&pending.data, &pending.signature))
    }
}

/// The signatures of a message that are checked, in the order of their fields.
#[derive(Debug)]
pub(crate) struct Candidates {
    list: Vec<Candidate>,
    pub(crate) unchecked: usize,
}

/// One `DKIM-Signature` field.
#[derive(Debug)]
struct Candidate {
    result: SignatureResult,
    /// `None`: the result is final already.
    pending: Option<Pending>,
}

impl Candidates {
    /// Reads the fields, and asks `bodies` for what they hash of the body.
    pub(crate) fn read(header: &Header<'_>, now: u64, bodies: &mut Bodies) -> Self {
        let places = header.places(b"dkim-signature");
        let read = |place: &usize| Candidate::read(header, *place, now, bodies);
        let unchecked = places.len().saturating_sub(MAX_SIGNATURES);
        Self { list: places.iter().take(MAX_SIGNATURES).map(read).collect(), unchecked }
    }

    pub(crate) fn key_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for name in self.pending().map(Pending::key_name) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    pub(crate) fn close(
        self,
        bodies: &BodyHashes,
        service: Service,
        mut answer: impl FnMut(&str) -> Txt,
    ) -> Vec<SignatureResult> {
        let close = |Candidate { mut result, pending }| {
            if let Some(pending) = pending {
                result.unsigned_octets = pending.unsigned_octets(bodies);
                (result.outcome, result.testing) =
                    pending.close(bodies, service, answer(&pending.key_name()));
            }
            result
        };
        self.list.into_iter().map(close).collect()
    }

    fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.list.iter().filter_map(|candidate| candidate.pending.as_ref())
    }
}

impl Candidate {
    fn read(header: &Header<'_>, place: usize, now: u64, bodies: &mut Bodies) -> Self {
        let Some(field) = header.fields().get(place) else {
            return Self { result: describe(None, Err(Failure::Signature)), pending: None };
        };
        let tags = match TagList::parse(field.value()) {
            Ok(tags) => tags,
            Err(error) => return Self { result: describe(None, Err(error.into())), pending: None },
        };
        let signature = Signature::from_tags(&tags, Kind::Dkim).and_then(|s| s.check_time(now).map(|()| s));
        let (result, pending) = match signature {
            Ok(signature) => {
                // Until the key is known nothing passes.
                let unknown = Failure::KeyUnavailable(key_name(&signature.selector, &signature.domain));
                (Err(unknown), Some(Pending::new(header, (place, field), signature, bodies)))
            }
            Err(failure) => (Err(failure), None),
        };
        Self { result: describe(Some(&tags), result), pending }
    }
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
        signature_start: tag("b")
            .map(|text| text.chars().filter(|c| !c.is_ascii_whitespace()).take(START).collect()),
        testing: false,
        unsigned_octets: 0,
        limited: tag("l").is_some(),
        outcome,
    }
}
