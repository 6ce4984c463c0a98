//! What a server keeps of a password for SCRAM.

use std::num::NonZeroU32;

use address::Secret;
use data_encoding::BASE64;

use crate::{Error, Hash, prepare};

/// Iterations for new keys. RFC 7677 §4 demands 4096 and wishes for more; every login costs the client this much, and
/// 10,000 is a few milliseconds on a phone of today. Against theft of the database it is the argon2id hash beside these
/// keys that sets the standard: who fears theft more than he needs SCRAM keeps no keys.
pub const DEFAULT_ITERATIONS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

/// The least a client of ours agrees to (RFC 5802 §5.1, RFC 7677 §4): with fewer, a false server could guess the password
/// from the proof.
pub const MIN_ITERATIONS: u32 = 4096;

/// The most a client computes and a store may hold (RFC 5803 §3 warns of big counts): seconds of work.
pub const MAX_ITERATIONS: u32 = 5_000_000;

/// Octets of a new salt, and of a decoy's.
pub const SALT_LEN: usize = 16;

/// Octets of the longest salt.
pub const MAX_SALT: usize = 255;

/// What a server keeps of a password: enough to verify a client and to prove itself, not enough to log in
/// elsewhere (RFC 5802 §3).
#[derive(Clone, Debug)]
pub struct ScramKeys {
    hash: Hash,
    salt: Vec<u8>,
    iterations: NonZeroU32,
    stored_key: Secret<Vec<u8>>,
    server_key: Secret<Vec<u8>>,
}

/// What both ends derive from a password. Only the client has a use for the client key.
pub(crate) struct Derived {
    pub(crate) client_key: Secret<Vec<u8>>,
    pub(crate) keys: ScramKeys,
}

impl ScramKeys {
    /// Derives the keys from a password, which is prepared here. The salt is random, [`SALT_LEN`] octets. Takes milliseconds:
    /// not for a thread that serves sessions.
    ///
    /// # Errors
    /// [`Error::Password`] for a password that SCRAM cannot use: SASLprep prohibits, among others, characters newer than
    /// Unicode 3.2. [`Error::TooLong`] past [`MAX_PASSWORD`](crate::MAX_PASSWORD), [`Error::Keys`] for a salt that is empty or
    /// longer than [`MAX_SALT`], [`Error::Iterations`] past [`MAX_ITERATIONS`].
    pub fn derive(
        hash: Hash,
        password: &Secret<String>,
        salt: &[u8],
        iterations: NonZeroU32,
    ) -> Result<Self, Error> {
        Derived::new(hash, password, salt, iterations).map(|derived| derived.keys)
    }

    /// From keys made elsewhere, with the bounds that `derive` has.
    pub(crate) fn from_parts(
        hash: Hash,
        salt: Vec<u8>,
        iterations: NonZeroU32,
        stored_key: Vec<u8>,
        server_key: Vec<u8>,
    ) -> Result<Self, Error> {
        let sound = (1..=MAX_SALT).contains(&salt.len())
            && iterations.get() <= MAX_ITERATIONS
            && stored_key.len() == hash.size()
            && server_key.len() == hash.size();
        let keys = Self {
            hash,
            salt,
            iterations,
            stored_key: Secret::new(stored_key),
            server_key: Secret::new(server_key),
        };
        sound.then_some(keys).ok_or(Error::Keys)
    }

    /// The form for storage, that of RFC 5803 and PostgreSQL: `SCRAM-SHA-256$iterations:salt$stored:server`.
    pub fn to_storage(&self) -> Secret<String> {
        Secret::new(format!(
            "{}${}:{}${}:{}",
            scheme(self.hash),
            self.iterations,
            BASE64.encode(&self.salt),
            BASE64.encode(self.stored_key.reveal()),
            BASE64.encode(self.server_key.reveal()),
        ))
    }

    /// Reads the form for storage.
    ///
    /// # Errors
    /// [`Error::Keys`] for anything else, or beyond the bounds that [`derive`](Self::derive) has.
    pub fn from_storage(text: &str) -> Result<Self, Error> {
        let decode = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| Error::Keys);
        let mut parts = text.split('$');
        let (Some(name), Some(info), Some(value), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::Keys);
        };
        let hash = [Hash::Sha1, Hash::Sha256].into_iter().find(|h| scheme(*h) == name).ok_or(Error::Keys)?;
        let (iterations, salt) = info.split_once(':').ok_or(Error::Keys)?;
        let (stored, server) = value.split_once(':').ok_or(Error::Keys)?;
        let iterations = iterations.parse().map_err(|_| Error::Keys)?;
        Self::from_parts(hash, decode(salt)?, iterations, decode(stored)?, decode(server)?)
    }

    /// The hash of the mechanism they are for.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The iterations they were derived with: fewer than [`DEFAULT_ITERATIONS`] is a reason to derive anew.
    pub fn iterations(&self) -> NonZeroU32 {
        self.iterations
    }

    pub(crate) fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(crate) fn stored_key(&self) -> &[u8] {
        self.stored_key.reveal()
    }

    /// `ClientSignature` of RFC 5802 §3.
    pub(crate) fn client_signature(&self, auth_message: &str) -> Vec<u8> {
        self.hash.hmac(self.stored_key.reveal(), auth_message.as_bytes())
    }

    /// `ServerSignature` of RFC 5802 §3.
    pub(crate) fn server_signature(&self, auth_message: &str) -> Vec<u8> {
        self.hash.hmac(self.server_key.reveal(), auth_message.as_bytes())
    }
}

impl Derived {
    pub(crate) fn new(
        hash: Hash,
        password: &Secret<String>,
        salt: &[u8],
        iterations: NonZeroU32,
    ) -> Result<Self, Error> {
        if iterations.get() > MAX_ITERATIONS {
            return Err(Error::Iterations(iterations.get().into()));
        }
        let password = prepare::scram_password(password.reveal())?;
        let salted = hash.salted_password(&password, salt, iterations);
        let client_key = hash.hmac(&salted, b"Client Key");
        let stored_key = hash.digest(&client_key);
        let server_key = hash.hmac(&salted, b"Server Key");
        let keys = ScramKeys::from_parts(hash, salt.to_vec(), iterations, stored_key, server_key)?;
        Ok(Self { client_key: Secret::new(client_key), keys })
    }
}

/// The scheme of RFC 5803 §2: the mechanism's name without -PLUS.
fn scheme(hash: Hash) -> &'static str {
    crate::Mechanism::Scram { hash, plus: false }.name()
}
