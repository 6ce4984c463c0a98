//! DANE (RFC 7672): TLSA records, signed, that name the certificate which the host shows.

use super::super::tls::{Before, Reaching};
use super::Asked;
use super::finding::Finding;
use crate::config::Peer;
use address::{Domain, Host};
use dns::Tlsa;
use net::tls::{Association, DaneVerifier, TlsClient, TlsPolicy};
use std::sync::Arc;
use std::time::Duration;

const CHECK: &str = "dane";
/// How long calling one host may take: a network that lets nothing out to port 25 is silent.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn check(asked: &Asked<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for exchange in asked.exchanges {
        findings.push(host(asked, &exchange.host).await);
    }
    findings
}

async fn host(asked: &Asked<'_>, host: &Domain) -> Finding {
    let name = format!("_{}._tcp.{host}", asked.port);
    let found = match asked.dns.tlsa(&name).await {
        Ok(found) => found,
        Err(error) if error.is_temporary() => return Finding::unknown(CHECK, &error),
        Err(_) => {
            let why = "with DNSSEC, TLSA records let other servers know the certificate; nothing else protects so well";
            return Finding::warn(CHECK, format!("{name}: no TLSA record"), why);
        }
    };
    if !found.secure {
        let why = "RFC 7672 §2.2: TLSA records without DNSSEC count for nothing (or the name server that was asked does not hand signatures on)";
        return Finding::warn(CHECK, format!("{name}: not signed (DNSSEC)"), why);
    }
    let usable =
        |record: &Tlsa| Association::new(record.usage, record.selector, record.matching, record.data.clone());
    let associations: Vec<Association> = found.records.iter().filter_map(usable).collect();
    let listed: Vec<String> = found.records.iter().map(ToString::to_string).collect();
    let text = format!("{name}: {}", listed.join(", "));
    if associations.is_empty() {
        let why =
            "RFC 7672 §3.1: only the usages 2 (DANE-TA) and 3 (DANE-EE) can be used for mail; take 3 1 1";
        return Finding::fail(CHECK, text, why);
    }
    let verifier =
        Arc::new(DaneVerifier::new(&associations, vec![host.to_string(), asked.domain.to_string()]));
    let peer = Peer { host: Host::Domain(host.clone()), port: asked.port };
    match tokio::time::timeout(PATIENCE, shows(asked, &peer, verifier)).await {
        Ok(Shown::Fits) => Finding::pass(CHECK, format!("{text}: the host shows it")),
        Ok(Shown::Other(error)) => {
            let why = "servers that know DANE bring no mail to this host until certificate and record agree";
            Finding::fail(CHECK, format!("{text}: {error}"), why)
        }
        Ok(Shown::Unreachable(error)) => Finding::warn(
            CHECK,
            format!("{text}: could not be compared: {error}"),
            "only the record was seen, not the certificate",
        ),
        Err(_) => Finding::warn(
            CHECK,
            format!("{text}: the host did not answer"),
            "only the record was seen, not the certificate",
        ),
    }
}

/// What came of a handshake.
enum Shown {
    Fits,
    Other(String),
    Unreachable(String),
}

async fn shows(asked: &Asked<'_>, peer: &Peer, verifier: Arc<DaneVerifier>) -> Shown {
    let reaching = Reaching { server: peer, here: asked.here, dns: asked.servers.clone() };
    let stream = match reaching.stream(Before::Smtp).await {
        Ok(stream) => stream,
        Err(error) => return Shown::Unreachable(error.message),
    };
    match stream.connect_tls(&TlsClient::new(), &peer.host, &TlsPolicy::Custom(verifier)).await {
        Ok(_) => Shown::Fits,
        Err(error) => Shown::Other(error.to_string()),
    }
}
