//! DKIM keys of our domains, ready to sign.

use address::Domain;
use mailauth::dkim::{Signer, SigningKey};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::directory::{KeyStage, SigningKeyRecord};
use store::{Store, StoreError};

/// A key that begins or ceases to sign does so within this time (`admin::domain::rotation::IN_FLIGHT` waits for it).
const KEPT: Duration = Duration::from_secs(30);
/// Domains whose keys are kept ready.
const MAX_KEPT: usize = 10_000;

type Ready = Arc<Vec<Signer>>;

/// The signers of each domain, read from the store when they are needed.
pub struct Signers {
    store: Store,
    ready: Mutex<HashMap<Domain, (Instant, Ready)>>,
}

impl std::fmt::Debug for Signers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signers").finish_non_exhaustive()
    }
}

impl Signers {
    pub fn new(store: Store) -> Self {
        Self { store, ready: Mutex::default() }
    }

    /// The signers of a domain; none when it has no keys. A key that cannot be used is passed over and logged.
    pub fn of(&self, domain: &Domain) -> Result<Ready, StoreError> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, signers)) = ready.get(domain)
            && Instant::now() < *until
        {
            return Ok(Arc::clone(signers));
        }
        let mut signers = Vec::new();
        let signs = |record: &SigningKeyRecord| record.stage == KeyStage::Active;
        for record in self.store.signing_keys(domain)?.into_iter().filter(signs) {
            let key = SigningKey::from_pem(record.pem.reveal());
            match (key, record.selector.parse()) {
                (Ok(key), Ok(selector)) => signers.push(Signer::new(domain.clone(), selector, key)),
                (Err(error), _) | (_, Err(error)) => {
                    tracing::error!(%domain, selector = record.selector, %error, "this signing key cannot be used");
                }
            }
        }
        if ready.len() >= MAX_KEPT {
            ready.clear();
        }
        let signers = Arc::new(signers);
        ready.insert(domain.clone(), (Instant::now() + KEPT, Arc::clone(&signers)));
        Ok(signers)
    }
}
