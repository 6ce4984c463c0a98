//! Connections: from names to addresses to a stream, in TLS where it is wanted from the start.

use super::{Client, Error, Transcript};
use crate::cli::values::{Server, Tls};
use crate::config::{Peer, Target};
use address::Host;
use dns::{Family, Lookup as _, Resolver};
use net::tls::{TlsClient, TlsInfo, TlsPolicy};
use net::{Endpoint, NetError, Stream};
use smtp::client::{Config, Protocol, Stage, Timeouts};
use smtp::command::HelloName;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long one address may take to answer: a person waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Tcp(Peer),
    Unix(PathBuf),
}

impl Place {
    pub fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(peer) => peer.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The place that `--server` names; `None` for a target that is no server (`hold`, `discard`).
pub fn place_of(server: &Server, default_port: u16) -> Option<Place> {
    match server {
        Server::Target(Target::LmtpSocket(path)) => Some(Place::Unix(path.clone())),
        other => other.peer(default_port).map(Place::Tcp),
    }
}

/// How to call one server.
#[derive(Debug, Clone)]
pub struct Settings {
    pub place: Place,
    pub protocol: Protocol,
    pub helo: HelloName,
    pub tls: Tls,
    /// TLS from the first octet; [`Tls::Smtps`] asks for it whatever the port.
    pub implicit_tls: bool,
    /// Only a certificate that is valid for the host's name will do. On loopback any will: who could stand between?
    pub verified: bool,
    /// The name server to ask; none: the system's.
    pub dns: Vec<SocketAddr>,
    /// The addresses of the place, where they are known already ([`Settings::look_up`]); empty: looked up when called.
    pub addresses: Vec<IpAddr>,
    pub stop_after: Option<Stage>,
    pub timeouts: Timeouts,
    /// Which certificates will do, instead of what `verified` says.
    pub policy: Option<TlsPolicy>,
    /// Made at the first handshake and shared by clones: reading the system's roots takes milliseconds.
    pub tls_client: Arc<OnceLock<TlsClient>>,
}

impl Settings {
    /// SMTP, with STARTTLS when it is offered and by any certificate.
    pub fn new(place: Place, helo: HelloName) -> Self {
        Self {
            place,
            protocol: Protocol::Smtp,
            helo,
            tls: Tls::Auto,
            implicit_tls: false,
            verified: false,
            dns: Vec::new(),
            addresses: Vec::new(),
            stop_after: None,
            timeouts: Timeouts::default(),
            policy: None,
            tls_client: Arc::default(),
        }
    }

    /// Looks the place's addresses up once, for those who call it often.
    ///
    /// # Errors
    /// Those of DNS.
    pub async fn look_up(&mut self) -> Result<(), Error> {
        if let Place::Tcp(peer) = &self.place {
            self.addresses = addresses(peer, &self.dns).await?;
        }
        Ok(())
    }

    fn begins_with_tls(&self) -> bool {
        match self.tls {
            Tls::Auto => self.implicit_tls,
            Tls::Smtps => true,
            Tls::None | Tls::Starttls => false,
        }
    }

    /// The client's half of a TLS handshake, noted in the transcript.
    pub(super) async fn handshake(
        &self,
        stream: Stream,
        transcript: &mut Transcript,
    ) -> Result<Stream, Error> {
        let host = match &self.place {
            Place::Tcp(peer) => peer.host.clone(),
            Place::Unix(_) => return Err(Error::NoStartTls),
        };
        let here = stream.peer().ip().is_some_and(|ip| ip.is_loopback());
        let by_need = if self.verified && !here { TlsPolicy::Verified } else { TlsPolicy::Opportunistic };
        let policy = self.policy.clone().unwrap_or(by_need);
        let client = self.tls_client.get_or_init(TlsClient::new);
        let stream = stream.connect_tls(client, &host, &policy).await.map_err(|source| {
            match source.refused_certificate() {
                Some(_) => Error::Certificate { host: host.to_string(), source },
                None => source.into(),
            }
        })?;
        if let Some(info) = stream.tls() {
            transcript.note(&describe(info));
        }
        Ok(stream)
    }
}

fn describe(info: &TlsInfo) -> String {
    let certificate = info.peer_certificate.as_ref().map_or_else(String::new, |certificate| {
        let names = certificate.dns_names.join(", ");
        let names = if names.is_empty() { "no name".to_owned() } else { names };
        format!(", certificate for {names}, {}", if certificate.verified { "valid" } else { "not verified" })
    });
    format!("{} {}{certificate}", info.version, info.cipher)
}

impl Client {
    /// Connects, and does the TLS handshake if the dialogue begins with it. Nothing is said yet.
    pub async fn connect(settings: &Settings, transcript: Transcript) -> Result<Self, Error> {
        let stream = match &settings.place {
            Place::Unix(path) => net::connect(&Endpoint::Unix(path.clone()), None, CONNECT_TIMEOUT).await?,
            Place::Tcp(peer) if settings.addresses.is_empty() => connect_any(peer, &settings.dns).await?,
            Place::Tcp(peer) => connect_first(peer, &settings.addresses).await?,
        };
        Self::over(stream, settings, transcript).await
    }

    /// As [`Client::connect`], over a connection that stands.
    pub async fn over(
        mut stream: Stream,
        settings: &Settings,
        mut transcript: Transcript,
    ) -> Result<Self, Error> {
        transcript.note(&format!("connected to {}", shown(&stream, &settings.place)));
        let tls = settings.begins_with_tls();
        if tls {
            stream = settings.handshake(stream, &mut transcript).await?;
        }
        let config = Config {
            protocol: settings.protocol,
            tls,
            stop_after: settings.stop_after,
            trace: transcript.is_wanted(),
            timeouts: settings.timeouts,
            ..Config::new(settings.helo.clone())
        };
        Ok(Self::new(stream, config, transcript))
    }
}

fn shown(stream: &Stream, place: &Place) -> String {
    match (stream.peer(), place) {
        (net::Peer::Ip(address), Place::Tcp(peer)) if peer.to_string() != address.to_string() => {
            format!("{peer} ({address})")
        }
        _ => place.to_string(),
    }
}

/// Calls the addresses of a host, one after another, until one answers.
///
/// # Errors
/// The host has no address, or the first one's reason when none answers.
pub async fn connect_any(peer: &Peer, dns: &[SocketAddr]) -> Result<Stream, Error> {
    connect_first(peer, &addresses(peer, dns).await?).await
}

async fn addresses(peer: &Peer, dns: &[SocketAddr]) -> Result<Vec<IpAddr>, Error> {
    match &peer.host {
        Host::Literal(literal) => Ok(vec![literal.ip()]),
        Host::Domain(name) => {
            let settings = dns::Settings { servers: dns.to_vec(), ..dns::Settings::default() };
            Ok(Resolver::new(&settings)?.addresses(name, Family::Both).await?)
        }
    }
}

async fn connect_first(peer: &Peer, addresses: &[IpAddr]) -> Result<Stream, Error> {
    let others = addresses.len().saturating_sub(1);
    let mut first: Option<NetError> = None;
    for ip in addresses {
        let target = Endpoint::Tcp(SocketAddr::new(*ip, peer.port));
        match net::connect(&target, None, CONNECT_TIMEOUT).await {
            Ok(stream) => return Ok(stream),
            Err(error) => first = first.or(Some(error)),
        }
    }
    let none = || dns::DnsError::NoRecords { name: peer.host.to_string(), kind: "A or AAAA" };
    Err(match first {
        Some(first) if others == 0 => Error::Net(first),
        Some(first) => Error::Unreachable { host: peer.host.to_string(), first, others },
        None => none().into(),
    })
}
