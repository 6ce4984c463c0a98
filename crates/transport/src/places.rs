//! From a destination to the addresses to call, in the order in which to call them.

use crate::locate::{addresses, random};
use crate::silent::Silent;
use crate::{Destination, NamedHost, NextHop, Place, Settings};
use address::Host;
use dns::{DnsError, Lookup};
use net::Endpoint;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// Most hosts of a destination that are tried in one attempt (RFC 5321 §5.1: at least two addresses).
const MAX_HOSTS: usize = 5;
/// Most addresses of one host that are tried in one attempt.
const MAX_ADDRESSES: usize = 4;

/// One address of one host.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) host: NamedHost,
    pub(crate) endpoint: Endpoint,
    pub(crate) source: Option<IpAddr>,
}

impl Called {
    /// What the trail calls it.
    pub(crate) fn label(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp(address) if self.host.name.starts_with('[') => address.to_string(),
            Endpoint::Tcp(address) => format!("{} [{}]:{}", self.host.name, address.ip(), address.port()),
            Endpoint::Unix(_) => self.endpoint.to_string(),
        }
    }
}

/// Why a host gave no address.
#[derive(Debug)]
pub(crate) enum NoAddress {
    Dns(DnsError),
    /// RFC 5321 §5.1: it is ourselves, and so neither it nor a worse host may be tried.
    Ourselves,
    /// Its addresses are of a family that we have no address to call from.
    NoSource,
}

/// What to try next.
#[derive(Debug)]
pub(crate) enum Next {
    /// A host's turn: an idle connection to it will do.
    Host(NamedHost),
    Address(Called),
    Nothing(NamedHost, NoAddress),
}

/// Hosts in their order, the addresses of each alternating between the families; those that were silent lately come last.
pub(crate) struct Places<'a> {
    dns: &'a dyn Lookup,
    settings: &'a Settings,
    silent: &'a Silent,
    destination: &'a Destination,
    hosts: VecDeque<&'a NamedHost>,
    /// Announced, not yet looked up.
    begun: Option<&'a NamedHost>,
    ready: VecDeque<Called>,
    last: VecDeque<Called>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(
        dns: &'a dyn Lookup,
        settings: &'a Settings,
        silent: &'a Silent,
        destination: &'a Destination,
    ) -> Self {
        Self {
            dns,
            settings,
            silent,
            destination,
            hosts: destination.hosts.iter().take(MAX_HOSTS).collect(),
            begun: None,
            ready: VecDeque::new(),
            last: VecDeque::new(),
        }
    }

    pub(crate) async fn next(&mut self) -> Option<Next> {
        loop {
            if let Some(called) = self.ready.pop_front() {
                if !self.silent.contains(&called.endpoint) {
                    return Some(Next::Address(called));
                }
                self.last.push_back(called);
            } else if let Some(host) = self.begun.take() {
                match self.addresses(host).await {
                    Ok(found) => self.ready = found,
                    Err(why) => {
                        if matches!(why, NoAddress::Ourselves) {
                            self.forget_worse();
                        }
                        return Some(Next::Nothing(host.clone(), why));
                    }
                }
            } else if let Some(host) = self.hosts.pop_front() {
                self.begun = Some(host);
                return Some(Next::Host(host.clone()));
            } else {
                return self.last.pop_front().map(Next::Address);
            }
        }
    }

    /// The host just tried was ourselves: what comes after it is not better (RFC 5321 §5.1).
    pub(crate) fn forget_worse(&mut self) {
        self.hosts.clear();
        self.ready.clear();
    }

    async fn addresses(&self, host: &NamedHost) -> Result<VecDeque<Called>, NoAddress> {
        let (name, port) = match &host.place {
            Place::Socket(path) => {
                let endpoint = Endpoint::Unix(path.clone());
                return Ok([Called { host: host.clone(), endpoint, source: None }].into());
            }
            Place::Host { host, port, .. } => (host, *port),
        };
        let terms = &self.destination.route.terms;
        let found = match name {
            Host::Domain(name) => addresses(self.dns, name, &self.destination.route).await,
            Host::Literal(_) => self.dns.host_addresses(name, terms.family).await,
        };
        let found = found.map_err(NoAddress::Dns)?;
        let found: Vec<SocketAddr> = found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        if found.iter().any(|address| is_own(&self.settings.own, address)) {
            return Err(NoAddress::Ourselves);
        }
        let called = |address: SocketAddr| {
            let source = source(&terms.source, address.ip())?;
            Some(Called { host: host.clone(), endpoint: Endpoint::Tcp(address), source })
        };
        let found: VecDeque<_> =
            alternate(found).into_iter().filter_map(called).take(MAX_ADDRESSES).collect();
        if found.is_empty() { Err(NoAddress::NoSource) } else { Ok(found) }
    }
}

/// IPv6 first, then the families in turn: one that does not work here costs one address and not all.
fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut turns = Vec::new();
    loop {
        let before = turns.len();
        turns.extend(v6.next());
        turns.extend(v4.next());
        if turns.len() == before {
            return turns;
        }
    }
}

/// The own address to call `target` from, any of several; inner `None`: the system's choice. Outer `None`: there are addresses
/// to call from, and none of that family, so that a call would come from one that is not wanted.
fn source(sources: &[IpAddr], target: IpAddr) -> Option<Option<IpAddr>> {
    if sources.is_empty() {
        return Some(None);
    }
    let fitting: Vec<_> = sources.iter().filter(|source| source.is_ipv4() == target.is_ipv4()).collect();
    let count = u64::try_from(fitting.len()).ok().filter(|count| *count > 0)?;
    let chosen = usize::try_from(random() % count).ok()?;
    fitting.get(chosen).map(|source| Some(**source))
}

/// Whether a call there would be answered by ourselves. A connection from an address to itself (`local`, once it stands) shows
/// that it is this machine's, which a listener at an unspecified address does not.
pub(crate) fn is_own_end(own: &[SocketAddr], local: &Endpoint, called: &Endpoint) -> bool {
    match (local, called) {
        (Endpoint::Tcp(local), Endpoint::Tcp(called)) => {
            let same = local.ip().to_canonical() == called.ip().to_canonical();
            let any = |own: &SocketAddr| own.port() == called.port() && own.ip().is_unspecified();
            same && own.iter().any(any)
        }
        _ => false,
    }
}

/// As far as addresses alone tell.
fn is_own(own: &[SocketAddr], address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    own.iter().filter(|own| own.port() == address.port()).any(|own| {
        let listening = own.ip().to_canonical();
        listening == ip || (listening.is_unspecified() && (ip.is_loopback() || ip.is_unspecified()))
    })
}

/// Whether the name of `host` is as trustworthy as the route itself: it was not learnt from the unsigned MX records of a domain.
pub(crate) fn is_name_given(next: &NextHop, host: &NamedHost) -> bool {
    match next {
        NextHop::Mx(Host::Domain(domain)) | NextHop::BetterMx(domain) => host.name == domain.as_str(),
        NextHop::Mx(Host::Literal(_))
        | NextHop::Smtp { .. }
        | NextHop::Lmtp { .. }
        | NextHop::LmtpSocket(_) => true,
    }
}
