//! The public key as a domain publishes it in the DNS (RFC 6376 §3.6.1, RFC 8463 §4.2).

use super::outcome::Failure;
use super::signature::{Algorithm, Signature};
use crate::tags::{TagList, base64, colon_list, shortened};
use aws_lc_rs::digest::Digest;
use aws_lc_rs::signature::{ED25519, ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY};

/// The shortest RSA key that counts, in bits (RFC 8301 §3.2).
pub const MIN_RSA_BITS: usize = 1024;
/// The longest RSA key taken, in bits: as many as a verifier must (RFC 8301 §3.2); the cost of a longer one would
/// be for the sender to choose.
pub const MAX_RSA_BITS: usize = 4096;

/// The octets of an Ed25519 public key (RFC 8032 §5.1.5).
const ED25519_LEN: usize = 32;

/// What a signature is for; a key says in `s=` for what it may be used (RFC 6376 §3.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Service {
    /// Any message.
    #[default]
    Mail,
    /// A report about TLS: its key should say `tlsrpt`, and is taken when it is for mail (RFC 8460 §3).
    TlsReport,
}

impl Service {
    fn accepts(self, name: &str) -> bool {
        let is = |service: &str| name.eq_ignore_ascii_case(service);
        name == "*" || is("email") || (self == Self::TlsReport && is("tlsrpt"))
    }
}

/// A key record, read but not yet held against a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// `h=`: the hash algorithms allowed; `None` is all.
    pub hashes: Option<Vec<String>>,
    /// `k=`.
    pub key_type: String,
    /// `n=`: a note for people, as it stands.
    pub notes: Option<String>,
    /// `p=`: the key; empty if revoked.
    pub key: Vec<u8>,
    /// `s=`: what the key is for.
    pub services: Vec<String>,
    /// `t=y`: the domain is testing DKIM.
    pub testing: bool,
    /// `t=s`: the domain of `i=` must be that of `d=`.
    pub strict: bool,
}

impl KeyRecord {
    /// Reads the text of a TXT record, its strings joined.
    pub fn parse(text: &[u8]) -> Result<Self, Failure> {
        let tags = TagList::parse(text).map_err(Failure::KeySyntax)?;
        // RFC 6376 §3.6.1: "v=" is the first tag or absent; other versions are discarded.
        match (tags.get("v"), tags.position("v")) {
            (None, _) | (Some("DKIM1"), Some(0)) => {}
            (Some(version), _) => return Err(Failure::KeyVersion(shortened(version))),
        }
        let list =
            |tag: &str| tags.get(tag).map(|text| colon_list(text).map(str::to_owned).collect::<Vec<_>>());
        let flags = list("t").unwrap_or_default();
        let key = tags.get("p").ok_or(Failure::KeyMissing)?;
        Ok(Self {
            hashes: list("h"),
            key_type: tags.get("k").unwrap_or("rsa").to_owned(),
            notes: tags.get("n").map(str::to_owned),
            key: base64("p", key).map_err(Failure::KeySyntax)?,
            services: list("s").unwrap_or_else(|| vec!["*".to_owned()]),
            testing: flags.iter().any(|flag| flag == "y"),
            strict: flags.iter().any(|flag| flag == "s"),
        })
    }

    /// RFC 6376 §3.6.1, `s=`: whether the key may be used for that.
    pub(crate) fn check_service(&self, service: Service) -> Result<(), Failure> {
        match self.services.iter().any(|name| service.accepts(name)) {
            true => Ok(()),
            false => Err(Failure::KeyService(shortened(&self.services.join(":")))),
        }
    }

    /// RFC 6376 §6.1.2, steps 6 to 8: the key, if it may check signatures of that algorithm.
    pub(crate) fn public_key(&self, algorithm: Algorithm) -> Result<ParsedPublicKey, Failure> {
        if let Some(hashes) = &self.hashes
            && !hashes.iter().any(|hash| hash.eq_ignore_ascii_case("sha256"))
        {
            return Err(Failure::KeyHash(shortened(&hashes.join(":"))));
        }
        if self.key.is_empty() {
            return Err(Failure::KeyRevoked);
        }
        if !self.key_type.eq_ignore_ascii_case(algorithm.key_type()) {
            return Err(Failure::KeyType(shortened(&self.key_type)));
        }
        match algorithm {
            Algorithm::RsaSha256 => rsa_key(&self.key),
            Algorithm::Ed25519Sha256 => ed25519_key(&self.key),
        }
    }

    /// RFC 6376 §3.6.1, `t=s`: whether the key allows the identity of that signature.
    pub(crate) fn check_identity(&self, signature: &Signature) -> Result<(), Failure> {
        if self.strict && signature.identity_domain != signature.domain {
            return Err(Failure::KeyStrict(shortened(&signature.identity)));
        }
        Ok(())
    }
}

/// Whether `signature` is this key's over the hash of the header.
pub(crate) fn verify(
    key: &ParsedPublicKey,
    data: &Digest,
    algorithm: Algorithm,
    signature: &[u8],
) -> Result<(), Failure> {
    let verified = match algorithm {
        Algorithm::RsaSha256 => key.verify_digest_sig(data, signature),
        // RFC 8463 §3: Ed25519 signs the hash itself.
        Algorithm::Ed25519Sha256 => key.verify_sig(data.as_ref(), signature),
    };
    verified.map_err(|_| Failure::Signature)
}

/// RFC 6376 §3.6.1 has an RSAPublicKey in `p=`, its examples a SubjectPublicKeyInfo; both are in use.
fn rsa_key(der: &[u8]) -> Result<ParsedPublicKey, Failure> {
    let no_key = Failure::KeyData("RSA");
    let bits = rsa_public_key(der).and_then(modulus_bits).ok_or_else(|| no_key.clone())?;
    if bits < MIN_RSA_BITS {
        return Err(Failure::RsaTooShort(bits));
    }
    if bits > MAX_RSA_BITS {
        return Err(Failure::RsaTooLong(bits));
    }
    ParsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, der).map_err(|_| no_key)
}

fn ed25519_key(octets: &[u8]) -> Result<ParsedPublicKey, Failure> {
    if octets.len() != ED25519_LEN {
        return Err(Failure::KeyData("Ed25519"));
    }
    ParsedPublicKey::new(&ED25519, octets).map_err(|_| Failure::KeyData("Ed25519"))
}

/// The RSAPublicKey in a SubjectPublicKeyInfo (RFC 5280 §4.1), or what is one by itself.
fn rsa_public_key(der: &[u8]) -> Option<&[u8]> {
    let (sequence, _) = der_value(der, 0x30)?;
    let Some((_algorithm, rest)) = der_value(sequence, 0x30) else { return Some(der) };
    let (bits, _) = der_value(rest, 0x03)?;
    // The first octet says how many bits of the last do not count: none.
    bits.strip_prefix(&[0])
}

/// The length of the first INTEGER of an RSAPublicKey (RFC 8017 §A.1.1) in DER.
fn modulus_bits(der: &[u8]) -> Option<usize> {
    let (sequence, _) = der_value(der, 0x30)?;
    let (modulus, _) = der_value(sequence, 0x02)?;
    let significant = modulus.iter().position(|b| *b != 0).map_or(&[][..], |start| &modulus[start..]);
    let first = significant.first()?;
    Some(significant.len() * 8 - first.leading_zeros() as usize)
}

/// The contents of the DER value at the front, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let octets = usize::from(short & 0x7f);
    let (length, rest) = match short {
        0..0x80 => (octets, rest),
        _ if octets <= 4 => {
            let (length, rest) = rest.split_at_checked(octets)?;
            (length.iter().fold(0, |sum, b| sum << 8 | usize::from(*b)), rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tags::TagError;

    fn check(text: &str, expected: Result<(), Failure>) {
        assert_eq!(KeyRecord::parse(text.as_bytes()).map(|_| ()), expected, "{text:?}");
    }

    #[test]
    fn records() {
        check("v=DKIM1; p=Zm9v", Ok(()));
        check("p=Zm 9v", Ok(()));
        check("k=rsa; t=y; p=Zm9v; g=*; unknown=1;", Ok(()));
        check("p=", Ok(()));
        check("v=DKIM1", Err(Failure::KeyMissing));
        check("v=DKIM1.0; p=Zm9v", Err(Failure::KeyVersion("DKIM1.0".into())));
        check("p=Zm9v; v=DKIM1", Err(Failure::KeyVersion("DKIM1".into())));
        check("v=spf1 -all", Err(Failure::KeyVersion("spf1 -all".into())));
        check("v=DKIM1; p=Zm9v!", Err(Failure::KeySyntax(TagError::Value("p", "Zm9v!".into()))));
        check("p=Zm9v; p=Zm9v", Err(Failure::KeySyntax(TagError::Duplicate("p".into()))));
        check("some text", Err(Failure::KeySyntax(TagError::NoEquals("some text".into()))));
    }

    #[test]
    fn values() {
        let record =
            KeyRecord::parse(b"v=DKIM1; h=sha1 : sha256; k=ed25519; n=a note; s=email:x; t=y:s; p=Zm9v");
        let expected = KeyRecord {
            hashes: Some(vec!["sha1".into(), "sha256".into()]),
            key_type: "ed25519".into(),
            notes: Some("a note".into()),
            key: b"foo".to_vec(),
            services: vec!["email".into(), "x".into()],
            testing: true,
            strict: true,
        };
        assert_eq!(record, Ok(expected));
        let record = KeyRecord::parse(b"p=Zm9v").unwrap();
        assert_eq!((record.hashes, &*record.key_type, record.services), (None, "rsa", vec!["*".to_owned()]));
        assert!(!record.testing && !record.strict);
    }

    #[test]
    fn the_length_of_a_modulus() {
        assert_eq!(modulus_bits(&[0x30, 7, 2, 2, 0, 0x80, 2, 1, 3]), Some(8));
        assert_eq!(modulus_bits(&[0x30, 6, 2, 1, 0x7f, 2, 1, 3]), Some(7));
        for bad in
            [&[][..], &[0x30], &[0x30, 9, 2], &[0x30, 3, 2, 1, 0], &[0x30, 0x85, 0, 0, 0, 0, 0], &[2, 1, 1]]
        {
            assert_eq!(modulus_bits(bad), None, "{bad:?}");
        }
    }
}
