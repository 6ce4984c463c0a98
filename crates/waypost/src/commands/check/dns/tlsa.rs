//! DANE (RFC 7672): TLSA records, signed, that name the certificate which the host shows.

use super::super::tls::{Before, Reaching};
use super::finding::{Finding, Status, Subject};
use super::mx::Exchange;
use super::{Asked, each};
use crate::config::Peer;
use address::{Domain, Host, Literal};
use data_encoding::HEXLOWER;
use dns::Tlsa;
use net::tls::{Association, DaneVerifier, Shown, TlsClient, TlsPolicy, public_key_sha256};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

const CHECK: Subject = Subject {
    name: "dane",
    why: "TLSA records under DNSSEC tell other servers which certificate the host has; nothing else protects so well",
};
/// How long calling one host may take: a network that lets nothing out to port 25 is silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who issued the certificate that a host shows.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) host: Domain,
    /// The organization, as the certificate has it.
    pub(super) by: String,
}

pub(super) async fn check(asked: &Asked<'_>) -> (Vec<Finding>, Vec<Issued>) {
    let (findings, issued): (Vec<_>, Vec<_>) =
        each(asked.exchanges, |exchange| host(asked, exchange)).await.into_iter().unzip();
    (findings, issued.into_iter().flatten().collect())
}

/// The record is judged first; the certificate is needed both to compare it and to say what to publish.
async fn host(asked: &Asked<'_>, exchange: &Exchange) -> (Finding, Option<Issued>) {
    let name = format!("_{}._tcp.{}", asked.port, exchange.host);
    let found = match asked.dns.tlsa(&name).await {
        Ok(found) => Some(found),
        Err(error) if error.is_temporary() => return (Finding::unknown(CHECK, &error), None),
        Err(_) => None,
    };
    let shown = shown(asked, exchange).await;
    let finding = match found {
        None => Finding::warn(CHECK, format!("{name}: no TLSA record"), CHECK.why),
        Some(found) if !found.secure => {
            let why = "RFC 7672 §2.2: TLSA records without DNSSEC count for nothing (or the name server that was asked does not hand signatures on)";
            Finding::warn(CHECK, format!("{name}: not signed (DNSSEC)"), why)
        }
        Some(found) => compare(asked, &exchange.host, &name, &found.records, &shown),
    };
    let shown = shown.ok();
    let issued = shown.as_ref().and_then(issuer).map(|by| Issued { host: exchange.host.clone(), by });
    let finding = match shown.as_ref().and_then(wanted) {
        Some(value) if finding.status != Status::Pass => finding.publish(name, "TLSA", value),
        _ => finding,
    };
    (finding, issued)
}

/// None for one that was issued by itself.
fn issuer(shown: &Shown) -> Option<String> {
    let (_, leaf) = X509Certificate::from_der(shown.chain.first()?).ok()?;
    if leaf.issuer() == leaf.subject() {
        return None;
    }
    let organization = leaf.issuer().iter_organization().next()?;
    organization.as_str().ok().map(str::to_owned)
}

/// Records that DNSSEC vouches for, and what the host shows.
fn compare(
    asked: &Asked<'_>,
    host: &Domain,
    name: &str,
    records: &[Tlsa],
    shown: &Result<Shown, String>,
) -> Finding {
    let usable =
        |record: &Tlsa| Association::new(record.usage, record.selector, record.matching, record.data.clone());
    let associations: Vec<Association> = records.iter().filter_map(usable).collect();
    let listed: Vec<String> = records.iter().map(ToString::to_string).collect();
    let text = format!("{name}: {}", listed.join(", "));
    if associations.is_empty() {
        let why =
            "RFC 7672 §3.1: only the usages 2 (DANE-TA) and 3 (DANE-EE) can be used for mail; take 3 1 1";
        return Finding::fail(CHECK, text, why);
    }
    let shown = match shown {
        Ok(shown) => shown,
        Err(error) => {
            let why = "only the record was seen, not the certificate";
            return Finding::warn(CHECK, format!("{text}: could not be compared: {error}"), why);
        }
    };
    let verifier = DaneVerifier::new(&associations, vec![host.to_string(), asked.domain.to_string()]);
    match verifier.judge(&shown.chain) {
        Ok(()) => Finding::pass(CHECK, format!("{text}: the host shows it")),
        Err(error) => {
            let why = "servers that know DANE bring no mail to this host until certificate and record agree";
            Finding::fail(CHECK, format!("{text}: {error}"), why)
        }
    }
}

/// The record for a certificate: of the kind that stays when it is renewed with the same key (RFC 7672 §3.1.1).
fn wanted(shown: &Shown) -> Option<String> {
    let digest = public_key_sha256(shown.chain.first()?)?;
    Some(format!("3 1 1 {}", HEXLOWER.encode(&digest)))
}

/// What the host shows on the first of its addresses that takes a call, or why it shows nothing.
async fn shown(asked: &Asked<'_>, exchange: &Exchange) -> Result<Shown, String> {
    let call = async {
        let mut trouble = "the host has no address that can be called".to_owned();
        for ip in exchange.addresses.iter().filter(|ip| !net::is_for_documentation(**ip)) {
            match handshake(asked, &exchange.host, *ip).await {
                Ok(shown) => return Ok(shown),
                Err(error) => trouble = error,
            }
        }
        Err(trouble)
    };
    let silent = |_| Err("the host did not answer".to_owned());
    tokio::time::timeout(PATIENCE, call).await.unwrap_or_else(silent)
}

async fn handshake(asked: &Asked<'_>, host: &Domain, ip: IpAddr) -> Result<Shown, String> {
    let peer = Peer { host: Host::Literal(Literal::from(ip)), port: asked.port };
    let reaching = Reaching { server: &peer, here: asked.here, dns: asked.servers.clone() };
    let stream = reaching.stream(Before::Smtp).await.map_err(|error| error.message)?;
    let tls = TlsClient::new();
    let observer = tls.observer();
    let policy = TlsPolicy::Custom(Arc::clone(&observer) as _);
    let name = Host::Domain(host.clone());
    stream.connect_tls(&tls, &name, &policy).await.map_err(|error| error.to_string())?;
    observer.shown().ok_or_else(|| "the host showed no certificate".to_owned())
}
