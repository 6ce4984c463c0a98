//! Cipher suites, and the keys made for them.

use address::Secret;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Algorithm, CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use aws_lc_rs::hmac;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
}

/// A suite that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) name: &'static str,
    number: u16,
    pub(super) cipher: Cipher,
    pub(super) hash: Hash,
}

const fn suite(number: u16, name: &'static str, cipher: Cipher, hash: Hash) -> Suite {
    Suite { name, number, cipher, hash }
}

/// RFC 8446 §B.4; RFC 5288, 5289 and 7905 for TLS 1.2.
const SUITES: [Suite; 14] = [
    suite(0x1301, "TLS_AES_128_GCM_SHA256", Cipher::Aes128Gcm, Hash::Sha256),
    suite(0x1302, "TLS_AES_256_GCM_SHA384", Cipher::Aes256Gcm, Hash::Sha384),
    suite(0x1303, "TLS_CHACHA20_POLY1305_SHA256", Cipher::ChaCha20Poly1305, Hash::Sha256),
    suite(0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", Cipher::Aes128Gcm, Hash::Sha256),
    suite(0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", Cipher::Aes256Gcm, Hash::Sha384),
    suite(0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", Cipher::Aes128Gcm, Hash::Sha256),
    suite(0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", Cipher::Aes256Gcm, Hash::Sha384),
    suite(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Cipher::Aes128Gcm, Hash::Sha256),
    suite(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Cipher::Aes256Gcm, Hash::Sha384),
    suite(0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Cipher::Aes128Gcm, Hash::Sha256),
    suite(0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Cipher::Aes256Gcm, Hash::Sha384),
    suite(0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Cipher::ChaCha20Poly1305, Hash::Sha256),
    suite(0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", Cipher::ChaCha20Poly1305, Hash::Sha256),
    suite(0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Cipher::ChaCha20Poly1305, Hash::Sha256),
];

impl Suite {
    pub(super) fn find(number: u16) -> Option<Self> {
        SUITES.into_iter().find(|suite| suite.number == number)
    }
}

impl Cipher {
    pub(super) fn key_length(self) -> usize {
        self.algorithm().key_len()
    }

    pub(super) fn key(self, octets: &[u8]) -> Option<LessSafeKey> {
        UnboundKey::new(self.algorithm(), octets).ok().map(LessSafeKey::new)
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Aes128Gcm => &AES_128_GCM,
            Self::Aes256Gcm => &AES_256_GCM,
            Self::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        }
    }
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
        }
    }

    /// The octets of a secret.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// HKDF-Expand-Label with an empty context (RFC 8446 §7.1); `length` is at most the hash's, so that the first
    /// round of HKDF-Expand is all of it (RFC 5869 §2.3).
    pub(super) fn expand_label(
        self,
        secret: &Secret<Vec<u8>>,
        label: &str,
        length: usize,
    ) -> Secret<Vec<u8>> {
        let key = hmac::Key::new(self.hmac(), secret.reveal());
        let mut context = hmac::Context::with_key(&key);
        context.update(&(length as u16).to_be_bytes());
        context.update(&[6 + label.len() as u8]);
        context.update(b"tls13 ");
        context.update(label.as_bytes());
        // No context; the number of the round.
        context.update(&[0, 1]);
        let mut octets = context.sign().as_ref().to_vec();
        octets.truncate(length);
        Secret::new(octets)
    }

    /// The pseudo-random function of TLS 1.2 (RFC 5246 §5).
    pub(super) fn prf(
        self,
        secret: &Secret<Vec<u8>>,
        label: &[u8],
        seed: &[u8],
        length: usize,
    ) -> Secret<Vec<u8>> {
        let key = hmac::Key::new(self.hmac(), secret.reveal());
        let seed = [label, seed].concat();
        let (mut a, mut octets) = (seed.clone(), Vec::new());
        while octets.len() < length {
            a = hmac::sign(&key, &a).as_ref().to_vec();
            octets.extend_from_slice(hmac::sign(&key, &[a.as_slice(), &seed].concat()).as_ref());
        }
        octets.truncate(length);
        Secret::new(octets)
    }
}
