//! The carrier of the queue's mail.

use crate::attempt::Attempt;
use crate::locate::locate;
use crate::pool::Pool;
use crate::security::Offers;
use crate::silent::Silent;
use crate::sts::Policies;
use crate::verify::Verified;
use crate::{Boxed, Carried, Carrier, Destination, Errand, Route, Settings, Sts, TlsLog, Unreachable};
use address::Domain;
use dns::Lookup;
use net::tls::TlsClient;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use store::Store;
use tokio::sync::Semaphore;

/// Messages that are re-encoded at the same time: each is in memory twice meanwhile.
const REENCODED_AT_ONCE: usize = 2;

/// Makes the value of a signature for a message that was re-encoded: given the domain of `From:` and the whole message, the
/// bytes of a `DKIM-Signature` field with its line end; `None` when there is no key for that domain. Runs on the blocking pool.
pub type Signer = Arc<dyn Fn(&Domain, &[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// Carries messages to other servers: finds their hosts, calls them, keeps connections for the next message.
///
/// [`Carrier::locate`] and [`Carrier::carry`] are the queue's; [`verify`](Self::verify) is for relayed domains at RCPT.
pub struct Transport {
    pub(crate) dns: Arc<dyn Lookup>,
    pub(crate) tls: TlsClient,
    settings: RwLock<Arc<Settings>>,
    pub(crate) signer: Option<Signer>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) silent: Silent,
    pub(crate) verified: Verified,
    pub(crate) policies: Policies,
    pub(crate) offers: Offers,
    pub(crate) tls_log: Option<Arc<dyn TlsLog>>,
    pub(crate) reencoding: Semaphore,
}

impl Transport {
    /// Must be called within a tokio runtime only when it carries.
    pub fn new(dns: Arc<dyn Lookup>, tls: TlsClient, settings: Settings) -> Self {
        Self {
            dns,
            tls,
            signer: None,
            pool: Arc::new(Pool::new(settings.idle, settings.max_idle)),
            silent: Silent::new(settings.silence),
            verified: Verified::default(),
            policies: Policies::new(settings.sts_port),
            offers: Offers::default(),
            tls_log: None,
            reencoding: Semaphore::new(REENCODED_AT_ONCE),
            settings: RwLock::new(Arc::new(settings)),
        }
    }

    /// Signs again what was submitted here and has to be re-encoded.
    #[must_use]
    pub fn with_signer(mut self, signer: Signer) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Keeps MTA-STS policies, and which hosts have offered STARTTLS, across restarts.
    #[must_use]
    pub fn with_store(mut self, store: Store) -> Self {
        self.policies.keep_in(store.clone());
        self.offers.keep_in(store);
        self
    }

    /// Tells of each connection what came of its TLS.
    #[must_use]
    pub fn with_tls_log(mut self, log: Arc<dyn TlsLog>) -> Self {
        self.tls_log = Some(log);
        self
    }

    /// The MTA-STS policy of a domain, as mail to it would find it.
    pub async fn sts_policy(&self, domain: &Domain) -> Sts {
        self.policies.find(&*self.dns, &self.tls, domain).await
    }

    /// Fetches MTA-STS policies that are a day old, so that none ends for want of mail: to be called now and then (RFC 8461 §3.3).
    /// Hosts that have not been called for long are forgotten then.
    pub async fn refresh_policies(&self) {
        self.policies.refresh_old(&*self.dns, &self.tls).await;
        self.offers.forget_old().await;
    }

    /// The snapshot of now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes another name, from the next connection on.
    pub fn set_hostname(&self, hostname: Domain) {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        if settings.hostname != hostname {
            Arc::make_mut(&mut settings).hostname = hostname;
            self.close_idle();
        }
    }

    /// Takes leave of all idle connections: the program stops, or its network changed.
    pub fn close_idle(&self) {
        self.pool.clear();
    }
}

impl Carrier for Transport {
    fn locate<'a>(&'a self, route: &'a Route) -> Boxed<'a, Result<Destination, Unreachable>> {
        let policies = Some((&self.policies, &self.tls));
        let log = self.tls_log.as_deref();
        Box::pin(async move { locate(&*self.dns, policies, log, &self.settings(), route).await })
    }

    fn carry<'a>(&'a self, destination: &'a Destination, errand: Errand) -> Boxed<'a, Vec<Carried>> {
        Box::pin(Attempt::new(self, destination, errand).run())
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("settings", &self.settings()).finish_non_exhaustive()
    }
}
