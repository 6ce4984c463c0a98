//! Client certificates that stand for an account (SASL EXTERNAL, RFC 4422 appendix A).

use super::find;
use crate::{Access, Actor, AdminError, Operation, Operations};
use address::{Address, Secret};
use data_encoding::{DecodeError, HEXLOWER};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use store::directory::{CredentialKind, CredentialRecord};
use store::{Id, StoreError};

/// SHA-256 of a whole certificate, by which a server knows it: what its maker wrote into it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl From<[u8; 32]> for Fingerprint {
    fn from(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }
}

/// 64 hexadecimal digits in any case, with or without colons, or what `openssl x509 -fingerprint -sha256` prints.
impl FromStr for Fingerprint {
    type Err = AdminError;

    fn from_str(text: &str) -> Result<Self, AdminError> {
        let refused = || {
            let words = "is no SHA-256 fingerprint: 64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256` \
                         prints them";
            AdminError::Refused(format!("{text:?} {words}"))
        };
        let digits = match text.split_once('=') {
            Some((algorithm, digits)) if algorithm.to_ascii_lowercase().starts_with("sha256") => digits,
            Some(_) => return Err(refused()),
            None => text,
        };
        let digits: String = digits.trim().to_ascii_lowercase().chars().filter(|c| *c != ':').collect();
        let octets: Result<Vec<u8>, DecodeError> = HEXLOWER.decode(digits.as_bytes());
        octets.ok().and_then(|octets| octets.try_into().ok()).map(Self).ok_or_else(refused)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = AdminError;

    fn try_from(text: String) -> Result<Self, AdminError> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

/// As it is kept, and as the log shows it: lower-case hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// A certificate that may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    pub fingerprint: Fingerprint,
    /// When it was added: milliseconds since 1970.
    pub created: i64,
}

/// Lets a certificate log in. One certificate stands for one account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddCertificate {
    pub address: Address,
    pub fingerprint: Fingerprint,
}

impl Operation for AddCertificate {
    type Answer = Certificate;

    fn access(&self) -> Access {
        Access::Owner(self.address.clone())
    }

    fn changes(&self) -> Option<String> {
        Some(format!("{}: {}", self.address, self.fingerprint))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Certificate, AdminError> {
        let store = &operations.store;
        let account = find(store, &self.address)?.id;
        let label = self.fingerprint.to_string();
        // A certificate keeps its own secret.
        let (id, kind, verifier) = (Id::generate(), CredentialKind::Certificate, Secret::new(String::new()));
        store.add_credential(CredentialRecord { id, account, kind, label, verifier }).await?;
        Ok(Certificate { fingerprint: self.fingerprint, created: id.unix_ms() })
    }
}

/// The certificates of an account, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListCertificates {
    pub address: Address,
}

impl Operation for ListCertificates {
    type Answer = Vec<Certificate>;

    fn access(&self) -> Access {
        Access::Owner(self.address.clone())
    }

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Certificate>, AdminError> {
        let account = find(&operations.store, &self.address)?.id;
        let all = operations.store.credentials(account)?.into_iter();
        let shown = |credential: CredentialRecord| {
            let fingerprint = credential.label.parse()?;
            Ok(Certificate { fingerprint, created: credential.id.unix_ms() })
        };
        all.filter(|credential| credential.kind == CredentialKind::Certificate).map(shown).collect()
    }
}

/// From now on the certificate does not log in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveCertificate {
    pub address: Address,
    pub fingerprint: Fingerprint,
}

impl Operation for RemoveCertificate {
    type Answer = ();

    fn access(&self) -> Access {
        Access::Owner(self.address.clone())
    }

    fn changes(&self) -> Option<String> {
        Some(format!("{}: {}", self.address, self.fingerprint))
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<(), AdminError> {
        let account = find(&operations.store, &self.address)?.id;
        let label = self.fingerprint.to_string();
        if operations.store.remove_credential(account, CredentialKind::Certificate, label.clone()).await? {
            return Ok(());
        }
        Err(StoreError::NotFound(format!("certificate {label} of {}", self.address)).into())
    }
}
