//! Certificates of clients: any is taken in a handshake, and afterwards it is found out who vouches for it.

use super::server::{certificates, read_file};
use crate::NetError;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// The authorities that may vouch for clients.
#[derive(Debug)]
pub(super) struct ClientRoots(Arc<dyn ClientCertVerifier>);

impl ClientRoots {
    pub(super) fn read(file: &Path, provider: &Arc<CryptoProvider>) -> Result<Self, NetError> {
        let bad = |reason: String| NetError::CertificateFile { file: file.to_owned(), reason };
        let mut roots = RootCertStore::empty();
        for root in certificates(&read_file(file).map_err(bad)?).map_err(bad)? {
            roots.add(root).map_err(|error| bad(error.to_string()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        Ok(Self(verifier.build().map_err(|error| bad(error.to_string()))?))
    }

    /// Whether this chain, the client's own certificate first, leads to one of them and is valid now, for a client.
    ///
    /// Asked after the handshake, in which the client has proved that it holds the key: so a session that is resumed
    /// is asked about again, and one answer is never another connection's.
    pub(super) fn vouch_for(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some((own, intermediates)) = chain.split_first() else { return false };
        match self.0.verify_client_cert(own, intermediates, UnixTime::now()) {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "nobody vouches for the client's certificate");
                false
            }
        }
    }
}

/// Takes any certificate, but has the client prove that it holds the key.
#[derive(Debug)]
pub(super) struct AnyClient(pub(super) Arc<CryptoProvider>);

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
