//! SCRAM (RFC 5802), the server's side.
//!
//! A failure is reported by the protocol alone: the `e=` message is optional (§5.1), and a client that is told before the
//! exchange is over could leave unrecorded.

use data_encoding::BASE64;
use subtle::{Choice, ConstantTimeEq};

use super::{Context, Failure, Identity, State, Step, identity};
use crate::scram::{ClientFinal, ClientFirst, Flag, ScramKeys, auth_message, xor};
use crate::{Channel, Hash};

/// The client-first message: who, his nonce, and whether he binds to the connection.
pub(super) fn first(hash: Hash, plus: bool, context: &Context, message: &[u8]) -> Result<Step, Failure> {
    let first = ClientFirst::parse(message).map_err(Failure::Malformed)?;
    let mut channel_binding = first.header.as_bytes().to_vec();
    channel_binding.extend_from_slice(binding(first.flag, plus, &context.channel)?);
    let identity = identity(&first.username, first.authzid.as_deref())?;
    // Made for every user, so that it takes no longer for those who do not exist.
    let decoy = context.decoy.scram_keys(hash, &identity.authcid).map_err(|_| Failure::Unavailable)?;
    Ok(Step::FindScramKeys(FindScramKeys {
        hash,
        identity,
        client_first_bare: first.bare.to_owned(),
        nonce: format!("{}{}", first.nonce, context.nonce.as_str()),
        channel_binding,
        decoy,
    }))
}

/// The data that the client has to have bound to, by its flag (RFC 5802 §6).
fn binding<'a>(flag: Flag<'_>, plus: bool, channel: &'a Channel) -> Result<&'a [u8], Failure> {
    match flag {
        // The client saw no -PLUS in our list, although it was there.
        Flag::Unused if channel.can_bind() => Err(Failure::ChannelBinding),
        Flag::Unsupported | Flag::Unused if !plus => Ok(&[]),
        Flag::Unsupported | Flag::Unused => Err(Failure::Malformed("-PLUS without channel binding")),
        Flag::Bound(_) if !plus => Err(Failure::Malformed("channel binding without -PLUS")),
        Flag::Bound(name) => {
            channel.binding(name).ok_or(Failure::Malformed("channel binding type not available"))
        }
    }
}

/// The keys of this user?
#[derive(Debug)]
pub struct FindScramKeys {
    hash: Hash,
    identity: Identity,
    client_first_bare: String,
    nonce: String,
    /// What `c=` has to be, decoded.
    channel_binding: Vec<u8>,
    decoy: ScramKeys,
}

impl FindScramKeys {
    /// The user's name, prepared.
    pub fn authcid(&self) -> &str {
        &self.identity.authcid
    }

    /// The hash that the keys have to be for.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// They are these. Keys for another hash are as good as none.
    pub fn found(self, keys: ScramKeys) -> Step {
        if keys.hash() == self.hash { self.server_first(keys, true) } else { self.unknown() }
    }

    /// There is no such user, he has no keys, or may not log in: the exchange goes on and fails at its end.
    pub fn unknown(self) -> Step {
        let decoy = self.decoy.clone();
        self.server_first(decoy, false)
    }

    fn server_first(self, keys: ScramKeys, known: bool) -> Step {
        let server_first =
            format!("r={},s={},i={}", self.nonce, BASE64.encode(keys.salt()), keys.iterations());
        let text = server_first.clone().into_bytes();
        let state = AwaitFinal {
            identity: self.identity,
            client_first_bare: self.client_first_bare,
            server_first,
            nonce: self.nonce,
            channel_binding: self.channel_binding,
            keys,
            known,
        };
        Step::challenge(text, State::ScramFinal(Box::new(state)))
    }
}

/// Waits for the client's proof.
#[derive(Debug)]
pub(super) struct AwaitFinal {
    identity: Identity,
    client_first_bare: String,
    server_first: String,
    nonce: String,
    channel_binding: Vec<u8>,
    keys: ScramKeys,
    /// Whether the keys are somebody's.
    known: bool,
}

impl AwaitFinal {
    pub(super) fn respond(self, response: &[u8]) -> Result<Step, Failure> {
        let message = ClientFinal::parse(response).map_err(Failure::Malformed)?;
        if message.nonce != self.nonce {
            return Err(Failure::Malformed("not the nonce that was sent"));
        }
        if message.channel_binding != self.channel_binding {
            return Err(Failure::ChannelBinding);
        }
        let auth_message = auth_message(&self.client_first_bare, &self.server_first, message.without_proof);
        let signature = self.keys.client_signature(&auth_message);
        let stored_key = self.keys.hash().digest(&xor(&message.proof, &signature));
        let proven = message.proof.len().ct_eq(&signature.len()) & stored_key.ct_eq(self.keys.stored_key());
        if !bool::from(proven & Choice::from(u8::from(self.known))) {
            return Err(Failure::Credentials);
        }
        let proof = format!("v={}", BASE64.encode(&self.keys.server_signature(&auth_message)));
        Ok(Step::authenticated(self.identity, Some(proof.into_bytes())))
    }
}
