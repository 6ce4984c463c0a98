//! How much TLS a host needs, and why: decided before it is called.
//!
//! ```text
//! configuration ─▶ REQUIRETLS? ─▶ DANE (TLSA records, DNSSEC) ─▶ MTA-STS (the domain's policy) ─▶ Plan
//! ```
//!
//! What a domain publishes raises what the configuration asks for and never lowers it; DANE comes before MTA-STS (RFC 8461 §2).

mod dane;
mod offers;
mod report;

pub(crate) use dane::Dane;
pub use dane::{TlsaRecords, tlsa};
pub(crate) use offers::Offers;
pub use report::TlsLog;
pub(crate) use report::{of_bogus_names, of_call, of_refusal};

use crate::answers::Answer;
use crate::client::TlsUse;
use crate::sts::{Sts, StsMode};
use crate::{Destination, NamedHost, NextHop, Place, TlsLevel};
use address::{Domain, Host};
use dns::{DnsError, Lookup};
use mailauth::report::tls::{PolicyType, ResultType};
use net::tls::TlsPolicy;
use std::sync::Arc;

/// What was learnt of a destination's wishes together with its hosts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Published {
    /// DNSSEC vouches for the names of the hosts.
    pub secure_mx: bool,
    /// The name that has the MX records, where the domain is only an alias.
    pub alias: Option<Domain>,
    /// The domain's MTA-STS policy.
    pub sts: Sts,
}

impl Published {
    /// Whether a host's name is proven to be the domain's choice (RFC 8689 §4.2.1): by DNSSEC, or by an MTA-STS policy.
    pub(crate) fn vouches_for(&self, host: &NamedHost) -> bool {
        let by_policy = match &self.sts {
            Sts::Policy(policy) if policy.mode == StsMode::Enforce => {
                Domain::parse(&host.name).is_ok_and(|name| policy.permits(&name))
            }
            _ => false,
        };
        self.secure_mx || by_policy
    }
}

/// How one host is to be called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    pub(crate) tls: TlsUse,
    /// Its certificate is measured by these.
    pub(crate) dane: Option<Arc<Dane>>,
    /// The mode of the MTA-STS policy that is applied.
    pub(crate) sts: Option<StsMode>,
}

impl Plan {
    /// As the configuration says, whatever anybody publishes. `required`: by REQUIRETLS.
    pub(crate) fn configured(destination: &Destination, required: bool) -> Self {
        Self { tls: configured(destination, required), dane: None, sts: None }
    }

    /// Whether it is stricter than the configuration, for what the other side publishes.
    pub(crate) fn is_published(&self) -> bool {
        self.dane.is_some() || self.sts == Some(StsMode::Enforce)
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
        let name = &host.name;
        match (&self.dane, self.sts) {
            (Some(dane), _) => Some(format!("{name}: {dane}")),
            (None, Some(StsMode::Enforce)) => {
                Some(format!("{name}: by MTA-STS the certificate must be valid for this name"))
            }
            (None, Some(StsMode::Testing)) => {
                Some(format!("{name}: MTA-STS is being tested by the domain: reported, not enforced"))
            }
            (None, _) => None,
        }
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

/// A host that must not be used now.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) answer: Answer,
    /// Whose policy it is, and what the domain is told of it.
    pub(crate) report: Option<(PolicyType, ResultType)>,
}

impl From<Answer> for Refused {
    fn from(answer: Answer) -> Self {
        Self { answer, report: None }
    }
}

/// Decides about a host.
///
/// # Errors
/// It must not be used now.
pub(crate) async fn plan(
    dns: &dyn Lookup,
    destination: &Destination,
    host: &NamedHost,
    wish: Wish,
) -> Result<Plan, Refused> {
    let level = destination.route.terms.tls;
    let configured = Plan::configured(destination, wish.required);
    let (Some((name, port)), true) = (named_host(host), asks_publishers(destination)) else {
        return Ok(configured);
    };
    if level == TlsLevel::Dane && !destination.has_trusted_hosts() {
        return Err(without_dane(&format!(
            "DNSSEC does not vouch for {} as a host of the domain",
            host.name
        )));
    }
    match dane::find(dns, name, port, destination, wish.one_domain).await {
        Ok(Some(dane)) if dane.is_usable() => {
            Ok(Plan { tls: TlsUse::Required, dane: Some(Arc::new(dane)), sts: None })
        }
        Ok(_) if level == TlsLevel::Dane => {
            Err(without_dane(&format!("{} has no usable TLSA record that DNSSEC vouches for", host.name)))
        }
        // RFC 7672 §2.2: TLS, though nobody is authenticated by it; a password still wants more.
        Ok(Some(dane)) => {
            let tls = if configured.tls == TlsUse::Verified { TlsUse::Verified } else { TlsUse::Required };
            Ok(Plan { tls, dane: Some(Arc::new(dane)), sts: None })
        }
        Ok(None) => by_sts(&destination.published.sts, name, configured),
        Err(error) => Err(unknown(&error)),
    }
}

fn without_dane(why: &str) -> Refused {
    let answer = Answer::deferred(format!("451 4.7.5 DANE is required here, and {why}"), true);
    Refused { answer, report: Some((PolicyType::Tlsa, ResultType::DaneRequired)) }
}

/// RFC 8461 §5.
fn by_sts(sts: &Sts, host: &Domain, configured: Plan) -> Result<Plan, Refused> {
    let Sts::Policy(policy) = sts else { return Ok(configured) };
    match policy.mode {
        StsMode::Enforce if policy.permits(host) => {
            Ok(Plan { tls: TlsUse::Verified, sts: Some(StsMode::Enforce), ..configured })
        }
        StsMode::Enforce => {
            let reply =
                format!("451 4.7.5 {host} is none of the hosts that the domain's MTA-STS policy names");
            let report = Some((PolicyType::Sts, ResultType::ValidationFailure));
            Err(Refused { answer: Answer::deferred(reply, true), report })
        }
        mode => Ok(Plan { sts: Some(mode), ..configured }),
    }
}

/// RFC 7672 §2.1.2: a host of which it cannot be learnt whether it has TLSA records is not used.
fn unknown(error: &DnsError) -> Refused {
    let reply = format!("451 4.4.3 whether DANE applies cannot be learnt: {error}");
    let report =
        matches!(error, DnsError::Bogus { .. }).then_some((PolicyType::Tlsa, ResultType::DnssecInvalid));
    Refused { answer: Answer::deferred(reply, true), report }
}

impl Destination {
    /// Whether the names of the hosts are safe from forgers of the DNS (RFC 7672 §2.2.1): those of MX records where DNSSEC
    /// vouches for them, those of the configuration always.
    fn has_trusted_hosts(&self) -> bool {
        let from_dns = matches!(self.route.next, NextHop::Mx(Host::Domain(_)) | NextHop::BetterMx(_));
        !from_dns || self.published.secure_mx
    }
}

/// The names of which DANE and MTA-STS can speak: no addresses, nor names of this machine.
fn named_host(host: &NamedHost) -> Option<(&Domain, u16)> {
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
