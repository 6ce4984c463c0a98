//! The hashes of one body that several signatures wait for: each form and length once, however many need it.

use super::canonical::{BodyHash, BodyHasher, Form};

/// Hashes a body in every form that was asked for, in one pass.
#[derive(Debug, Default)]
pub(crate) struct Bodies(Vec<Body>);

#[derive(Debug)]
struct Body {
    form: Form,
    limit: Option<u64>,
    hasher: BodyHasher,
}

/// Which of the hashes is one's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyIndex(usize);

/// What [`Bodies`] came to.
#[derive(Debug)]
pub(crate) struct BodyHashes(Vec<BodyHash>);

impl Bodies {
    /// Asks for the hash of this form, of the first `limit` octets (`l=`) or of all.
    pub(crate) fn want(&mut self, form: Form, limit: Option<u64>) -> BodyIndex {
        let known = self.0.iter().position(|body| (body.form, body.limit) == (form, limit));
        BodyIndex(known.unwrap_or_else(|| {
            let hasher = BodyHasher::with_limit(form, limit.unwrap_or(u64::MAX));
            self.0.push(Body { form, limit, hasher });
            self.0.len() - 1
        }))
    }

    /// Takes the next octets of the body.
    pub(crate) fn update(&mut self, octets: &[u8]) {
        for body in &mut self.0 {
            body.hasher.update(octets);
        }
    }

    pub(crate) fn finish(self) -> BodyHashes {
        BodyHashes(self.0.into_iter().map(|body| body.hasher.finish()).collect())
    }
}

impl BodyHashes {
    pub(crate) fn get(&self, index: BodyIndex) -> Option<&BodyHash> {
        self.0.get(index.0)
    }
}
