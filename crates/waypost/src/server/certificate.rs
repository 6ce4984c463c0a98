//! Certificates: those of the configuration, or one that we make ourselves.

use crate::config::Config;
use crate::exit::Failure;
use address::Secret;
use jiff::civil::Date;
use jiff::{ToSpan as _, Zoned};
use net::NetError;
use net::tls::{KeyPair, TlsServer, TlsServerSettings};
use rcgen::{CertificateParams, DistinguishedName, DnType};
use std::path::Path;

/// In the data folder, made when the configuration names no certificate.
const CERTIFICATE: &str = "self-signed.pem";
const KEY: &str = "self-signed.key";

/// Mail programs are to be shown a real certificate long before.
const VALID_YEARS: i64 = 2;

/// TLS for all listeners. Without a configured certificate one is made, so that connections are at least encrypted.
pub(super) fn server(config: &Config, dev: bool) -> Result<Option<TlsServer>, Failure> {
    let mut certificates = configured(config);
    if certificates.is_empty() {
        if !dev {
            tracing::warn!(
                "no certificate is configured: a self-signed one is used, which mail programs warn about"
            );
        }
        certificates.push(self_signed(&config.data, config.hostname.as_str())?);
    }
    let client_roots = config.client_ca.clone();
    let settings = TlsServerSettings { certificates, client_roots, alpn: Vec::new() };
    TlsServer::new(settings).map(Some).map_err(|e| Failure::no(e.to_string()))
}

/// Takes up what the configuration says now. Where it names no certificate, those in use stay.
pub(super) fn reload(tls: &TlsServer, config: &Config) -> Result<(), NetError> {
    tls.change(|settings| {
        let certificates = configured(config);
        if !certificates.is_empty() {
            settings.certificates = certificates;
        }
        settings.client_roots.clone_from(&config.client_ca);
    })
}

fn configured(config: &Config) -> Vec<KeyPair> {
    let files = config.certificates.iter();
    files
        .map(|files| KeyPair::Files { certificate: files.certificate.clone(), key: files.key.clone() })
        .collect()
}

/// The one of an earlier start, or a new one, kept when the folder can be written.
fn self_signed(folder: &Path, hostname: &str) -> Result<KeyPair, Failure> {
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    if certificate.exists() && key.exists() {
        return Ok(KeyPair::Files { certificate, key });
    }
    let (certificate_pem, key_pem) = generate(hostname)?;
    Ok(KeyPair::Pem { certificate: certificate_pem.into_bytes(), key: Secret::new(key_pem.into_bytes()) })
}

/// A certificate, valid from yesterday (clocks differ) for [`VALID_YEARS`], and its key, as PEM.
pub(crate) fn generate(hostname: &str) -> Result<(String, String), Failure> {
    let failed = |e: rcgen::Error| Failure::no(format!("no certificate could be made for {hostname}: {e}"));
    let mut parameters = CertificateParams::new([hostname.to_owned()]).map_err(failed)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, hostname);
    let yesterday = Zoned::now().date().saturating_sub(1.day());
    let day = |date: Date| {
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    parameters.not_before = day(yesterday);
    parameters.not_after = day(yesterday.saturating_add(VALID_YEARS.years()));
    let key = rcgen::KeyPair::generate().map_err(failed)?;
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
