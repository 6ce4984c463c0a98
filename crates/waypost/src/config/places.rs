//! Places on the network as the file and the command line write them: where to listen ([`Endpoint`]), where a
//! name server answers ([`name_server`]), and whom to hand mail to ([`Target`]).

use address::Host;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// An address and port, or a socket in the file system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("unix: must be followed by the path of a socket".to_owned()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| not_an_endpoint(text)),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn not_an_endpoint(text: &str) -> String {
    let what = format!(
        "{text:?} is not a place to listen at: write an address and port like \"[::]:25\", or \"unix:/path\""
    );
    let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok());
    match port {
        Some(port) if text.starts_with('*') || text == port || text.starts_with(':') => {
            format!("{what} (all addresses: \"[::]:{port}\")")
        }
        _ => what,
    }
}

/// Reads `ADDRESS[:PORT]` of a name server; the port is 53 when it is left out.
pub fn name_server(text: &str) -> Result<SocketAddr, String> {
    let wrong =
        |_| format!("{text:?} is not a name server: write its address, like \"127.0.0.1:5353\" or \"[::1]\"");
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)).map_err(wrong)
}

/// A host to connect to and its port. A name is looked up as it is: never for MX.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    pub host: Host,
    pub port: u16,
}

impl Peer {
    /// Reads `HOST[:PORT]`, where the host is a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let (host, port) = split_port(text)?;
        Ok(Self { host: parse_host(host)?, port: port.unwrap_or(default_port) })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Domain(name) => write!(f, "{name}:{}", self.port),
            Host::Literal(literal) => SocketAddr::new(literal.ip(), self.port).fmt(f),
        }
    }
}

/// Splits `HOST:PORT` and `[v6]:PORT`; a bare IPv6 address has no port.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let wrong = || {
        format!(
            "{text:?} is not a host: write \"mail.example.org:587\", \"192.0.2.1:25\" or \"[2001:db8::1]:25\""
        )
    };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or_else(wrong)?) })
        }
        None if text.parse::<IpAddr>().is_ok() => (text, None),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    match port.map(str::parse) {
        _ if host.is_empty() => Err(wrong()),
        None => Ok((host, None)),
        Some(Ok(port)) if port != 0 => Ok((host, Some(port))),
        Some(_) => Err(wrong()),
    }
}

fn parse_host(text: &str) -> Result<Host, String> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => format!("[{ip}]").parse::<Host>().map_err(|error| error.to_string()),
        Ok(IpAddr::V6(ip)) => format!("[IPv6:{ip}]").parse::<Host>().map_err(|error| error.to_string()),
        Err(_) => address::Domain::parse(text).map(Host::Domain).map_err(|error| error.to_string()),
    }
}

/// Where mail for a route goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// The recipient domain's own MX hosts.
    Mx,
    /// One host over SMTP: `smtp://` takes STARTTLS when it is offered, `smtps://` is TLS from the start.
    Smtp { peer: Peer, implicit_tls: bool },
    /// `lmtp://HOST[:PORT]`.
    Lmtp(Peer),
    /// `lmtp:///path/of/socket`.
    LmtpSocket(PathBuf),
    /// The mailboxes here.
    Mailbox,
    /// Kept in the queue until somebody releases it.
    Hold,
    /// Accepted and thrown away, which the trail says.
    Discard,
}

/// The port that `smtp://` means when it names none.
pub const SMTP_PORT: u16 = 25;
/// The port of `smtps://` (RFC 8314 §3.3).
pub const SMTPS_PORT: u16 = 465;
/// The port of `lmtp://`: LMTP must not be on 25 (RFC 2033 §5), 24 is the one assigned to private mail systems.
pub const LMTP_PORT: u16 = 24;

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no destination: write smtp://HOST[:PORT], smtps://HOST[:PORT], lmtp://HOST[:PORT], \
                 lmtp:///path/of/socket, mailbox, hold or discard"
            )
        };
        match text {
            "mailbox" => return Ok(Self::Mailbox),
            "hold" => return Ok(Self::Hold),
            "discard" => return Ok(Self::Discard),
            _ => {}
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        match scheme {
            "lmtp" if rest.starts_with('/') => Ok(Self::LmtpSocket(rest.into())),
            "lmtp" => Peer::parse(rest, LMTP_PORT).map(Self::Lmtp),
            "smtp" => Ok(Self::Smtp { peer: Peer::parse(rest, SMTP_PORT)?, implicit_tls: false }),
            "smtps" => Ok(Self::Smtp { peer: Peer::parse(rest, SMTPS_PORT)?, implicit_tls: true }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mx => f.write_str("mx"),
            Self::Smtp { peer, implicit_tls } => {
                write!(f, "{}://{peer}", if *implicit_tls { "smtps" } else { "smtp" })
            }
            Self::Lmtp(peer) => write!(f, "lmtp://{peer}"),
            Self::LmtpSocket(path) => write!(f, "lmtp://{}", path.display()),
            Self::Mailbox => f.write_str("mailbox"),
            Self::Hold => f.write_str("hold"),
            Self::Discard => f.write_str("discard"),
        }
    }
}

/// A `smarthost`: a [`Target`] that speaks SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Smarthost(pub(super) Target);

impl FromStr for Smarthost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(target @ Target::Smtp { .. }) => Ok(Self(target)),
            Err(error) if text.contains("://") && !text.starts_with("lmtp") => Err(error),
            _ => Err(format!(
                "{text:?} is not a smart host: write it like \"smtp://relay.example.net:587\" or \"smtps://relay.example.net\""
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for text in ["[::]:25", "127.0.0.1:0", "unix:/run/waypost/lmtp", "unix:lmtp.sock"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for (text, hint) in [
            ("25", "\"[::]:25\""),
            (":587", "\"[::]:587\""),
            ("*:25", "\"[::]:25\""),
            ("localhost:25", "an address and port"),
            ("unix:", "path of a socket"),
            ("", "an address and port"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn name_servers_have_port_53_by_default() {
        for (text, address) in [
            ("127.0.0.1", "127.0.0.1:53"),
            ("127.0.0.1:5353", "127.0.0.1:5353"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("[::1]:5353", "[::1]:5353"),
        ] {
            assert_eq!(name_server(text).unwrap().to_string(), address);
        }
        assert!(name_server("dns.example.org").is_err());
    }

    #[test]
    fn targets() {
        for (text, shown) in [
            ("smtp://relay.example.net:587", "smtp://relay.example.net:587"),
            ("smtp://Relay.Example.net", "smtp://relay.example.net:25"),
            ("smtps://192.0.2.1", "smtps://192.0.2.1:465"),
            ("smtp://[2001:db8::1]:26", "smtp://[2001:db8::1]:26"),
            ("smtp://2001:db8::1", "smtp://[2001:db8::1]:25"),
            ("lmtp://127.0.0.1", "lmtp://127.0.0.1:24"),
            ("lmtp:///run/dovecot/lmtp", "lmtp:///run/dovecot/lmtp"),
            ("mailbox", "mailbox"),
            ("hold", "hold"),
            ("discard", "discard"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "mx",
            "http://x",
            "smtp://",
            "smtp://a:0",
            "smtp://a:b",
            "smtp://[::1",
            "smtp://[::1]25",
            "smtp:a",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
        assert!("smtp://a.example".parse::<Smarthost>().is_ok());
        assert!("lmtp://a.example".parse::<Smarthost>().is_err());
        assert!("a.example".parse::<Smarthost>().unwrap_err().contains("smtp://"));
    }
}
