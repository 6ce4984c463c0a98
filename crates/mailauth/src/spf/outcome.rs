//! What a check came to, and the reason in words.

use super::limits::{MAX_ELAPSED, MAX_MX, MAX_TERMS, MAX_VOID_LOOKUPS};
use super::query::{Query, Subject};
use super::record::RecordError;
use super::step::Step;
use address::Domain;
use std::fmt;

/// The result of one check (RFC 7208 §2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfResult {
    pub word: ResultWord,
    /// The domain of the identity: with `pass`, it vouches for the host. `None` when there was none to check.
    pub domain: Option<Domain>,
    /// What a domain that refuses has to say to those it refuses, in printable ASCII (`exp=`, RFC 7208 §6.2). It is
    /// a stranger's text, and should be shown as such.
    pub explanation: Option<String>,
    /// The directive that decided, as published. Of an include, the include.
    pub mechanism: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// Terms that asked the DNS (at most [`MAX_TERMS`], or one more where that was the error).
    pub lookups: u8,
    /// Questions that nothing answered (at most [`MAX_VOID_LOOKUPS`], or one more where that was the error).
    pub void_lookups: u8,
    /// Of [`trace`](super::trace) only.
    pub steps: Vec<Step>,
}

impl SpfResult {
    /// The result of a check that its caller gave up, after no less than [`MAX_ELAPSED`] (RFC 7208 §4.6.4).
    pub fn timed_out(query: &Query<'_>) -> Self {
        Self {
            word: ResultWord::TempError,
            domain: Subject::new(query).ok().map(|subject| subject.domain),
            explanation: None,
            mechanism: None,
            reason: format!("the DNS did not answer within {} seconds", MAX_ELAPSED.as_secs()),
            lookups: 0,
            void_lookups: 0,
            steps: Vec::new(),
        }
    }
}

/// The words of RFC 7208 §2.6 and RFC 8601 §2.7.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResultWord {
    /// The domain vouches for the host.
    Pass,
    /// The domain says that the host may not use its name.
    Fail,
    /// The domain says that the host probably may not.
    SoftFail,
    /// The domain says nothing of the host.
    Neutral,
    /// There is no domain to check, or it has no record.
    None,
    /// The DNS failed: another try may end otherwise.
    TempError,
    /// The domain's records are wrong.
    PermError,
}

impl ResultWord {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for ResultWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an evaluation could not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the {kind} records of {name} could not be looked up; try again later")]
    Unavailable { name: String, kind: &'static str },
    #[error("{0} has {1} SPF records; it must have one")]
    ManyRecords(String, usize),
    #[error("the SPF record of {domain} is wrong: {error}")]
    Syntax { domain: String, error: RecordError },
    #[error(
        "the records need more than {MAX_TERMS} terms that ask the DNS (include, a, mx, ptr, exists, redirect)"
    )]
    TooManyTerms,
    #[error("more than {MAX_VOID_LOOKUPS} of the names asked for have no records; the last is {0}")]
    TooManyVoids(String),
    #[error("{0} has {1} MX records, more than the {MAX_MX} that \"mx\" may ask for")]
    TooManyMx(String, usize),
    #[error("{0} is included, and has no SPF record")]
    IncludedNone(String),
    #[error("{0} is redirected to, and has no SPF record")]
    RedirectedNone(String),
}

impl Problem {
    /// Whether another try or another record is needed.
    pub fn word(&self) -> ResultWord {
        match self {
            Self::Unavailable { .. } => ResultWord::TempError,
            Self::ManyRecords(..)
            | Self::Syntax { .. }
            | Self::TooManyTerms
            | Self::TooManyVoids(_)
            | Self::TooManyMx(..)
            | Self::IncludedNone(_)
            | Self::RedirectedNone(_) => ResultWord::PermError,
        }
    }
}
