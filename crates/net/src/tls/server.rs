//! TLS for those who call us: certificates by name, read again when they change.

use super::certificate::host_names;
use super::roots::{AnyClient, ClientRoots};
use super::{HANDSHAKE_TIMEOUT, TlsInfo, provider};
use crate::socket::Socket;
use crate::{NetError, Peer};
use address::Secret;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{Error, ServerConfig};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often, at most, the files are looked at for a change.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Largest certificate or key file that is read: a chain takes a few kilobytes.
const MAX_FILE: u64 = 1 << 20;

/// A certificate (with its chain, leaf first) and its key, in PEM.
#[derive(Debug, Clone)]
pub enum KeyPair {
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
    /// Made in memory, never read again.
    Pem {
        certificate: Vec<u8>,
        key: Secret<Vec<u8>>,
    },
}

/// What a TLS server is made from.
#[derive(Debug, Clone, Default)]
pub struct TlsServerSettings {
    /// The first is shown to those who ask for no name, or for one that no certificate has.
    pub certificates: Vec<KeyPair>,
    /// A file of certificate authorities, in PEM. A client's certificate that leads to one of them is
    /// [`verified`](super::PeerCertificate::verified); others are taken all the same.
    pub client_roots: Option<PathBuf>,
    /// Protocols for ALPN, the preferred first; mail protocols have none.
    pub alpn: Vec<String>,
}

/// Certificates and keys, ready for handshakes. Clones are the same, so that a reload reaches all.
#[derive(Debug, Clone)]
pub struct TlsServer {
    shared: Arc<Shared>,
    asks_client: bool,
}

#[derive(Debug)]
struct Shared {
    snapshot: RwLock<Arc<Snapshot>>,
    watch: Mutex<Watch>,
    /// Held by whoever reads the files, so that what was read first does not replace what was read last.
    turn: Mutex<()>,
}

/// One consistent reading of all files.
#[derive(Debug)]
struct Snapshot {
    settings: TlsServerSettings,
    /// Asks clients for nothing.
    silent: Arc<ServerConfig>,
    /// Asks clients for a certificate.
    asking: Arc<ServerConfig>,
    names: Arc<ByName>,
    clients: Option<ClientRoots>,
}

/// When the files were last looked at, and what they looked like when last read.
#[derive(Debug)]
struct Watch {
    checked: Instant,
    seen: Vec<Option<Stamp>>,
}

/// Changes whenever a file is replaced or written: device, inode, size, seconds and nanoseconds of its change.
type Stamp = (u64, u64, u64, i64, i64);

impl TlsServer {
    /// Reads the certificates and keys.
    ///
    /// # Errors
    /// [`NetError::CertificateFile`], [`NetError::KeyFile`] or [`NetError::TlsSetup`], with the file and the cause.
    pub fn new(settings: TlsServerSettings) -> Result<Self, NetError> {
        // Before reading: what changes meanwhile is seen at the next look.
        let watch = Mutex::new(Watch { checked: Instant::now(), seen: stamps(&settings) });
        let snapshot = RwLock::new(Arc::new(Snapshot::read(settings)?));
        let shared = Arc::new(Shared { snapshot, watch, turn: Mutex::default() });
        Ok(Self { shared, asks_client: false })
    }

    /// The same, for ports where people log in: clients are asked for a certificate. Any is taken, and none is
    /// needed; its fingerprint is in [`TlsInfo`]. Some clients trip over the question, so that it is not for port 25.
    #[must_use]
    pub fn asking_client(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), asks_client: true }
    }

    /// Reads the files again. On an error what was read before stays in use.
    ///
    /// # Errors
    /// As [`TlsServer::new`].
    pub fn reload(&self) -> Result<(), NetError> {
        self.change(|_| {})
    }

    /// Changes the settings and reads the files they name. On an error everything stays as it was.
    ///
    /// # Errors
    /// As [`TlsServer::new`].
    pub fn change(&self, change: impl FnOnce(&mut TlsServerSettings)) -> Result<(), NetError> {
        let _turn = self.shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut settings = self.snapshot().settings.clone();
        change(&mut settings);
        let seen = stamps(&settings);
        self.lock_watch().seen = seen;
        let snapshot = Arc::new(Snapshot::read(settings)?);
        *self.shared.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        Ok(())
    }

    /// Reloads if a file has changed since it was last read; returns whether it did. What cannot be used is not
    /// tried again until it changes again. Handshakes do this by themselves, every few seconds at most.
    ///
    /// # Errors
    /// As [`TlsServer::new`].
    pub fn reload_if_changed(&self) -> Result<bool, NetError> {
        let now = stamps(&self.snapshot().settings);
        if self.lock_watch().seen == now {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    /// The host names of all certificates.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.snapshot().names.by_name.keys().cloned().collect();
        names.sort();
        names
    }

    pub(crate) async fn accept(
        &self,
        socket: Socket,
        peer: Peer,
    ) -> Result<(TlsStream<Socket>, TlsInfo), NetError> {
        self.reload_now_and_then();
        let snapshot = self.snapshot();
        let config = if self.asks_client { &snapshot.asking } else { &snapshot.silent };
        let acceptor = TlsAcceptor::from(Arc::clone(config));
        let stream = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket))
            .await
            .map_err(|_| NetError::Timeout { what: "the TLS handshake", after: HANDSHAKE_TIMEOUT })?
            .map_err(|source| NetError::Handshake { peer: peer.to_string(), source })?;
        let connection = stream.get_ref().1;
        let sni = connection.server_name().map(str::to_owned);
        // The choice depends on the name alone, so that this is the certificate that was shown; resumed
        // sessions are of the same snapshot, as each has its own ticket keys (one pair for those who were asked).
        let shown = snapshot.names.choose(sni.as_deref());
        let chain = connection.peer_certificates().unwrap_or_default();
        let verified = snapshot.clients.as_ref().is_some_and(|roots| roots.vouch_for(chain));
        let info = TlsInfo::new(connection, sni, shown.cert.first(), verified);
        Ok((stream, info))
    }

    fn reload_now_and_then(&self) {
        {
            let mut watch = self.lock_watch();
            if watch.checked.elapsed() < CHECK_EVERY {
                return;
            }
            watch.checked = Instant::now();
        }
        match self.reload_if_changed() {
            Ok(true) => {
                tracing::info!(names = ?self.names(), "certificates have changed and were read again")
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "changed certificates cannot be used; the old ones stay in use")
            }
        }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.shared.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock_watch(&self) -> std::sync::MutexGuard<'_, Watch> {
        self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot {
    fn read(settings: TlsServerSettings) -> Result<Self, NetError> {
        let provider = provider();
        let keys = settings.certificates.iter().map(|pair| read_pair(pair, &provider));
        let names = Arc::new(ByName::new(keys.collect::<Result<_, _>>()?)?);
        let roots = settings.client_roots.as_deref();
        let clients = roots.map(|file| ClientRoots::read(file, &provider)).transpose()?;
        let silent = config(&settings, &names, &provider, WebPkiClientVerifier::no_client_auth())?;
        let asking = config(&settings, &names, &provider, Arc::new(AnyClient(Arc::clone(&provider))))?;
        Ok(Self { settings, silent, asking, names, clients })
    }
}

fn config(
    settings: &TlsServerSettings,
    names: &Arc<ByName>,
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, NetError> {
    let setup = |error: Error| NetError::TlsSetup(error.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::clone(names) as Arc<dyn ResolvesServerCert>);
    // Tickets keep the state of resumable sessions at the clients; here it would cost memory.
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(setup)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.alpn_protocols = settings.alpn.iter().map(|name| name.clone().into_bytes()).collect();
    Ok(Arc::new(config))
}

/// Certificates by host name.
#[derive(Debug)]
struct ByName {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

impl ByName {
    fn new(keys: Vec<Arc<CertifiedKey>>) -> Result<Self, NetError> {
        let Some(default) = keys.first().cloned() else {
            return Err(NetError::TlsSetup("there is no certificate".to_owned()));
        };
        let mut by_name = HashMap::new();
        for key in &keys {
            for name in key.cert.first().map(|leaf| host_names(leaf)).unwrap_or_default() {
                by_name.entry(name).or_insert_with(|| Arc::clone(key));
            }
        }
        Ok(Self { by_name, default })
    }

    /// The certificate for exactly this name, else for `*` in place of its first label (RFC 6125 §6.4.3), else the first.
    fn choose(&self, name: Option<&str>) -> &Arc<CertifiedKey> {
        let Some(name) = name.map(|name| name.trim_end_matches('.').to_ascii_lowercase()) else {
            return &self.default;
        };
        let wildcard = || self.by_name.get(&format!("*.{}", name.split_once('.')?.1));
        self.by_name.get(&name).or_else(wildcard).unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.choose(hello.server_name())))
    }
}

fn read_pair(pair: &KeyPair, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, NetError> {
    let (certificate_file, key_file) = match pair {
        KeyPair::Files { certificate, key } => (certificate.clone(), key.clone()),
        KeyPair::Pem { .. } => ("(in memory)".into(), "(in memory)".into()),
    };
    let bad_certificate =
        |reason: String| NetError::CertificateFile { file: certificate_file.clone(), reason };
    let bad_key = |reason: String| NetError::KeyFile { file: key_file.clone(), reason };
    let (certificate, key) = match pair {
        KeyPair::Files { certificate, key } => {
            (read_file(certificate).map_err(bad_certificate)?, Secret::new(read_file(key).map_err(bad_key)?))
        }
        KeyPair::Pem { certificate, key } => (certificate.clone(), key.clone()),
    };
    let chain = certificates(&certificate).map_err(bad_certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.reveal())
        .map_err(|error| bad_key(format!("it holds no unencrypted private key in PEM: {error}")))?;
    match CertifiedKey::from_der(chain, key, provider) {
        Ok(pair) => Ok(Arc::new(pair)),
        Err(Error::InconsistentKeys(_)) => {
            Err(bad_key(format!("it is not the key of the certificate in {}", certificate_file.display())))
        }
        Err(error @ Error::InvalidCertificate(_)) => Err(bad_certificate(error.to_string())),
        Err(error) => Err(bad_key(error.to_string())),
    }
}

/// All certificates of a PEM file; or why there are none.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    if all.is_empty() {
        return Err("it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned());
    }
    Ok(all)
}

pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MAX_FILE {
        return Err(format!("it has {length} octets; certificates and keys are smaller"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

fn stamps(settings: &TlsServerSettings) -> Vec<Option<Stamp>> {
    let files = settings.certificates.iter().flat_map(|pair| match pair {
        KeyPair::Files { certificate, key } => vec![certificate, key],
        KeyPair::Pem { .. } => Vec::new(),
    });
    files.chain(&settings.client_roots).map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let pair = KeyPair::Pem { certificate: Vec::new(), key: Secret::new(b"sesame".to_vec()) };
        assert!(format!("{pair:?}").contains("[secret]"));
    }
}
