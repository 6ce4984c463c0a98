//! What is read out of certificates.

use aws_lc_rs::digest::{self, Algorithm, SHA256, SHA384, SHA512};
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{
    OID_HASH_SHA1, OID_NIST_HASH_SHA256, OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512, OID_PKCS1_MD5WITHRSAENC,
    OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA1WITHRSA, OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA,
    OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512,
    Oid,
};
use x509_parser::prelude::FromDer;
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// Most names that are read from one certificate.
const MAX_NAMES: usize = 256;

/// The certificate of the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Whether its chain leads to a trusted root, and its name and dates are right. A client's is measured by
    /// [`super::TlsServerSettings::client_roots`]; where it is `false`, only the fingerprint says something.
    pub verified: bool,
    /// SHA-256 of the whole certificate.
    pub sha256: [u8; 32],
    /// The subject alternative names: host names.
    pub dns_names: Vec<String>,
    /// The subject alternative names: addresses of mail.
    pub emails: Vec<String>,
}

impl PeerCertificate {
    pub(super) fn new(certificate: &CertificateDer<'_>, verified: bool) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&SHA256, certificate).as_ref());
        let (dns_names, emails) = alternative_names(certificate);
        Self { verified, sha256, dns_names, emails }
    }

    /// The fingerprint in lower-case hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.sha256)
    }
}

/// Host names and mail addresses; none if the certificate cannot be read.
fn alternative_names(certificate: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut dns_names, mut emails) = (Vec::new(), Vec::new());
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return (dns_names, emails) };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return (dns_names, emails) };
    for name in names.value.general_names.iter().take(MAX_NAMES) {
        match name {
            GeneralName::DNSName(name) => dns_names.push(name.to_ascii_lowercase()),
            GeneralName::RFC822Name(address) => emails.push((*address).to_owned()),
            _ => {}
        }
    }
    (dns_names, emails)
}

/// The host names a server's certificate is for; its common name if it has no alternative ones.
pub(super) fn host_names(certificate: &[u8]) -> Vec<String> {
    let (names, _) = alternative_names(certificate);
    if !names.is_empty() {
        return names;
    }
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return names };
    let common = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    common.map(str::to_ascii_lowercase).into_iter().collect()
}

/// RFC 5929 §4.1: the hash of the certificate by its own signature's hash function, SHA-256 in place of MD5 and
/// SHA-1; undefined for signatures without exactly one.
pub(super) fn end_point_hash(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = hash_function(&parsed)?;
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

fn hash_function(certificate: &X509Certificate<'_>) -> Option<&'static Algorithm> {
    let identifier = &certificate.signature_algorithm;
    if identifier.algorithm == OID_PKCS1_RSASSAPSS {
        let Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) = SignatureAlgorithm::try_from(identifier) else {
            return None;
        };
        return of_oid(
            parameters.hash_algorithm_oid(),
            [&[OID_HASH_SHA1, OID_NIST_HASH_SHA256], &[OID_NIST_HASH_SHA384], &[OID_NIST_HASH_SHA512]],
        );
    }
    let ecdsa_sha1 = x509_parser::oid_registry::asn1_rs::oid!(1.2.840.10045.4.1);
    of_oid(
        &identifier.algorithm,
        [
            &[
                OID_PKCS1_MD5WITHRSAENC,
                OID_PKCS1_SHA1WITHRSA,
                ecdsa_sha1,
                OID_PKCS1_SHA256WITHRSA,
                OID_SIG_ECDSA_WITH_SHA256,
            ],
            &[OID_PKCS1_SHA384WITHRSA, OID_SIG_ECDSA_WITH_SHA384],
            &[OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA512],
        ],
    )
}

/// SHA-256, SHA-384 or SHA-512, by the list that the identifier is in.
fn of_oid(oid: &Oid<'_>, lists: [&[Oid<'_>]; 3]) -> Option<&'static Algorithm> {
    let hashes = [&SHA256, &SHA384, &SHA512];
    lists.iter().zip(hashes).find(|(list, _)| list.contains(oid)).map(|(_, hash)| hash)
}
