//! What to publish in the DNS for a domain.

use super::find;
use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use address::Domain;
use mailauth::dkim::{self, Selector, SigningKey};
use mailauth::zone_text;
use serde::{Deserialize, Serialize};
use store::Store;
use store::directory::{DomainKind, KeyStage, SigningKeyRecord};

/// Services that mail programs look up, with what RFC 6186 and RFC 8314 §5.1 call them, the better ones first.
const SERVICES: [&str; 6] = ["submissions", "submission", "imaps", "imap", "pop3s", "pop3"];

/// The records to publish for a domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Records {
    pub domain: Domain,
    /// The name of this machine: where mail is to come.
    pub hostname: Domain,
    /// What this machine offers to mail programs.
    pub services: Vec<Service>,
}

/// A service by its name in the configuration, for example `submissions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub name: String,
    pub port: u16,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The whole name, without a dot at its end.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: RecordKind,
    /// As a zone file has it, text in quotes.
    pub value: String,
    /// What it is for.
    pub purpose: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordKind {
    Mx,
    Txt,
    Srv,
}

impl Operation for Records {
    type Answer = Vec<Record>;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Record>, AdminError> {
        let store = operations.store.clone();
        blocking(move || self.gather(&store)).await
    }
}

impl Records {
    fn gather(&self, store: &Store) -> Result<Vec<Record>, AdminError> {
        let record = find(store, &self.domain)?;
        let (domain, host) = (&self.domain, &self.hostname);
        let mut records = Vec::new();
        let mut add = |name: String, kind, value: String, purpose: &str| {
            records.push(Record { name, kind, value, purpose: purpose.to_owned() });
        };
        add(domain.to_string(), RecordKind::Mx, format!("10 {host}."), "mail for the domain comes here");
        if matches!(record.kind, DomainKind::Relay { .. }) {
            // Its own mail does not leave from here, so nothing is said about that.
            return Ok(records);
        }
        let text = |value: &str| zone_text(value);
        let spf = text("v=spf1 mx ~all");
        add(domain.to_string(), RecordKind::Txt, spf, "SPF: its mail is sent by the hosts that receive it");
        if domain != host {
            // RFC 7208 §2.3: notifications have no sender, and the name of HELO is checked in its place.
            add(host.to_string(), RecordKind::Txt, text("v=spf1 a -all"), "SPF: for notifications");
        }
        let needed = |key: &SigningKeyRecord| key.stage != KeyStage::Removable;
        for key in store.signing_keys(domain)?.into_iter().filter(needed) {
            let (name, value) = published(&key)?;
            add(name, RecordKind::Txt, value, key_purpose(key.stage));
        }
        let dmarc = text(&format!("v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}"));
        add(
            format!("_dmarc.{domain}"),
            RecordKind::Txt,
            dmarc,
            "DMARC: what to think of mail that is neither, and where to report it",
        );
        if let Some(own) = store.own_sts(domain)?.and_then(|own| super::sts::record(&own, host)) {
            let value = text(&own);
            add(
                format!("_mta-sts.{domain}"),
                RecordKind::Txt,
                value,
                "MTA-STS: there is a policy at mta-sts (which needs an A or AAAA record)",
            );
        }
        let tls = text(&format!("v=TLSRPTv1; rua=mailto:postmaster@{domain}"));
        let purpose = "TLS reporting: where to tell of connections to the mail host that were not safe";
        add(mailauth::report::tls::query_name(domain), RecordKind::Txt, tls, purpose);
        for (place, name) in SERVICES.into_iter().enumerate() {
            for service in self.services.iter().filter(|service| service.name == name) {
                let value = format!("{} 1 {} {host}.", place * 10, service.port);
                add(format!("_{name}._tcp.{domain}"), RecordKind::Srv, value, "for mail programs to find it");
            }
        }
        Ok(records)
    }
}

/// What the record of a key is for.
pub(super) fn key_purpose(stage: KeyStage) -> &'static str {
    match stage {
        KeyStage::Waiting => "DKIM: the key that its mail will be signed with, once this is published",
        KeyStage::Active => "DKIM: a key that its mail is signed with",
        KeyStage::Retiring | KeyStage::Removable => {
            "DKIM: an old key; mail that it signed is still under way"
        }
    }
}

/// Name and value of the record of a key.
fn published(record: &SigningKeyRecord) -> Result<(String, String), AdminError> {
    let key = SigningKey::from_pem(record.pem.reveal()).map_err(|error| damaged(record, error))?;
    Ok((key_name(record)?, zone_text(&key.dns_record())))
}

/// Where the record of a key is.
pub(super) fn key_name(record: &SigningKeyRecord) -> Result<String, AdminError> {
    let selector: Selector = record.selector.parse().map_err(|error| damaged(record, error))?;
    Ok(dkim::key_name(&selector, &record.domain))
}

fn damaged(record: &SigningKeyRecord, error: mailauth::Error) -> AdminError {
    let SigningKeyRecord { selector, domain, .. } = record;
    AdminError::Failed(format!("the key {selector} of {domain} cannot be read: {error}"))
}
