//! Values that several commands take, each parsed where it is written.

use crate::config::{Endpoint, LMTP_PORT, Peer, SMTPS_PORT, Target, name_server, units};
use address::{Address, Domain, ForwardPath, ReversePath};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// `--dns`, of commands that look things up.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Dns {
    /// Ask this name server instead of the configured ones
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = name_server)]
    pub dns: Option<SocketAddr>,
}

/// `--json`, of commands that print data.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Json {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `--password-stdin`. Without it passwords are asked for.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct PasswordStdin {
    /// Read the password from standard input: one line, its end removed
    #[arg(long)]
    pub password_stdin: bool,
}

/// How a client uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Tls {
    /// From the start on a port for it, else STARTTLS when it is offered
    #[default]
    Auto,
    /// Not at all
    None,
    /// STARTTLS, or stop
    Starttls,
    /// From the start
    #[value(alias = "pop3s", alias = "implicit")]
    Smtps,
}

/// A server a client command talks to: `HOST[:PORT]`, `smtp://…`, `smtps://…`, `lmtp://…` or `unix:/path` (LMTP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// With the port left out it is the command's to choose.
    Host { host: address::Host, port: Option<u16> },
    /// With a scheme, which says how to talk.
    Target(Target),
}

impl Server {
    /// The host and port, with the command's default port; none for a socket.
    pub fn peer(&self, default_port: u16) -> Option<Peer> {
        match self {
            Self::Host { host, port } => {
                Some(Peer { host: host.clone(), port: port.unwrap_or(default_port) })
            }
            Self::Target(Target::Smtp { peer, .. } | Target::Lmtp(peer)) => Some(peer.clone()),
            Self::Target(_) => None,
        }
    }

    /// LMTP instead of SMTP.
    pub fn is_lmtp(&self) -> bool {
        match self {
            Self::Host { port, .. } => *port == Some(LMTP_PORT),
            Self::Target(target) => matches!(target, Target::Lmtp(_) | Target::LmtpSocket(_)),
        }
    }

    /// TLS from the start, by its scheme or its port.
    pub fn implicit_tls(&self) -> bool {
        match self {
            Self::Host { port, .. } => matches!(port, Some(SMTPS_PORT | 995 | 993)),
            Self::Target(target) => matches!(target, Target::Smtp { implicit_tls: true, .. }),
        }
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(Endpoint::Unix(path)) = text.parse() {
            return Ok(Self::Target(Target::LmtpSocket(path)));
        }
        if text.contains("://") {
            return text.parse().map(Self::Target);
        }
        // Port 0 cannot be written, so it stands for "none was".
        let peer = Peer::parse(text, 0)?;
        Ok(Self::Host { host: peer.host, port: (peer.port != 0).then_some(peer.port) })
    }
}

/// The name of an alias: an address, `@example.org` for all that a domain has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AliasName {
    Address(Address),
    CatchAll(Domain),
}

impl FromStr for AliasName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some(domain) => {
                domain.parse().map(Self::CatchAll).map_err(|error: address::DomainError| error.to_string())
            }
            None => text.parse().map(Self::Address).map_err(|error: address::AddressError| error.to_string()),
        }
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::CatchAll(domain) => write!(f, "@{domain}"),
        }
    }
}

/// `--recipients` of a relay domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// Asked of the next host as each comes.
    Verify,
    /// Listed in a file, an address a line.
    File(PathBuf),
}

impl FromStr for Recipients {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "verify" { Self::Verify } else { Self::File(text.into()) })
    }
}

/// `--relay-to` of a relay domain: `mx`, or the `smtp://` or `smtps://` URL of a host.
pub fn relay_to(text: &str) -> Result<Target, String> {
    if text == "mx" {
        return Ok(Target::Mx);
    }
    match text.parse() {
        Ok(target @ (Target::Smtp { .. } | Target::Lmtp(_) | Target::LmtpSocket(_))) => Ok(target),
        _ => Err(format!(
            "{text:?} is no next host: write smtp://HOST[:PORT], smtps://HOST[:PORT], lmtp://HOST[:PORT] or mx"
        )),
    }
}

/// A quota: a size, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota(pub Option<u64>);

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" { Ok(Self(None)) } else { size(text).map(|bytes| Self(Some(bytes))) }
    }
}

/// A size that is not zero.
pub fn size(text: &str) -> Result<u64, String> {
    match units::parse_size(text)? {
        0 => Err("must be more than nothing".to_owned()),
        bytes => Ok(bytes),
    }
}

pub fn duration(text: &str) -> Result<Duration, String> {
    units::parse_duration(text)
}

/// The envelope's sender: an address, with or without its brackets; `<>` for none.
pub fn reverse_path(text: &str) -> Result<ReversePath, String> {
    without_brackets(text).parse().map_err(|error: address::AddressError| error.to_string())
}

/// A recipient: an address, or a name alone for somebody of the server itself.
pub fn forward_path(text: &str) -> Result<ForwardPath, String> {
    let inner = without_brackets(text);
    if inner.is_empty() {
        return Err("an empty recipient".to_owned());
    }
    inner.parse().map_err(|error: address::AddressError| error.to_string())
}

fn without_brackets(text: &str) -> &str {
    text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text)
}

/// What the trail or the queue is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Address(Address),
    Domain(Domain),
    /// A queue id, session id or Message-ID, as it was printed.
    Id(String),
}

impl FromStr for Subject {
    type Err = String;

    /// In brackets it is a Message-ID; with `@` an address; `@example.org` a domain; else an id.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty id".to_owned());
        }
        if text.starts_with('<') || !text.contains('@') {
            return Ok(Self::Id(text.to_owned()));
        }
        match text.strip_prefix('@') {
            Some(domain) => {
                domain.parse().map(Self::Domain).map_err(|error: address::DomainError| error.to_string())
            }
            None => text.parse().map(Self::Address).map_err(|error: address::AddressError| error.to_string()),
        }
    }
}

/// When to be notified (RFC 3461 §4.1), by its words in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Notify {
    Never,
    Success,
    Failure,
    Delay,
}

/// Checks a list of `NOTIFY` values: never stands alone, nothing stands twice (RFC 3461 §4.1).
pub fn check_notify(list: &[Notify]) -> Result<(), String> {
    if list.contains(&Notify::Never) && list.len() > 1 {
        return Err("never cannot be combined with another".to_owned());
    }
    Ok(())
}

/// How much of the message comes back in a notification (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ret {
    Full,
    Hdrs,
}
