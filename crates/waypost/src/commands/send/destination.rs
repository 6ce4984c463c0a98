//! Where `send` sends to: the server that is named, else the configured one, else dev's.

use super::{Args, Mechanism, Stage};
use crate::cli::values::{Server, Tls};
use crate::client::{Here, Login, Place, Settings};
use crate::config::{Config, Delivery, Endpoint, Peer, Service, Target};
use crate::exit::Failure;
use crate::server::SUBMIT_SOCKET;
use address::Host;
use sasl::{Hash, Mechanism as Sasl};
use smtp::client::Stage as At;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Dev's ports (DESIGN.md): for all, and for those who log in.
const DEV: (u16, u16) = (1025, 1587);

/// Whom to call, and as whom.
pub(super) struct Destination {
    pub(super) settings: Settings,
    /// Nothing was named or configured, so that this is dev's.
    pub(super) is_dev: bool,
}

pub(super) fn choose(args: &Args, config: Option<&Config>, here: &Here) -> Result<Destination, Failure> {
    let mut destination = match (&args.server, config) {
        (Some(server), _) => named(args, server, here)?,
        (None, Some(config)) => configured(args, config, here)?,
        (None, None) => dev(args, here),
    };
    let settings = &mut destination.settings;
    settings.helo = here.helo(args.helo.as_ref());
    settings.dns = match (args.dns.dns, config) {
        (Some(server), _) => vec![server],
        (None, config) => config.map(|config| config.dns.servers.clone()).unwrap_or_default(),
    };
    if args.tls != Tls::Auto {
        settings.tls = args.tls;
    }
    if args.quit_after == Some(Stage::Starttls) && settings.tls == Tls::Auto && !settings.implicit_tls {
        settings.tls = Tls::Starttls;
    }
    if let Some(user) = &args.auth {
        let mechanism = args.mechanism.map(Sasl::from);
        settings.login = Some(Login::ask(user, mechanism, args.password, &settings.place)?);
    }
    settings.verify_if_asked(args.tls, args.insecure);
    stop_after(args.quit_after, settings);
    Ok(destination)
}

fn named(args: &Args, server: &Server, here: &Here) -> Result<Destination, Failure> {
    let settings = Settings::of_server(server, args.tls, args.auth.is_some(), here.helo(None));
    Ok(Destination { settings: settings.map_err(Failure::usage)?, is_dev: false })
}

/// The smart host; else this machine's own server: its socket for local users, or its submission port for whoever
/// logs in.
fn configured(args: &Args, config: &Config, here: &Here) -> Result<Destination, Failure> {
    if let Delivery { to: Target::Smtp { peer, implicit_tls }, credentials, tls, .. } = &config.delivery {
        let mut settings = Settings::new(Place::Tcp(peer.clone()), here.helo(None));
        settings.implicit_tls = *implicit_tls;
        settings.verified = *tls == crate::config::TlsLevel::Verified;
        if !implicit_tls && *tls >= crate::config::TlsLevel::Required {
            settings.tls = Tls::Starttls;
        }
        if let Some(known) = credentials {
            let (user, secret) = (known.username.clone(), known.read_password()?);
            settings.login = Some(Login { user, secret, mechanism: None, server: None });
        }
        return Ok(Destination { settings, is_dev: false });
    }
    let socket = config.data.join(SUBMIT_SOCKET);
    if args.auth.is_none() && socket.exists() {
        let settings = Settings::new(Place::Unix(socket), here.helo(None));
        return Ok(Destination { settings, is_dev: false });
    }
    let services: &[Service] = match args.auth {
        Some(_) => &[Service::Submission, Service::Submissions],
        None => &[Service::Smtp, Service::Submission, Service::Submissions],
    };
    let own = services.iter().find_map(|service| {
        config.listen.iter().find_map(|listener| {
            let place = own_place(&listener.endpoint).filter(|_| listener.service == *service)?;
            Some((place, service.implicit_tls()))
        })
    });
    let (place, implicit_tls) = own.ok_or_else(|| {
        Failure::no(
            "the configuration has no smart host and no submission listener: name a server with --server",
        )
    })?;
    let mut settings = Settings::new(place, here.helo(None));
    settings.implicit_tls = implicit_tls;
    Ok(Destination { settings, is_dev: false })
}

/// Where one's own listener is reached from the same machine.
fn own_place(endpoint: &Endpoint) -> Option<Place> {
    let address = match endpoint {
        Endpoint::Unix(path) => return Some(Place::Unix(path.clone())),
        Endpoint::Tcp(address) if address.port() == 0 => return None,
        Endpoint::Tcp(address) => *address,
    };
    // [::] takes IPv4 too, and is IPv4 alone where there is no IPv6.
    let ip = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Some(at(SocketAddr::new(ip, address.port())))
}

fn dev(args: &Args, here: &Here) -> Destination {
    let port = if args.auth.is_some() { DEV.1 } else { DEV.0 };
    let place = at(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    Destination { settings: Settings::new(place, here.helo(None)), is_dev: true }
}

fn at(address: SocketAddr) -> Place {
    Place::Tcp(Peer { host: Host::Literal(address.ip().into()), port: address.port() })
}

/// Some stages the dialogue itself stops after; to the others it comes by leaving out what is behind them.
fn stop_after(stage: Option<Stage>, settings: &mut Settings) {
    settings.stop_after = match stage {
        Some(Stage::Connect) => Some(At::Connect),
        Some(Stage::Mail) => Some(At::Mail),
        Some(Stage::Rcpt) => Some(At::Rcpt),
        Some(Stage::Data) => Some(At::Data),
        Some(Stage::Ehlo | Stage::Starttls | Stage::Auth) | None => None,
    };
    if stage == Some(Stage::Ehlo) {
        settings.tls = if settings.begins_with_tls() { Tls::Smtps } else { Tls::None };
    }
    if matches!(stage, Some(Stage::Ehlo | Stage::Starttls)) {
        settings.login = None;
    }
}

impl From<Mechanism> for Sasl {
    fn from(mechanism: Mechanism) -> Self {
        let scram = |hash, plus| Self::Scram { hash, plus };
        match mechanism {
            Mechanism::Plain => Self::Plain,
            Mechanism::Login => Self::Login,
            Mechanism::CramMd5 => Self::CramMd5,
            Mechanism::ScramSha1 => scram(Hash::Sha1, false),
            Mechanism::ScramSha1Plus => scram(Hash::Sha1, true),
            Mechanism::ScramSha256 => scram(Hash::Sha256, false),
            Mechanism::ScramSha256Plus => scram(Hash::Sha256, true),
            Mechanism::External => Self::External,
            Mechanism::Xoauth2 => Self::XOAuth2,
            Mechanism::Oauthbearer => Self::OAuthBearer,
        }
    }
}
