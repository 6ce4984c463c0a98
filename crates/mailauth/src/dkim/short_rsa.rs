//! RSA keys of 1024 to 2047 bits. Signers should have longer ones, but must not be stopped from using these
//! (RFC 8301 §3.2), and the library that signs with longer keys takes none below 2048.

use crate::Error;
use aws_lc_rs::digest::Digest;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _};
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};

/// What stands before a SHA-256 digest in a signature: the DER of DigestInfo (RFC 8017 §9.2, note 1).
const SHA256_PREFIX: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0, 0x04,
    0x20,
];

/// Octets of the largest key that is looked at: of 4096 bits with all its parts.
const MAX_DER: usize = 4096;

/// How long an RSA key is, whatever its length.
pub(super) fn bits(der: &[u8]) -> Option<usize> {
    Some(read(der)?.n().bits())
}

fn read(der: &[u8]) -> Option<RsaPrivateKey> {
    if der.len() > MAX_DER {
        return None;
    }
    RsaPrivateKey::from_pkcs8_der(der).or_else(|_| RsaPrivateKey::from_pkcs1_der(der)).ok()
}

/// A short RSA key.
#[derive(Clone)]
pub(super) struct ShortRsa(RsaPrivateKey);

impl ShortRsa {
    /// The key in this DER, PKCS#8 or PKCS#1, if it is RSA, of a size that verifiers take, and not longer than it should be.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let key = read(der)?;
        (super::MIN_RSA_BITS..2048).contains(&key.n().bits()).then_some(Self(key))
    }

    /// PKCS#8.
    pub(super) fn to_der(&self) -> Result<Vec<u8>, Error> {
        self.0.to_pkcs8_der().map(|der| der.as_bytes().to_vec()).map_err(|_| Error::Generate)
    }

    /// SubjectPublicKeyInfo.
    pub(super) fn public_der(&self) -> Option<Vec<u8>> {
        self.0.to_public_key().to_public_key_der().ok().map(|der| der.as_bytes().to_vec())
    }

    /// The work is blinded: how long it takes tells nothing of the key.
    pub(super) fn sign(&self, data: &Digest) -> Result<Vec<u8>, Error> {
        let padding = Pkcs1v15Sign { hash_len: Some(data.as_ref().len()), prefix: Box::new(SHA256_PREFIX) };
        self.0.sign_with_rng(&mut OsRng, padding, data.as_ref()).map_err(|_| Error::Sign)
    }
}
