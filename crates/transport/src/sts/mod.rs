//! MTA-STS (RFC 8461): the policy of a domain, fetched over HTTPS and kept, also across restarts.
//!
//! A policy that was once seen holds for its time, whatever the DNS or the policy's host say meanwhile: whoever can take them away
//! cannot take it away. It is fetched anew when the record has another id, and each day.

mod fetch;

pub use mailauth::sts::{Mode as StsMode, Policy as StsPolicy, record_id};

use address::Domain;
use dns::Lookup;
use mailauth::report::tls::ResultType;
use net::tls::TlsClient;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;
use store::{Store, StsPolicyRecord, clock};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// After a fetch that failed, the host is left in peace for this long (RFC 8461 §3.3: five minutes or more).
const RETRY: Duration = Duration::from_secs(5 * 60);
/// A policy older than this, in seconds, is fetched anew though its record has the same id (RFC 8461 §3.3: once per day).
const REFRESH: u64 = 24 * 3600;
/// Most domains whose policies are in memory; the others are read from the store again.
const MAX_KNOWN: usize = 10_000;

/// What is known of a domain's policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Sts {
    /// It has none.
    #[default]
    Absent,
    /// Of mode enforce or testing.
    Policy(Arc<StsPolicy>),
    /// Its record says that there is one, which cannot be had: mail goes as if there were none (RFC 8461 §3.3).
    Unavailable(Trouble),
}

/// Why a policy cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub kind: ResultType,
    /// In words.
    pub reason: String,
}

impl Trouble {
    fn new(kind: ResultType, reason: String) -> Self {
        Self { kind, reason }
    }
}

/// The policies that are known.
pub(crate) struct Policies {
    known: Lock<HashMap<Domain, Arc<Mutex<Known>>>>,
    /// Where HTTPS is spoken: 443, but in tests.
    port: u16,
    store: Option<Store>,
}

/// Of one domain. Whoever fetches holds it; others wait.
#[derive(Default)]
struct Known {
    /// The store was asked.
    loaded: bool,
    policy: Option<Kept>,
    /// The last fetch that failed, for which id, and until when not to try again.
    failed: Option<(String, Trouble, Instant)>,
}

struct Kept {
    id: String,
    policy: Arc<StsPolicy>,
    /// Seconds since 1970.
    fetched: u64,
}

impl Kept {
    fn holds(&self, now: u64) -> bool {
        now < self.fetched.saturating_add(self.policy.max_age)
    }

    fn is_old(&self, now: u64) -> bool {
        now >= self.fetched.saturating_add(REFRESH.min(self.policy.max_age / 2))
    }
}

impl Policies {
    pub(crate) fn new(port: u16) -> Self {
        Self { known: Lock::default(), port, store: None }
    }

    pub(crate) fn keep_in(&mut self, store: Store) {
        self.store = Some(store);
    }

    /// The policy to apply to `domain` now.
    pub(crate) async fn find(&self, dns: &dyn Lookup, tls: &TlsClient, domain: &Domain) -> Sts {
        let id = announced(dns, domain).await.ok();
        let known = self.known(domain);
        let mut known = known.lock().await;
        self.load(domain, &mut known);
        // A policy holds across restarts, so that only the time of day will do.
        let now = clock::seconds();
        known.policy.take_if(|kept| !kept.holds(now));
        let wanted = match (&known.policy, &id) {
            (Some(kept), Some(id)) if *id == kept.id && !kept.is_old(now) => None,
            (_, id) => id.clone(),
        };
        if let Some(id) = wanted {
            self.refresh(dns, tls, domain, id, &mut known).await;
        }
        known.verdict(id.as_deref())
    }

    /// Fetches a policy that is kept and old. It does not matter what became of its record: whoever can hold that back for as long
    /// as the policy lasts would otherwise be rid of it (RFC 8461 §10.2).
    async fn renew(&self, dns: &dyn Lookup, tls: &TlsClient, domain: &Domain) {
        let id = announced(dns, domain).await;
        let known = self.known(domain);
        let mut known = known.lock().await;
        self.load(domain, &mut known);
        let now = clock::seconds();
        let Some(kept) = known.policy.as_ref().filter(|kept| kept.holds(now)) else { return };
        if kept.is_old(now) || id.as_ref().is_ok_and(|id| *id != kept.id) {
            if let (Err(reason), true) = (&id, kept.policy.mode != StsMode::None) {
                tracing::warn!(%domain, %reason, "the record of a kept MTA-STS policy is missing; the policy holds on");
            }
            let id = id.unwrap_or_else(|_| kept.id.clone());
            self.refresh(dns, tls, domain, id, &mut known).await;
        }
    }

    /// Fetches policies that are kept and a day old, so that none ends for want of mail.
    pub(crate) async fn refresh_old(&self, dns: &dyn Lookup, tls: &TlsClient) {
        let Some(store) = &self.store else { return };
        let old = store.sts_policies_before(to_seconds(clock::seconds().saturating_sub(REFRESH)));
        match old {
            Ok(domains) => {
                for domain in domains {
                    self.renew(dns, tls, &domain).await;
                }
            }
            Err(error) => tracing::warn!(%error, "MTA-STS policies are not refreshed"),
        }
        let forgotten = store.forget_sts_policies(to_seconds(clock::seconds())).await;
        let _ = forgotten.map_err(|error| tracing::warn!(%error, "old MTA-STS policies are not removed"));
    }

    fn known(&self, domain: &Domain) -> Arc<Mutex<Known>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN && !known.contains_key(domain) {
            // Those that somebody waits for stay.
            known.retain(|_, known| Arc::strong_count(known) > 1);
        }
        Arc::clone(known.entry(domain.clone()).or_default())
    }

    fn load(&self, domain: &Domain, known: &mut Known) {
        let (Some(store), false) = (&self.store, known.loaded) else { return };
        known.loaded = true;
        match store.sts_policy(domain) {
            Ok(Some(record)) => known.policy = Kept::from_record(record),
            Ok(None) => {}
            Err(error) => {
                known.loaded = false;
                tracing::warn!(%error, %domain, "the kept MTA-STS policy cannot be read");
            }
        }
    }

    async fn refresh(
        &self,
        dns: &dyn Lookup,
        tls: &TlsClient,
        domain: &Domain,
        id: String,
        known: &mut Known,
    ) {
        let failed_lately =
            |(of, _, until): &(String, Trouble, Instant)| *of == id && *until > Instant::now();
        if known.failed.as_ref().is_some_and(failed_lately) {
            return;
        }
        match fetch::fetch(dns, tls, domain, self.port).await {
            Ok(policy) => {
                known.failed = None;
                let kept = Kept { id, policy: Arc::new(policy), fetched: clock::seconds() };
                self.save(domain, &kept).await;
                known.policy = Some(kept);
            }
            Err(trouble) => {
                if known.policy.as_ref().is_none_or(|kept| kept.policy.mode != StsMode::None) {
                    let kept = known.policy.is_some();
                    tracing::warn!(%domain, reason = %trouble.reason, kept, "the MTA-STS policy cannot be fetched");
                }
                known.failed = Some((id, trouble, Instant::now() + RETRY));
            }
        }
    }

    async fn save(&self, domain: &Domain, kept: &Kept) {
        let Some(store) = &self.store else { return };
        let saved = store.keep_sts_policy(domain.clone(), kept.to_record()).await;
        let _ = saved.map_err(|error| tracing::warn!(%error, %domain, "the MTA-STS policy is not kept"));
    }
}

/// The id that the domain's record has, or why there is none.
async fn announced(dns: &dyn Lookup, domain: &Domain) -> Result<String, String> {
    let records = dns.txt(&format!("_mta-sts.{domain}")).await.map_err(|error| error.to_string())?;
    record_id(&records).ok_or_else(|| "it is no record of MTA-STS, or there are several".to_owned())
}

impl Known {
    /// `id`: what the record says.
    fn verdict(&self, id: Option<&str>) -> Sts {
        match (&self.policy, &self.failed, id) {
            (Some(kept), _, _) if kept.policy.mode == StsMode::None => Sts::Absent,
            (Some(kept), _, _) => Sts::Policy(Arc::clone(&kept.policy)),
            (None, Some((of, trouble, _)), Some(id)) if of == id => Sts::Unavailable(trouble.clone()),
            (None, _, _) => Sts::Absent,
        }
    }
}

impl Kept {
    fn from_record(record: StsPolicyRecord) -> Option<Self> {
        let policy = StsPolicy::parse(&record.text).ok()?;
        let fetched = u64::try_from(record.fetched).ok()?;
        Some(Self { id: record.id, policy: Arc::new(policy), fetched })
    }

    fn to_record(&self) -> StsPolicyRecord {
        let until = self.fetched.saturating_add(self.policy.max_age);
        let (fetched, until) = (to_seconds(self.fetched), to_seconds(until));
        StsPolicyRecord { id: self.id.clone(), text: self.policy.text.clone(), fetched, until }
    }
}

fn to_seconds(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("port", &self.port).finish_non_exhaustive()
    }
}
