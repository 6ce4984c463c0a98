//! DANE: the TLSA records of a host, and what they ask for (RFC 7672 §2.2, §3).

use crate::{Destination, NextHop};
use address::{Domain, Host};
use dns::{DnsError, Family, Lookup, Tlsa, Validated};
use net::tls::{Association, DaneVerifier};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Most records that are told in the trail.
const MAX_TOLD: usize = 3;

/// The secure TLSA records of a host. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Dane {
    /// The TLSA base domain (RFC 7672 §2.2.3).
    pub(crate) base: Domain,
    pub(crate) records: Vec<Tlsa>,
    /// Those of them that can be used. Without any TLS is needed, and nobody is authenticated.
    associations: Vec<Association>,
    /// What a certificate under a trust anchor may be for (RFC 7672 §3.2.2).
    names: Vec<String>,
}

impl Dane {
    fn new(base: Domain, records: Vec<Tlsa>, more_names: Vec<Domain>) -> Self {
        let usable = |record: &Tlsa| {
            Association::new(record.usage, record.selector, record.matching, record.data.clone())
        };
        let associations = records.iter().filter_map(usable).collect();
        let mut names = vec![base.to_string()];
        for name in more_names {
            if !names.contains(&name.to_string()) {
                names.push(name.to_string());
            }
        }
        Self { base, records, associations, names }
    }

    pub(crate) fn is_usable(&self) -> bool {
        !self.associations.is_empty()
    }

    pub(crate) fn verifier(&self) -> Option<Arc<DaneVerifier>> {
        let verifier = || Arc::new(DaneVerifier::new(&self.associations, self.names.clone()));
        self.is_usable().then(verifier)
    }
}

/// For the trail.
impl fmt::Display for Dane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<_> = self.records.iter().take(MAX_TOLD).map(Tlsa::to_string).collect();
        let (count, told) = (self.records.len(), told.join(", "));
        if self.is_usable() {
            write!(f, "by DANE the certificate must be one that {count} TLSA record(s) name: {told}")
        } else {
            write!(f, "by DANE TLS is needed, with any certificate, as no TLSA record is usable: {told}")
        }
    }
}

/// TLSA records that DNSSEC vouches for, and the name they were found at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsaRecords {
    /// The TLSA base domain.
    pub base: Domain,
    /// At least one.
    pub records: Vec<Tlsa>,
}

/// The TLSA records of a host, when DNSSEC vouches for them.
///
/// # Errors
/// It cannot be learnt: then the host must not be used (RFC 7672 §2.1.2).
pub async fn tlsa(
    dns: &dyn Lookup,
    host: &Domain,
    port: u16,
    family: Family,
) -> Result<Option<TlsaRecords>, DnsError> {
    // RFC 7672 §2.2.2: the addresses first, as servers of unsigned zones mishandle questions for TLSA.
    let found = match dns.validated_addresses(host, family).await {
        Ok(found) => found,
        Err(error) if error.is_temporary() => return Err(error),
        // Nothing is there to be called.
        Err(_) => return Ok(None),
    };
    for base in bases(host, &found) {
        match dns.tlsa(&format!("_{port}._tcp.{base}")).await {
            Ok(answer) if answer.secure => return Ok(Some(TlsaRecords { base, records: answer.records })),
            Ok(_) => {}
            Err(error) if error.is_temporary() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

/// As [`tlsa`], with what a certificate must be for.
pub(super) async fn find(
    dns: &dyn Lookup,
    host: &Domain,
    port: u16,
    destination: &Destination,
    one_domain: bool,
) -> Result<Option<Dane>, DnsError> {
    let found = tlsa(dns, host, port, destination.route.terms.family).await?;
    Ok(found.map(|TlsaRecords { base, records }| {
        let names = names(host, &base, destination, one_domain);
        Dane::new(base, records, names)
    }))
}

/// RFC 7672 §2.2.2: where to look, the best first.
fn bases(host: &Domain, found: &Validated<IpAddr>) -> Vec<Domain> {
    let Some(alias) = &found.alias else {
        return if found.secure { vec![host.clone()] } else { Vec::new() };
    };
    match (found.secure, Domain::parse(&alias.target)) {
        (true, Ok(target)) => vec![target, host.clone()],
        (true, Err(_)) => vec![host.clone()],
        (false, _) if alias.first_secure => vec![host.clone()],
        (false, _) => Vec::new(),
    }
}

/// RFC 7672 §3.2.2: the names besides the base domain. Of a domain whose MX records nobody vouches for, none: an attacker could have
/// chosen the host.
fn names(host: &Domain, base: &Domain, destination: &Destination, one_domain: bool) -> Vec<Domain> {
    let published = &destination.published;
    match &destination.route.next {
        NextHop::Mx(Host::Domain(domain)) | NextHop::BetterMx(domain) if domain == host => {
            vec![domain.clone()]
        }
        NextHop::Mx(Host::Domain(domain)) | NextHop::BetterMx(domain)
            if published.secure_mx && one_domain =>
        {
            std::iter::once(domain.clone()).chain(published.alias.clone()).collect()
        }
        NextHop::Smtp { .. } if base != host => vec![host.clone()],
        _ => Vec::new(),
    }
}
