//! `[listen]`: which service listens where, and for whom it speaks the PROXY protocol.

use super::places::Endpoint;
use super::units;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};

/// What is spoken at a port; named as in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    Smtp,
    Submission,
    Submissions,
    Lmtp,
    Imap,
    Imaps,
    Pop3,
    Pop3s,
    ManageSieve,
    Http,
    Https,
}

impl Service {
    pub const ALL: [Self; 11] = [
        Self::Smtp,
        Self::Submission,
        Self::Submissions,
        Self::Lmtp,
        Self::Imap,
        Self::Imaps,
        Self::Pop3,
        Self::Pop3s,
        Self::ManageSieve,
        Self::Http,
        Self::Https,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::ManageSieve => "managesieve",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// TLS from the first byte.
    pub fn implicit_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps | Self::Pop3s | Self::Https)
    }

    /// Whether this version has the server. Those that have are listened for without a `[listen]` table.
    pub fn is_built(self) -> bool {
        matches!(
            self,
            Self::Smtp
                | Self::Submission
                | Self::Submissions
                | Self::Lmtp
                | Self::Imap
                | Self::Imaps
                | Self::Pop3
                | Self::Pop3s
        )
    }

    /// Served where it is asked for, and only there.
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// The registered port; LMTP has none.
    pub fn standard_port(self) -> Option<u16> {
        Some(match self {
            Self::Smtp => 25,
            Self::Submission => 587,
            Self::Submissions => 465,
            Self::Lmtp => return None,
            Self::Imap => 143,
            Self::Imaps => 993,
            Self::Pop3 => 110,
            Self::Pop3s => 995,
            Self::ManageSieve => 4190,
            Self::Http => 80,
            Self::Https => 443,
        })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub service: Service,
    pub endpoint: Endpoint,
    /// Networks whose connections begin with a PROXY header.
    pub proxy_from: Vec<IpNet>,
    /// Networks that may send XCLIENT.
    pub xclient_from: Vec<IpNet>,
    /// Whether TLS is spoken here: from the start, or offered, as the service says.
    pub tls: bool,
}

/// The standard ports of the services there are, on all addresses of both families.
pub fn standard() -> Vec<Listener> {
    let listener = |service: Service| {
        let port = service.standard_port().filter(|_| service.is_built())?;
        let endpoint = Endpoint::Tcp(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port));
        Some(Listener { service, endpoint, proxy_from: Vec::new(), xclient_from: Vec::new(), tls: true })
    };
    Service::ALL.into_iter().filter_map(listener).collect()
}

/// The table as it stands in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Raw {
    smtp: Vec<Entry>,
    submission: Vec<Entry>,
    submissions: Vec<Entry>,
    lmtp: Vec<Entry>,
    imap: Vec<Entry>,
    imaps: Vec<Entry>,
    pop3: Vec<Entry>,
    pop3s: Vec<Entry>,
    managesieve: Vec<Entry>,
    http: Vec<Entry>,
    https: Vec<Entry>,
    #[serde(deserialize_with = "units::networks")]
    proxy_from: Vec<IpNet>,
    #[serde(deserialize_with = "units::networks")]
    xclient_from: Vec<IpNet>,
}

impl Raw {
    /// The listeners, or the second of two that want the same place.
    pub(super) fn check(self) -> Result<Vec<Listener>, Listener> {
        let Self { proxy_from, xclient_from, .. } = &self;
        let (proxy_from, xclient_from) = (proxy_from.clone(), xclient_from.clone());
        let entries = [
            (Service::Smtp, self.smtp),
            (Service::Submission, self.submission),
            (Service::Submissions, self.submissions),
            (Service::Lmtp, self.lmtp),
            (Service::Imap, self.imap),
            (Service::Imaps, self.imaps),
            (Service::Pop3, self.pop3),
            (Service::Pop3s, self.pop3s),
            (Service::ManageSieve, self.managesieve),
            (Service::Http, self.http),
            (Service::Https, self.https),
        ];
        let mut listeners: Vec<Listener> = Vec::new();
        for (service, entry) in
            entries.into_iter().flat_map(|(service, list)| list.into_iter().map(move |e| (service, e)))
        {
            let listener = Listener {
                service,
                endpoint: entry.address,
                proxy_from: entry.proxy_from.unwrap_or_else(|| proxy_from.clone()),
                xclient_from: entry.xclient_from.unwrap_or_else(|| xclient_from.clone()),
                tls: entry.tls,
            };
            // Port 0 is "any free one", so two of them do not meet.
            let any = matches!(&listener.endpoint, Endpoint::Tcp(address) if address.port() == 0);
            if !any && listeners.iter().any(|other| other.endpoint == listener.endpoint) {
                return Err(listener);
            }
            listeners.push(listener);
        }
        Ok(listeners)
    }
}

/// An entry: a string, or a table when it has settings of its own.
#[derive(Debug)]
struct Entry {
    address: Endpoint,
    proxy_from: Option<Vec<IpNet>>,
    xclient_from: Option<Vec<IpNet>>,
    tls: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct EntryTable {
    address: String,
    #[serde(default, deserialize_with = "some_networks")]
    proxy_from: Option<Vec<IpNet>>,
    #[serde(default, deserialize_with = "some_networks")]
    xclient_from: Option<Vec<IpNet>>,
    #[serde(default = "yes")]
    tls: bool,
}

fn yes() -> bool {
    true
}

fn some_networks<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    units::networks(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand and not `untagged`, which would say only that no variant matched.
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Entry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"[::]:25\", \"unix:/path\" or { address = … }")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Entry, E> {
                let address = text.parse().map_err(E::custom)?;
                Ok(Entry { address, proxy_from: None, xclient_from: None, tls: true })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
                let table = EntryTable::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                let address = table.address.parse().map_err(serde::de::Error::custom)?;
                let EntryTable { proxy_from, xclient_from, tls, .. } = table;
                Ok(Entry { address, proxy_from, xclient_from, tls })
            }
        }
        deserializer.deserialize_any(Either)
    }
}
