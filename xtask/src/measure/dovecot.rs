//! A private Dovecot to measure beside, by the script of the project's peers: Maildir, fsync as it comes, and TLS from
//! the start.

use super::Context;
use super::load::wait;
use super::postfix::{allow_others, free_place};
use crate::Error;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// Of every user; there is one by any name.
pub(super) const PASSWORD: &str = "pass";

/// Running; dropped, it is stopped.
#[derive(Debug)]
pub(super) struct Dovecot {
    script: PathBuf,
    folder: TempDir,
    pub(super) imap: SocketAddrV4,
    pub(super) lmtp: SocketAddrV4,
}

impl Dovecot {
    pub(super) fn start(context: &Context<'_>) -> Result<Self, Error> {
        let script = context.peers.join("dovecot");
        let folder = tempfile::tempdir()?;
        allow_others(folder.path())?;
        let dovecot = Self { script, folder, imap: free_place()?, lmtp: free_place()? };
        dovecot.run("up", &[dovecot.imap.port().to_string(), dovecot.lmtp.port().to_string()])?;
        Ok(dovecot)
    }

    /// The process that all others come from. It says so somewhat after it began to listen.
    pub(super) fn id(&self) -> Result<u32, Error> {
        let file = self.place().join("run/master.pid");
        let read = || std::fs::read_to_string(&file).ok()?.trim().parse().ok();
        wait("Dovecot's process id", || read().is_some())?;
        read().ok_or_else(|| Error::Stuck(format!("{} has no process", file.display())))
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("dovecot")
    }

    fn run(&self, verb: &str, more: &[String]) -> Result<(), Error> {
        let mut command = Command::new(&self.script);
        command
            .env("TLS", "1")
            .arg(verb)
            .arg(self.place())
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let missing =
            |error| Error::Stuck(format!("{}: {error}; say where with --peers", self.script.display()));
        let status = command.status().map_err(missing)?;
        if status.success() { Ok(()) } else { Err(Error::Stuck(format!("dovecot {verb}: {status}"))) }
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let _ = self.run("down", &[]);
    }
}

/// For its certificate, which it makes itself: an authority's, which stands for no server.
pub(super) fn any_certificate() -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
