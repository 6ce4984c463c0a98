//! DKIM keys of our domains, ready to sign and to seal.

use crate::{Directory, DirectoryError};
use address::Domain;
use mailauth::arc::{ChainStatus, Sealer};
use mailauth::dkim::{Algorithm, BodyHash, Form, Signer, SigningKey};
use mailauth::results::AuthResults;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::directory::{KeyStage, SigningKeyRecord};

/// A key that begins or ceases to sign does so within this time (`admin::domain::rotation::IN_FLIGHT` waits for it).
const KEPT: Duration = Duration::from_secs(30);
/// Domains whose keys are kept ready.
const MAX_KEPT: usize = 10_000;

/// The keys of one domain that sign now.
#[derive(Debug, Default)]
pub struct Signers {
    signers: Vec<Signer>,
    /// With an RSA key if there is one, which every verifier knows.
    sealer: Option<Sealer>,
}

/// Of which domains they are ready; shared by all clones of a directory.
#[derive(Debug, Default)]
pub(crate) struct Ready(Mutex<HashMap<Domain, (Instant, Arc<Signers>)>>);

impl Directory {
    /// The signers of a domain; empty when it has no keys that sign. They may be half a minute behind.
    pub fn signers(&self, domain: &Domain) -> Result<Arc<Signers>, DirectoryError> {
        if let Some(known) = self.signers.get(domain) {
            return Ok(known);
        }
        // Before the keys are read: what is kept is never older than it seems.
        let until = Instant::now() + KEPT;
        let signers = Arc::new(Signers::of(domain, self.store.signing_keys(domain)?));
        self.signers.keep(domain, until, &signers);
        Ok(signers)
    }
}

impl Ready {
    fn get(&self, domain: &Domain) -> Option<Arc<Signers>> {
        let ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.get(domain).filter(|(until, _)| Instant::now() < *until).map(|(_, signers)| Arc::clone(signers))
    }

    fn keep(&self, domain: &Domain, until: Instant, signers: &Arc<Signers>) {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= MAX_KEPT {
            ready.clear();
        }
        ready.insert(domain.clone(), (until, Arc::clone(signers)));
    }
}

impl Signers {
    /// The form in which they all want the body hashed: that of [`Signer::new`].
    pub const BODY_FORM: Form = Form::Relaxed;

    /// A key that cannot be used is passed over and logged.
    fn of(domain: &Domain, records: Vec<SigningKeyRecord>) -> Self {
        let mut signers = Vec::new();
        for record in records.into_iter().filter(|record| record.stage == KeyStage::Active) {
            match (SigningKey::from_pem(record.pem.reveal()), record.selector.parse()) {
                (Ok(key), Ok(selector)) => signers.push(Signer::new(domain.clone(), selector, key)),
                (Err(error), _) | (_, Err(error)) => {
                    tracing::error!(%domain, selector = record.selector, %error, "this signing key cannot be used");
                }
            }
        }
        let best = signers.iter().min_by_key(|signer| signer.key.algorithm() != Algorithm::RsaSha256);
        Self { sealer: best.cloned().map(Sealer::from_signer), signers }
    }

    pub fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }

    /// A `DKIM-Signature` field of each key, with its CRLF; none of one that does not sign, which is logged. `header`
    /// is the message's, `body` the hash of its body in [`BODY_FORM`](Self::BODY_FORM), and `now` is in seconds since 1970.
    ///
    /// An RSA signature takes a quarter of a millisecond: to be called on the blocking pool.
    pub fn sign(&self, header: &[u8], body: &BodyHash, now: u64) -> Vec<u8> {
        let mut fields = Vec::new();
        for signer in &self.signers {
            match signer.sign(header, body, now) {
                Ok(field) => fields.extend_from_slice(&field),
                Err(error) => {
                    tracing::error!(domain = %signer.domain, %error, "the message could not be signed");
                }
            }
        }
        fields
    }

    /// The fields of an ARC set ([`Sealer::seal`]); `None` also without a key. To be called on the blocking pool.
    pub fn seal(
        &self,
        header: &[u8],
        body: &BodyHash,
        status: ChainStatus,
        found: &AuthResults,
        now: u64,
    ) -> Result<Option<Vec<u8>>, mailauth::Error> {
        let seal = |sealer: &Sealer| sealer.seal(header, body, status, found, now);
        self.sealer.as_ref().map_or(Ok(None), seal)
    }
}
