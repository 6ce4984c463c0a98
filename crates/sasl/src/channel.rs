//! The connection beneath an exchange: whether others can listen, and what an exchange can be bound to.

use aws_lc_rs::digest;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// The connection that carries the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Anyone on the way can read and change it.
    Clear,
    /// Not encrypted, but within this machine: loopback or a Unix socket.
    Local,
    /// TLS.
    Tls(Bindings),
}

/// What the TLS connection gives to bind an exchange to (RFC 5056). A server gives these if and only if it offers
/// -PLUS mechanisms on the connection, since a client that could bind takes their absence from the list for an
/// attack when the server could have bound too (RFC 5802 §6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// 32 octets exported with the label `EXPORTER-Channel-Binding` and an empty context (RFC 9266 §2): with TLS 1.3,
    /// or with TLS 1.2 and the extended master secret (RFC 7627); otherwise not given.
    pub exporter: Option<[u8; 32]>,
    /// What [`server_end_point`] makes of the server's certificate (RFC 5929 §4).
    pub server_end_point: Option<Vec<u8>>,
}

/// A channel binding type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingType {
    /// `tls-exporter`: the default with TLS 1.3 (RFC 9266 §3).
    Exporter,
    /// `tls-server-end-point`: also works where TLS ends at a proxy that has the same certificate.
    ServerEndPoint,
}

impl BindingType {
    /// The registered name, as in `p=tls-exporter`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exporter => "tls-exporter",
            Self::ServerEndPoint => "tls-server-end-point",
        }
    }
}

impl Channel {
    /// Whether a password may be sent over it.
    pub fn is_private(&self) -> bool {
        !matches!(self, Self::Clear)
    }

    /// Whether -PLUS mechanisms work.
    pub fn can_bind(&self) -> bool {
        self.preferred().is_some()
    }

    /// What a client binds to: the connection if it can, else the server's certificate.
    pub(crate) fn preferred(&self) -> Option<(BindingType, &[u8])> {
        [BindingType::Exporter, BindingType::ServerEndPoint]
            .into_iter()
            .find_map(|kind| self.binding(kind.name()).map(|data| (kind, data)))
    }

    /// The data of the type of this name, if the connection has it.
    pub(crate) fn binding(&self, name: &str) -> Option<&[u8]> {
        let Self::Tls(bindings) = self else { return None };
        match name {
            "tls-exporter" => bindings.exporter.as_ref().map(|data| data.as_slice()),
            "tls-server-end-point" => bindings.server_end_point.as_deref(),
            _ => None,
        }
    }
}

/// The `tls-server-end-point` data of a certificate (DER, as in the server's Certificate message): its hash by the hash
/// function of its signature, with SHA-256 in place of MD5 and SHA-1 (RFC 5929 §4.1). `None` where that is not
/// defined (Ed25519) or the certificate cannot be read.
pub fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = &parsed.signature_algorithm;
    let hash = match SignatureAlgorithm::try_from(algorithm) {
        Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => {
            hash_of_pss(&parameters.hash_algorithm_oid().to_id_string())
        }
        _ => hash_of_signature(&algorithm.algorithm.to_id_string()),
    }?;
    Some(digest::digest(hash, certificate).as_ref().to_vec())
}

/// RFC 8017 appendix A.2.4, RFC 5758 §3.
fn hash_of_signature(oid: &str) -> Option<&'static digest::Algorithm> {
    match oid {
        // MD5 and SHA-1 with RSA, SHA-1 with ECDSA: RFC 5929 raises them to SHA-256.
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" => Some(&digest::SHA256),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => Some(&digest::SHA224),
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => Some(&digest::SHA256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(&digest::SHA384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(&digest::SHA512),
        _ => None,
    }
}

/// The hash within RSASSA-PSS parameters; SHA-1, their default, is raised to SHA-256.
fn hash_of_pss(oid: &str) -> Option<&'static digest::Algorithm> {
    match oid {
        "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => Some(&digest::SHA256),
        "2.16.840.1.101.3.4.2.2" => Some(&digest::SHA384),
        "2.16.840.1.101.3.4.2.3" => Some(&digest::SHA512),
        "2.16.840.1.101.3.4.2.4" => Some(&digest::SHA224),
        _ => None,
    }
}
