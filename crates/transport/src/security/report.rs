//! What a domain is told of our connections to it (RFC 8460 §4.3): a fact for each, handed to whoever writes reports.

use super::{Plan, Refused};
use crate::client::OpenError;
use crate::open::Opened;
use crate::places::Called;
use crate::sts::Sts;
use crate::{Destination, NextHop};
use address::{Domain, Host};
use dns::DnsError;
use mailauth::report::tls::{Applied, Failure, PolicyType, ResultType, Session};
use net::tls::TlsFailure;
use net::{Endpoint, NetError};
use std::net::IpAddr;

/// Keeps the facts. It is called on the way of mail, and must not wait.
pub trait TlsLog: Send + Sync {
    fn record(&self, session: Session);
}

/// The fact of a call; `None` where it says nothing about TLS, or the host is not one of a domain's MX.
pub(crate) fn of_call(
    destination: &Destination,
    plan: &Plan,
    called: &Called,
    opened: Result<&Opened, &OpenError>,
) -> Option<Session> {
    let failure = match opened {
        Ok(opened) => of_opened(destination, plan, called, opened),
        Err(error) => Some(of_error(error)?),
    };
    let applied = applied(destination, plan)?;
    let failure = failure.or_else(|| of_fetch(destination, plan));
    let (sending_ip, helo) = match opened {
        Ok(opened) => (ip(opened.client.local()), opened.client.hello().map(ToString::to_string)),
        Err(_) => (called.source, None),
    };
    let helo = helo.and_then(|reply| reply.split_whitespace().nth(1).map(str::to_owned));
    let mx = Some(Domain::parse(&called.host.name).ok()?);
    let (recipient_domain, receiving_ip) = (next_domain(destination)?.clone(), ip(&called.endpoint));
    Some(Session { recipient_domain, applied, mx, helo, sending_ip, receiving_ip, failure })
}

/// The fact of a host that was not even called.
pub(crate) fn of_refusal(destination: &Destination, host: &str, refused: &Refused) -> Option<Session> {
    let (kind, result) = refused.report?;
    let mx = Domain::parse(host).ok()?;
    let recipient_domain = next_domain(destination)?.clone();
    let domain = if kind == PolicyType::Tlsa { mx.clone() } else { recipient_domain.clone() };
    let applied = match (kind, &destination.published.sts) {
        (PolicyType::Sts, Sts::Policy(_)) => sts_applied(destination, domain),
        _ => Applied { kind, domain, lines: Vec::new(), mx_patterns: Vec::new() },
    };
    let failure = Some(Failure { kind: result, reason: Some(refused.answer.reply.clone()) });
    let mx = Some(mx);
    Some(Session { recipient_domain, applied, mx, helo: None, sending_ip: None, receiving_ip: None, failure })
}

/// The fact of a domain whose hosts could not be learnt, as its records are bogus (RFC 8460 §4.3.2.1).
pub(crate) fn of_bogus_names(domain: &Domain, error: &DnsError) -> Session {
    let applied = Applied {
        kind: PolicyType::Tlsa,
        domain: domain.clone(),
        lines: Vec::new(),
        mx_patterns: Vec::new(),
    };
    let failure = Some(Failure { kind: ResultType::DnssecInvalid, reason: Some(error.to_string()) });
    let (recipient_domain, mx) = (domain.clone(), None);
    Session { recipient_domain, applied, mx, helo: None, sending_ip: None, receiving_ip: None, failure }
}

fn next_domain(destination: &Destination) -> Option<&Domain> {
    match &destination.route.next {
        NextHop::Mx(Host::Domain(domain)) | NextHop::BetterMx(domain) => Some(domain),
        _ => None,
    }
}

fn applied(destination: &Destination, plan: &Plan) -> Option<Applied> {
    let domain = next_domain(destination)?.clone();
    if let Some(dane) = &plan.dane {
        let lines = dane.records.iter().map(ToString::to_string).collect();
        return Some(Applied {
            kind: PolicyType::Tlsa,
            domain: dane.base.clone(),
            lines,
            mx_patterns: Vec::new(),
        });
    }
    Some(match &destination.published.sts {
        Sts::Policy(_) | Sts::Unavailable(_) => sts_applied(destination, domain),
        Sts::Absent => {
            Applied { kind: PolicyType::NoPolicyFound, domain, lines: Vec::new(), mx_patterns: Vec::new() }
        }
    })
}

fn sts_applied(destination: &Destination, domain: Domain) -> Applied {
    let (lines, mx_patterns) = match &destination.published.sts {
        Sts::Policy(policy) => (policy.text.lines().map(str::to_owned).collect(), policy.patterns.clone()),
        _ => (Vec::new(), Vec::new()),
    };
    Applied { kind: PolicyType::Sts, domain, lines, mx_patterns }
}

/// A connection that stands may still not be what a policy in testing mode wants.
fn of_opened(destination: &Destination, plan: &Plan, called: &Called, opened: &Opened) -> Option<Failure> {
    if let Some(error) = &opened.handshake {
        return Some(of_handshake(error));
    }
    if opened.client.tls().is_none() {
        let reason = opened.client.starttls_refused().map(ToString::to_string);
        return Some(Failure { kind: ResultType::StarttlsNotSupported, reason });
    }
    let (Sts::Policy(policy), None) = (&destination.published.sts, &plan.dane) else { return None };
    let permitted = Domain::parse(&called.host.name).is_ok_and(|name| policy.permits(&name));
    if !permitted {
        let reason = Some(format!("{} matches no mx of the policy", called.host.name));
        return Some(Failure { kind: ResultType::ValidationFailure, reason });
    }
    let shown = opened.observer.as_ref().and_then(|observer| observer.shown())?;
    shown.failure.map(|kind| Failure { kind: result_type(kind), reason: shown.refused })
}

/// The policy of the domain could not be had, which it should know though mail went.
fn of_fetch(destination: &Destination, plan: &Plan) -> Option<Failure> {
    match &destination.published.sts {
        Sts::Unavailable(trouble) if plan.dane.is_none() => {
            Some(Failure { kind: trouble.kind, reason: Some(trouble.reason.clone()) })
        }
        _ => None,
    }
}

/// `None`: it has nothing to do with TLS (RFC 8460 §4.3.4).
fn of_error(error: &OpenError) -> Option<Failure> {
    match error {
        OpenError::TlsNotOffered => Some(Failure { kind: ResultType::StarttlsNotSupported, reason: None }),
        OpenError::TlsRefused(reply) => {
            Some(Failure { kind: ResultType::StarttlsNotSupported, reason: Some(reply.to_string()) })
        }
        OpenError::Handshake(error) => Some(of_handshake(error)),
        _ => None,
    }
}

fn of_handshake(error: &NetError) -> Failure {
    Failure { kind: result_type(error.tls_failure()), reason: Some(error.to_string()) }
}

fn result_type(failure: TlsFailure) -> ResultType {
    match failure {
        // RFC 8460 §4.3.1: "did not adhere to the constraints specified in the MTA-STS or DANE policy".
        TlsFailure::Name | TlsFailure::Dane => ResultType::CertificateHostMismatch,
        TlsFailure::Expired => ResultType::CertificateExpired,
        TlsFailure::Untrusted => ResultType::CertificateNotTrusted,
        TlsFailure::Other => ResultType::ValidationFailure,
    }
}

fn ip(endpoint: &Endpoint) -> Option<IpAddr> {
    match endpoint {
        Endpoint::Tcp(address) => Some(address.ip().to_canonical()),
        Endpoint::Unix(_) => None,
    }
}
