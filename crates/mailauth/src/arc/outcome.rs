//! What a chain came to, and the reason in words.

use super::set::{FieldKind, MAX_SETS};
use crate::dkim;
use crate::tags::TagError;
use address::Domain;
use std::fmt;

/// The result of one message's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArcResult {
    pub outcome: Outcome,
    /// The sets in the order of their instances, as far as they could be read. Only when the chain passes
    /// is what they say true.
    pub sets: Vec<SetFacts>,
}

/// How the chain ended, with what belongs to each end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The message has no chain.
    None,
    /// `oldest_pass` is the instance of the oldest message signature that still verifies, 0 if all do
    /// (RFC 8617 §5.2, step 5).
    Pass { oldest_pass: u32 },
    /// All failures are permanent (RFC 8617 §5.2.1), those of the DNS too.
    Fail(Failure),
}

/// What one set says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFacts {
    pub instance: u32,
    /// `d=` of its seal: who vouches.
    pub sealer: Domain,
    /// `s=` of its seal.
    pub selector: String,
    /// The value of its ARC-Authentication-Results, as it stands;
    /// [`AuthResults::parse_arc`](crate::results::AuthResults::parse_arc) reads it.
    pub results: String,
}

impl ArcResult {
    pub fn status(&self) -> ChainStatus {
        match self.outcome {
            Outcome::None => ChainStatus::None,
            Outcome::Pass { .. } => ChainStatus::Pass,
            Outcome::Fail(_) => ChainStatus::Fail,
        }
    }

    pub fn passed(&self) -> bool {
        matches!(self.outcome, Outcome::Pass { .. })
    }

    /// See [`Outcome::Pass`]; 0 where nothing passes.
    pub fn oldest_pass(&self) -> u32 {
        match self.outcome {
            Outcome::Pass { oldest_pass } => oldest_pass,
            Outcome::None | Outcome::Fail(_) => 0,
        }
    }

    /// Who sealed, the first first.
    pub fn sealers(&self) -> impl Iterator<Item = &Domain> {
        self.sets.iter().map(|set| &set.sealer)
    }

    /// The reason in words that a newcomer understands.
    pub fn reason(&self) -> String {
        match &self.outcome {
            Outcome::None => "the message has no ARC fields".to_owned(),
            Outcome::Pass { oldest_pass: 0 } => {
                "all seals and all message signatures verify: nobody changed the message after its first sealer"
                    .to_owned()
            }
            Outcome::Pass { oldest_pass } => format!(
                "all seals verify; message signatures verify from set {oldest_pass} on: before it the message was changed"
            ),
            Outcome::Fail(failure) => failure.to_string(),
        }
    }
}

/// The words of `cv=` and of Authentication-Results (RFC 8617 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainStatus {
    None,
    Pass,
    Fail,
}

impl ChainStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }

    /// Reads a word of `cv=`, of any case (RFC 5234 §2.3).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Pass, Self::Fail]
            .into_iter()
            .find(|status| text.eq_ignore_ascii_case(status.as_str()))
    }
}

impl fmt::Display for ChainStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a chain fails (RFC 8617 §5.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    // Its structure, steps 1 to 3.
    #[error("the message has {0} ARC sets, more than the {MAX_SETS} allowed")]
    TooManySets(usize),
    #[error("an {field} field has no readable instance (i=1 to i={MAX_SETS})")]
    Instance { field: FieldKind },
    #[error("set {instance} has no {field}")]
    Missing { instance: u32, field: FieldKind },
    #[error("set {instance} has more than one {field}")]
    Repeated { instance: u32, field: FieldKind },
    #[error("{field} of set {instance} cannot be read: {error}")]
    Syntax { instance: u32, field: FieldKind, error: TagError },
    #[error("the seal of set {0} has a tag h=, which seals must not have")]
    SealNamesFields(u32),
    #[error("the seal of set {0} has no readable chain status (cv=none, pass or fail)")]
    NoStatus(u32),
    #[error("the sealer of set {0} found that the chain had failed already (cv=fail)")]
    FailedBefore(u32),
    #[error("the seal of set {instance} has cv={found}, where only cv={needed} can be")]
    Status { instance: u32, found: ChainStatus, needed: ChainStatus },
    #[error("the message signature of set {instance} signs {field}, which it must not")]
    SignsArc { instance: u32, field: FieldKind },

    // Its signatures, steps 4 and 6.
    #[error("the message signature of set {instance}, the newest: {failure}")]
    MessageSignature { instance: u32, failure: dkim::Failure },
    #[error("the seal of set {instance}: {failure}")]
    Seal { instance: u32, failure: dkim::Failure },
}
