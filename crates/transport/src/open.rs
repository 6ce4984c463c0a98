//! One connection as a route wants it.

use crate::client::{Call, Client, OpenError, TlsUse};
use crate::places::Called;
use crate::security::Plan;
use crate::sts::StsMode;
use crate::{NextHop, Place, Proof, Route, Settings};
use address::Host;
use net::tls::{Observer, TlsClient, TlsPolicy};
use net::{Endpoint, NetError};
use sasl::client::Credentials;
use smtp::client::{Config, Protocol, Stage};
use smtp::command::HelloName;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// A connection, and what there is to say about how it came to be.
pub(crate) struct Opened {
    pub(crate) client: Client,
    pub(crate) note: Option<String>,
    /// The handshake that failed before it was called without TLS.
    pub(crate) handshake: Option<NetError>,
    /// What there was to see of the server's certificates, where somebody wants to know.
    pub(crate) observer: Option<Arc<Observer>>,
}

/// Calls an address for a message.
pub(crate) async fn open(
    tls: &TlsClient,
    settings: &Settings,
    route: &Route,
    called: &Called,
    plan: &Plan,
) -> Result<Opened, OpenError> {
    open_until(None, tls, settings, route, called, plan).await
}

/// Calls an address, to go as far as `stop`. Where TLS is optional and its handshake fails, calls once more without (RFC 7435).
pub(crate) async fn open_until(
    stop: Option<Stage>,
    tls: &TlsClient,
    settings: &Settings,
    route: &Route,
    called: &Called,
    plan: &Plan,
) -> Result<Opened, OpenError> {
    let mut call = call(settings, route, called, plan);
    call.session.stop_after = stop;
    let observer =
        (plan.sts == Some(StsMode::Testing) && plan.tls != TlsUse::Verified).then(|| tls.observer());
    if let Some(observer) = &observer {
        call.certificate = Some(TlsPolicy::Observed(Arc::clone(observer)));
    }
    match Client::open(&call, tls, None).await {
        Ok(client) => Ok(Opened { client, note: None, handshake: None, observer }),
        Err(OpenError::Handshake(error)) if plan.tls == TlsUse::Opportunistic && !call.implicit_tls => {
            call.tls = TlsUse::Never;
            let client = Client::open(&call, tls, None).await?;
            let note = format!("sent without TLS to {}, as {error}", called.label());
            Ok(Opened { client, note: Some(note), handshake: Some(error), observer: None })
        }
        Err(error) => Err(error),
    }
}

fn call(settings: &Settings, route: &Route, called: &Called, plan: &Plan) -> Call {
    let terms = &route.terms;
    let (name, implicit_tls) = match &called.host.place {
        Place::Host { host, implicit_tls, .. } => (host.clone(), *implicit_tls),
        // There is no TLS on a socket, so the name stands for nothing.
        Place::Socket(_) => (Host::Literal(IpAddr::V4(Ipv4Addr::LOCALHOST).into()), false),
    };
    let mut session = Config::new(helo(settings, &terms.helo));
    session.timeouts = settings.timeouts;
    if matches!(route.next, NextHop::Lmtp { .. } | NextHop::LmtpSocket(_)) {
        session.protocol = Protocol::Lmtp;
    }
    let credentials = terms.credentials.as_ref().map(|credentials| match &credentials.proof {
        Proof::Password(password) => Credentials::password(&credentials.user, password.clone()),
        Proof::Token(token) => Credentials::Bearer {
            user: credentials.user.clone(),
            token: token.clone(),
            server: called_name(&name, &called.endpoint),
        },
    });
    Call {
        source: called.source,
        tls: plan.tls,
        certificate: plan.certificates(),
        implicit_tls,
        credentials,
        session,
        connect_timeout: settings.connect_timeout,
        ..Call::new(called.endpoint.clone(), plan.name().unwrap_or(name), helo(settings, &terms.helo))
    }
}

/// The host name and port that were called (RFC 7628 §3.1); an address is no name.
fn called_name(host: &Host, endpoint: &Endpoint) -> Option<(String, u16)> {
    match (host, endpoint) {
        (Host::Domain(name), Endpoint::Tcp(address)) => Some((name.to_string(), address.port())),
        _ => None,
    }
}

/// The route's name where it has one that can be said.
fn helo(settings: &Settings, wanted: &str) -> HelloName {
    HelloName::new(wanted)
        .or_else(|| HelloName::new(settings.hostname.as_str()))
        .unwrap_or_else(|| unreachable!("a domain is a word of at most 255 octets"))
}
