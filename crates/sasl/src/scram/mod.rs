//! What both ends of SCRAM (RFC 5802) share: keys, messages and proofs.

mod keys;
mod message;

pub(crate) use keys::Derived;
pub use keys::{DEFAULT_ITERATIONS, MAX_ITERATIONS, MAX_SALT, MIN_ITERATIONS, SALT_LEN, ScramKeys};
pub(crate) use message::{ClientFinal, ClientFirst, Flag, ServerFinal, ServerFirst, escape_name};

/// The text both ends sign (RFC 5802 §3).
pub(crate) fn auth_message(client_first_bare: &str, server_first: &str, without_proof: &str) -> String {
    format!("{client_first_bare},{server_first},{without_proof}")
}

/// `left XOR right`; the lengths are equal by construction, and a shorter one would only fail to verify.
pub(crate) fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(l, r)| l ^ r).collect()
}
