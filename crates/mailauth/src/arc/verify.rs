//! Checking the chain of a message (RFC 8617 §5.2).

use super::outcome::{ArcResult, Failure, Outcome, SetFacts};
use super::set::{Set, collect};
use crate::dkim::{
    self, Algorithm, Bodies, BodyHashes, Form, Pending, Service, try_keys, verify_with, without_signature,
    write_field,
};
use crate::header::{Field, Header};
use crate::lookup::Txt;
use aws_lc_rs::digest::{Context, Digest, SHA256};

/// Checks the chain of one message: the header at once, the body in pieces, then the keys.
///
/// It is used as [`dkim::Verifier`] is; [`Signatures`](crate::Signatures) is both in one pass.
#[derive(Debug)]
pub struct Verifier {
    chain: Chain,
    bodies: Bodies,
}

impl Verifier {
    /// Reads a header, which may end with its empty line. `now` is the time of arrival in seconds since 1970.
    pub fn new(header: &[u8], now: u64) -> Self {
        let mut bodies = Bodies::default();
        let chain = Chain::read(&Header::parse(header), now, &mut bodies);
        Self { chain, bodies }
    }

    /// The names whose TXT records [`finish`](Self::finish) may ask for, each once; at most two for each set.
    /// None when the chain has failed already, or there is none.
    pub fn key_names(&self) -> Vec<String> {
        self.chain.key_names()
    }

    /// Takes the next octets of the body.
    pub fn update(&mut self, octets: &[u8]) {
        self.bodies.update(octets);
    }

    /// The result. `answer` is asked for names of [`key_names`](Self::key_names), perhaps more than once.
    pub fn finish(self, answer: impl FnMut(&str) -> Txt) -> ArcResult {
        self.chain.close(&self.bodies.finish(), answer)
    }
}

/// A chain, its header hashed.
#[derive(Debug)]
pub(crate) struct Chain {
    sets: Vec<SetFacts>,
    /// The sets that wait for body and keys, or why the chain fails without them.
    links: Result<Vec<Link>, Failure>,
}

/// A set that waits for its keys.
#[derive(Debug)]
struct Link {
    instance: u32,
    message: Result<Pending, Failure>,
    seal: PendingSeal,
}

#[derive(Debug)]
struct PendingSeal {
    algorithm: Algorithm,
    key_name: String,
    signature: Vec<u8>,
    data: Digest,
}

impl Chain {
    pub(crate) fn read(header: &Header<'_>, now: u64, bodies: &mut Bodies) -> Self {
        let sets = match collect(header) {
            Ok(sets) => sets,
            Err(failure) => return Self { sets: Vec::new(), links: Err(failure) },
        };
        let facts = sets.iter().map(Set::facts).collect();
        // A newest message that cannot be read fails the chain before anyone is asked for a key.
        let newest = sets.last().map(|newest| newest.message_signature(now));
        if let Some(Err(failure)) = newest {
            return Self { sets: facts, links: Err(failure) };
        }
        let mut sealed = Sealed::default();
        let links = sets.iter().map(|set| Link::new(header, set, now, &mut sealed, bodies)).collect();
        Self { sets: facts, links: Ok(links) }
    }

    pub(crate) fn key_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for link in self.links.iter().flatten() {
            let message = link.message.as_ref().ok().map(Pending::key_name);
            for name in message.into_iter().chain([link.seal.key_name.clone()]) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    pub(crate) fn close(self, bodies: &BodyHashes, answer: impl FnMut(&str) -> Txt) -> ArcResult {
        let outcome = match self.links {
            Err(failure) => Outcome::Fail(failure),
            Ok(links) if links.is_empty() => Outcome::None,
            Ok(links) => {
                let checked = check(&links, bodies, answer);
                checked.map_or_else(Outcome::Fail, |oldest_pass| Outcome::Pass { oldest_pass })
            }
        };
        ArcResult { outcome, sets: self.sets }
    }
}

/// RFC 8617 §5.2, steps 4 to 7; the oldest set whose message signature verifies, 0 if all do.
fn check(links: &[Link], bodies: &BodyHashes, mut answer: impl FnMut(&str) -> Txt) -> Result<u32, Failure> {
    let mut oldest_pass = 0;
    for (age, link) in links.iter().rev().enumerate() {
        if let Err(failure) = link.check_message(bodies, &mut answer) {
            if age == 0 {
                return Err(failure);
            }
            oldest_pass = link.instance + 1;
            break;
        }
    }
    for link in links.iter().rev() {
        link.seal.check(&mut answer).map_err(|failure| Failure::Seal { instance: link.instance, failure })?;
    }
    Ok(oldest_pass)
}

impl Link {
    fn new(header: &Header<'_>, set: &Set<'_>, now: u64, sealed: &mut Sealed, bodies: &mut Bodies) -> Self {
        let (place, field) = &set.message_signature;
        let message = set.message_signature(now);
        let seal = PendingSeal {
            algorithm: set.seal.algorithm,
            key_name: set.seal.key_name(),
            signature: set.seal.signature.clone(),
            data: sealed.add(set),
        };
        Self {
            instance: set.instance,
            message: message.map(|signature| Pending::new(header, (*place, field), signature, bodies)),
            seal,
        }
    }

    fn check_message(&self, bodies: &BodyHashes, mut answer: impl FnMut(&str) -> Txt) -> Result<(), Failure> {
        let pending = self.message.as_ref().map_err(Clone::clone)?;
        let (outcome, _) = pending.close(bodies, Service::Mail, answer(&pending.key_name()));
        outcome.map_err(|failure| Failure::MessageSignature { instance: self.instance, failure })
    }
}

impl PendingSeal {
    fn check(&self, mut answer: impl FnMut(&str) -> Txt) -> Result<(), dkim::Failure> {
        let (outcome, _) = try_keys(&self.key_name, answer(&self.key_name), |record| {
            record.check_service(Service::Mail)?;
            let key = record.public_key(self.algorithm)?;
            verify_with(&key, &self.data, self.algorithm, &self.signature)
        });
        outcome
    }
}

/// What seals sign: the sets so far, in order, in relaxed form (RFC 8617 §5.1.1). Each seal signs all that the one
/// before it did and more, so the hash goes on from set to set.
pub(super) struct Sealed(Context);

impl Default for Sealed {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Sealed {
    /// What the seal of this set, the next in order, signs.
    pub(super) fn add(&mut self, set: &Set<'_>) -> Digest {
        let emptied = without_signature(&set.seal_field, &set.seal.signature_extent);
        let own = Field::parse(&emptied).unwrap_or(set.seal_field);
        self.line(&set.results);
        self.line(&set.message_signature.1);
        let data = self.digest_with(&own);
        self.line(&set.seal_field);
        data
    }

    pub(super) fn line(&mut self, field: &Field<'_>) {
        let mut octets = Vec::new();
        write_field(&mut octets, field, Form::Relaxed);
        octets.extend_from_slice(b"\r\n");
        self.0.update(&octets);
    }

    /// The hash that ends with the seal's own field, whose `b=` is empty.
    pub(super) fn digest_with(&self, own: &Field<'_>) -> Digest {
        let mut octets = Vec::new();
        write_field(&mut octets, own, Form::Relaxed);
        let mut context = self.0.clone();
        context.update(&octets);
        context.finish()
    }
}
