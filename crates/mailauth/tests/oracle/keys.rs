//! The same private keys in both libraries' hands.

use crate::zone::Zone;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use mail_auth::common::crypto::{
    Algorithm, CryptoError, DkimKey, Ed25519Key, RsaKey, Sha1, Sha256, SigningKey,
};
use mail_auth::common::headers::Writable;
use mail_auth::{Error, Result};
use mailauth::dkim;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::marker::PhantomData;
use std::sync::LazyLock;

/// Kinds of keys; each is published at `KIND._domainkey.example.org`.
pub(crate) const KINDS: [&str; 4] = ["rsa1024", "rsa2048", "rsa4096", "ed25519"];

static RSA_2048: LazyLock<dkim::SigningKey> = LazyLock::new(|| dkim::SigningKey::generate_rsa().unwrap());
static ED25519: LazyLock<dkim::SigningKey> = LazyLock::new(|| dkim::SigningKey::generate_ed25519().unwrap());

pub(crate) fn ours(kind: &str) -> dkim::SigningKey {
    let read = |pem: &str| dkim::SigningKey::from_pem(pem).unwrap();
    match kind {
        "rsa1024" => read(include_str!("../keys/rsa1024.pem")),
        "rsa2048" => RSA_2048.clone(),
        "rsa4096" => read(include_str!("../keys/rsa4096.pem")),
        "ed25519" => ED25519.clone(),
        _ => panic!("no such kind: {kind}"),
    }
}

pub(crate) fn theirs(kind: &str) -> TheirKey {
    let pem = ours(kind).to_pem().unwrap();
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.reveal().as_bytes()).unwrap();
    match kind {
        "rsa1024" => TheirKey::Short(Box::new(ShortRsa::from_der(der.secret_pkcs8_der()))),
        "ed25519" => {
            let key = Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_pkcs8_der()).unwrap();
            TheirKey::Own(DkimKey::Ed25519(key))
        }
        _ => TheirKey::Own(DkimKey::Rsa(RsaKey::from_key_der(PrivateKeyDer::Pkcs8(der)).unwrap())),
    }
}

/// What mail-auth does not sign with: rsa-sha1.
pub(crate) fn sha1() -> ShortRsa<Sha1> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(include_bytes!("../keys/rsa1024.pem")).unwrap();
    ShortRsa::from_der(der.secret_pkcs8_der())
}

/// A zone with all the keys, and more lines.
pub(crate) fn zone(more: &str) -> Zone {
    let line = |kind: &str| format!("{kind}._domainkey.example.org TXT {}\n", ours(kind).dns_record());
    Zone::new(&(KINDS.map(line).concat() + more))
}

/// A key that mail-auth signs with.
pub(crate) enum TheirKey {
    Own(DkimKey),
    /// Its cryptography takes no RSA key below 2048 bits to sign with, so that of such a key is lent to it.
    Short(Box<ShortRsa<Sha256>>),
}

impl SigningKey for TheirKey {
    type Hasher = Sha256;

    fn sign(&self, input: impl Writable) -> Result<Vec<u8>> {
        match self {
            Self::Own(key) => key.sign(input),
            Self::Short(key) => key.sign(input),
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Own(key) => key.algorithm(),
            Self::Short(key) => key.algorithm(),
        }
    }
}

/// An RSA key of any size, and the hash that it signs.
pub(crate) struct ShortRsa<H>(RsaPrivateKey, PhantomData<H>);

impl<H> ShortRsa<H> {
    fn from_der(pkcs8: &[u8]) -> Self {
        Self(RsaPrivateKey::from_pkcs8_der(pkcs8).unwrap(), PhantomData)
    }

    /// `prefix` is the DER before the digest (RFC 8017 §9.2, note 1).
    fn sign_digest(&self, prefix: &[u8], digest: &[u8]) -> Result<Vec<u8>> {
        let padding = Pkcs1v15Sign { hash_len: Some(digest.len()), prefix: prefix.into() };
        self.0.sign(padding, digest).map_err(|error| Error::Crypto(CryptoError::Library(error.to_string())))
    }
}

fn written(input: impl Writable) -> Vec<u8> {
    let mut octets = Vec::new();
    input.write(&mut octets);
    octets
}

impl SigningKey for ShortRsa<Sha256> {
    type Hasher = Sha256;

    fn sign(&self, input: impl Writable) -> Result<Vec<u8>> {
        const PREFIX: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\0\x04\x20";
        self.sign_digest(PREFIX, digest(&SHA256, &written(input)).as_ref())
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::RsaSha256
    }
}

impl SigningKey for ShortRsa<Sha1> {
    type Hasher = Sha1;

    fn sign(&self, input: impl Writable) -> Result<Vec<u8>> {
        const PREFIX: &[u8] = b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\0\x04\x14";
        self.sign_digest(PREFIX, digest(&SHA1_FOR_LEGACY_USE_ONLY, &written(input)).as_ref())
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::RsaSha1
    }
}
