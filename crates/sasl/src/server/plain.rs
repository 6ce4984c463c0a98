//! PLAIN (RFC 4616), and the look-up it shares with LOGIN.

use address::Secret;

use super::{Failure, Identity, Step, identity, password, text};
use crate::{Unassigned, saslprep};

/// `message = [authzid] UTF8NUL authcid UTF8NUL passwd` (RFC 4616 §2).
pub(super) fn first(message: &[u8]) -> Result<Step, Failure> {
    let mut parts = message.split(|b| *b == 0);
    let (Some(authzid), Some(authcid), Some(passwd), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Failure::Malformed("not authzid NUL authcid NUL password"));
    };
    let authzid = Some(text(authzid)?).filter(|name| !name.is_empty());
    let identity = identity(text(authcid)?, authzid)?;
    VerifyPassword::step(identity, text(passwd)?)
}

/// Whether this is the user's password.
#[derive(Debug)]
pub struct VerifyPassword {
    identity: Identity,
    prepared: Secret<String>,
    as_sent: Secret<String>,
}

impl VerifyPassword {
    /// A password that cannot be prepared is nobody's (RFC 4616 §2), so that nothing has to be looked up.
    pub(super) fn step(identity: Identity, sent: &str) -> Result<Step, Failure> {
        let as_sent = password(sent)?;
        let prepared = saslprep(sent, Unassigned::Allowed).ok_or(Failure::Credentials)?.into_owned();
        Ok(Step::VerifyPassword(Self { identity, prepared: Secret::new(prepared), as_sent }))
    }

    /// The user's name, prepared.
    pub fn authcid(&self) -> &str {
        &self.identity.authcid
    }

    /// The password, prepared with [`saslprep`] (unassigned characters allowed), as it has to be before it is hashed.
    pub fn password(&self) -> &Secret<String> {
        &self.prepared
    }

    /// The password as the client sent it: for hashes that other systems made without preparing it.
    pub fn password_as_sent(&self) -> &Secret<String> {
        &self.as_sent
    }

    /// Whether it matches. For a user who does not exist the caller does the same work and says no.
    pub fn answer(self, matches: bool) -> Step {
        if matches { Step::authenticated(self.identity, None) } else { Step::Failed(Failure::Credentials) }
    }
}
