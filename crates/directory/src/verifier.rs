//! What is kept of a password: enough to verify it, not enough to use it elsewhere.

use crate::{DirectoryError, random};
use address::Secret;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use aws_lc_rs::digest;
use data_encoding::{BASE32_NOPAD, BASE64};
use sasl::{DEFAULT_ITERATIONS, Hash, ScramKeys};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

/// Shorter passwords are warned about, not refused.
pub const MIN_ADVISED_PASSWORD: usize = 12;
/// Octets of randomness in an app password: 100 bits, so that one fast hash is enough to keep of it.
const APP_RANDOM: usize = 13;

/// The forms in which one password can be verified. Written as JSON into the store.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Verifier {
    /// PHC string, argon2id (RFC 9106).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    argon2id: Option<String>,
    /// A hash of another system, `{CRYPT}$6$…`, until the first login replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crypt: Option<String>,
    /// Salt and SHA-256 of a password with 100 bits of randomness of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scram: Vec<String>,
    /// The password itself: only where somebody asked for CRAM-MD5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cram_md5: Option<String>,
}

impl Verifier {
    /// Hashes a password that a person chose. Takes tens of milliseconds: not for a thread that serves sessions.
    pub fn of_password(password: &Secret<String>, cram_md5: bool) -> Result<Self, DirectoryError> {
        let refused = |error: &dyn std::fmt::Display| DirectoryError::Password(error.to_string());
        let hash = Argon2::default()
            .hash_password_with_salt(password.reveal().as_bytes(), &random::<16>()?)
            .map_err(|e| refused(&e))?;
        let mut scram = Vec::new();
        for algorithm in [Hash::Sha256, Hash::Sha1] {
            let keys = ScramKeys::derive(algorithm, password, &random::<16>()?, DEFAULT_ITERATIONS);
            // A password that SASLprep cannot prepare still works with PLAIN.
            scram.extend(keys.ok().map(|keys| keys.to_storage().into_inner()));
        }
        let cram_md5 = cram_md5.then(|| password.reveal().clone());
        Ok(Self { argon2id: Some(hash.to_string()), scram, cram_md5, ..Self::default() })
    }

    /// For a password from [`generate_app_password`].
    pub fn of_app_password(password: &Secret<String>) -> Result<Self, DirectoryError> {
        let salt = BASE64.encode(&random::<16>()?);
        let hash = app_hash(&salt, password.reveal());
        Ok(Self { app: Some((salt, hash)), ..Self::default() })
    }

    /// For a hash of another system: `{CRYPT}$2y$…`, `$5$…`, `$6$…`, or `$argon2id$…` as it is.
    ///
    /// # Errors
    /// A scheme that cannot be verified here.
    pub fn of_crypt(text: &str) -> Result<Self, DirectoryError> {
        let hash = without_scheme(text);
        if hash.starts_with("$argon2") && PasswordHash::new(hash).is_ok() {
            return Ok(Self { argon2id: Some(hash.to_owned()), ..Self::default() });
        }
        if ["$2a$", "$2b$", "$2y$", "$5$", "$6$"].iter().any(|prefix| hash.starts_with(prefix)) {
            return Ok(Self { crypt: Some(hash.to_owned()), ..Self::default() });
        }
        let scheme: String = text.chars().take(8).collect();
        let known = "bcrypt ($2y$), SHA-crypt ($5$, $6$) and argon2 are known";
        Err(DirectoryError::Password(format!(
            "the hash {scheme}… is of a scheme that cannot be verified; {known}"
        )))
    }

    /// Whether the password is the one. Slow unless it is an app password's verifier.
    pub fn matches(&self, password: &Secret<String>) -> bool {
        let given = password.reveal();
        if let Some((salt, hash)) = &self.app {
            return app_hash(salt, given).as_bytes().ct_eq(hash.as_bytes()).into();
        }
        if let Some(phc) = &self.argon2id {
            let verify = |hash| Argon2::default().verify_password(given.as_bytes(), &hash).is_ok();
            return PasswordHash::new(phc).is_ok_and(verify);
        }
        self.crypt.as_deref().is_some_and(|hash| crypt_matches(hash, given))
    }

    /// Whether checking costs what argon2 costs.
    pub(crate) fn is_slow(&self) -> bool {
        self.app.is_none()
    }

    pub(crate) fn is_imported(&self) -> bool {
        self.crypt.is_some()
    }

    pub(crate) fn scram_keys(&self, hash: Hash) -> Option<ScramKeys> {
        self.scram
            .iter()
            .filter_map(|text| ScramKeys::from_storage(text).ok())
            .find(|keys| keys.hash() == hash)
    }

    pub(crate) fn cram_secret(&self) -> Option<Secret<String>> {
        self.cram_md5.clone().map(Secret::new)
    }

    pub fn to_storage(&self) -> Secret<String> {
        Secret::new(serde_json::to_string(self).unwrap_or_default())
    }

    pub(crate) fn from_storage(text: &Secret<String>) -> Result<Self, DirectoryError> {
        serde_json::from_str(text.reveal()).map_err(|_| DirectoryError::Damaged("a credential"))
    }
}

/// A password for one program, easy to type on a phone: four groups of letters and digits.
pub fn generate_app_password() -> Result<Secret<String>, DirectoryError> {
    let text = BASE32_NOPAD.encode(&random::<APP_RANDOM>()?).to_lowercase();
    let groups: Vec<&str> = (0..4).map(|i| &text[i * 5..i * 5 + 5]).collect();
    Ok(Secret::new(groups.join("-")))
}

fn app_hash(salt: &str, password: &str) -> String {
    // Phones add spaces and capitals; the hyphens are there for the eye only.
    let plain: String = password.chars().filter(char::is_ascii_alphanumeric).collect();
    let salted = format!("{salt}${}", plain.to_lowercase());
    BASE64.encode(digest::digest(&digest::SHA256, salted.as_bytes()).as_ref())
}

/// Dovecot's and LDAP's way to name the scheme is taken off.
fn without_scheme(text: &str) -> &str {
    match text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((_, hash)) => hash,
        None => text,
    }
}

fn crypt_matches(hash: &str, password: &str) -> bool {
    if hash.starts_with("$2") {
        return bcrypt::verify(password, hash).unwrap_or(false);
    }
    sha_crypt::ShaCrypt::default().verify_password(password.as_bytes(), hash).is_ok()
}
