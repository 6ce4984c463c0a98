//! What can go wrong with a socket.

use crate::tls::{TlsFailure, explain_handshake, handshake_failure};
use crate::{Endpoint, proxy::ProxyError};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Peer's faults, ours, and the system's; the text says which.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error("cannot listen at {endpoint}: {reason}")]
    Bind { endpoint: Endpoint, reason: String },
    #[error("cannot connect to {target}: {source}")]
    Connect { target: Endpoint, source: io::Error },
    /// The peer or the network was silent.
    #[error("{what} took longer than {after:?}")]
    Timeout { what: &'static str, after: Duration },
    #[error("cannot use the certificate file {file}: {reason}")]
    CertificateFile { file: PathBuf, reason: String },
    #[error("cannot use the key file {file}: {reason}")]
    KeyFile { file: PathBuf, reason: String },
    /// Settings or system that TLS cannot work with.
    #[error("TLS cannot be set up: {0}")]
    TlsSetup(String),
    /// The handshake failed; the peer's alert or our objection is the source.
    #[error("TLS handshake with {peer} failed: {}", explain_handshake(source))]
    Handshake { peer: String, source: io::Error },
    #[error("{peer} was to send a PROXY header: {source}")]
    Proxy { peer: String, source: ProxyError },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl NetError {
    /// What kind of failure it was, if it was one of TLS.
    pub fn tls_failure(&self) -> TlsFailure {
        match self {
            Self::Handshake { source, .. } => handshake_failure(source),
            _ => TlsFailure::Other,
        }
    }

    /// The TLS library's words for a certificate that was not accepted, if that is what failed.
    pub fn refused_certificate(&self) -> Option<&rustls::CertificateError> {
        let Self::Handshake { source, .. } = self else { return None };
        match source.get_ref()?.downcast_ref::<rustls::Error>()? {
            rustls::Error::InvalidCertificate(error) => Some(error),
            _ => None,
        }
    }
}
