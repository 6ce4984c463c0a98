//! Logging in: the questions of a SASL exchange, answered from the store.

use crate::{Directory, DirectoryError, Verifier};
use address::{Address, LocalPart, Secret};
use sasl::server::{Exchange, Failure, FindCramSecret, FindScramKeys, Step, VerifyPassword};
use sasl::{Unassigned, saslprep};
use std::borrow::Cow;
use std::time::Instant;
use store::directory::{AccountRecord, CredentialKind, DomainKind};

/// Who has logged in.
#[derive(Debug, Clone)]
pub struct Login {
    pub account: AccountRecord,
}

/// Where an exchange stands after its questions are answered.
#[derive(Debug)]
pub enum Progress {
    Challenge { text: Vec<u8>, next: Exchange },
    Done(Login),
    Failed(Failure),
}

impl Directory {
    /// Answers what the exchange asks until the client is to speak, or it is over.
    pub async fn advance(&self, mut step: Step) -> Result<Progress, DirectoryError> {
        loop {
            step = match step {
                Step::Challenge { text, next } => return Ok(Progress::Challenge { text, next }),
                Step::Failed(failure) => return Ok(Progress::Failed(failure)),
                Step::Done(identity) => {
                    let account = self.account_for_login(&identity.authcid)?;
                    let done = account.map(|account| Progress::Done(Login { account }));
                    return Ok(done.unwrap_or(Progress::Failed(Failure::Credentials)));
                }
                Step::VerifyPassword(question) => self.answer_password(question).await?,
                Step::FindScramKeys(question) => self.answer_scram(question)?,
                Step::FindCramSecret(question) => self.answer_cram(question)?,
                Step::Authorize(question) => {
                    // Another spelling of the same account is the same account; acting for others is not offered.
                    let same = self.account_for_login(question.authzid())?.map(|a| a.id);
                    let own = self.account_for_login(question.authcid())?.map(|a| a.id);
                    if same.is_some() && same == own { question.grant() } else { question.refuse() }
                }
            }
        }
    }

    /// For protocols with a user name and password outside SASL.
    pub async fn log_in(
        &self,
        name: &str,
        password: &Secret<String>,
    ) -> Result<Option<Login>, DirectoryError> {
        let prepared = |text: &str| saslprep(text, Unassigned::Allowed).map(Cow::into_owned);
        let account = prepared(name).map_or(Ok(None), |name| self.account_for_login(&name))?;
        let ready = prepared(password.reveal()).map_or_else(|| password.clone(), Secret::new);
        let matches = self.verify(account.as_ref(), &ready, password).await?;
        Ok(account.filter(|_| matches).map(|account| Login { account }))
    }

    /// The account that a client's certificate stands for (SASL EXTERNAL): the one that its fingerprint was added to,
    /// else the first of `emails` whose account may log in. They count for a certificate that is verified, so of others
    /// the caller names none.
    pub fn account_of_certificate<'a>(
        &self,
        fingerprint: &str,
        emails: impl IntoIterator<Item = &'a str>,
    ) -> Result<Option<String>, DirectoryError> {
        if let Some(id) = self.store.account_of_certificate(fingerprint)? {
            let account = self.store.account_by_id(id)?.filter(|account| !account.disabled);
            return Ok(account.map(|account| account.address.to_string()));
        }
        // Whole addresses: what is less names an account when a person types it, not in a certificate.
        for email in emails.into_iter().filter(|email| email.parse::<Address>().is_ok()) {
            if let Some(account) = self.account_for_login(email)? {
                return Ok(Some(account.address.to_string()));
            }
        }
        Ok(None)
    }

    async fn answer_password(&self, question: VerifyPassword) -> Result<Step, DirectoryError> {
        let account = self.account_for_login(question.authcid())?;
        let matches = self.verify(account.as_ref(), question.password(), question.password_as_sent()).await?;
        Ok(question.answer(matches))
    }

    fn answer_scram(&self, question: FindScramKeys) -> Result<Step, DirectoryError> {
        let verifier = self.password_verifier(question.authcid())?;
        let keys = verifier.and_then(|verifier| verifier.scram_keys(question.hash()));
        Ok(match keys {
            Some(keys) => question.found(keys),
            None => question.unknown(),
        })
    }

    fn answer_cram(&self, question: FindCramSecret) -> Result<Step, DirectoryError> {
        let verifier = self.password_verifier(question.authcid())?;
        Ok(match verifier.and_then(|verifier| verifier.cram_secret()) {
            Some(secret) => question.found(&secret),
            None => question.unknown(),
        })
    }

    /// Whether the password is one of the account's: prepared for our own hashes, as it was sent for those of other
    /// systems. Without an account a made-up one is checked, which takes as long.
    async fn verify(
        &self,
        account: Option<&AccountRecord>,
        prepared: &Secret<String>,
        sent: &Secret<String>,
    ) -> Result<bool, DirectoryError> {
        let mut slow = Vec::new();
        for record in account.map(|a| self.store.credentials(a.id)).transpose()?.unwrap_or_default() {
            if record.kind == CredentialKind::Certificate {
                continue;
            }
            let verifier = Verifier::from_storage(&record.verifier)?;
            let password = if verifier.is_imported() { sent } else { prepared };
            let tag = self.remembered.tag(record.id, password.reveal());
            if self.remembered.knows(&tag, Instant::now())
                || (!verifier.is_slow() && verifier.matches(password))
            {
                return Ok(true);
            }
            if verifier.is_slow() {
                slow.push((verifier, password, tag));
            }
        }
        if slow.is_empty() {
            slow.push((made_up(), prepared, [0; 32]));
        }
        let known = account.is_some();
        for (verifier, password, tag) in slow {
            if self.matches_slowly(verifier, password).await? && known {
                self.remembered.add(tag, Instant::now());
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn matches_slowly(
        &self,
        verifier: Verifier,
        password: &Secret<String>,
    ) -> Result<bool, DirectoryError> {
        let stopped = |_| DirectoryError::Damaged("the password checker");
        let _turn =
            self.hashing.acquire().await.map_err(|_| DirectoryError::Damaged("the password checker"))?;
        let password = password.clone();
        tokio::task::spawn_blocking(move || verifier.matches(&password)).await.map_err(stopped)
    }

    /// The verifier of the account's own password: what SCRAM and CRAM-MD5 work with (they name one secret).
    fn password_verifier(&self, name: &str) -> Result<Option<Verifier>, DirectoryError> {
        let Some(account) = self.account_for_login(name)? else { return Ok(None) };
        let credentials = self.store.credentials(account.id)?;
        let password = credentials.into_iter().find(|c| c.kind == CredentialKind::Password);
        password.map(|c| Verifier::from_storage(&c.verifier)).transpose()
    }

    /// The account of a login name: its address, in any case, of an alias domain too, or without a domain when
    /// there is one local domain. Disabled accounts do not log in.
    fn account_for_login(&self, name: &str) -> Result<Option<AccountRecord>, DirectoryError> {
        let address = match name.parse::<Address>() {
            Ok(address) => address,
            Err(_) => match (LocalPart::from_value(name), self.only_domain()?) {
                (Ok(local), Some(domain)) => Address::new(local, domain),
                _ => return Ok(None),
            },
        };
        let Some(domain) = address.domain() else { return Ok(None) };
        let domain = match self.store.domain(domain)?.map(|d| d.kind) {
            Some(DomainKind::Alias { of }) => of,
            _ => domain.clone(),
        };
        Ok(self.store.account(&domain, &address.local().folded())?.filter(|account| !account.disabled))
    }

    fn only_domain(&self) -> Result<Option<address::Domain>, DirectoryError> {
        let mut local = self.store.domains()?.into_iter().filter(|d| d.kind == DomainKind::Local);
        Ok(match (local.next(), local.next()) {
            (Some(only), None) => Some(only.name),
            _ => None,
        })
    }
}

/// A verifier of nobody's password, with the cost of a real one.
fn made_up() -> Verifier {
    // Argon2id with the default parameters, of a password that was never kept.
    const HASH: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdA$dm5xS2p0b0l3cXlFb3Z5b0h3c0ZxS2p0b0l3cXlFb3Y";
    Verifier::of_crypt(HASH).unwrap_or_default()
}
