//! TLS towards others.

use super::{HANDSHAKE_TIMEOUT, TlsFailure, TlsInfo, explain, provider};
use crate::socket::Socket;
use crate::{NetError, Peer};
use address::Host;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Which certificates are good enough.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TlsPolicy {
    /// Any: against those who only listen. Whether it would have verified is in [`super::PeerCertificate::verified`].
    Opportunistic,
    /// One that leads to a trusted root and bears the server's name.
    Verified,
    /// Any, as with `Opportunistic`; the observer, which serves one handshake, can be asked what was wrong.
    Observed(Arc<Observer>),
    /// What this verifier takes (pinned fingerprints, [`super::DaneVerifier`]).
    Custom(Arc<dyn ServerCertVerifier>),
}

/// What outgoing TLS needs: the algorithms and the trusted roots. Clones share them.
#[derive(Debug, Clone)]
pub struct TlsClient {
    provider: Arc<CryptoProvider>,
    /// Or why nothing can be verified here.
    trust: Result<Arc<dyn ServerCertVerifier>, String>,
}

impl Default for TlsClient {
    fn default() -> Self {
        Self::new()
    }
}

impl TlsClient {
    /// Trusts the roots of the system. Where there are none, only [`TlsPolicy::Verified`] fails.
    pub fn new() -> Self {
        let provider = provider();
        let trust = match rustls_platform_verifier::Verifier::new(Arc::clone(&provider)) {
            Ok(verifier) => Ok(Arc::new(verifier) as Arc<dyn ServerCertVerifier>),
            Err(error) => Err(format!("the system's trusted certificates cannot be read: {error}")),
        };
        Self { provider, trust }
    }

    /// Trusts these roots and no others.
    ///
    /// # Errors
    /// [`NetError::TlsSetup`] when there is none, or one cannot be read.
    pub fn with_roots<'a>(roots: impl IntoIterator<Item = CertificateDer<'a>>) -> Result<Self, NetError> {
        let provider = provider();
        let setup = |error: String| NetError::TlsSetup(format!("trusted certificates: {error}"));
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root.into_owned()).map_err(|error| setup(error.to_string()))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider))
            .build()
            .map_err(|error| setup(error.to_string()))?;
        Ok(Self { provider, trust: Ok(verifier) })
    }

    /// Takes any certificate in one handshake, by [`TlsPolicy::Custom`], and tells what there was to see.
    pub fn observer(&self) -> Arc<Observer> {
        Arc::new(Observer { trust: self.trust.clone(), shown: Mutex::default() })
    }

    pub(crate) async fn connect(
        &self,
        socket: Socket,
        peer: Peer,
        name: &Host,
        policy: &TlsPolicy,
    ) -> Result<(TlsStream<Socket>, TlsInfo), NetError> {
        let (config, outcome) = self.config(policy)?;
        let connector = TlsConnector::from(Arc::new(config));
        let name = server_name(name)?;
        let sni = match &name {
            ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
            _ => None,
        };
        let stream = timeout(HANDSHAKE_TIMEOUT, connector.connect(name, socket))
            .await
            .map_err(|_| NetError::Timeout { what: "the TLS handshake", after: HANDSHAKE_TIMEOUT })?
            .map_err(|source| NetError::Handshake { peer: peer.to_string(), source })?;
        let connection = stream.get_ref().1;
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        let info = TlsInfo::new(connection, sni, shown, outcome.is_verified());
        Ok((stream, info))
    }

    /// A configuration for one connection. Nothing is resumed: mail connections are reused instead, and a
    /// session of one policy must not pass for another.
    fn config(&self, policy: &TlsPolicy) -> Result<(ClientConfig, Outcome), NetError> {
        let (verifier, outcome): (Arc<dyn ServerCertVerifier>, _) = match policy {
            TlsPolicy::Opportunistic => {
                let observer = self.observer();
                (Arc::clone(&observer) as Arc<_>, Outcome::Observed(observer))
            }
            TlsPolicy::Observed(observer) => {
                (Arc::clone(observer) as Arc<_>, Outcome::Observed(Arc::clone(observer)))
            }
            TlsPolicy::Verified => (self.trust.clone().map_err(NetError::TlsSetup)?, Outcome::Verified),
            TlsPolicy::Custom(verifier) => (Arc::clone(verifier), Outcome::Verified),
        };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| NetError::TlsSetup(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok((config, outcome))
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, NetError> {
    match host {
        Host::Literal(literal) => Ok(ServerName::IpAddress(literal.ip().into())),
        Host::Domain(domain) => ServerName::try_from(domain.as_str().to_owned())
            .map_err(|_| NetError::TlsSetup(format!("{domain} is no name a TLS server can have"))),
    }
}

enum Outcome {
    Verified,
    Observed(Arc<Observer>),
}

impl Outcome {
    fn is_verified(&self) -> bool {
        match self {
            Self::Verified => true,
            Self::Observed(observer) => observer.has_passed(),
        }
    }
}

/// Accepts every certificate and every signature, and notes whether the real verifier would have. Refusing a bad
/// signature would protect from nobody here, and lose mail to servers with odd certificates.
#[derive(Debug)]
pub struct Observer {
    trust: Result<Arc<dyn ServerCertVerifier>, String>,
    shown: Mutex<Option<Shown>>,
}

/// What a server showed in a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Why the chain, or a signature made with it, would not have been taken.
    pub refused: Option<String>,
    /// The kind of that.
    pub failure: Option<TlsFailure>,
}

impl Observer {
    /// What the server of the last handshake showed; none before it did.
    pub fn shown(&self) -> Option<Shown> {
        self.lock().clone()
    }

    fn has_passed(&self) -> bool {
        self.lock().as_ref().is_some_and(|shown| shown.refused.is_none())
    }

    /// What was noted before a panic still stands.
    fn lock(&self) -> MutexGuard<'_, Option<Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusal<T>(
        &self,
        check: impl FnOnce(&dyn ServerCertVerifier) -> Result<T, Error>,
    ) -> Option<(String, TlsFailure)> {
        match &self.trust {
            Ok(trust) => check(&**trust).err().map(|error| (explain::verdict(&error), explain::kind(&error))),
            Err(why) => Some((why.clone(), TlsFailure::Other)),
        }
    }

    fn note_signature<T>(&self, check: impl FnOnce(&dyn ServerCertVerifier) -> Result<T, Error>) {
        let Some((why, kind)) = self.refusal(check) else { return };
        if let Some(shown) = &mut *self.lock()
            && shown.refused.is_none()
        {
            (shown.refused, shown.failure) = (Some(why), Some(kind));
        }
    }
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refused = self.refusal(|trust| {
            trust.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        });
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        let (refused, failure) = refused.unzip();
        *self.lock() = Some(Shown { chain, refused, failure });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note_signature(|trust| trust.verify_tls12_signature(message, certificate, signature));
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note_signature(|trust| trust.verify_tls13_signature(message, certificate, signature));
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        use SignatureScheme::{ECDSA_SHA1_Legacy, RSA_PKCS1_SHA1};
        let mut schemes = match &self.trust {
            Ok(trust) => trust.supported_verify_schemes(),
            Err(_) => provider().signature_verification_algorithms.supported_schemes(),
        };
        // Old servers can do nothing better, and nobody relies on it.
        schemes.extend([RSA_PKCS1_SHA1, ECDSA_SHA1_Legacy]);
        schemes
    }
}

impl From<NetError> for io::Error {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Io(error) => error,
            other => Self::other(other),
        }
    }
}
