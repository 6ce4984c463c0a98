//! What is known of the TLS of others, kept so that a restart forgets none: MTA-STS policies (RFC 8461), and who has offered STARTTLS.
//! And the policies that our own domains serve.

mod sqlite;

use crate::committer::Part;
use crate::{Store, StoreError};
use address::Domain;

/// Rows that one job of the committer removes.
const SLICE: usize = 500;
/// Most domains that are told of at once.
const MAX_TOLD: usize = 1_000;

/// A policy as it was fetched. What it says is the reader's to understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsPolicyRecord {
    /// Of the DNS record that announced it.
    pub id: String,
    pub text: String,
    /// Seconds since 1970.
    pub fetched: i64,
    /// When it ends, in seconds since 1970.
    pub until: i64,
}

/// What a domain of ours says in its own policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSts {
    /// `enforce`, `testing` or `none`.
    pub mode: String,
    /// When it was set, in seconds since 1970: the policy's id.
    pub since: i64,
}

impl Store {
    /// What a domain of ours serves; none: it has no policy.
    pub fn own_sts(&self, domain: &Domain) -> Result<Option<OwnSts>, StoreError> {
        self.inner.main.with(|db| sqlite::own(db, domain.as_str()))
    }

    /// Sets that, or takes it away.
    pub async fn set_own_sts(&self, domain: Domain, own: Option<OwnSts>) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::set_own(w.db, domain.as_str(), own.as_ref())).await
    }

    /// The policy kept for a domain, also one that has ended.
    pub fn sts_policy(&self, domain: &Domain) -> Result<Option<StsPolicyRecord>, StoreError> {
        self.inner.main.with(|db| sqlite::policy(db, domain.as_str()))
    }

    /// Keeps a policy in place of an older one.
    pub async fn keep_sts_policy(&self, domain: Domain, policy: StsPolicyRecord) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::keep(w.db, domain.as_str(), &policy)).await
    }

    /// Domains whose policies were fetched before `moment` (seconds since 1970), the oldest first, at most 1,000.
    pub fn sts_policies_before(&self, moment: i64) -> Result<Vec<Domain>, StoreError> {
        let names = self.inner.main.with(|db| sqlite::before(db, moment, MAX_TOLD))?;
        Ok(names.iter().filter_map(|name| Domain::parse(name).ok()).collect())
    }

    /// Removes policies that have ended by `now`.
    pub async fn forget_sts_policies(&self, now: i64) -> Result<(), StoreError> {
        while self.inner.committer.write_part(Part::Next, move |w| sqlite::forget(w.db, now, SLICE)).await?
            == SLICE
        {}
        Ok(())
    }

    /// When a host was last seen to offer STARTTLS, in seconds since 1970.
    pub fn starttls_seen(&self, host: &str) -> Result<Option<i64>, StoreError> {
        self.inner.main.with(|db| sqlite::starttls_seen(db, host))
    }

    /// Notes that it was seen to at `now`.
    pub async fn keep_starttls(&self, host: String, now: i64) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::keep_starttls(w.db, &host, now)).await
    }

    /// Forgets hosts that were last seen to before `moment`, and of more than `most` those that were seen longest ago.
    pub async fn forget_starttls(&self, moment: i64, most: usize) -> Result<(), StoreError> {
        let crowded = self.inner.main.with(|db| sqlite::starttls_at(db, most))?;
        let moment = crowded.map_or(moment, |crowded| moment.max(crowded + 1));
        while self
            .inner
            .committer
            .write_part(Part::Next, move |w| sqlite::forget_starttls(w.db, moment, SLICE))
            .await?
            == SLICE
        {}
        Ok(())
    }
}

#[cfg(test)]
mod tests;
