//! Passwords: a person's own, and those made for one program each.

use super::find;
use crate::operation::blocking;
use crate::{Access, Actor, AdminError, Operation, Operations, secret};
use address::{Address, Secret};
use directory::{Verifier, generate_app_password};
use serde::{Deserialize, Serialize};
use store::directory::{CredentialKind, CredentialRecord};
use store::{Id, StoreError};

/// Longest name of an app password, in octets: a label, not a text.
const MAX_LABEL: usize = 100;

/// What a password is to become.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Password {
    Chosen {
        #[serde(with = "secret")]
        password: Secret<String>,
        /// Keep it readable too, which CRAM-MD5 needs.
        cram_md5: bool,
    },
    /// A hash of another system: `{CRYPT}$6$…`.
    Hash(#[serde(with = "secret")] Secret<String>),
}

impl Password {
    /// What is kept of it. Argon2 takes its time: on a thread that serves no session.
    pub(super) async fn verifier(self) -> Result<Secret<String>, AdminError> {
        blocking(move || {
            let verifier = match self {
                Self::Chosen { password, .. } if password.reveal().is_empty() => {
                    return Err(AdminError::Refused("the password is empty".to_owned()));
                }
                Self::Chosen { password, cram_md5 } => Verifier::of_password(&password, cram_md5)?,
                Self::Hash(hash) => Verifier::of_crypt(hash.reveal())?,
            };
            Ok(verifier.to_storage())
        })
        .await
    }
}

/// Sets the password of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetPassword {
    pub address: Address,
    pub password: Password,
}

impl Operation for SetPassword {
    type Answer = ();

    fn access(&self) -> Access {
        Access::Owner(self.address.clone())
    }

    fn changes(&self) -> Option<String> {
        Some(self.address.to_string())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<(), AdminError> {
        let account = find(&operations.store, &self.address)?.id;
        let verifier = self.password.verifier().await?;
        let (id, kind, label) = (Id::generate(), CredentialKind::Password, String::new());
        Ok(operations.store.add_credential(CredentialRecord { id, account, kind, label, verifier }).await?)
    }
}

/// Makes a password for one program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddAppPassword {
    pub address: Address,
    /// What it is for.
    pub name: String,
}

/// Shown once: nothing that is kept leads back to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewAppPassword {
    pub name: String,
    #[serde(with = "secret")]
    pub password: Secret<String>,
}

impl Operation for AddAppPassword {
    type Answer = NewAppPassword;

    fn access(&self) -> Access {
        Access::Owner(self.address.clone())
    }

    fn changes(&self) -> Option<String> {
        Some(format!("{}: {:?}", self.address, self.name))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<NewAppPassword, AdminError> {
        if self.name.is_empty() || self.name.len() > MAX_LABEL || self.name.chars().any(char::is_control) {
            let text =
                format!("{:?} is no name for an app password: 1 to {MAX_LABEL} octets of text", self.name);
            return Err(AdminError::Refused(text));
        }
        let account = find(&operations.store, &self.address)?.id;
        let password = generate_app_password()?;
        let verifier = Verifier::of_app_password(&password)?.to_storage();
        let (id, kind, label) = (Id::generate(), CredentialKind::App, self.name.clone());
        operations.store.add_credential(CredentialRecord { id, account, kind, label, verifier }).await?;
        Ok(NewAppPassword { name: self.name, password })
    }
}

/// The names of the app passwords of an account, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListAppPasswords {
    pub address: Address,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPassword {
    pub name: String,
    /// Milliseconds since 1970.
    pub created: i64,
}

impl Operation for ListAppPasswords {
    type Answer = Vec<AppPassword>;

    fn access(&self) -> Access {
        Access::Owner(self.address.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<AppPassword>, AdminError> {
        let account = find(&operations.store, &self.address)?.id;
        let all = operations.store.credentials(account)?.into_iter();
        let app = all.filter(|credential| credential.kind == CredentialKind::App);
        Ok(app.map(|c| AppPassword { created: c.id.unix_ms(), name: c.label }).collect())
    }
}

/// Takes an app password away.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveAppPassword {
    pub address: Address,
    pub name: String,
}

impl Operation for RemoveAppPassword {
    type Answer = ();

    fn access(&self) -> Access {
        Access::Owner(self.address.clone())
    }

    fn changes(&self) -> Option<String> {
        Some(format!("{}: {:?}", self.address, self.name))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<(), AdminError> {
        let account = find(&operations.store, &self.address)?.id;
        let (store, name) = (&operations.store, self.name);
        if store.remove_credential(account, CredentialKind::App, name.clone()).await? {
            return Ok(());
        }
        Err(StoreError::NotFound(format!("app password {name:?} of {}", self.address)).into())
    }
}
