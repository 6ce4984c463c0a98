//! One attempt to reach a host over TLS, and what came of it.

use address::Domain;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// Longest `failure-reason-code` that is kept, in octets: a short text (RFC 8460 §4.3.3).
pub const MAX_REASON: usize = 256;

/// A fact: a connection to a host of `recipient_domain` either got the TLS that the policy asks for or did not. Failures
/// that have nothing to do with TLS (silence, a refused connection) are not recorded (RFC 8460 §4.3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose mail was carried: the report goes to whom this domain names ([`destinations`](super::destinations)).
    pub recipient_domain: Domain,
    pub applied: Applied,
    /// The MX host that was called; `None` where not even its name could be learnt.
    pub mx: Option<Domain>,
    /// What it called itself in its EHLO reply, if it got that far.
    pub helo: Option<String>,
    /// Our end.
    pub sending_ip: Option<IpAddr>,
    /// The host's end.
    pub receiving_ip: Option<IpAddr>,
    /// `None`: a session as the policy asks for (without a policy: any TLS).
    pub failure: Option<Failure>,
}

/// The policy that was applied (RFC 8460 §4.4, §4.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Applied {
    pub kind: PolicyType,
    /// The Policy Domain: of MTA-STS that of the recipient, of DANE the TLSA base domain, which is a host (RFC 8460 §1.1).
    pub domain: Domain,
    /// TLSA records in their presentation form, or the lines of an MTA-STS policy.
    pub lines: Vec<String>,
    /// The `mx` patterns of an MTA-STS policy.
    pub mx_patterns: Vec<String>,
}

/// `policy-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyType {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
    NoPolicyFound,
}

/// Why the session is not what the policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    pub kind: ResultType,
    /// `failure-reason-code`: a TLS error in words, at most [`MAX_REASON`] octets of which are reported.
    pub reason: Option<String>,
}

/// `result-type` (RFC 8460 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultType {
    StarttlsNotSupported,
    CertificateHostMismatch,
    CertificateExpired,
    CertificateNotTrusted,
    ValidationFailure,
    TlsaInvalid,
    DnssecInvalid,
    DaneRequired,
    StsPolicyFetchError,
    StsPolicyInvalid,
    StsWebpkiInvalid,
}

impl PolicyType {
    const ALL: [Self; 3] = [Self::Tlsa, Self::Sts, Self::NoPolicyFound];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::NoPolicyFound => "no-policy-found",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl ResultType {
    const ALL: [Self; 11] = [
        Self::StarttlsNotSupported,
        Self::CertificateHostMismatch,
        Self::CertificateExpired,
        Self::CertificateNotTrusted,
        Self::ValidationFailure,
        Self::TlsaInvalid,
        Self::DnssecInvalid,
        Self::DaneRequired,
        Self::StsPolicyFetchError,
        Self::StsPolicyInvalid,
        Self::StsWebpkiInvalid,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ResultType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for kind in PolicyType::ALL {
            assert_eq!(PolicyType::parse(&kind.to_string()), Some(kind));
        }
        for kind in ResultType::ALL {
            assert_eq!(ResultType::parse(&kind.to_string()), Some(kind));
        }
        assert_eq!(ResultType::parse("bored"), None);
    }
}
