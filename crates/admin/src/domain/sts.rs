//! The MTA-STS policy of a domain of ours (RFC 8461): who sends mail to it is to insist on TLS.

use super::find;
use crate::{Actor, AdminError, Operation, Operations};
use address::Domain;
use serde::{Deserialize, Serialize};
use store::OwnSts;
use store::clock;
use store::directory::DomainKind;

/// Sets what the policy of a domain says; `serve` shows it at `https://mta-sts.DOMAIN/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetSts {
    pub domain: Domain,
    /// `None`: there is none, and nothing is served.
    pub mode: Option<StsMode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StsMode {
    /// Mail comes over TLS with a valid certificate, or not at all.
    Enforce,
    /// Others only report what would not have come.
    Testing,
    /// Takes back what was said before: to be served for as long as an older policy may be kept.
    None,
}

/// What the domain's policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StsView {
    pub domain: Domain,
    pub mode: Option<StsMode>,
    /// The value of the TXT record at `_mta-sts.DOMAIN`.
    pub record: Option<String>,
}

impl StsMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// The value of the record that announces a policy.
pub(super) fn record(own: &OwnSts) -> String {
    format!("v=STSv1; id={}", own.since)
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
        Ok(StsView { domain, mode: self.mode, record: own.as_ref().map(record) })
    }
}
