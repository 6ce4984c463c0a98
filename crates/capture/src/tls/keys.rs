//! The key of one direction, and how a record is opened with it.

use super::suite::{Cipher, Suite};
use address::Secret;
use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};

/// Octets of a record's header.
pub(super) const HEADER: usize = 5;
/// Octets of an AEAD nonce, and of the tag behind what is sealed, in all suites.
const NONCE: usize = 12;
const TAG: usize = 16;
/// Octets of the nonce that TLS 1.2 sends with each AES-GCM record, and of those that it does not (RFC 5288 §3).
const EXPLICIT: usize = 8;
const SALT: usize = 4;

/// Opens the records of one direction, in their order.
#[derive(Debug)]
pub(super) struct Opener {
    key: LessSafeKey,
    iv: Vec<u8>,
    kind: Kind,
    sequence: u64,
}

#[derive(Debug)]
enum Kind {
    Tls12(Cipher),
    /// With the secret, of which the next is made.
    Tls13(Suite, Secret<Vec<u8>>),
}

impl Opener {
    /// TLS 1.3: key and IV of a traffic secret (RFC 8446 §7.3). None when the secret is not of this suite.
    pub(super) fn tls13(suite: Suite, secret: &Secret<Vec<u8>>) -> Option<Self> {
        if secret.reveal().len() != suite.hash.length() {
            return None;
        }
        let key = suite.hash.expand_label(secret, "key", suite.cipher.key_length());
        let iv = suite.hash.expand_label(secret, "iv", NONCE).into_inner();
        let key = suite.cipher.key(key.reveal())?;
        Some(Self { key, iv, kind: Kind::Tls13(suite, secret.clone()), sequence: 0 })
    }

    /// TLS 1.2: the client's and the server's, cut from the key block (RFC 5246 §6.3).
    pub(super) fn tls12(
        suite: Suite,
        master: &Secret<Vec<u8>>,
        client_random: &[u8; 32],
        server_random: &[u8; 32],
    ) -> Option<[Self; 2]> {
        let (key, iv) = (suite.cipher.key_length(), implicit(suite.cipher));
        let seed = [*server_random, *client_random].concat();
        let block = suite.hash.prf(master, b"key expansion", &seed, 2 * (key + iv));
        let (client_key, rest) = block.reveal().split_at_checked(key)?;
        let (server_key, rest) = rest.split_at_checked(key)?;
        let (client_iv, server_iv) = rest.split_at_checked(iv)?;
        let opener = |key, iv: &[u8]| {
            let key = suite.cipher.key(key)?;
            Some(Self { key, iv: iv.to_vec(), kind: Kind::Tls12(suite.cipher), sequence: 0 })
        };
        Some([opener(client_key, client_iv)?, opener(server_key, server_iv)?])
    }

    /// The key after a KeyUpdate (RFC 8446 §7.2).
    pub(super) fn updated(&self) -> Option<Self> {
        let Kind::Tls13(suite, secret) = &self.kind else { return None };
        Self::tls13(*suite, &suite.hash.expand_label(secret, "traffic upd", suite.hash.length()))
    }

    /// The number of the next record.
    pub(super) fn number(&self) -> u64 {
        self.sequence
    }

    /// Records were lost on the way.
    pub(super) fn set_number(&mut self, number: u64) {
        self.sequence = number;
    }

    /// The content of a record and its type; none when it is not sealed with this key, or not in its turn.
    pub(super) fn open(&mut self, record: &[u8]) -> Option<(u8, Vec<u8>)> {
        let (header, body) = record.split_at_checked(HEADER)?;
        let opened = match &self.kind {
            Kind::Tls12(cipher) => {
                let kind = *header.first()?;
                (kind, self.open_tls12(*cipher, header, body)?)
            }
            Kind::Tls13(..) => {
                let mut inner = self.unseal(self.xored(), header, body)?;
                // The type is the last octet that is not zero (RFC 8446 §5.4).
                let end = inner.iter().rposition(|octet| *octet != 0)?;
                let kind = *inner.get(end)?;
                inner.truncate(end);
                (kind, inner)
            }
        };
        self.sequence += 1;
        Some(opened)
    }

    fn open_tls12(&self, cipher: Cipher, header: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        let explicit = NONCE - implicit(cipher);
        let (sent, sealed) = body.split_at_checked(explicit)?;
        let nonce = if explicit == 0 { self.xored() } else { [self.iv.as_slice(), sent].concat() };
        // Number, type, version and length of the plain text (RFC 5246 §6.2.3.3).
        let length = u16::try_from(sealed.len().checked_sub(TAG)?).ok()?;
        let mut aad = self.sequence.to_be_bytes().to_vec();
        aad.extend_from_slice(header.get(..3)?);
        aad.extend_from_slice(&length.to_be_bytes());
        self.unseal(nonce, &aad, sealed)
    }

    fn unseal(&self, nonce: Vec<u8>, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let nonce = Nonce::try_assume_unique_for_key(&nonce).ok()?;
        let mut octets = sealed.to_vec();
        let length = self.key.open_in_place(nonce, Aad::from(aad), &mut octets).ok()?.len();
        octets.truncate(length);
        Some(octets)
    }

    /// The IV, exclusive-or the record's number (RFC 8446 §5.3, RFC 7905 §2).
    fn xored(&self) -> Vec<u8> {
        let mut nonce = self.iv.clone();
        for (octet, number) in nonce.iter_mut().rev().zip(self.sequence.to_be_bytes().iter().rev()) {
            *octet ^= number;
        }
        nonce
    }
}

/// How many octets of the nonce TLS 1.2 makes from the key block.
fn implicit(cipher: Cipher) -> usize {
    match cipher {
        Cipher::Aes128Gcm | Cipher::Aes256Gcm => SALT,
        Cipher::ChaCha20Poly1305 => NONCE,
    }
}

const _: () = assert!(SALT + EXPLICIT == NONCE);
