//! Where a domain wants its TLS reports (RFC 8460 §3).

use crate::dmarc::ReportUri;
use crate::{Dns, LookupError};
use address::{Address, Domain};

/// The name of the TXT record.
pub fn query_name(domain: &Domain) -> String {
    format!("_smtp._tls.{domain}")
}

/// The addresses that a domain names; none when it does not ask for reports, or not in a way that can be read. Reports by
/// HTTPS are not sent.
pub async fn destinations(dns: &impl Dns, domain: &Domain) -> Result<Vec<Address>, LookupError> {
    let texts = match dns.txt(&query_name(domain)).await {
        Err(LookupError::Failed) => return Err(LookupError::Failed),
        found => found.unwrap_or_default(),
    };
    let mut records = texts.iter().filter_map(|text| uris(text));
    match (records.next(), records.next()) {
        (Some(uris), None) => Ok(uris),
        // Several are as good as none.
        _ => Ok(Vec::new()),
    }
}

/// The `mailto:` addresses of a record; `None` when it is no record of this version.
fn uris(text: &[u8]) -> Option<Vec<Address>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut fields = text.split(';').map(str::trim);
    if fields.next()? != "v=TLSRPTv1" {
        return None;
    }
    let rua = fields.find_map(|field| field.strip_prefix("rua="))?;
    let (uris, _) = ReportUri::parse_list(rua);
    let address = |uri| match uri {
        ReportUri::Mailto { address, .. } => Some(address),
        ReportUri::Other(_) => None,
    };
    Some(uris.into_iter().filter_map(address).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, expected: Option<&[&str]>) {
        let found =
            uris(record.as_bytes()).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        let expected = expected.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(found, expected, "{record:?}");
    }

    /// RFC 8460 §3.
    #[test]
    fn records() {
        check("v=TLSRPTv1;rua=mailto:reports@example.com", Some(&["reports@example.com"]));
        check(
            "v=TLSRPTv1; x=1 ; rua=mailto:a@example.com , mailto:b@example.com;",
            Some(&["a@example.com", "b@example.com"]),
        );
        check("v=TLSRPTv1; rua=https://example.com/r,mailto:a@example.com", Some(&["a@example.com"]));
        for none in ["v=TLSRPTv2; rua=mailto:a@example.com", "v=TLSRPTv1", "rua=mailto:a@example.com", ""] {
            check(none, None);
        }
    }
}
