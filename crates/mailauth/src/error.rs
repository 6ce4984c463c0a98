//! What can be wrong with our own keys and settings. What is wrong with a peer's signature is
//! [`dkim::Failure`](crate::dkim::Failure).

/// Why a key, a selector or a signature could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the selector {0:?} is not a DNS name; use letters, digits, hyphens and dots")]
    Selector(String),
    #[error("no private key found: the text has no line \"-----BEGIN PRIVATE KEY-----\" (PKCS#8 PEM)")]
    NoPem,
    #[error("a {0:?} is not usable here; convert it to unencrypted PKCS#8 (openssl pkcs8 -topk8 -nocrypt)")]
    PemLabel(String),
    #[error("the PEM text of the key is damaged: {0}")]
    PemDamaged(&'static str),
    #[error("the key is neither Ed25519 nor RSA of 1024 to 4096 bits ({0})")]
    Key(String),
    #[error("the key could not be generated")]
    Generate,
    #[error("the key did not sign")]
    Sign,
    #[error("the body was hashed in the {hashed} form, and the signer needs {needed}")]
    BodyForm { hashed: &'static str, needed: &'static str },
    #[error("the message has {0} header fields to sign, more than any verifier takes ({max})", max = crate::dkim::MAX_SIGNED_FIELDS)]
    TooManyFields(usize),
    #[error("the chain cannot be sealed as one that passed: {0}")]
    Chain(String),
}
