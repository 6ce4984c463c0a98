//! The private key: made, loaded from PEM, kept as PEM, and its record for the DNS.

use super::MAX_RSA_BITS;
use super::short_rsa::{self, ShortRsa};
use super::signature::Algorithm;
use crate::Error;
use address::Secret;
use aws_lc_rs::digest::Digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::BASE64;
use std::fmt;

/// The columns of a line of PEM (RFC 7468 §2).
const PEM_WIDTH: usize = 64;

/// A private key that signs. Cloning is cheap; threads may share it.
#[derive(Clone)]
pub struct SigningKey(Kind);

#[derive(Clone)]
enum Kind {
    Rsa(RsaKeyPair),
    /// Below 2048 bits.
    ShortRsa(Box<ShortRsa>),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Makes an RSA key of 2048 bits (RFC 8301 §3.2). This takes a tenth of a second or so of work.
    pub fn generate_rsa() -> Result<Self, Error> {
        RsaKeyPair::generate(KeySize::Rsa2048).map(|key| Self(Kind::Rsa(key))).map_err(|_| Error::Generate)
    }

    /// Makes an Ed25519 key (RFC 8463).
    pub fn generate_ed25519() -> Result<Self, Error> {
        Ed25519KeyPair::generate().map(|key| Self(Kind::Ed25519(key))).map_err(|_| Error::Generate)
    }

    /// Reads an unencrypted PKCS#8 key, RSA (1024 to 4096 bits) or Ed25519. The older PKCS#1 form of RSA keys
    /// (`BEGIN RSA PRIVATE KEY`) is read too. Text around it is left out of account (RFC 7468 §2).
    ///
    /// Keys that verifiers need not take, below 1024 or over 4096 bits, are refused (RFC 8301 §3.2).
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let (label, der) = read_pem(text)?;
        if !matches!(label, "PRIVATE KEY" | "RSA PRIVATE KEY") {
            return Err(Error::PemLabel(label.to_owned()));
        }
        if let Ok(key) = Ed25519KeyPair::from_pkcs8(&der) {
            return Ok(Self(Kind::Ed25519(key)));
        }
        match RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der)) {
            Ok(key) if key.public_modulus_len() * 8 > MAX_RSA_BITS => {
                Err(Error::Key("RSA, and longer".into()))
            }
            Ok(key) => Ok(Self(Kind::Rsa(key))),
            Err(rejected) => ShortRsa::from_der(&der)
                .map(|key| Self(Kind::ShortRsa(Box::new(key))))
                .ok_or_else(|| match short_rsa::bits(&der) {
                    Some(bits) => Error::Key(format!("RSA, and of {bits} bits")),
                    None => Error::Key(rejected.to_string()),
                }),
        }
    }

    /// The key as unencrypted PKCS#8 PEM, to be kept where only the server reads it.
    pub fn to_pem(&self) -> Result<Secret<String>, Error> {
        let octets = |der: Result<Pkcs8V1Der<'static>, Unspecified>| {
            der.map(|der| der.as_ref().to_vec()).map_err(|_| Error::Generate)
        };
        let der = match &self.0 {
            Kind::Rsa(key) => octets(key.as_der()),
            Kind::ShortRsa(key) => key.to_der(),
            Kind::Ed25519(key) => octets(key.as_der()),
        }?;
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        let base64 = BASE64.encode(&der);
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(PEM_WIDTH));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(Secret::new(pem))
    }

    /// The algorithm that signatures of this key have.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::Rsa(_) | Kind::ShortRsa(_) => Algorithm::RsaSha256,
            Kind::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// The text of the TXT record to publish at [`key_name`](super::key_name):
    /// `v=DKIM1; k=rsa; p=…`. [`zone_text`](crate::zone_text) makes the strings of a zone file of it.
    pub fn dns_record(&self) -> String {
        // The form of every RSA key in the wild is SubjectPublicKeyInfo, as in RFC 6376 §C.
        let public = match &self.0 {
            Kind::Rsa(key) => {
                let der: Result<PublicKeyX509Der<'static>, Unspecified> = key.public_key().as_der();
                der.map_or_else(|_| key.public_key().as_ref().to_vec(), |der| der.as_ref().to_vec())
            }
            Kind::ShortRsa(key) => key.public_der().unwrap_or_default(),
            Kind::Ed25519(key) => key.public_key().as_ref().to_vec(),
        };
        format!("v=DKIM1; k={}; p={}", self.algorithm().key_type(), BASE64.encode(&public))
    }

    /// Signs the hash of a header (RFC 6376 §3.3.2, RFC 8463 §3).
    pub(crate) fn sign(&self, data: &Digest) -> Result<Vec<u8>, Error> {
        match &self.0 {
            Kind::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign_digest(&RSA_PKCS1_SHA256, data, &mut signature).map_err(|_| Error::Sign)?;
                Ok(signature)
            }
            Kind::ShortRsa(key) => key.sign(data),
            Kind::Ed25519(key) => {
                key.try_sign(data.as_ref()).map(|s| s.as_ref().to_vec()).map_err(|_| Error::Sign)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, [secret])", self.algorithm())
    }
}

/// The label and octets of the first PEM block that is a private key, or else of the first of any kind.
fn read_pem(text: &str) -> Result<(&str, Vec<u8>), Error> {
    const BEGIN: &str = "-----BEGIN ";
    const DASHES: &str = "-----";
    let blocks = || text.match_indices(BEGIN).map(|(at, _)| &text[at + BEGIN.len()..]);
    let is_key =
        |block: &&str| block.split_once(DASHES).is_some_and(|(label, _)| label.ends_with("PRIVATE KEY"));
    let block = blocks().find(is_key).or_else(|| blocks().next()).ok_or(Error::NoPem)?;
    let (label, rest) = block.split_once(DASHES).ok_or(Error::PemDamaged("no end of the BEGIN line"))?;
    let (body, _) = rest
        .split_once(&format!("-----END {label}-----"))
        .ok_or(Error::PemDamaged("no END line that matches the BEGIN line"))?;
    if body.contains(':') {
        // RFC 1421 headers: an old encrypted form.
        return Err(Error::PemLabel(format!("encrypted {label}")));
    }
    let der = BASE64.decode(crate::tags::without_space(body).as_bytes());
    der.map(|der| (label, der)).map_err(|_| Error::PemDamaged("not base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_pem() {
        for key in [SigningKey::generate_rsa().unwrap(), SigningKey::generate_ed25519().unwrap()] {
            let pem = key.to_pem().unwrap();
            let read = SigningKey::from_pem(&format!("a comment\n{}", pem.reveal())).unwrap();
            assert_eq!(read.dns_record(), key.dns_record());
            assert_eq!(read.algorithm(), key.algorithm());
            assert!(pem.reveal().lines().all(|line| line.len() <= PEM_WIDTH));
            assert!(!format!("{key:?}").contains("p="));
        }
    }

    /// RFC 8301 §3.2: what verifiers need not take is not signed with.
    #[test]
    fn the_sizes_of_rsa_keys() {
        let key = |name: &str| SigningKey::from_pem(include_key(name));
        for (name, bits) in [("rsa1024.pem", 1024), ("rsa1024-pkcs1.pem", 1024), ("rsa4096.pem", 4096)] {
            let key = key(name).unwrap();
            let record = super::super::KeyRecord::parse(key.dns_record().as_bytes()).unwrap();
            assert!(record.public_key(Algorithm::RsaSha256).is_ok(), "{name}");
            let data = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"Hi.");
            let signature = key.sign(&data).unwrap();
            assert_eq!(signature.len() * 8, bits);
            let public = record.public_key(Algorithm::RsaSha256).unwrap();
            assert!(public.verify_digest_sig(&data, &signature).is_ok(), "{name}");
            let again = SigningKey::from_pem(key.to_pem().unwrap().reveal()).unwrap();
            assert_eq!(again.dns_record(), key.dns_record());
        }
        assert_eq!(key("rsa512.pem").err(), Some(Error::Key("RSA, and of 512 bits".into())));
    }

    fn include_key(name: &str) -> &'static str {
        match name {
            "rsa512.pem" => include_str!("../../tests/keys/rsa512.pem"),
            "rsa1024.pem" => include_str!("../../tests/keys/rsa1024.pem"),
            "rsa1024-pkcs1.pem" => include_str!("../../tests/keys/rsa1024-pkcs1.pem"),
            _ => include_str!("../../tests/keys/rsa4096.pem"),
        }
    }

    #[test]
    fn the_record_of_a_key() {
        let rsa = SigningKey::generate_rsa().unwrap().dns_record();
        assert!(rsa.starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"), "{rsa}");
        assert_eq!(crate::txt_strings(&rsa).len(), 2);
        let ed25519 = SigningKey::generate_ed25519().unwrap().dns_record();
        assert!(ed25519.starts_with("v=DKIM1; k=ed25519; p="));
        assert_eq!(ed25519.len(), "v=DKIM1; k=ed25519; p=".len() + 44);
    }

    #[test]
    fn what_is_no_key_is_refused_with_a_reason() {
        let check = |text: &str, expected: Error| {
            assert_eq!(SigningKey::from_pem(text).map(|_| ()), Err(expected), "{text}");
        };
        check("", Error::NoPem);
        check(
            "-----BEGIN PUBLIC KEY-----\nZg==\n-----END PUBLIC KEY-----",
            Error::PemLabel("PUBLIC KEY".into()),
        );
        check(
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nZg==\n-----END ENCRYPTED PRIVATE KEY-----",
            Error::PemLabel("ENCRYPTED PRIVATE KEY".into()),
        );
        check(
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nZg==\n-----END RSA PRIVATE KEY-----",
            Error::PemLabel("encrypted RSA PRIVATE KEY".into()),
        );
        check(
            "-----BEGIN PRIVATE KEY-----\nZg==",
            Error::PemDamaged("no END line that matches the BEGIN line"),
        );
        check("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", Error::PemDamaged("not base64"));
        let junk = SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\nZg==\n-----END PRIVATE KEY-----");
        assert!(matches!(junk, Err(Error::Key(_))));
    }
}
