//! Who an address belongs to, and who may log in.
//!
//! [`Directory`] gives meaning to the rows that `store` keeps: [`Directory::resolve`] follows domains, aliases,
//! catch-alls and subaddresses to mailboxes; [`Directory::advance`] answers the questions of a SASL exchange,
//! so that every server authenticates alike; [`Directory::signers`] has the keys of a domain ready. It knows no protocol,
//! socket or configuration file; changes act at once, because nothing is remembered but verified passwords and, for half a
//! minute, keys.

mod error;
mod login;
mod onward;
mod remembered;
mod resolve;
mod signers;
mod verifier;

pub use error::DirectoryError;
pub use login::{Login, Progress};
pub use onward::{Onward, RememberedSender};
pub use resolve::{MAX_ALIAS_DEPTH, MAX_TARGETS, RelayRecipient, Resolution, Target};
pub use signers::Signers;
pub use verifier::{MIN_ADVISED_PASSWORD, Verifier, generate_app_password};

use address::{Address, Domain, Secret};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use mailauth::srs::Srs;
use remembered::Remembered;
use sasl::server::Decoy;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use store::Store;
use tokio::sync::Semaphore;

/// Passwords hashed at once: argon2 takes 19 MiB and milliseconds each, and mail must go on meanwhile.
const HASHED_AT_ONCE: usize = 2;
/// How long it is remembered whether CRAM-MD5 is offered: it is asked at every connection.
const CRAM_KEPT: Duration = Duration::from_secs(5);
/// Between a user and the detail of a subaddress (RFC 5233).
const SEPARATOR: char = '+';

/// The directory of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory {
    store: Store,
    /// The host's own name; of all clones.
    host: Arc<RwLock<Domain>>,
    /// Who gets the mail of every address that nobody else has (`waypost dev`).
    capture: Option<Address>,
    decoy: Decoy,
    srs: Arc<Srs>,
    signers: Arc<signers::Ready>,
    remembered: Arc<Remembered>,
    hashing: Arc<Semaphore>,
    cram: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Directory {
    /// `host` is the host's own name: `root` and `<Postmaster>` are somebody there, or in the first local domain.
    pub async fn open(store: Store, host: Domain) -> Result<Self, DirectoryError> {
        let decoy = kept_key(&store, "sasl-decoy", "the key of made-up credentials").await?;
        let srs = kept_key(&store, "srs", "the key of rewritten senders").await?;
        Ok(Self {
            store,
            host: Arc::new(RwLock::new(host)),
            capture: None,
            decoy: Decoy::new(decoy),
            srs: Arc::new(Srs::new(&srs)),
            signers: Arc::default(),
            remembered: Arc::new(Remembered::new(random()?)),
            hashing: Arc::new(Semaphore::new(HASHED_AT_ONCE)),
            cram: Arc::default(),
        })
    }

    /// Makes every domain of the world one catch-all domain of ours, whose mail `address` gets: for `waypost dev`,
    /// from which nothing leaves.
    #[must_use]
    pub fn capturing(mut self, address: Address) -> Self {
        self.capture = Some(address);
        self
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The host's own name.
    pub fn host(&self) -> Domain {
        self.host.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the host another name, for all clones.
    pub fn set_host(&self, name: Domain) {
        *self.host.write().unwrap_or_else(PoisonError::into_inner) = name;
    }

    /// Whether CRAM-MD5 is to be offered: only where an account asked for it, because programs that prefer it would
    /// fail for all others. May be some seconds behind.
    pub fn offers_cram_md5(&self) -> bool {
        let mut known = self.cram.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some((until, offered)) if Instant::now() < until => offered,
            _ => {
                let offered = self.store.has_readable_password().unwrap_or(false);
                *known = Some((Instant::now() + CRAM_KEPT, offered));
                offered
            }
        }
    }

    /// For [`sasl::server::Context`].
    pub fn decoy(&self) -> &Decoy {
        &self.decoy
    }
}

/// A key that is made once and then stays.
async fn kept_key(
    store: &Store,
    name: &'static str,
    what: &'static str,
) -> Result<Secret<[u8; 32]>, DirectoryError> {
    let key = store.meta_or_insert(name, random::<32>()?.to_vec()).await?;
    <[u8; 32]>::try_from(key).map(Secret::new).map_err(|_| DirectoryError::Damaged(what))
}

/// Octets from the system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], DirectoryError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| DirectoryError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
