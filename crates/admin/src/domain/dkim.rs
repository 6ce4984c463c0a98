//! A domain's signing keys: how they stand, rotating them, and taking the steps that [`rotation`](super::rotation)
//! decides.

use super::records::{Record, RecordKind};
use super::rotation::{Facts, Seen, steps};
use super::{KeyKind, add_key, find, records};
use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use address::Domain;
use dns::{DnsError, Resolver, ServerSays};
use mailauth::dkim::{KeyRecord, SigningKey};
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use std::time::Duration;
use store::clock;
use store::directory::{DomainKind, KeyStage, KeyStep, SigningKeyRecord};

/// Who asks the authoritative servers of a zone.
pub trait Zones: Send + Sync + std::fmt::Debug {
    /// The TXT records of a name, as each server of its zone has them.
    fn txt_everywhere<'a>(
        &'a self,
        name: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<ServerSays>, DnsError>> + Send + 'a>>;
}

impl Zones for Resolver {
    fn txt_everywhere<'a>(
        &'a self,
        name: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<ServerSays>, DnsError>> + Send + 'a>> {
        Box::pin(Self::txt_everywhere(self, name))
    }
}

/// A domain's keys as people see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    pub domain: Domain,
    pub keys: Vec<Key>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub selector: String,
    /// `rsa-sha256` or `ed25519-sha256`; none once the key itself is gone.
    pub algorithm: Option<String>,
    pub stage: KeyStage,
    /// When it came to its stage, in seconds since 1970; none when nobody knows.
    pub since: Option<i64>,
    /// The name of its record.
    pub name: String,
    /// The record to publish; none once the key itself is gone.
    pub record: Option<Record>,
    /// Where the record is seen now.
    pub seen: Seen,
    /// What each authoritative server says of it.
    pub servers: Vec<At>,
    /// What happens next, or is to be done, in words.
    pub next: String,
}

/// What one server says of a key's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    pub server: String,
    /// It has this very key.
    pub published: bool,
    /// In words.
    pub says: String,
}

/// How the keys of a domain stand; a step that is due is taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub domain: Domain,
}

/// Makes new keys for a domain, one of each kind, unless some wait already. They sign once their records are published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rotate {
    pub domain: Domain,
}

impl Operation for Status {
    type Answer = Keys;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Keys, AdminError> {
        signing(operations, &self.domain)?;
        operations.tend(&self.domain).await
    }
}

impl Operation for Rotate {
    type Answer = Keys;

    fn changes(&self) -> Option<String> {
        Some(self.domain.to_string())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Keys, AdminError> {
        signing(operations, &self.domain)?;
        let keys = operations.tend(&self.domain).await?;
        if keys.keys.iter().any(|key| key.stage == KeyStage::Waiting) {
            return Ok(keys);
        }
        make(operations, &self.domain).await?;
        operations.tend(&self.domain).await
    }
}

/// Only for domains whose mail is written here.
fn signing(operations: &Operations, domain: &Domain) -> Result<(), AdminError> {
    match find(&operations.store, domain)?.kind {
        DomainKind::Relay { .. } => {
            let text = format!("the mail of {domain} is not written here, so it has no keys");
            Err(AdminError::Refused(text))
        }
        DomainKind::Local | DomainKind::Alias { .. } => Ok(()),
    }
}

async fn make(operations: &Operations, domain: &Domain) -> Result<(), AdminError> {
    for kind in [KeyKind::Rsa, KeyKind::Ed25519] {
        let selector = add_key(&operations.store, domain, kind, KeyStage::Waiting).await?;
        tracing::info!(target: "dkim", %domain, selector, "a new signing key is made; it signs once its record is in the DNS");
    }
    Ok(())
}

impl Operations {
    /// Takes the steps that are due for the keys of all domains: those of a rotation under way, and where keys are older than
    /// `rotate_every`, the first of a new one. A domain whose keys only wait to be forgotten is looked at when `all` is asked for.
    ///
    /// # Errors
    /// The store could not be read. What goes wrong with one domain is logged, and the others go on.
    pub async fn tend_keys(&self, rotate_every: Option<Duration>, all: bool) -> Result<(), AdminError> {
        let store = self.store.clone();
        let oldest =
            rotate_every.map(|age| clock::millis() - i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let (due, old) = blocking(move || {
            let old = oldest.map(|time| store.domains_signing_since(time)).transpose()?;
            Ok((store.rotating_domains(all)?, old.unwrap_or_default()))
        })
        .await?;
        for domain in old.iter().filter(|domain| !due.contains(domain)) {
            if let Err(error) = make(self, domain).await {
                tracing::error!(target: "dkim", %domain, %error, "no new signing key could be made");
            }
        }
        for domain in due {
            if let Err(error) = self.tend(&domain).await {
                tracing::warn!(target: "dkim", %domain, %error, "the signing keys could not be looked after now");
            }
        }
        Ok(())
    }

    /// Looks where the records of a domain's keys are, takes the steps that follow, and tells how the keys stand then.
    async fn tend(&self, domain: &Domain) -> Result<Keys, AdminError> {
        let mut looked = Vec::new();
        for record in self.keys_of(domain).await? {
            looked.push(self.look(record).await?);
        }
        let facts: Vec<Facts> = looked.iter().map(Looked::facts).collect();
        let now = clock::millis();
        let taken = steps(&facts, now);
        if !taken.is_empty() {
            self.store.step_signing_keys(domain.clone(), taken.clone(), now).await?;
        }
        for step in &taken {
            log(domain, step);
            looked.retain(|looked| step.to.is_some() || looked.record.selector != step.selector);
            for looked in looked.iter_mut().filter(|looked| looked.record.selector == step.selector) {
                looked.record.stage = step.to.unwrap_or(looked.record.stage);
                looked.record.since = now;
            }
        }
        Ok(Keys { domain: domain.clone(), keys: looked.into_iter().map(Looked::view).collect() })
    }

    async fn keys_of(&self, domain: &Domain) -> Result<Vec<SigningKeyRecord>, AdminError> {
        let (store, domain) = (self.store.clone(), domain.clone());
        blocking(move || Ok(store.signing_keys(&domain)?)).await
    }

    async fn look(&self, record: SigningKeyRecord) -> Result<Looked, AdminError> {
        let key = SigningKey::from_pem(record.pem.reveal()).ok();
        let own = key.as_ref().and_then(|key| KeyRecord::parse(key.dns_record().as_bytes()).ok());
        let name = records::key_name(&record)?;
        let servers = match &self.zones {
            Some(zones) => zones.txt_everywhere(&name).await,
            None => Ok(Vec::new()),
        };
        let servers = servers.unwrap_or_else(|error| {
            vec![ServerSays { server: "the zone's name servers".to_owned(), answer: Err(error) }]
        });
        let needed = record.stage == KeyStage::Retiring && {
            let (store, domain, selector) =
                (self.store.clone(), record.domain.clone(), record.selector.clone());
            blocking(move || Ok(store.queue_needs_key(&domain, &selector)?)).await?
        };
        let seen = seen(&servers, own.as_ref());
        let servers = servers.iter().map(|server| At::new(server, own.as_ref())).collect();
        Ok(Looked { record, key, name, seen, servers, needed })
    }
}

/// A key, and what was seen of it.
struct Looked {
    record: SigningKeyRecord,
    key: Option<SigningKey>,
    name: String,
    seen: Seen,
    servers: Vec<At>,
    needed: bool,
}

impl Looked {
    fn facts(&self) -> Facts {
        Facts {
            selector: self.record.selector.clone(),
            algorithm: self.key.as_ref().map(SigningKey::algorithm),
            stage: self.record.stage,
            since: self.record.since,
            seen: self.seen,
            needed: self.needed,
        }
    }

    fn view(self) -> Key {
        let next = self.next();
        let gone = self.record.stage == KeyStage::Removable;
        let key = self.key.filter(|_| !gone);
        let record = key.as_ref().map(|key| Record {
            name: self.name.clone(),
            kind: RecordKind::Txt,
            value: mailauth::zone_text(&key.dns_record()),
            purpose: records::key_purpose(self.record.stage).to_owned(),
        });
        Key {
            selector: self.record.selector,
            algorithm: key.map(|key| key.algorithm().to_string()),
            stage: self.record.stage,
            since: (self.record.since > 0).then_some(self.record.since / 1000),
            name: self.name,
            record,
            seen: self.seen,
            servers: self.servers,
            next,
        }
    }

    fn next(&self) -> String {
        let name = &self.name;
        match (self.record.stage, self.seen) {
            (_, _) if self.key.is_none() && self.record.stage < KeyStage::Removable => {
                "the key cannot be read: rotate, and remove its record later".to_owned()
            }
            (KeyStage::Waiting, Seen::Unknown) => {
                format!(
                    "publish its record at {name}; the running server looks for it, and then signs with the key"
                )
            }
            (KeyStage::Waiting, _) => {
                format!("publish its record at {name}; it signs once every name server of the zone has it")
            }
            (KeyStage::Active, Seen::Nowhere) => {
                format!("it signs, but its record is not in the DNS: publish it at {name}")
            }
            (KeyStage::Active, _) => "it signs".to_owned(),
            (KeyStage::Retiring, _) if self.needed => {
                "it signs no more; leave its record, as messages in the queue have its signature".to_owned()
            }
            (KeyStage::Retiring, _) => {
                "it signs no more; leave its record, as messages that it signed may be in flight".to_owned()
            }
            (KeyStage::Removable, _) => format!(
                "nothing here needs it any more, and the key is deleted: its record at {name} can be removed (best after five \
                 days, as other servers may still hold mail that it signed)"
            ),
        }
    }
}

impl At {
    /// `own` is the record of the key, if that can be read.
    fn new(server: &ServerSays, own: Option<&KeyRecord>) -> Self {
        let published = has(server, own);
        let says = match &server.answer {
            Ok(_) if published => "has the record".to_owned(),
            Ok(_) if own.is_none() => "has a record of that name".to_owned(),
            Ok(_) => "has another record of that name".to_owned(),
            Err(error) if error.is_temporary() => error.to_string(),
            Err(_) => "has no such record".to_owned(),
        };
        Self { server: server.server.clone(), published, says }
    }
}

/// Whether a server has the very key.
fn has(server: &ServerSays, own: Option<&KeyRecord>) -> bool {
    let Some(own) = own else { return false };
    let same = |text: &Vec<u8>| {
        let record = KeyRecord::parse(text);
        record
            .is_ok_and(|record| record.key == own.key && record.key_type.eq_ignore_ascii_case(&own.key_type))
    };
    server.answer.as_ref().is_ok_and(|texts| texts.iter().any(same))
}

fn seen(servers: &[ServerSays], own: Option<&KeyRecord>) -> Seen {
    let absent = |server: &ServerSays| matches!(&server.answer, Err(error) if !error.is_temporary());
    let silent = |server: &ServerSays| matches!(&server.answer, Err(error) if error.is_temporary());
    if servers.iter().all(silent) {
        Seen::Unknown
    } else if servers.iter().all(|server| has(server, own)) {
        Seen::Everywhere
    } else if servers.iter().all(absent) {
        Seen::Nowhere
    } else {
        Seen::Partly
    }
}

fn log(domain: &Domain, step: &KeyStep) {
    let selector = &step.selector;
    match step.to {
        Some(KeyStage::Active) => {
            tracing::info!(target: "dkim", %domain, selector, "the record of a signing key is in the DNS: it signs from now on");
        }
        Some(KeyStage::Retiring) => {
            tracing::info!(target: "dkim", %domain, selector, "a signing key was replaced: its record must stay for now");
        }
        Some(KeyStage::Removable) => {
            tracing::info!(target: "dkim", %domain, selector, "nothing needs an old signing key any more: it is deleted, and its record can be removed");
        }
        None => {
            tracing::info!(target: "dkim", %domain, selector, "the record of an old signing key has gone")
        }
        Some(KeyStage::Waiting) => {}
    }
}
