//! The directory's durable half: domains, accounts, credentials, aliases and signing keys, as rows.
//!
//! What they mean (who an address belongs to, whether a password is right) is the `directory` crate's.

mod keys;
mod known;
mod sqlite;

pub use keys::{KeyStage, KeyStep, SigningKeyRecord};
pub(crate) use known::{KnownDomains, Quotas};
pub(crate) use sqlite::has_domain_quota;

use crate::{Change, Id, Store, StoreError};
use address::{Address, Domain, LocalPart, Secret};
use serde::{Deserialize, Serialize};

/// A domain that mail is accepted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRecord {
    pub name: Domain,
    pub kind: DomainKind,
    /// Who gets what no account or alias of the domain takes.
    pub catch_all: Option<Address>,
    /// Of notifications, as a BCP 47 tag such as `de`.
    pub language: Option<String>,
    /// Octets that all its accounts may use together.
    pub quota: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum DomainKind {
    /// Its mailboxes are here.
    Local,
    /// Gateway or backup MX: known recipients are passed on.
    Relay { to: RelayTarget, recipients: RelayRecipients },
    /// Every address means the same one of the other domain.
    Alias { of: Domain },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelayTarget {
    /// The domain's other, better MX hosts.
    Mx,
    /// `smtp://host[:port]`, `smtps://…` or `lmtp://…`.
    Url(String),
}

/// How a relay domain's recipients are known: never accepted blindly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelayRecipients {
    Listed,
    /// Asked of the next host at RCPT.
    Verify,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    pub id: Id,
    pub address: Address,
    /// As shown in From.
    pub name: Option<String>,
    pub language: Option<String>,
    pub quota: Option<u64>,
    pub disabled: bool,
    pub used_bytes: u64,
    pub used_messages: u64,
}

impl AccountRecord {
    /// A new account that is enabled, without name, language or quota.
    pub fn new(address: Address) -> Self {
        Self {
            id: Id::generate(),
            address,
            name: None,
            language: None,
            quota: None,
            disabled: false,
            used_bytes: 0,
            used_messages: 0,
        }
    }
}

#[derive(Debug, Clone)]
pub struct CredentialRecord {
    pub id: Id,
    pub account: Id,
    pub kind: CredentialKind,
    /// What the user calls an app password; a certificate's fingerprint.
    pub label: String,
    /// Hashes and keys as the `directory` crate writes them.
    pub verifier: Secret<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    Password,
    App,
    Certificate,
}

/// One target of an alias; an alias with several has several rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRecord {
    pub alias: Address,
    pub target: Address,
}

/// Reading. Each call sees what was durable when it began.
impl Store {
    pub fn domain(&self, name: &Domain) -> Result<Option<DomainRecord>, StoreError> {
        self.inner.domains.get(name, || self.inner.main.with(|db| sqlite::domain(db, name)))
    }

    pub fn domains(&self) -> Result<Vec<DomainRecord>, StoreError> {
        self.inner.main.with(sqlite::domains)
    }

    pub fn has_relay_recipient(&self, domain: &Domain, folded_local: &str) -> Result<bool, StoreError> {
        self.inner.main.with(|db| sqlite::has_relay_recipient(db, domain, folded_local))
    }

    pub fn account(&self, domain: &Domain, folded_local: &str) -> Result<Option<AccountRecord>, StoreError> {
        self.inner.main.with(|db| sqlite::account(db, domain, folded_local))
    }

    pub fn account_by_id(&self, id: Id) -> Result<Option<AccountRecord>, StoreError> {
        self.inner.main.with(|db| sqlite::account_by_id(db, id))
    }

    /// The accounts of one domain or of all, oldest first.
    pub fn accounts(&self, domain: Option<&Domain>) -> Result<Vec<AccountRecord>, StoreError> {
        self.inner.main.with(|db| sqlite::accounts(db, domain))
    }

    /// Octets used by all accounts of a domain.
    pub fn domain_use(&self, domain: &Domain) -> Result<u64, StoreError> {
        self.inner.main.with(|db| sqlite::domain_use(db, domain))
    }

    pub fn credentials(&self, account: Id) -> Result<Vec<CredentialRecord>, StoreError> {
        self.inner.main.with(|db| sqlite::credentials(db, account))
    }

    /// Whether any account asked for a password that can be read back, which CRAM-MD5 needs.
    pub fn has_readable_password(&self) -> Result<bool, StoreError> {
        self.inner.main.with(sqlite::has_readable_password)
    }

    /// The account that a client certificate stands for, by its fingerprint (lower-case hex of SHA-256).
    pub fn account_of_certificate(&self, fingerprint: &str) -> Result<Option<Id>, StoreError> {
        self.inner.main.with(|db| sqlite::account_of_certificate(db, fingerprint))
    }

    pub fn alias_targets(&self, domain: &Domain, folded_local: &str) -> Result<Vec<Address>, StoreError> {
        self.inner.main.with(|db| sqlite::alias_targets(db, domain, folded_local))
    }

    pub fn aliases(&self, domain: Option<&Domain>) -> Result<Vec<AliasRecord>, StoreError> {
        self.inner.main.with(|db| sqlite::aliases(db, domain))
    }

    /// A value of the installation itself (a server secret, for example).
    pub fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.main.with(|db| sqlite::meta(db, key))
    }
}

/// Writing. Each call returns when the change is durable.
impl Store {
    /// # Errors
    /// [`StoreError::Exists`].
    pub async fn add_domain(
        &self,
        domain: DomainRecord,
        relay_recipients: Vec<LocalPart>,
    ) -> Result<(), StoreError> {
        self.inner
            .committer
            .write(move |w| {
                w.publish(Change::Domains);
                sqlite::add_domain(w.db, &domain, &relay_recipients)
            })
            .await
    }

    /// Changes catch-all, language and quota.
    pub async fn update_domain(&self, domain: DomainRecord) -> Result<(), StoreError> {
        self.inner
            .committer
            .write(move |w| {
                w.publish(Change::Domains);
                sqlite::update_domain(w.db, &domain)
            })
            .await
    }

    /// # Errors
    /// [`StoreError::Refused`] while accounts or aliases are in it.
    pub async fn remove_domain(&self, name: Domain) -> Result<(), StoreError> {
        self.inner
            .committer
            .write(move |w| {
                w.publish(Change::Domains);
                sqlite::remove_domain(w.db, &name)
            })
            .await
    }

    /// Adds an account, its default folders and, if given, its password's verifier.
    pub async fn add_account(
        &self,
        account: AccountRecord,
        verifier: Option<Secret<String>>,
    ) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::add_account(w.db, &account, verifier.as_ref())).await
    }

    /// Changes name, language, quota and whether it is disabled.
    pub async fn update_account(&self, account: AccountRecord) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::update_account(w.db, &account)).await
    }

    /// Removes the account with its credentials, folders and mail, at once for everybody; the rows of its mail go slice by
    /// slice, by [`Store::purge`].
    pub async fn remove_account(&self, id: Id) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::remove_account(w, id)).await?;
        self.inner.purge_wanted.notify_one();
        Ok(())
    }

    /// Adds a credential; a password replaces the one before.
    pub async fn add_credential(&self, credential: CredentialRecord) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::add_credential(w.db, &credential)).await
    }

    /// Removes by kind and label; returns whether there was one.
    pub async fn remove_credential(
        &self,
        account: Id,
        kind: CredentialKind,
        label: String,
    ) -> Result<bool, StoreError> {
        self.inner.committer.write(move |w| sqlite::remove_credential(w.db, account, kind, &label)).await
    }

    pub async fn add_alias(&self, alias: Address, targets: Vec<Address>) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::add_alias(w.db, &alias, &targets)).await
    }

    /// Removes an alias, or one target of it.
    pub async fn remove_alias(&self, alias: Address, target: Option<Address>) -> Result<(), StoreError> {
        self.inner.committer.write(move |w| sqlite::remove_alias(w.db, &alias, target.as_ref())).await
    }

    /// Keeps the value that was there first, and returns it.
    pub async fn meta_or_insert(&self, key: &'static str, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.inner.committer.write(move |w| sqlite::meta_or_insert(w.db, key, &value)).await
    }
}
