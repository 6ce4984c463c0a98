//! The certificate that a server shows, read and verified.

use net::tls::Shown;
use serde::Serialize;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// Days before its end at which a certificate should have been renewed: automatic clients renew at 30.
const SOON: i64 = 14;
/// Most names shown.
const MAX_NAMES: usize = 100;

/// What people want to know of it.
#[derive(Debug, Serialize)]
pub(super) struct Certificate {
    subject: String,
    issuer: String,
    /// DNS names and addresses it is for.
    names: Vec<String>,
    /// RFC 3339.
    not_before: String,
    not_after: String,
    /// Below zero: it has ended.
    days_left: i64,
    /// Certificates in the chain that was sent.
    chain: usize,
    /// Whether the chain leads to a root that this system trusts, for the name that was called.
    valid: bool,
    /// Why not.
    reason: Option<String>,
    /// SHA-256, in hexadecimal digits.
    fingerprint: String,
}

impl Certificate {
    pub(super) fn new(Shown { chain, refused, .. }: Shown) -> Self {
        let leaf = chain.first().map(|leaf| leaf.as_ref()).unwrap_or_default();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, leaf);
        let mut certificate = Self {
            subject: String::new(),
            issuer: String::new(),
            names: Vec::new(),
            not_before: String::new(),
            not_after: String::new(),
            days_left: 0,
            chain: chain.len(),
            valid: refused.is_none(),
            reason: refused,
            fingerprint: data_encoding::HEXLOWER.encode(digest.as_ref()),
        };
        if let Ok((_, parsed)) = X509Certificate::from_der(leaf) {
            certificate.read(&parsed);
        }
        certificate
    }

    fn read(&mut self, parsed: &X509Certificate<'_>) {
        let moment = |seconds| jiff::Timestamp::from_second(seconds).unwrap_or_default();
        let (from, until) =
            (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
        self.subject = parsed.subject().to_string();
        self.issuer = parsed.issuer().to_string();
        self.not_before = moment(from).to_string();
        self.not_after = moment(until).to_string();
        self.days_left = until.saturating_sub(jiff::Timestamp::now().as_second()).div_euclid(24 * 3600);
        if let Ok(Some(alternatives)) = parsed.subject_alternative_name() {
            let names = alternatives.value.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                GeneralName::IPAddress(octets) => ip(octets),
                _ => None,
            });
            self.names = names.take(MAX_NAMES).collect();
        }
    }

    /// Why the chain would not be taken by those who verify it.
    pub(super) fn refusal(&self) -> Option<String> {
        self.reason.clone()
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        match self.days_left {
            ..0 => found.push(format!("the certificate ended on {}", self.not_after)),
            0..SOON => found.push(format!("the certificate ends in {} days: renew it", self.days_left)),
            _ => {}
        }
        found
    }

    pub(super) fn facts(&self) -> [(&'static str, String); 7] {
        [
            ("subject", self.subject.clone()),
            ("names", self.names.join(", ")),
            ("issuer", self.issuer.clone()),
            ("begins", self.not_before.clone()),
            ("ends", format!("{} (in {} days)", self.not_after, self.days_left)),
            ("chain", format!("{} sent, {}", self.chain, if self.valid { "valid" } else { "not valid" })),
            ("SHA-256", self.fingerprint.clone()),
        ]
    }
}

fn ip(octets: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(octets).map(|octets| std::net::Ipv4Addr::from(octets).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| std::net::Ipv6Addr::from(octets).to_string()))
        .ok()
}
