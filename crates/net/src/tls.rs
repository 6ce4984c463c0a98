//! TLS 1.2 and 1.3, as server and as client.

mod certificate;
mod client;
mod dane;
mod explain;
mod info;
mod roots;
mod server;

pub use certificate::PeerCertificate;
pub use client::{Observer, Shown, TlsClient, TlsPolicy};
pub use dane::{Association, DaneVerifier, public_key_sha256};
pub use explain::TlsFailure;
pub(crate) use explain::{handshake as explain_handshake, handshake_failure};
pub use info::{ChannelBindings, TlsInfo};
pub use server::{KeyPair, TlsServer, TlsServerSettings};

use std::sync::Arc;
use std::time::Duration;

/// How long a handshake may take: several round trips to the other end of the world, and a slow machine there.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
