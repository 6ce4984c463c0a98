//! CRAM-MD5 (RFC 2195).

use address::Secret;
use data_encoding::HEXLOWER_PERMISSIVE;
use subtle::ConstantTimeEq;

use super::{Context, Decoy, Failure, Identity, State, Step, identity, text};
use crate::crypto::hmac_md5;

/// The challenge, a `msg-id` that never comes again: RFC 2195 §2.
pub(super) fn begin(context: &Context) -> Step {
    let challenge = format!("<{}.{}@{}>", context.nonce.as_str(), context.unix_time, context.host);
    let state = AwaitDigest { challenge: challenge.clone(), decoy: context.decoy.clone() };
    Step::challenge(challenge.into_bytes(), State::CramMd5(state))
}

/// Waits for `name SP digest`.
#[derive(Debug)]
pub(super) struct AwaitDigest {
    challenge: String,
    decoy: Decoy,
}

impl AwaitDigest {
    pub(super) fn respond(self, response: &[u8]) -> Result<Step, Failure> {
        // The name may have spaces in it, the digest has none.
        let (name, digest) =
            text(response)?.rsplit_once(' ').ok_or(Failure::Malformed("not name SP digest"))?;
        let identity = identity(name, None)?;
        let digest = HEXLOWER_PERMISSIVE
            .decode(digest.as_bytes())
            .ok()
            .and_then(|digest| <[u8; 16]>::try_from(digest).ok())
            .ok_or(Failure::Malformed("the digest is not 32 hexadecimal digits"))?;
        let decoy = self.decoy.cram_secret(&identity.authcid);
        Ok(Step::FindCramSecret(FindCramSecret { identity, challenge: self.challenge, digest, decoy }))
    }
}

/// The shared secret of this user?
#[derive(Debug)]
pub struct FindCramSecret {
    identity: Identity,
    challenge: String,
    digest: [u8; 16],
    decoy: Secret<Vec<u8>>,
}

impl FindCramSecret {
    /// The user's name, prepared.
    pub fn authcid(&self) -> &str {
        &self.identity.authcid
    }

    /// It is this, octet for octet what the client has (RFC 2195 knows no preparation).
    pub fn found(self, secret: &Secret<String>) -> Step {
        if self.matches(secret.reveal().as_bytes()) {
            Step::authenticated(self.identity, None)
        } else {
            Step::Failed(Failure::Credentials)
        }
    }

    /// There is no such user, or he has none: fails, after the same work.
    pub fn unknown(self) -> Step {
        let _ = std::hint::black_box(self.matches(self.decoy.reveal()));
        Step::Failed(Failure::Credentials)
    }

    fn matches(&self, secret: &[u8]) -> bool {
        hmac_md5(secret, self.challenge.as_bytes()).ct_eq(&self.digest).into()
    }
}
