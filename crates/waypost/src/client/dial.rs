//! Calls: from a command's words to a server that is ready for a message.

use super::{Error, Login, Transcript};
use crate::cli::values::{Server, Tls};
use crate::config::{Peer, SMTP_PORT, SMTPS_PORT, Target};
use address::Host;
use dns::{Family, Lookup as _, Resolver};
use net::tls::{TlsClient, TlsPolicy};
use net::{Endpoint, NetError, Stream};
use smtp::client::{Config, Protocol, Stage};
use smtp::command::HelloName;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use transport::client::{CONNECT_TIMEOUT, Call, Client, OpenError, TlsUse};

/// The port of submission (RFC 6409 §3.1), for whoever logs in.
const SUBMISSION_PORT: u16 = 587;

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Tcp(Peer),
    Unix(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(peer) => peer.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
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
    pub login: Option<Login>,
    /// The name server to ask; none: the system's.
    pub dns: Vec<SocketAddr>,
    /// The addresses of the place, where they are known already ([`Settings::look_up`]); empty: looked up when called.
    pub addresses: Vec<IpAddr>,
    pub stop_after: Option<Stage>,
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
            login: None,
            dns: Vec::new(),
            addresses: Vec::new(),
            stop_after: None,
            tls_client: Arc::default(),
        }
    }

    /// For the server that `--server` names. `logs_in`: at the port where one does that, if it names none.
    pub fn of_server(server: &Server, tls: Tls, logs_in: bool, helo: HelloName) -> Result<Self, String> {
        let port = match tls {
            Tls::Smtps => SMTPS_PORT,
            _ if logs_in => SUBMISSION_PORT,
            _ => SMTP_PORT,
        };
        let place = match server {
            Server::Target(Target::LmtpSocket(path)) => Some(Place::Unix(path.clone())),
            other => other.peer(port).map(Place::Tcp),
        };
        let place = place.ok_or("--server: write HOST[:PORT], smtp://, smtps://, lmtp:// or unix:/path")?;
        let protocol = if server.is_lmtp() { Protocol::Lmtp } else { Protocol::Smtp };
        Ok(Self { protocol, tls, implicit_tls: server.implicit_tls(), ..Self::new(place, helo) })
    }

    /// A password is for one server only, and whoever asks for TLS wants to know who answers.
    pub fn verify_if_asked(&mut self, asked: Tls, insecure: bool) {
        let asked = self.login.is_some() || matches!(asked, Tls::Starttls | Tls::Smtps);
        self.verified = (self.verified || asked) && !insecure;
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

    /// Calls the addresses of the place, one after another, until one answers, and talks with that up to the point where
    /// a message can be sent, or to the stage to stop after.
    ///
    /// # Errors
    /// Nobody answers, or the stage that failed. A refused STARTTLS is none: see [`Client::starttls_refused`].
    pub async fn open(&self, transcript: &Transcript) -> Result<Client, Error> {
        let peer = match &self.place {
            Place::Unix(path) => {
                let opened = self.open_at(Endpoint::Unix(path.clone()), None, transcript).await;
                return opened.map_err(|error| self.explain(error));
            }
            Place::Tcp(peer) => peer,
        };
        let looked_up = match &self.addresses[..] {
            [] => addresses(peer, &self.dns).await?,
            known => known.to_vec(),
        };
        let mut failures = Failures::default();
        for ip in looked_up {
            let endpoint = Endpoint::Tcp(SocketAddr::new(ip, peer.port));
            match self.open_at(endpoint, None, transcript).await {
                Err(OpenError::Connect(error)) => failures.add(error),
                opened => return opened.map_err(|error| self.explain(error)),
            }
        }
        Err(failures.into_error(&peer.host))
    }

    /// As [`Settings::open`], at this address of the place, from an own one.
    pub async fn open_at(
        &self,
        endpoint: Endpoint,
        source: Option<IpAddr>,
        transcript: &Transcript,
    ) -> Result<Client, OpenError> {
        let call = Call { source, ..self.call(endpoint) };
        Client::open(&call, self.tls_client(), transcript.watcher(&self.place)).await
    }

    /// STARTTLS as a person types it.
    pub async fn type_starttls(&self, client: Client) -> Result<Client, Error> {
        let endpoint = match client.peer() {
            net::Peer::Ip(address) => Endpoint::Tcp(address),
            net::Peer::Unix(_) => client.local().clone(),
        };
        let call = self.call(endpoint);
        client.raw_starttls(&call, self.tls_client()).await.map_err(|error| self.explain(error))
    }

    /// In the words of the command line.
    pub fn explain(&self, error: OpenError) -> Error {
        Error::of_open(error, self)
    }

    fn tls_client(&self) -> &TlsClient {
        self.tls_client.get_or_init(TlsClient::new)
    }

    fn call(&self, endpoint: Endpoint) -> Call {
        let (name, is_here) = match (&self.place, &endpoint) {
            (Place::Tcp(peer), Endpoint::Tcp(address)) => (peer.host.clone(), address.ip().is_loopback()),
            // A socket has no name that a certificate could bear.
            _ => (Host::Literal(IpAddr::V4(Ipv4Addr::LOCALHOST).into()), true),
        };
        let tls = match (self.tls, &self.place) {
            (Tls::Auto, Place::Tcp(_)) => TlsUse::Opportunistic,
            (Tls::Starttls, _) => TlsUse::Required,
            (Tls::None | Tls::Smtps, _) | (Tls::Auto, Place::Unix(_)) => TlsUse::Never,
        };
        let config = Config::new(self.helo.clone());
        Call {
            tls,
            certificate: (self.verified && !is_here).then_some(TlsPolicy::Verified),
            implicit_tls: self.begins_with_tls(),
            credentials: self.login.as_ref().map(Login::credentials),
            mechanism: self.login.as_ref().and_then(|login| login.mechanism),
            session: Config { protocol: self.protocol, stop_after: self.stop_after, ..config },
            ..Call::new(endpoint, name, self.helo.clone())
        }
    }

    /// Whether the dialogue begins with the handshake.
    pub fn begins_with_tls(&self) -> bool {
        match self.tls {
            Tls::Auto => self.implicit_tls,
            Tls::Smtps => true,
            Tls::None | Tls::Starttls => false,
        }
    }
}

/// Calls the addresses of a host, one after another, until one answers: for what is no SMTP.
///
/// # Errors
/// The host has no address, or the first one's reason when none answers.
pub async fn connect_any(peer: &Peer, dns: &[SocketAddr]) -> Result<Stream, Error> {
    let mut failures = Failures::default();
    for ip in addresses(peer, dns).await? {
        let target = Endpoint::Tcp(SocketAddr::new(ip, peer.port));
        match net::connect(&target, None, CONNECT_TIMEOUT).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failures.add(error),
        }
    }
    Err(failures.into_error(&peer.host))
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

/// The addresses of a host that did not answer.
#[derive(Default)]
struct Failures {
    first: Option<NetError>,
    others: usize,
}

impl Failures {
    fn add(&mut self, error: NetError) {
        match &self.first {
            None => self.first = Some(error),
            Some(_) => self.others += 1,
        }
    }

    fn into_error(self, host: &Host) -> Error {
        let host = host.to_string();
        match self {
            Self { first: None, .. } => dns::DnsError::NoRecords { name: host, kind: "A or AAAA" }.into(),
            Self { first: Some(first), others: 0 } => Error::Net(first),
            Self { first: Some(first), others } => Error::Unreachable { host, first, others },
        }
    }
}
