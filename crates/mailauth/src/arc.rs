//! ARC: those who handle a message on its way seal what they found, so that the last can believe the first
//! though the message was changed in between (RFC 8617).
//!
//! Each handler adds a set of three fields with the same instance number `i=`, from 1 to [`MAX_SETS`]: what was found
//! (ARC-Authentication-Results), a signature of the message as it leaves (ARC-Message-Signature), and a signature
//! of all sets so far (ARC-Seal). [`Verifier`] checks such a chain, [`Sealer`] adds a set. Canonical forms, keys and
//! signatures are DKIM's ([`dkim`](crate::dkim)).

mod outcome;
mod seal;
mod set;
mod verify;

#[cfg(test)]
mod tests;

pub use outcome::{ArcResult, ChainStatus, Failure, Outcome, SetFacts};
pub use seal::Sealer;
pub use set::{FieldKind, MAX_SETS};
pub use verify::Verifier;

pub(crate) use set::number;
pub(crate) use verify::Chain;
