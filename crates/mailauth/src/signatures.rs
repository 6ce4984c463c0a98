//! DKIM and ARC of one message in one pass: the header is read once, and a body hash that several signatures need is made
//! once.

use crate::arc::{ArcResult, Chain};
use crate::dkim::{Bodies, Candidates, Service, SignatureResult};
use crate::header::Header;
use crate::lookup::Txt;

/// Checks the DKIM signatures and the ARC chain of one message, in the steps of [`dkim::Verifier`](crate::dkim::Verifier).
#[derive(Debug)]
pub struct Signatures {
    dkim: Candidates,
    chain: Chain,
    bodies: Bodies,
}

/// What [`Signatures`] found.
#[derive(Debug, Clone)]
pub struct Signed {
    /// In the order of their fields.
    pub dkim: Vec<SignatureResult>,
    pub arc: ArcResult,
}

impl Signatures {
    /// Reads a header, which may end with its empty line. `now` is the time of arrival in seconds since 1970.
    pub fn new(header: &[u8], now: u64) -> Self {
        let header = Header::parse(header);
        let mut bodies = Bodies::default();
        let dkim = Candidates::read(&header, now, &mut bodies);
        let chain = Chain::read(&header, now, &mut bodies);
        Self { dkim, chain, bodies }
    }

    /// How many DKIM signatures the message has beyond [`MAX_SIGNATURES`](crate::dkim::MAX_SIGNATURES); they have no
    /// result.
    pub fn unchecked(&self) -> usize {
        self.dkim.unchecked
    }

    /// The names whose TXT records [`finish`](Self::finish) may ask for, each once.
    pub fn key_names(&self) -> Vec<String> {
        let mut names = self.dkim.key_names();
        for name in self.chain.key_names() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Takes the next octets of the body.
    pub fn update(&mut self, octets: &[u8]) {
        self.bodies.update(octets);
    }

    /// The results. `answer` is asked for names of [`key_names`](Self::key_names), perhaps more than once.
    pub fn finish(self, mut answer: impl FnMut(&str) -> Txt) -> Signed {
        let bodies = self.bodies.finish();
        Signed {
            dkim: self.dkim.close(&bodies, Service::Mail, &mut answer),
            arc: self.chain.close(&bodies, answer),
        }
    }
}
