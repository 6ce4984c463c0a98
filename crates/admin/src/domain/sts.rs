//! The MTA-STS policy of a domain of ours (RFC 8461): who sends mail to it is to insist on TLS.

use super::find;
use crate::{Actor, AdminError, Operation, Operations};
use address::Domain;
pub use mailauth::sts::Mode as StsMode;
use mailauth::sts::Policy;
use serde::{Deserialize, Serialize};
use store::OwnSts;
use store::clock;
use store::directory::DomainKind;

/// Sets what the policy of a domain says; `serve` shows it at `https://mta-sts.DOMAIN/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetSts {
    pub domain: Domain,
    /// The name of this machine, which takes the domain's mail.
    pub hostname: Domain,
    /// `None`: there is none, and nothing is served.
    pub mode: Option<StsMode>,
}

/// What the domain's policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StsView {
    pub domain: Domain,
    pub mode: Option<StsMode>,
    /// The value of the TXT record at `_mta-sts.DOMAIN`.
    pub record: Option<String>,
}

/// The value of the record that announces a policy, which names `hostname`; `None` when what the store has is none.
pub(super) fn record(own: &OwnSts, hostname: &Domain) -> Option<String> {
    let policy = Policy::of_host(StsMode::parse(&own.mode)?, hostname);
    Some(policy.record(u64::try_from(own.since).unwrap_or_default()))
}

impl Operation for SetSts {
    type Answer = StsView;

    fn changes(&self) -> Option<String> {
        Some(format!("{}: {:?}", self.domain, self.mode))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<StsView, AdminError> {
        let (store, domain) = (&operations.store, self.domain);
        if matches!(find(store, &domain)?.kind, DomainKind::Relay { .. })
            && self.mode == Some(StsMode::Enforce)
        {
            let text = format!(
                "{domain} is relayed: other hosts may take its mail, which its policy would shut out"
            );
            return Err(AdminError::Refused(text));
        }
        let since = clock::millis() / 1000;
        let own = self.mode.map(|mode| OwnSts { mode: mode.as_str().to_owned(), since });
        store.set_own_sts(domain.clone(), own.clone()).await?;
        let record = own.as_ref().and_then(|own| record(own, &self.hostname));
        Ok(StsView { domain, mode: self.mode, record })
    }
}
