//! SCRAM (RFC 5802), the client's side.

use std::num::NonZeroU32;

use address::Secret;
use data_encoding::BASE64;
use subtle::ConstantTimeEq;

use crate::error::quote;
use crate::scram::{
    Derived, MAX_ITERATIONS, MIN_ITERATIONS, ServerFinal, ServerFirst, auth_message, escape_name, xor,
};
use crate::{Channel, Error, Hash, Mechanism, Nonce, prepare};

/// Which SCRAM it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    pub(super) hash: Hash,
    pub(super) plus: bool,
}

/// The client-first message, for the names (authentication, authorization).
pub(super) fn first(
    variant: Variant,
    (authcid, authzid): (&str, Option<&str>),
    password: Secret<String>,
    channel: &Channel,
    nonce: &Nonce,
) -> Result<(Vec<u8>, AwaitFirst), Error> {
    // Refused now rather than after the name has been sent.
    prepare::scram_password(password.reveal())?;
    let (flag, data) = binding(variant, channel)?;
    let authzid = match authzid {
        Some(name) => format!("a={}", escape_name(&prepare::name(name)?)),
        None => String::new(),
    };
    let header = format!("{flag},{authzid},");
    let bare = format!("n={},r={}", escape_name(&prepare::name(authcid)?), nonce.as_str());
    let message = format!("{header}{bare}").into_bytes();
    let channel_binding = [header.as_bytes(), data].concat();
    let nonce = nonce.as_str().to_owned();
    Ok((message, AwaitFirst { hash: variant.hash, password, nonce, bare, channel_binding }))
}

/// `gs2-cbind-flag` and the data to bind to (RFC 5802 §6): `p` with -PLUS; without it, `y` says that we could have and
/// saw no -PLUS offered, `n` that we cannot.
fn binding(variant: Variant, channel: &Channel) -> Result<(String, &[u8]), Error> {
    match channel.preferred() {
        Some((kind, data)) if variant.plus => Ok((format!("p={}", kind.name()), data)),
        None if variant.plus => {
            Err(Error::NoChannelBinding(Mechanism::Scram { hash: variant.hash, plus: true }))
        }
        Some(_) => Ok(("y".to_owned(), &[])),
        None => Ok(("n".to_owned(), &[])),
    }
}

/// Waits for salt and iterations.
#[derive(Debug)]
pub(super) struct AwaitFirst {
    hash: Hash,
    password: Secret<String>,
    nonce: String,
    bare: String,
    /// `cbind-input`.
    channel_binding: Vec<u8>,
}

impl AwaitFirst {
    pub(super) fn respond(self, challenge: &[u8]) -> Result<(Vec<u8>, AwaitFinal), Error> {
        if let Ok(ServerFinal::Error(error)) = ServerFinal::parse(challenge) {
            return Err(Error::Refused(quote(error.as_bytes())));
        }
        let malformed = |why| Error::malformed(why, challenge);
        let message = ServerFirst::parse(challenge).map_err(malformed)?;
        if message.nonce.strip_prefix(&self.nonce).is_none_or(str::is_empty) {
            return Err(malformed("the nonce is not ours with the server's added"));
        }
        let iterations = check_iterations(message.iterations)?;
        let derived = Derived::new(self.hash, &self.password, &message.salt, iterations).map_err(
            |error| match error {
                Error::Keys => malformed("the salt is too long"),
                other => other,
            },
        )?;
        let without_proof = format!("c={},r={}", BASE64.encode(&self.channel_binding), message.nonce);
        let server_first = std::str::from_utf8(challenge).map_err(|_| malformed("not UTF-8"))?;
        let auth_message = auth_message(&self.bare, server_first, &without_proof);
        let signature = derived.keys.client_signature(&auth_message);
        let proof = BASE64.encode(&xor(derived.client_key.reveal(), &signature));
        let server_signature = derived.keys.server_signature(&auth_message);
        Ok((format!("{without_proof},p={proof}").into_bytes(), AwaitFinal { server_signature }))
    }
}

fn check_iterations(iterations: u64) -> Result<NonZeroU32, Error> {
    u32::try_from(iterations)
        .ok()
        .filter(|count| (MIN_ITERATIONS..=MAX_ITERATIONS).contains(count))
        .and_then(NonZeroU32::new)
        .ok_or(Error::Iterations(iterations))
}

/// Waits for the server's proof.
#[derive(Debug)]
pub(super) struct AwaitFinal {
    server_signature: Vec<u8>,
}

impl AwaitFinal {
    /// Whether the server knows the password as well.
    pub(super) fn verify(self, message: &[u8]) -> Result<(), Error> {
        match ServerFinal::parse(message).map_err(|why| Error::malformed(why, message))? {
            ServerFinal::Error(error) => Err(Error::Refused(quote(error.as_bytes()))),
            ServerFinal::Verifier(signature) if bool::from(signature.ct_eq(&self.server_signature)) => Ok(()),
            ServerFinal::Verifier(_) => Err(Error::ServerSignature),
        }
    }
}
