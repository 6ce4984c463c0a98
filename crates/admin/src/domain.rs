//! Domains: which ones mail is taken for, and how.

pub mod dkim;
mod records;
mod reports;
pub mod rotation;
mod sts;

pub use self::reports::Reports;
pub use records::{Record, RecordKind, Records, Service};
pub use sts::{SetSts, StsMode, StsView};

use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use address::{Address, Domain};
use mailauth::dkim::SigningKey;
use serde::{Deserialize, Serialize};
use store::directory::{DomainKind, DomainRecord, KeyStage, RelayRecipients, RelayTarget, SigningKeyRecord};
use store::{Store, StoreError};

/// Selectors tried for a new key. Nobody keeps that many; rotated ones are removed.
const MAX_KEYS: usize = 100;

/// A domain as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainView {
    pub domain: Domain,
    /// `local`, `relay` or `alias`.
    pub kind: String,
    /// Of a relay domain: `mx` or a URL.
    pub relay_to: Option<String>,
    /// Of a relay domain: how its recipients are known.
    pub recipients: Option<RelayRecipients>,
    pub alias_of: Option<Domain>,
    pub catch_all: Option<Address>,
    pub language: Option<String>,
    /// Octets that its accounts may use together.
    pub quota: Option<u64>,
    pub used_bytes: u64,
    pub accounts: u64,
    /// The names that the keys which sign are published under.
    pub dkim_selectors: Vec<String>,
}

fn view(store: &Store, record: DomainRecord) -> Result<DomainView, AdminError> {
    let (kind, relay_to, recipients, alias_of) = match record.kind {
        DomainKind::Local => ("local", None, None, None),
        DomainKind::Alias { of } => ("alias", None, None, Some(of)),
        DomainKind::Relay { to, recipients } => {
            let to = match to {
                RelayTarget::Mx => "mx".to_owned(),
                RelayTarget::Url(url) => url,
            };
            ("relay", Some(to), Some(recipients), None)
        }
    };
    Ok(DomainView {
        kind: kind.to_owned(),
        relay_to,
        recipients,
        alias_of,
        catch_all: record.catch_all,
        language: record.language,
        quota: record.quota,
        used_bytes: store.domain_use(&record.name)?,
        accounts: store.accounts(Some(&record.name))?.len() as u64,
        dkim_selectors: selectors(store, &record.name)?,
        domain: record.name,
    })
}

/// Those that sign.
fn selectors(store: &Store, domain: &Domain) -> Result<Vec<String>, AdminError> {
    let signing = store.signing_keys(domain)?.into_iter().filter(|key| key.stage == KeyStage::Active);
    Ok(signing.map(|key| key.selector).collect())
}

fn find(store: &Store, domain: &Domain) -> Result<DomainRecord, AdminError> {
    let missing =
        || StoreError::NotFound(format!("domain {domain}; `waypost domain list` shows those there are"));
    Ok(store.domain(domain)?.ok_or_else(missing)?)
}

/// Takes mail for a domain. One whose mail is written here gets keys that sign it, one of each kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Add {
    pub domain: Domain,
    pub kind: DomainKind,
    /// Of a relay domain: the addresses it has, for [`RelayRecipients::Listed`].
    pub recipients: Vec<Address>,
    pub language: Option<String>,
    pub quota: Option<u64>,
}

impl Operation for Add {
    type Answer = DomainView;

    fn changes(&self) -> Option<String> {
        Some(self.domain.to_string())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<DomainView, AdminError> {
        let store = &operations.store;
        if let DomainKind::Alias { of } = &self.kind
            && find(store, of)?.kind != DomainKind::Local
        {
            let text =
                format!("{of} has no mailboxes here, so {} cannot be another name for it", self.domain);
            return Err(AdminError::Refused(text));
        }
        let mut recipients = Vec::with_capacity(self.recipients.len());
        for address in self.recipients {
            if address.domain() != Some(&self.domain) {
                return Err(AdminError::Refused(format!("{address} is no address of {}", self.domain)));
            }
            recipients.push(address.local().clone());
        }
        let signs = !matches!(self.kind, DomainKind::Relay { .. });
        let record = DomainRecord {
            name: self.domain.clone(),
            kind: self.kind,
            catch_all: None,
            language: self.language,
            quota: self.quota,
        };
        store.add_domain(record, recipients).await?;
        if signs {
            // They sign at once: until their records are there, a signature counts as none (RFC 6376 §6.3).
            for kind in [KeyKind::Rsa, KeyKind::Ed25519] {
                add_key(store, &self.domain, kind, KeyStage::Active).await?;
            }
        }
        view(store, find(store, &self.domain)?)
    }
}

/// All domains, by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct List {}

impl Operation for List {
    type Answer = Vec<DomainView>;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<DomainView>, AdminError> {
        let store = operations.store.clone();
        blocking(move || store.domains()?.into_iter().map(|record| view(&store, record)).collect()).await
    }
}

/// One domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Show {
    pub domain: Domain,
}

impl Operation for Show {
    type Answer = DomainView;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<DomainView, AdminError> {
        view(&operations.store, find(&operations.store, &self.domain)?)
    }
}

/// Changes one setting of a domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Set {
    pub domain: Domain,
    pub setting: Setting,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Who gets what no account or alias takes.
    CatchAll(Option<Address>),
    /// Of notifications, as a BCP 47 tag.
    Language(Option<String>),
    /// Octets.
    Quota(Option<u64>),
}

impl Operation for Set {
    type Answer = DomainView;

    fn changes(&self) -> Option<String> {
        Some(format!("{}: {:?}", self.domain, self.setting))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<DomainView, AdminError> {
        let store = &operations.store;
        let mut record = find(store, &self.domain)?;
        match self.setting {
            Setting::CatchAll(_) | Setting::Quota(_) if record.kind != DomainKind::Local => {
                let text =
                    format!("{} has no mailboxes here, so it has neither catch-all nor quota", self.domain);
                return Err(AdminError::Refused(text));
            }
            Setting::CatchAll(address) => record.catch_all = address,
            Setting::Language(language) => record.language = language,
            Setting::Quota(quota) => record.quota = quota,
        }
        store.update_domain(record).await?;
        view(store, find(store, &self.domain)?)
    }
}

/// Takes no more mail for a domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remove {
    pub domain: Domain,
    /// Its accounts with all their mail, and its aliases, too; else they are a reason to refuse.
    pub with_accounts: bool,
}

impl Operation for Remove {
    type Answer = ();

    fn changes(&self) -> Option<String> {
        Some(self.domain.to_string())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<(), AdminError> {
        let store = &operations.store;
        find(store, &self.domain)?;
        let other_names = store.domains()?.into_iter();
        let mut other_names =
            other_names.filter(|d| matches!(&d.kind, DomainKind::Alias { of } if *of == self.domain));
        if let Some(other) = other_names.next() {
            let text = format!("{} is another name for {}; remove that one first", other.name, self.domain);
            return Err(AdminError::Refused(text));
        }
        if self.with_accounts {
            for alias in store.aliases(Some(&self.domain))? {
                store.remove_alias(alias.alias, Some(alias.target)).await?;
            }
            for account in store.accounts(Some(&self.domain))? {
                store.remove_account(account.id).await?;
            }
        }
        Ok(store.remove_domain(self.domain).await?)
    }
}

/// Makes one more key for a domain's mail, which signs once its record is published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddKey {
    pub domain: Domain,
    pub kind: KeyKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// RSA of 2048 bits: what every verifier knows.
    Rsa,
    Ed25519,
}

/// The name that the new key is published under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewKey {
    pub selector: String,
}

impl Operation for AddKey {
    type Answer = NewKey;

    fn changes(&self) -> Option<String> {
        Some(format!("{}: {:?}", self.domain, self.kind))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<NewKey, AdminError> {
        find(&operations.store, &self.domain)?;
        let selector = add_key(&operations.store, &self.domain, self.kind, KeyStage::Waiting).await?;
        Ok(NewKey { selector })
    }
}

/// Selectors are `w1`, `w2`, …: a new key never takes the name of one that may still be cached in DNS.
async fn add_key(
    store: &Store,
    domain: &Domain,
    kind: KeyKind,
    stage: KeyStage,
) -> Result<String, AdminError> {
    let key = blocking(move || {
        Ok(match kind {
            KeyKind::Ed25519 => SigningKey::generate_ed25519()?,
            KeyKind::Rsa => SigningKey::generate_rsa()?,
        })
    })
    .await?;
    let taken = store.signing_keys(domain)?;
    let number = |selector: &str| selector.strip_prefix('w').and_then(|number| number.parse::<usize>().ok());
    let last = taken.iter().filter_map(|key| number(&key.selector)).max().unwrap_or(0);
    if taken.len() >= MAX_KEYS {
        return Err(AdminError::Refused(format!("{domain} has {MAX_KEYS} keys already")));
    }
    let selector = format!("w{}", last + 1);
    let (domain, pem, since) = (domain.clone(), key.to_pem()?, store::clock::millis());
    store.add_signing_key(SigningKeyRecord { domain, selector: selector.clone(), pem, stage, since }).await?;
    Ok(selector)
}
