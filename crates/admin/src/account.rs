//! Accounts: the people who have a mailbox here, and their passwords and certificates.

mod certificate;
mod password;

pub use certificate::{AddCertificate, Certificate, Fingerprint, ListCertificates, RemoveCertificate};
pub use password::{
    AddAppPassword, AppPassword, ListAppPasswords, NewAppPassword, Password, RemoveAppPassword, SetPassword,
};

use crate::operation::blocking;
use crate::{Access, Actor, AdminError, Operation, Operations};
use address::{Address, Domain};
use serde::{Deserialize, Serialize};
use store::directory::{AccountRecord, CredentialKind, DomainKind};
use store::{Store, StoreError};

/// An account as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    pub address: Address,
    pub name: Option<String>,
    /// Of notifications; without one, the domain's.
    pub language: Option<String>,
    /// Octets.
    pub quota: Option<u64>,
    pub used_bytes: u64,
    pub used_messages: u64,
    pub disabled: bool,
    /// Milliseconds since 1970.
    pub created: i64,
}

impl From<AccountRecord> for AccountView {
    fn from(record: AccountRecord) -> Self {
        Self {
            address: record.address,
            name: record.name,
            language: record.language,
            quota: record.quota,
            used_bytes: record.used_bytes,
            used_messages: record.used_messages,
            disabled: record.disabled,
            created: record.id.unix_ms(),
        }
    }
}

/// An account with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDetails {
    #[serde(flatten)]
    pub account: AccountView,
    pub has_password: bool,
    pub app_passwords: Vec<String>,
    /// Fingerprints of those that log in (SASL EXTERNAL).
    pub certificates: Vec<String>,
    /// Addresses whose mail it gets too.
    pub aliases: Vec<Address>,
}

/// The account of an address, also under another name of its domain.
pub(crate) fn find(store: &Store, address: &Address) -> Result<AccountRecord, AdminError> {
    let missing =
        || StoreError::NotFound(format!("account {address}; `waypost account list` shows those there are"));
    let domain = address.domain().ok_or_else(missing)?;
    let domain = match store.domain(domain)?.map(|record| record.kind) {
        Some(DomainKind::Alias { of }) => of,
        _ => domain.clone(),
    };
    Ok(store.account(&domain, &address.local().folded())?.ok_or_else(missing)?)
}

/// Makes an account, with its default folders.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Add {
    pub address: Address,
    pub name: Option<String>,
    pub language: Option<String>,
    pub quota: Option<u64>,
    /// Without one nobody can log in until there is one, or an app password.
    pub password: Option<Password>,
}

impl Operation for Add {
    type Answer = AccountView;

    fn changes(&self) -> Option<String> {
        Some(self.address.to_string())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<AccountView, AdminError> {
        let verifier = match self.password {
            Some(password) => Some(password.verifier().await?),
            None => None,
        };
        let record = AccountRecord {
            name: self.name,
            language: self.language,
            quota: self.quota,
            ..AccountRecord::new(self.address)
        };
        operations.store.add_account(record.clone(), verifier).await?;
        Ok(record.into())
    }
}

/// The accounts of one domain or of all, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct List {
    pub domain: Option<Domain>,
}

impl Operation for List {
    type Answer = Vec<AccountView>;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<AccountView>, AdminError> {
        let store = operations.store.clone();
        let all = blocking(move || Ok(store.accounts(self.domain.as_ref())?)).await?;
        Ok(all.into_iter().map(AccountView::from).collect())
    }
}

/// One account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Show {
    pub address: Address,
}

impl Operation for Show {
    type Answer = AccountDetails;

    fn access(&self) -> Access {
        Access::Owner(self.address.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<AccountDetails, AdminError> {
        let store = &operations.store;
        let record = find(store, &self.address)?;
        let (mut has_password, mut app_passwords, mut certificates) = (false, Vec::new(), Vec::new());
        for credential in store.credentials(record.id)? {
            match credential.kind {
                CredentialKind::Password => has_password = true,
                CredentialKind::App => app_passwords.push(credential.label),
                CredentialKind::Certificate => certificates.push(credential.label),
            }
        }
        let own = record.address.folded();
        let aliases = store.aliases(None)?.into_iter().filter(|row| row.target.folded() == own);
        let aliases = aliases.map(|row| row.alias).collect();
        Ok(AccountDetails { account: record.into(), has_password, app_passwords, certificates, aliases })
    }
}

/// Changes one setting of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Set {
    pub address: Address,
    pub setting: Setting,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    Name(Option<String>),
    Language(Option<String>),
    /// Octets.
    Quota(Option<u64>),
    /// A disabled account neither logs in nor sends; its mail is kept.
    Disabled(bool),
}

impl Operation for Set {
    type Answer = AccountView;

    /// What is the person's own is theirs to change.
    fn access(&self) -> Access {
        match self.setting {
            Setting::Name(_) | Setting::Language(_) => Access::Owner(self.address.clone()),
            Setting::Quota(_) | Setting::Disabled(_) => Access::Administrators,
        }
    }

    fn changes(&self) -> Option<String> {
        Some(format!("{}: {:?}", self.address, self.setting))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<AccountView, AdminError> {
        let mut record = find(&operations.store, &self.address)?;
        match self.setting {
            Setting::Name(name) => record.name = name,
            Setting::Language(language) => record.language = language,
            Setting::Quota(quota) => record.quota = quota,
            Setting::Disabled(disabled) => record.disabled = disabled,
        }
        operations.store.update_account(record.clone()).await?;
        Ok(record.into())
    }
}

/// Removes an account and all its mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remove {
    pub address: Address,
}

impl Operation for Remove {
    type Answer = ();

    fn changes(&self) -> Option<String> {
        Some(self.address.to_string())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<(), AdminError> {
        let record = find(&operations.store, &self.address)?;
        Ok(operations.store.remove_account(record.id).await?)
    }
}
