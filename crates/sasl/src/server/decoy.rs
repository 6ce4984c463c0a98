//! Answers for users that do not exist.

use address::Secret;

use crate::scram::{DEFAULT_ITERATIONS, SALT_LEN, ScramKeys};
use crate::{Error, Hash};

/// Makes up credentials for users that do not exist, always the same for the same name, so that nobody can tell
/// them from real ones: the `unknown-user` error of RFC 5802 §7 would say it outright.
///
/// The key is random and kept for as long as the accounts are, on all machines that serve them: a salt that
/// changes when the server restarts would give the user away as made up. A real account whose keys have other than
/// [`DEFAULT_ITERATIONS`], or a salt of other than [`SALT_LEN`] octets, can be told from a made-up one.
#[derive(Clone, Debug)]
pub struct Decoy(Secret<[u8; 32]>);

impl Decoy {
    /// With the server's own key.
    pub fn new(key: Secret<[u8; 32]>) -> Self {
        Self(key)
    }

    /// Keys that no password has. Letter case is ignored, as a directory does in finding an account.
    pub(super) fn scram_keys(&self, hash: Hash, name: &str) -> Result<ScramKeys, Error> {
        let name = name.to_lowercase();
        let part = |purpose: &str, size| {
            let mut bytes =
                Hash::Sha256.hmac(self.0.reveal(), format!("{purpose} {hash:?} {name}").as_bytes());
            bytes.truncate(size);
            bytes
        };
        ScramKeys::from_parts(
            hash,
            part("salt", SALT_LEN),
            DEFAULT_ITERATIONS,
            part("stored key", hash.size()),
            part("server key", hash.size()),
        )
    }

    /// A secret that nobody has.
    pub(super) fn cram_secret(&self, name: &str) -> Secret<Vec<u8>> {
        Secret::new(Hash::Sha256.hmac(self.0.reveal(), format!("cram-md5 {name}").as_bytes()))
    }
}
