//! Domains looked up before: every recipient asks for its domain several times on its way.

use super::DomainRecord;
use crate::StoreError;
use address::Domain;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Domains remembered, others' included (as not ours). Past it all are forgotten, which costs a read each.
const MAX_KNOWN: usize = 10_000;

/// What is remembered holds until a change of any domain is durable.
#[derive(Debug, Default)]
pub(crate) struct KnownDomains(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Grows with each change, so that what was read before one is not remembered after it.
    version: u64,
    domains: HashMap<Domain, Option<DomainRecord>>,
    quotas: Option<Quotas>,
}

/// What a delivery has to look at. Where no domain has a quota, which is the rule, it is to cost nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotas {
    OfAccounts,
    OfDomainsToo,
}

impl KnownDomains {
    /// The domain as remembered, or as `read` finds it.
    pub(super) fn get(
        &self,
        name: &Domain,
        read: impl FnOnce() -> Result<Option<DomainRecord>, StoreError>,
    ) -> Result<Option<DomainRecord>, StoreError> {
        let version = {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = known.domains.get(name) {
                return Ok(found.clone());
            }
            known.version
        };
        let found = read()?;
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.version == version {
            if known.domains.len() >= MAX_KNOWN {
                known.domains.clear();
            }
            known.domains.insert(name.clone(), found.clone());
        }
        Ok(found)
    }

    /// As remembered; `read` finds out whether any domain has a quota.
    pub(crate) fn quotas(
        &self,
        read: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<Quotas, StoreError> {
        let version = {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(quotas) = known.quotas {
                return Ok(quotas);
            }
            known.version
        };
        let quotas = if read()? { Quotas::OfDomainsToo } else { Quotas::OfAccounts };
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.version == version {
            known.quotas = Some(quotas);
        }
        Ok(quotas)
    }

    /// To be called when a change is durable, and before it is answered.
    pub(crate) fn forget(&self) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.version += 1;
        known.domains.clear();
        known.quotas = None;
    }
}
