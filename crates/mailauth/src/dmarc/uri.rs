//! Where reports go (RFC 9989 §4.6): a list of URIs, of which `mailto:` is the one that is used.

use crate::tags::trim;
use address::{Address, Domain, Host};

/// Most URIs of one tag that are read: RFC 7489 §6.2 asks for two at least, RFC 9990 leaves the limit to the receiver.
pub const MAX_URIS: usize = 8;

/// One place for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportUri {
    Mailto {
        address: Address,
        /// The largest report that is wanted there, in octets: obsolete (RFC 9989 §4.8), honoured all the same.
        max_size: Option<u64>,
    },
    /// Another scheme, which must be ignored where it is not supported.
    Other(String),
}

impl ReportUri {
    /// The URIs of a tag that are well formed, and those that are not.
    pub(crate) fn parse_list(value: &str) -> (Vec<Self>, Vec<&str>) {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for text in value.split(',').map(trim).take(MAX_URIS) {
            match Self::parse(text) {
                Some(uri) => good.push(uri),
                None => bad.push(text),
            }
        }
        (good, bad)
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !scheme_fits || rest.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        if !scheme.eq_ignore_ascii_case("mailto") {
            return Some(Self::Other(text.to_owned()));
        }
        let (rest, max_size) = match rest.split_once('!') {
            Some((rest, size)) => (rest, Some(parse_size(size)?)),
            None => (rest, None),
        };
        // Fields that a mailto URI may set (`?subject=`) are not for reports.
        let path = rest.split_once('?').map_or(rest, |(path, _)| path);
        Some(Self::Mailto { address: percent_decoded(path)?.parse().ok()?, max_size })
    }

    /// The address of a `mailto:` URI and its domain.
    pub(crate) fn mailbox(&self) -> Option<(&Address, &Domain)> {
        match self {
            Self::Mailto { address, .. } => match address.host() {
                Host::Domain(domain) => Some((address, domain)),
                Host::Literal(_) => None,
            },
            Self::Other(_) => None,
        }
    }
}

/// `1*DIGIT [ "k" / "m" / "g" / "t" ]`, in powers of 1024 (RFC 7489 §6.2).
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// RFC 3986 §2.1.
fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet != b'%' {
            out.push(octet);
            continue;
        }
        let mut digit = || char::from(octets.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailto(address: &str, max_size: Option<u64>) -> ReportUri {
        ReportUri::Mailto { address: address.parse().unwrap(), max_size }
    }

    fn check(value: &str, good: &[ReportUri], bad: &[&str]) {
        assert_eq!(ReportUri::parse_list(value), (good.to_vec(), bad.to_vec()), "{value:?}");
    }

    #[test]
    fn uris() {
        check("mailto:a@example.org", &[mailto("a@example.org", None)], &[]);
        check("MAILTO:a@example.org!10m", &[mailto("a@example.org", Some(10 << 20))], &[]);
        check("mailto:a@example.org!512", &[mailto("a@example.org", Some(512))], &[]);
        check("mailto:%22a%2Cb%21%22@example.org?subject=x", &[mailto("\"a,b!\"@example.org", None)], &[]);
        let both = [mailto("a@example.org", None), mailto("b@example.net", None)];
        check("mailto:a@example.org , mailto:b@example.net", &both, &[]);
        check("https://example.org/r", &[ReportUri::Other("https://example.org/r".into())], &[]);
    }

    #[test]
    fn broken_uris_are_told_apart() {
        check("a@example.org", &[], &["a@example.org"]);
        check("mailto:", &[], &["mailto:"]);
        check("mailto:a@example.org!x", &[], &["mailto:a@example.org!x"]);
        check("mailto:a@example.org!99999999t", &[], &["mailto:a@example.org!99999999t"]);
        check("mailto:a%2@example.org", &[], &["mailto:a%2@example.org"]);
        check("mailto:a@b@c,mailto:d@example.org", &[mailto("d@example.org", None)], &["mailto:a@b@c"]);
        let many = ["mailto:a@example.org"; MAX_URIS + 3].join(",");
        check(&many, &vec![mailto("a@example.org", None); MAX_URIS], &[]);
    }
}
