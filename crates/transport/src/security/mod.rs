//! How much TLS a host needs, and why: decided before it is called.
//!
//! ```text
//! configuration ─▶ REQUIRETLS? ─▶ DANE (TLSA records, DNSSEC) ─▶ MTA-STS (the domain's policy) ─▶ Plan
//! ```
//!
//! What a domain publishes raises what the configuration asks for and never lowers it; DANE comes before MTA-STS (RFC 8461 §2).

mod dane;

pub(crate) use dane::Dane;

use crate::answers::Answer;
use crate::client::TlsUse;
use crate::{Destination, NamedHost, NextHop, Place, TlsLevel};
use address::{Domain, Host};
use dns::{DnsError, Lookup};
use net::tls::TlsPolicy;
use std::sync::Arc;

/// What was learnt of a destination's wishes together with its hosts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Published {
    /// DNSSEC vouches for the names of the hosts.
    pub secure_mx: bool,
    /// The name that has the MX records, where the domain is only an alias.
    pub alias: Option<Domain>,
}

/// How one host is to be called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    pub(crate) tls: TlsUse,
    /// Its certificate is measured by these.
    pub(crate) dane: Option<Arc<Dane>>,
}

impl Plan {
    fn configured(tls: TlsUse) -> Self {
        Self { tls, dane: None }
    }

    /// Which certificates will do, where it is not `tls` alone that says it.
    pub(crate) fn certificates(&self) -> Option<TlsPolicy> {
        let verifier = self.dane.as_ref()?.verifier()?;
        Some(TlsPolicy::Custom(verifier))
    }

    /// The name to ask for (RFC 7672 §8.1: the TLSA base domain), where it is not the host's own.
    pub(crate) fn name(&self) -> Option<Host> {
        self.dane.as_ref().filter(|dane| dane.is_usable()).map(|dane| Host::Domain(dane.base.clone()))
    }

    /// Whether the server will have shown who it is before it gets anything.
    pub(crate) fn authenticates(&self) -> bool {
        self.tls == TlsUse::Verified || self.dane.as_ref().is_some_and(|dane| dane.is_usable())
    }

    /// For the trail, where it is more than the configuration that speaks.
    pub(crate) fn note(&self, host: &NamedHost) -> Option<String> {
        self.dane.as_ref().map(|dane| format!("{}: {dane}", host.name))
    }
}

/// What the message and its recipients add.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// REQUIRETLS.
    pub(crate) required: bool,
    /// All recipients are of the domain that was looked up, so that a certificate for it is one for all of them.
    pub(crate) one_domain: bool,
}

/// Decides about a host.
///
/// # Errors
/// It must not be used now: what to answer for it.
pub(crate) async fn plan(
    dns: &dyn Lookup,
    destination: &Destination,
    host: &NamedHost,
    wish: Wish,
) -> Result<Plan, Answer> {
    let level = destination.route.terms.tls;
    let configured = Plan::configured(configured(destination, wish.required));
    let (Some((name, port)), true) = (dane_host(host), asks_publishers(destination)) else {
        return Ok(configured);
    };
    match dane::find(dns, name, port, destination, wish.one_domain).await {
        Ok(Some(dane)) if dane.is_usable() => Ok(Plan { tls: TlsUse::Required, dane: Some(Arc::new(dane)) }),
        Ok(_) if level == TlsLevel::Dane => Err(Answer::deferred(
            format!(
                "451 4.7.5 DANE is required here, and {} has no usable TLSA record that DNSSEC vouches for",
                host.name
            ),
            true,
        )),
        // RFC 7672 §2.2: TLS, though nobody is authenticated by it; a password still wants more.
        Ok(Some(dane)) => {
            let tls = if configured.tls == TlsUse::Verified { TlsUse::Verified } else { TlsUse::Required };
            Ok(Plan { tls, dane: Some(Arc::new(dane)) })
        }
        Ok(None) => Ok(configured),
        Err(error) => Err(unknown(&error)),
    }
}

/// RFC 7672 §2.1.2: a host of which it cannot be learnt whether it has TLSA records is not used.
fn unknown(error: &DnsError) -> Answer {
    Answer::deferred(format!("451 4.4.3 whether DANE applies cannot be learnt: {error}"), true)
}

/// The names of whom DANE can speak: no addresses, nor names of this machine.
fn dane_host(host: &NamedHost) -> Option<(&Domain, u16)> {
    match &host.place {
        Place::Host { host: Host::Domain(name), port, .. }
            if name.labels().next_back() != Some("localhost") =>
        {
            Some((name, *port))
        }
        _ => None,
    }
}

/// Whether what the destination publishes counts: mail to other servers, unless the configuration says not to ask.
pub(crate) fn asks_publishers(destination: &Destination) -> bool {
    is_asked(&destination.route.next, destination.route.terms.tls)
}

pub(crate) fn is_asked(next: &NextHop, level: TlsLevel) -> bool {
    let by_smtp = matches!(next, NextHop::Mx(_) | NextHop::BetterMx(_) | NextHop::Smtp { .. });
    by_smtp && level != TlsLevel::Unchecked
}

/// What the terms ask for: a password goes only to the server that it is meant for, and a local socket needs no TLS.
fn configured(destination: &Destination, required: bool) -> TlsUse {
    let terms = &destination.route.terms;
    match terms.tls {
        _ if matches!(destination.route.next, NextHop::LmtpSocket(_)) => TlsUse::Never,
        _ if required || terms.credentials.is_some() => TlsUse::Verified,
        TlsLevel::Unchecked | TlsLevel::Opportunistic => TlsUse::Opportunistic,
        // Without TLSA records nothing is sent, and with them their own check is made.
        TlsLevel::Required | TlsLevel::Dane => TlsUse::Required,
        TlsLevel::Verified => TlsUse::Verified,
    }
}
