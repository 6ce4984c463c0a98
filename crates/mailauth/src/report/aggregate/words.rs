//! The words of a report.

use crate::dmarc::Policy;
use serde::{Deserialize, Serialize};

/// What was done with the messages (`ActionDispositionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// Nothing: they failed and no more was asked for, or something stood against it.
    None,
    /// Nothing: they passed.
    Pass,
    Quarantine,
    Reject,
}

/// A result word of RFC 8601 §2.7.1 or §2.7.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    None,
    Pass,
    Fail,
    /// Of SPF alone.
    SoftFail,
    Policy,
    Neutral,
    TempError,
    PermError,
}

impl Disposition {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// Anything else than the words of the schema is taken for "none".
    pub fn parse(word: &str) -> Self {
        match word {
            "pass" => Self::Pass,
            "quarantine" => Self::Quarantine,
            "reject" => Self::Reject,
            _ => Self::None,
        }
    }
}

impl From<Policy> for Disposition {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::None => Self::None,
            Policy::Quarantine => Self::Quarantine,
            Policy::Reject => Self::Reject,
        }
    }
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }

    /// Also the words of older reports (`hardfail`, `unknown`, `error`); what nobody defined is "none".
    pub fn parse(word: &str) -> Self {
        match word {
            "pass" => Self::Pass,
            "fail" | "hardfail" => Self::Fail,
            "softfail" => Self::SoftFail,
            "policy" => Self::Policy,
            "neutral" => Self::Neutral,
            "temperror" | "error" => Self::TempError,
            "permerror" | "unknown" => Self::PermError,
            _ => Self::None,
        }
    }
}
