//! What failed in a handshake, in words for people who are not at home in X.509.

use super::dane::NoMatch;
use rustls::{CertificateError, Error};
use std::io;

/// Most names of a certificate that are told: a hoster's has hundreds.
const MAX_NAMES: usize = 5;
const DAY: u64 = 24 * 3600;

/// What was wrong with a handshake, in the kinds that TLS reports know (RFC 8460 §4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsFailure {
    /// The certificate is not for this host.
    Name,
    Expired,
    /// It is from nobody who is trusted.
    Untrusted,
    /// No TLSA record of the host names it.
    Dane,
    /// No common version, a broken message, silence.
    Other,
}

/// Why a handshake failed.
pub(crate) fn handshake(error: &io::Error) -> String {
    inner(error).map_or_else(|| error.to_string(), verdict)
}

/// The kind of that.
pub(crate) fn handshake_failure(error: &io::Error) -> TlsFailure {
    inner(error).map_or(TlsFailure::Other, kind)
}

fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Error>())
}

pub(super) fn kind(error: &Error) -> TlsFailure {
    match error {
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => TlsFailure::Name,
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            TlsFailure::Expired
        }
        Error::InvalidCertificate(CertificateError::Other(other)) if other.0.is::<NoMatch>() => {
            TlsFailure::Dane
        }
        Error::InvalidCertificate(_) => TlsFailure::Untrusted,
        _ => TlsFailure::Other,
    }
}

/// What a verifier, or the TLS library itself, found.
pub(super) fn verdict(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        other => other.to_string(),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "the certificate is from nobody whom this system trusts: self-signed, of a private authority, or \
             shown without the certificates between it and its root"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("the certificate is not for {}, but {}", expected.to_str(), names(presented))
        }
        CertificateError::ExpiredContext { time, not_after } => {
            format!(
                "the certificate expired {} ago",
                days(time.as_secs().saturating_sub(not_after.as_secs()))
            )
        }
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "the certificate becomes valid in {}; is the clock right?",
            days(not_before.as_secs().saturating_sub(time.as_secs()))
        ),
        // A verdict of webpki's that rustls has no name for. What `openssl req -x509` makes is such a one.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the certificate is self-signed, and not one that this system trusts".to_owned()
        }
        CertificateError::Other(other) if other.0.is::<NoMatch>() => NoMatch.to_string(),
        other => format!("the certificate is not accepted: {other}"),
    }
}

/// The verifier gives them as `DnsName("mail.example.org")` and `IpAddress(192.0.2.1)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        inside.trim_matches('"').to_owned()
    };
    let told: Vec<_> = presented.iter().take(MAX_NAMES).map(bare).collect();
    match presented.len().saturating_sub(told.len()) {
        0 if told.is_empty() => "has no name".to_owned(),
        0 => format!("for {}", told.join(", ")),
        more => format!("for {} and {more} others", told.join(", ")),
    }
}

fn days(seconds: u64) -> String {
    match seconds / DAY {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{ServerName, UnixTime};
    use std::time::Duration;

    fn check(error: CertificateError, expected: &str) {
        assert_eq!(handshake(&io::Error::other(Error::InvalidCertificate(error))), expected);
    }

    fn at(days: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(days * DAY))
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_in_words() {
        let not_for = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("mx.example.org").unwrap(),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        };
        check(
            not_for(&[r#"DnsName("example.net")"#, "IpAddress(192.0.2.1)"]),
            "the certificate is not for mx.example.org, but for example.net, 192.0.2.1",
        );
        check(
            not_for(&["a"; 7]),
            "the certificate is not for mx.example.org, but for a, a, a, a, a and 2 others",
        );
        check(not_for(&[]), "the certificate is not for mx.example.org, but has no name");
        check(
            CertificateError::ExpiredContext { time: at(12), not_after: at(9) },
            "the certificate expired 3 days ago",
        );
        check(
            CertificateError::NotValidYetContext { time: at(12), not_before: at(13) },
            "the certificate becomes valid in 1 day; is the clock right?",
        );
        check(CertificateError::Revoked, "the certificate is not accepted: Revoked");
    }

    #[test]
    fn other_troubles_keep_the_words_they_have() {
        let alert = Error::AlertReceived(rustls::AlertDescription::HandshakeFailure);
        assert_eq!(handshake(&io::Error::other(alert.clone())), alert.to_string());
        assert_eq!(handshake(&io::Error::other("the line is dead")), "the line is dead");
    }
}
