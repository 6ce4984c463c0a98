//! The rules of a listener: what each port is for.

use crate::Settings;
use ipnet::IpNet;
use jiff::Timestamp;
use net::tls::TlsServer;
use smtp::server::{Config, DeliverByOffer, Extensions, FutureRelease, PriorityOffer, Protocol};
use std::net::IpAddr;

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Port 25: from other servers, for our recipients.
    Relay,
    /// Ports 587, 465, 2525: from our users, who log in.
    Submission,
    /// From another program of this system, for local recipients (RFC 2033).
    Lmtp,
    /// `submit.sock`: from local users, whom the kernel identifies.
    Local,
}

/// One listener's rules.
#[derive(Debug, Clone)]
pub struct Listener {
    pub role: Role,
    /// Whether STARTTLS is offered, or TLS begins with the first octet; if not, there is no TLS here.
    pub tls: bool,
    /// TLS from the first octet.
    pub implicit_tls: bool,
    /// Passwords may cross without TLS: `waypost dev`, on loopback.
    pub clear_login: bool,
    /// Hosts that may speak for others with XCLIENT and XFORWARD.
    pub xclient_from: Vec<IpNet>,
}

impl Listener {
    pub fn new(role: Role) -> Self {
        Self { role, tls: true, implicit_tls: false, clear_login: false, xclient_from: Vec::new() }
    }

    /// How sessions are named in log and trail.
    pub(crate) fn via(&self) -> &'static str {
        match self.role {
            Role::Relay => "smtp",
            Role::Submission => "submission",
            Role::Lmtp => "lmtp",
            Role::Local => "local",
        }
    }

    /// Whether clients must log in before they send.
    pub(crate) fn needs_login(&self) -> bool {
        self.role == Role::Submission && !self.clear_login
    }

    /// What a session offers on this listener.
    pub(crate) fn config(&self, settings: &Settings, can_tls: bool, client: Option<IpAddr>) -> Config {
        let can_tls = can_tls && self.tls;
        let protocol = match self.role {
            Role::Relay | Role::Local => Protocol::Smtp,
            Role::Submission => Protocol::Submission,
            Role::Lmtp => Protocol::Lmtp,
        };
        let submits = matches!(self.role, Role::Submission | Role::Local);
        let speaks_for_others =
            client.is_some_and(|ip| self.xclient_from.iter().any(|net| net.contains(&ip)));
        let mut config = Config::new(settings.hostname.clone(), protocol);
        config.tls = self.implicit_tls;
        config.require_tls = self.role == Role::Submission && !self.clear_login && can_tls;
        config.limits = settings.limits.clone();
        if client.is_some_and(|ip| settings.is_exempt(ip)) {
            let limits = &mut config.limits;
            (limits.messages, limits.idle_commands, limits.errors) = (usize::MAX, usize::MAX, usize::MAX);
        }
        config.timeouts = settings.timeouts.clone();
        config.bare_newline = settings.bare_newline;
        config.strict_pipelining = false;
        config.extensions = Extensions {
            starttls: can_tls && !self.implicit_tls && self.role != Role::Local,
            deliver_by: submits.then(DeliverByOffer::default),
            future_release: submits
                .then(|| FutureRelease::new(settings.max_hold, whole_second(Timestamp::now()))),
            mt_priority: submits.then(PriorityOffer::default),
            xclient: speaks_for_others,
            xforward: speaks_for_others,
            ..Extensions::default()
        };
        config
    }

    /// TLS as it is done here. A client's certificate logs people in; other servers are not asked for one.
    pub(crate) fn handshake(&self, tls: &TlsServer) -> TlsServer {
        if self.role == Role::Submission { tls.asking_client() } else { tls.clone() }
    }

    /// Whether logging in has a meaning here.
    pub(crate) fn logs_in(&self) -> bool {
        self.role == Role::Submission || (self.role == Role::Relay && self.clear_login)
    }
}

/// The offer is read by people too: no fractions.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
