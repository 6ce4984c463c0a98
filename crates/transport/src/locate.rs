//! From a route to its hosts (RFC 5321 §5.1, RFC 7505).

use crate::security::{Published, TlsLog, is_asked, of_bogus_names};
use crate::sts::{Policies, Sts};
use crate::{
    Destination, DestinationKey, NamedHost, NextHop, Place, Route, Settings, Terms, TlsLevel, Unreachable,
};
use address::{Domain, Host};
use dns::{DnsError, Family, Lookup, MxHost, MxLookup};
use net::tls::TlsClient;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

pub(crate) async fn locate(
    dns: &dyn Lookup,
    policies: Option<(&Policies, &TlsClient)>,
    log: Option<&dyn TlsLog>,
    settings: &Settings,
    route: &Route,
) -> Result<Destination, Unreachable> {
    let port = route.terms.port;
    let mut published = Published::default();
    let hosts = match &route.next {
        NextHop::Mx(Host::Domain(domain)) | NextHop::BetterMx(domain) => {
            let hosts = mx_hosts(dns, domain, route, &mut published).await;
            let hosts = hosts.map_err(|lost| lost.told(domain, log))?;
            // A domain of address records only has a policy as well (RFC 8461 §3).
            if let Some((policies, tls)) = policies.filter(|_| is_asked(&route.next, route.terms.tls)) {
                published.sts = policies.find(dns, tls, domain).await;
            }
            let hosts =
                without_ourselves(hosts, settings, domain, matches!(route.next, NextHop::BetterMx(_)))?;
            hosts.into_iter().map(|mx| named(Host::Domain(mx.host), port, false)).collect()
        }
        NextHop::Mx(literal @ Host::Literal(_)) => vec![named(literal.clone(), port, false)],
        NextHop::Smtp { host, port, implicit_tls } => {
            // RFC 8461 §3.4: here the policy is that of the smart host.
            if let (Host::Domain(domain), Some((policies, tls))) = (host, policies)
                && is_asked(&route.next, route.terms.tls)
            {
                published.sts = policies.find(dns, tls, domain).await;
            }
            vec![named(host.clone(), *port, *implicit_tls)]
        }
        NextHop::Lmtp { host, port } => vec![named(host.clone(), *port, false)],
        NextHop::LmtpSocket(path) => {
            vec![NamedHost { name: path.display().to_string(), place: Place::Socket(path.clone()) }]
        }
    };
    let key = key(settings, route, &hosts, &published);
    Ok(Destination { key, route: route.clone(), hosts, published })
}

fn named(host: Host, port: u16, implicit_tls: bool) -> NamedHost {
    NamedHost { name: host.to_string(), place: Place::Host { host, port, implicit_tls } }
}

async fn mx_hosts(
    dns: &dyn Lookup,
    domain: &Domain,
    route: &Route,
    published: &mut Published,
) -> Result<Vec<MxHost>, Lost> {
    let lookup = if is_asked(&route.next, route.terms.tls) {
        let found = dns.validated_mx(domain, random()).await?;
        (published.secure_mx, published.alias) = (found.secure, found.alias);
        found.lookup
    } else {
        dns.mx(domain, random()).await?
    };
    match lookup {
        MxLookup::Hosts { hosts, .. } => Ok(hosts),
        MxLookup::NullMx => Err(Lost::NullMx),
        // Asked now, as without an address either there is no such mail domain, and nothing to try.
        MxLookup::Implicit(host) => {
            addresses(dns, &host, route).await?;
            Ok(vec![MxHost { preference: 0, host }])
        }
    }
}

/// Why a domain has no hosts.
enum Lost {
    NullMx,
    Dns(DnsError),
}

impl From<DnsError> for Lost {
    fn from(error: DnsError) -> Self {
        Self::Dns(error)
    }
}

impl Lost {
    /// For the sender; and a domain whose records are bogus is told in its report, as one whose TLSA records are.
    fn told(self, domain: &Domain, log: Option<&dyn TlsLog>) -> Unreachable {
        match self {
            // RFC 7505 §4.
            Self::NullMx => Unreachable {
                permanent: true,
                reply: format!("556 5.1.10 {domain} takes no mail: it has a null MX"),
            },
            Self::Dns(error) => {
                if let (DnsError::Bogus { .. }, Some(log)) = (&error, log) {
                    log.record(of_bogus_names(domain, &error));
                }
                unreachable(&error)
            }
        }
    }
}

/// Of the kind that is asked for again when the host is called.
pub(crate) async fn addresses(
    dns: &dyn Lookup,
    name: &Domain,
    route: &Route,
) -> Result<Vec<IpAddr>, DnsError> {
    let family = route.terms.family;
    if is_asked(&route.next, route.terms.tls) {
        return Ok(dns.validated_addresses(name, family).await?.records);
    }
    dns.addresses(name, family).await
}

fn unreachable(error: &DnsError) -> Unreachable {
    let (permanent, code) = match error {
        DnsError::Temporary { .. } | DnsError::Bogus { .. } => (false, "451 4.4.3"),
        DnsError::NoSuchName(_) | DnsError::NoRecords { .. } => (true, "550 5.1.2"),
        DnsError::NoUsableMx { .. } => (true, "550 5.4.4"),
    };
    Unreachable { permanent, reply: format!("{code} {error}") }
}

/// RFC 5321 §5.1: who finds itself among the hosts drops itself and all that are not better, lest mail go round in a
/// circle.
fn without_ourselves(
    mut hosts: Vec<MxHost>,
    settings: &Settings,
    domain: &Domain,
    backup: bool,
) -> Result<Vec<MxHost>, Unreachable> {
    let ours = hosts.iter().filter(|mx| mx.host == settings.hostname).map(|mx| mx.preference).min();
    if let Some(ours) = ours {
        hosts.retain(|mx| mx.preference < ours);
    }
    if !hosts.is_empty() {
        return Ok(hosts);
    }
    let us = &settings.hostname;
    let reply = match backup {
        false => format!(
            "554 5.4.6 mail for {domain} loops back to us: its best MX is {us}, and it is no domain of ours"
        ),
        true => format!(
            "554 5.4.6 mail for {domain} loops back to us: no MX is better than {us}; relay it to a host instead"
        ),
    };
    Err(Unreachable { permanent: true, reply })
}

/// The hosts in alphabetical order, so that domains served by the same hosts share it, and what a connection to them depends on.
fn key(settings: &Settings, route: &Route, hosts: &[NamedHost], published: &Published) -> DestinationKey {
    let mut names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    names.sort_unstable();
    let mut key = match &route.next {
        NextHop::Lmtp { .. } | NextHop::LmtpSocket(_) => "lmtp:".to_owned(),
        NextHop::Mx(_) | NextHop::BetterMx(_) | NextHop::Smtp { .. } => String::new(),
    };
    key.push_str(&names.join(","));
    if let Some(Place::Host { port, implicit_tls, .. }) = hosts.first().map(|host| &host.place) {
        let _ = write!(key, ":{port}{}", if *implicit_tls { " smtps" } else { "" });
    }
    let _ = write_terms(&mut key, settings, &route.terms);
    // A message that requires TLS may go where the names are vouched for, and not where they are not.
    if published.secure_mx {
        key.push_str(" dnssec");
    }
    // Domains share connections and limits as far as their policies come to the same.
    if let Sts::Policy(policy) = &published.sts {
        let _ = write!(key, " mta-sts={}", policy.mode.as_str());
        for name in names.iter().filter(|name| !Domain::parse(name).is_ok_and(|name| policy.permits(&name))) {
            let _ = write!(key, " not={name}");
        }
    }
    DestinationKey(key)
}

fn write_terms(key: &mut String, settings: &Settings, terms: &Terms) -> std::fmt::Result {
    match terms.tls {
        TlsLevel::Opportunistic => {}
        TlsLevel::Unchecked => key.push_str(" tls=unchecked"),
        TlsLevel::Dane => key.push_str(" tls=dane"),
        TlsLevel::Required => key.push_str(" tls=required"),
        TlsLevel::Verified => key.push_str(" tls=verified"),
    }
    match terms.family {
        Family::Both => {}
        Family::V4 => key.push_str(" family=ipv4"),
        Family::V6 => key.push_str(" family=ipv6"),
    }
    for source in &terms.source {
        write!(key, " from={source}")?;
    }
    if !terms.helo.is_empty() && terms.helo != settings.hostname.as_str() {
        write!(key, " helo={}", terms.helo)?;
    }
    if let Some(credentials) = &terms.credentials {
        write!(key, " user={}", credentials.user)?;
    }
    Ok(())
}

/// For spreading load, not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}
