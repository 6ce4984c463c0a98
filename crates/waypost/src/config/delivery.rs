//! `[delivery]` and `[[route]]`: how messages leave, in general and for chosen recipients or senders.

use super::error::Error;
use super::places::{Smarthost, Target};
use super::units::Text;
use address::{Address, Domain, Secret};
use serde::Deserialize;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How to deliver: `[delivery]` for all, and in a route what applies to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub to: Target,
    pub credentials: Option<Credentials>,
    /// The port at which MX hosts are called.
    pub port: u16,
    /// At least [`TlsLevel::Verified`] where there are credentials.
    pub tls: TlsLevel,
    /// Own addresses to call from; none of a family: the system chooses.
    pub source: Vec<IpAddr>,
    /// The name in EHLO; none: the hostname.
    pub helo: Option<Domain>,
    pub family: Family,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            to: Target::Mx,
            credentials: None,
            port: 25,
            tls: TlsLevel::Opportunistic,
            source: Vec::new(),
            helo: None,
            family: Family::Both,
        }
    }
}

/// With what to log in at the smart host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    /// Its first line is the password.
    pub password_file: PathBuf,
}

impl Credentials {
    pub fn read_password(&self) -> Result<Secret<String>, Error> {
        let file = || self.password_file.clone();
        let key = "password-file";
        let text = std::fs::read_to_string(&self.password_file).map_err(|source| Error::Secret {
            key,
            file: file(),
            source,
        })?;
        match text.lines().next() {
            None | Some("") => Err(Error::EmptySecret { key, file: file() }),
            Some(line) => Ok(Secret::new(line.to_owned())),
        }
    }
}

/// How much TLS a delivery insists on, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsLevel {
    /// As the next, but whatever the other side publishes.
    Unchecked,
    /// Encrypted when the host offers it, by any certificate. Here and in the next two, what the other side publishes (DANE,
    /// MTA-STS) is kept to where it asks for more.
    Opportunistic,
    /// Encrypted or not at all, by any certificate.
    Required,
    /// Encrypted, by a certificate that is valid for the host's name or that its TLSA records name.
    Verified,
    /// Encrypted, by a certificate that the host's TLSA records name.
    Dane,
}

/// Which kinds of address to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Both,
    Ipv4,
    Ipv6,
}

/// One `[[route]]`; the first that matches wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub matches: Match,
    /// Complete: what the route leaves out is already taken from `[delivery]`.
    pub delivery: Delivery,
}

/// Which recipients a route is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// By the recipient's domain.
    Domain(DomainPattern),
    /// By the envelope's sender.
    Sender(SenderPattern),
}

/// `example.org` alone, `*.example.org` for all names below it, `*` for every one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainPattern {
    Exactly(Domain),
    Below(Domain),
    Any,
}

impl DomainPattern {
    pub fn matches(&self, domain: &Domain) -> bool {
        match self {
            Self::Exactly(own) => own == domain,
            Self::Below(own) => own != domain && domain.is_within(own),
            Self::Any => true,
        }
    }
}

impl FromStr for DomainPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |name| Domain::parse(name).map_err(|error| error.to_string());
        match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::Any),
            Some(name) => parse(name).map(Self::Below),
            None => parse(text).map(Self::Exactly),
        }
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(domain) => domain.fmt(f),
            Self::Below(domain) => write!(f, "*.{domain}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// An address, the addresses of a domain, or `<>` for notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderPattern {
    Address(Address),
    Domain(DomainPattern),
    Null,
}

impl SenderPattern {
    pub fn matches(&self, sender: &address::ReversePath) -> bool {
        match (self, sender.address()) {
            (Self::Null, sender) => sender.is_none(),
            (Self::Address(own), Some(sender)) => own.folded() == sender.folded(),
            (Self::Domain(own), Some(sender)) => sender.domain().is_some_and(|domain| own.matches(domain)),
            (_, None) => false,
        }
    }
}

impl FromStr for SenderPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            _ if text == "<>" => Ok(Self::Null),
            Some(domain) => domain.parse().map(Self::Domain),
            None if text.contains('@') => {
                text.parse().map(Self::Address).map_err(|error: address::AddressError| error.to_string())
            }
            None => text.parse().map(Self::Domain),
        }
    }
}

impl fmt::Display for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(pattern) => pattern.fmt(f),
            Self::Null => f.write_str("<>"),
        }
    }
}

/// The keys of `[delivery]` as they stand in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Raw {
    smarthost: Option<Text<Smarthost>>,
    username: Option<Text<String>>,
    password_file: Option<Text<PathBuf>>,
    port: Option<u16>,
    tls: Option<TlsLevel>,
    source: Option<Vec<IpAddr>>,
    helo: Option<Text<Domain>>,
    family: Option<Family>,
}

/// A `[[route]]` as it stands in the file. (`serde`'s `flatten` would lose unknown keys and line numbers.)
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawRoute {
    domain: Option<Text<DomainPattern>>,
    sender: Option<Text<SenderPattern>>,
    to: Option<Text<Target>>,
    smarthost: Option<Text<Smarthost>>,
    username: Option<Text<String>>,
    password_file: Option<Text<PathBuf>>,
    port: Option<u16>,
    tls: Option<TlsLevel>,
    source: Option<Vec<IpAddr>>,
    helo: Option<Text<Domain>>,
    family: Option<Family>,
}

/// The key at fault, and what to do.
pub(super) type Fault = (&'static str, String);

impl Raw {
    /// These keys laid over `base`.
    pub(super) fn over(self, base: &Delivery) -> Result<Delivery, Fault> {
        let mut delivery = base.clone();
        if let Some(Text(smarthost)) = self.smarthost {
            delivery.redirect(smarthost.map_or(Target::Mx, |smarthost| smarthost.0));
        }
        let (name, file) = (self.username.unwrap_or_default().0, self.password_file.unwrap_or_default().0);
        match (name, file) {
            (Some(username), Some(password_file)) => {
                delivery.credentials = Some(Credentials { username, password_file });
            }
            (Some(_), None) => {
                return Err(("username", "needs password-file, the file with its password".to_owned()));
            }
            (None, Some(_)) => {
                return Err(("password-file", "needs username, the name to log in with".to_owned()));
            }
            (None, None) => {}
        }
        delivery.port = self.port.unwrap_or(delivery.port);
        delivery.source = self.source.unwrap_or(delivery.source);
        delivery.family = self.family.unwrap_or(delivery.family);
        delivery.helo = self.helo.map_or(delivery.helo, |helo| helo.0);
        delivery.tls = self.tls.unwrap_or(delivery.tls);
        delivery.finish()
    }
}

impl Delivery {
    /// Sends elsewhere. The password of one host is never shown to another.
    fn redirect(&mut self, to: Target) {
        if self.to != to {
            self.credentials = None;
        }
        self.to = to;
    }

    fn finish(mut self) -> Result<Self, Fault> {
        if self.port == 0 {
            return Err(("port", "must be between 1 and 65535".to_owned()));
        }
        if let Some(address) = self.source.iter().find(|ip| ip.is_unspecified() || ip.is_multicast()) {
            return Err(("source", format!("{address} is not an address of a machine")));
        }
        if self.credentials.is_some() {
            if !matches!(self.to, Target::Smtp { .. }) {
                return Err((
                    "username",
                    "is for a smart host: name it with smarthost, or take the username away".to_owned(),
                ));
            }
            self.tls = TlsLevel::Verified;
        }
        Ok(self)
    }
}

impl RawRoute {
    pub(super) fn check(self, base: &Delivery) -> Result<Route, Fault> {
        let domain = self.domain.unwrap_or_default().0;
        let sender = self.sender.unwrap_or_default().0;
        let matches = match (domain, sender) {
            (Some(domain), None) => Match::Domain(domain),
            (None, Some(sender)) => Match::Sender(sender),
            (None, None) => {
                return Err(("", "a route needs domain or sender: which messages it is for".to_owned()));
            }
            (Some(_), Some(_)) => {
                return Err(("sender", "a route has either domain or sender, not both".to_owned()));
            }
        };
        let mut base = base.clone();
        match self.to.unwrap_or_default().0 {
            Some(_) if self.smarthost.is_some() => {
                return Err(("smarthost", "a route has either to or smarthost, not both".to_owned()));
            }
            Some(to) => base.redirect(to),
            None => {}
        }
        let raw = Raw {
            smarthost: self.smarthost,
            username: self.username,
            password_file: self.password_file,
            port: self.port,
            tls: self.tls,
            source: self.source,
            helo: self.helo,
            family: self.family,
        };
        Ok(Route { matches, delivery: raw.over(&base)? })
    }
}

/// Makes the paths absolute.
pub(super) fn resolve(delivery: &mut Delivery, folder: &Path) {
    if let Target::LmtpSocket(path) = &mut delivery.to {
        *path = folder.join(&*path);
    }
    if let Some(credentials) = &mut delivery.credentials {
        credentials.password_file = folder.join(&credentials.password_file);
    }
}
