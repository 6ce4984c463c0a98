//! Where a domain wants its TLS reports (RFC 8460 §3).

use crate::dmarc::ReportUri;
use crate::{Dns, LookupError};
use address::{Address, Domain};
use std::fmt;

/// The usual port of HTTPS.
const PORT: u16 = 443;

/// One place for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    Mail(Address),
    /// To be posted there.
    Https(HttpsUri),
}

/// A URI of the scheme `https` (RFC 9110 §4.2.2) whose host has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsUri {
    pub host: Domain,
    pub port: u16,
    /// Path and query, as a request has them: they begin with a slash, and have no space or control character.
    target: String,
}

impl HttpsUri {
    /// Path and query, as a request has them.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// `None` also where there is a user's name, which RFC 9110 §4.2.4 does not want.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("https") || !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return None;
        }
        // A fragment is not the server's business (RFC 9110 §7.1).
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, "")) => (host, PORT),
            Some((host, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => {
                (host, port.parse().ok()?)
            }
            Some(_) => return None,
            None => (authority, PORT),
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        Some(Self { host: Domain::parse(host).ok()?, port, target: format!("{slash}{path}") })
    }
}

impl fmt::Display for HttpsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.host)?;
        if self.port != PORT {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.target)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(address) => address.fmt(f),
            Self::Https(uri) => uri.fmt(f),
        }
    }
}

/// The name of the TXT record.
pub fn query_name(domain: &Domain) -> String {
    format!("_smtp._tls.{domain}")
}

/// The places that a domain names; none when it does not ask for reports, or not in a way that can be read.
pub async fn destinations(dns: &impl Dns, domain: &Domain) -> Result<Vec<Destination>, LookupError> {
    let texts = match dns.txt(&query_name(domain)).await {
        Err(LookupError::Failed) => return Err(LookupError::Failed),
        found => found.unwrap_or_default(),
    };
    let mut records = texts.iter().filter_map(|text| places(text));
    match (records.next(), records.next()) {
        (Some(places), None) => Ok(places),
        // Several are as good as none.
        _ => Ok(Vec::new()),
    }
}

/// The places that a record names; `None` when it is no record of this version.
fn places(text: &[u8]) -> Option<Vec<Destination>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut fields = text.split(';').map(str::trim);
    if fields.next()? != "v=TLSRPTv1" {
        return None;
    }
    let rua = fields.find_map(|field| field.strip_prefix("rua="))?;
    let (uris, _) = ReportUri::parse_list(rua);
    let place = |uri| match uri {
        ReportUri::Mailto { address, .. } => Some(Destination::Mail(address)),
        ReportUri::Other(uri) => HttpsUri::parse(&uri).map(Destination::Https),
    };
    Some(uris.into_iter().filter_map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, expected: Option<&[&str]>) {
        let found =
            places(record.as_bytes()).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        let expected = expected.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(found, expected, "{record:?}");
    }

    /// RFC 8460 §3.
    #[test]
    fn records() {
        check("v=TLSRPTv1;rua=mailto:reports@example.com", Some(&["reports@example.com"]));
        check(
            "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt",
            Some(&["https://reporting.example.com/v1/tlsrpt"]),
        );
        check(
            "v=TLSRPTv1; x=1 ; rua=mailto:a@example.com , mailto:b@example.com;",
            Some(&["a@example.com", "b@example.com"]),
        );
        check(
            "v=TLSRPTv1; rua=https://example.com/r,http://example.com/,mailto:a@example.com",
            Some(&["https://example.com/r", "a@example.com"]),
        );
        for none in ["v=TLSRPTv2; rua=mailto:a@example.com", "v=TLSRPTv1", "rua=mailto:a@example.com", ""] {
            check(none, None);
        }
    }

    /// RFC 3986 §3, RFC 9110 §4.2.
    #[test]
    fn uris() {
        for (text, host, port, target) in [
            ("https://example.com", "example.com", 443, "/"),
            ("HTTPS://Example.com/", "example.com", 443, "/"),
            ("https://example.com:8443/a/b?c=d%2Ce#f", "example.com", 8443, "/a/b?c=d%2Ce"),
            ("https://example.com:?x", "example.com", 443, "/?x"),
            ("https://example.com/a:b@c", "example.com", 443, "/a:b@c"),
        ] {
            let uri = HttpsUri::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (uri.host.to_string().to_lowercase().as_str(), uri.port, uri.target()),
                (host, port, target)
            );
            assert_eq!(HttpsUri::parse(&uri.to_string()), Some(uri), "{text}");
        }
        for text in [
            "https:example.com",
            "http://example.com/",
            "https://",
            "https:///a",
            "https://joe@example.com/",
            "https://joe:secret@example.com/",
            "https://example.com:99999/",
            "https://example.com:-1/",
            "https://[::1]/",
            "https://example.com/a b",
            "https://example.com/\r\nX: y",
        ] {
            assert_eq!(HttpsUri::parse(text), None, "{text}");
        }
    }
}
