//! Certificates measured by TLSA records (RFC 7672 §3, RFC 7671): no authority vouches for the server, its own DNS zone does.
//!
//! Where the records come from, and that DNSSEC vouches for them, is the caller's business.

use super::certificate::host_names;
use super::provider;
use aws_lc_rs::digest::{self, SHA256, SHA512};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use std::fmt;
use std::sync::Arc;

/// Most certificates of a shown chain that are held against trust anchors.
const MAX_CHAIN: usize = 16;

/// A usable TLSA record: one of the usages that mail takes (RFC 7672 §3.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Association {
    usage: Usage,
    selector: Selector,
    matching: Matching,
    data: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Usage {
    /// DANE-TA(2): an authority of the zone's own choice.
    TrustAnchor,
    /// DANE-EE(3): the server's own certificate or key.
    EndEntity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Selector {
    Certificate,
    PublicKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Matching {
    Full,
    Sha256,
    Sha512,
}

impl Association {
    /// The four fields of a record (RFC 6698 §2.1); `None` when it is unusable: another usage (PKIX-TA and PKIX-EE are
    /// unusable for mail, RFC 7672 §3.1.3), an unknown selector or matching type, or data that can match nothing.
    pub fn new(usage: u8, selector: u8, matching: u8, data: Vec<u8>) -> Option<Self> {
        let usage = match usage {
            2 => Usage::TrustAnchor,
            3 => Usage::EndEntity,
            _ => return None,
        };
        let selector = match selector {
            0 => Selector::Certificate,
            1 => Selector::PublicKey,
            _ => return None,
        };
        let (matching, sound) = match matching {
            0 => (Matching::Full, is_readable(selector, &data)),
            1 => (Matching::Sha256, data.len() == SHA256.output_len()),
            2 => (Matching::Sha512, data.len() == SHA512.output_len()),
            _ => return None,
        };
        sound.then_some(Self { usage, selector, matching, data })
    }

    fn fits(&self, certificate: &CertificateDer<'_>) -> bool {
        let Some(selected) = self.selector.of(certificate) else { return false };
        match self.matching {
            Matching::Full => selected == self.data,
            Matching::Sha256 => digest::digest(&SHA256, &selected).as_ref() == self.data,
            Matching::Sha512 => digest::digest(&SHA512, &selected).as_ref() == self.data,
        }
    }
}

/// The data of a record `3 1 1` for a server's own certificate: the SHA-256 of its SubjectPublicKeyInfo. `None` when the
/// certificate cannot be read.
pub fn public_key_sha256(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let key = Selector::PublicKey.of(certificate)?;
    Some(digest::digest(&SHA256, &key).as_ref().to_vec())
}

impl Selector {
    fn of(self, certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
        match self {
            Self::Certificate => Some(certificate.to_vec()),
            Self::PublicKey => {
                let parsed = ParsedCertificate::try_from(certificate).ok()?;
                Some(parsed.subject_public_key_info().to_vec())
            }
        }
    }
}

fn is_readable(selector: Selector, data: &[u8]) -> bool {
    match selector {
        Selector::Certificate => ParsedCertificate::try_from(&CertificateDer::from(data)).is_ok(),
        Selector::PublicKey => !data.is_empty(),
    }
}

/// The verifier of one host's connections.
pub struct DaneVerifier {
    associations: Vec<Association>,
    names: Vec<String>,
    provider: Arc<CryptoProvider>,
}

impl DaneVerifier {
    /// `associations` are all usable records of the host. `names` are those it may go by, of which a certificate that a trust
    /// anchor vouches for must bear one: the TLSA base domain, and what RFC 7672 §3.2.2 adds to it.
    pub fn new(associations: &[Association], names: Vec<String>) -> Self {
        Self { associations: strongest(associations), names, provider: provider() }
    }

    /// What it would say of this chain, the server's own certificate first.
    ///
    /// # Errors
    /// Why it would not be taken, in words.
    pub fn judge(&self, chain: &[CertificateDer<'_>]) -> Result<(), String> {
        let Some((own, others)) = chain.split_first() else {
            return Err("no certificate was shown".to_owned());
        };
        if self.is_end_entity(own) {
            return Ok(());
        }
        self.check_anchored(own, others, UnixTime::now()).map_err(|error| super::explain::verdict(&error))
    }

    /// RFC 7672 §3.1.1: neither names nor dates count.
    fn is_end_entity(&self, certificate: &CertificateDer<'_>) -> bool {
        self.of(Usage::EndEntity).any(|association| association.fits(certificate))
    }

    /// RFC 7672 §3.1.2: the chain leads to a certificate that a record names, which the server shows or the record itself holds.
    fn check_anchored(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(own)?;
        let mut refused = mismatch();
        for anchor in self.anchors(others) {
            let mut roots = RootCertStore::empty();
            if let Err(error) = roots.add(anchor) {
                refused = error;
                continue;
            }
            let algorithms = self.provider.signature_verification_algorithms.all;
            match verify_server_cert_signed_by_trust_anchor(&parsed, &roots, others, now, algorithms) {
                Ok(()) => return self.check_name(own),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn anchors(&self, shown: &[CertificateDer<'_>]) -> Vec<CertificateDer<'static>> {
        let mut anchors = Vec::new();
        for association in self.of(Usage::TrustAnchor) {
            let found = shown.iter().take(MAX_CHAIN).filter(|certificate| association.fits(certificate));
            anchors.extend(found.map(|certificate| certificate.clone().into_owned()));
            if association.matching == Matching::Full && association.selector == Selector::Certificate {
                anchors.push(CertificateDer::from(association.data.clone()));
            }
        }
        anchors.truncate(MAX_CHAIN);
        anchors
    }

    fn check_name(&self, own: &CertificateDer<'_>) -> Result<(), Error> {
        let presented = host_names(own);
        if presented.iter().any(|name| self.names.iter().any(|wanted| bears(name, wanted))) {
            return Ok(());
        }
        let first = self.names.first().and_then(|name| ServerName::try_from(name.clone()).ok());
        let Some(expected) = first else { return Err(CertificateError::NotValidForName.into()) };
        Err(CertificateError::NotValidForNameContext { expected, presented }.into())
    }

    fn of(&self, usage: Usage) -> impl Iterator<Item = &Association> {
        self.associations.iter().filter(move |association| association.usage == usage)
    }
}

/// RFC 7671 §9: of a usage and selector only the records with the strongest digest count, and those with none.
fn strongest(associations: &[Association]) -> Vec<Association> {
    let is_outdone = |one: &Association| {
        one.matching != Matching::Full
            && associations.iter().any(|other| {
                (other.usage, other.selector) == (one.usage, one.selector) && other.matching > one.matching
            })
    };
    associations.iter().filter(|association| !is_outdone(association)).cloned().collect()
}

/// RFC 7672 §3.2.3: a wildcard is the whole first label, and stands for one.
fn bears(presented: &str, wanted: &str) -> bool {
    let wanted = wanted.to_ascii_lowercase();
    match presented.strip_prefix("*.") {
        Some(rest) => wanted.split_once('.').is_some_and(|(_, parent)| parent == rest),
        None => presented == wanted,
    }
}

fn mismatch() -> Error {
    CertificateError::Other(OtherError(Arc::new(NoMatch))).into()
}

/// The certificate is not one that the TLSA records name.
#[derive(Debug)]
pub(super) struct NoMatch;

impl fmt::Display for NoMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is none that the host's TLSA records (DANE) name")
    }
}

impl std::error::Error for NoMatch {}

impl ServerCertVerifier for DaneVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.is_end_entity(end_entity) {
            self.check_anchored(end_entity, intermediates, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for DaneVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { associations, names, .. } = self;
        f.debug_struct("DaneVerifier").field("associations", associations).field("names", names).finish()
    }
}

#[cfg(test)]
mod tests;
