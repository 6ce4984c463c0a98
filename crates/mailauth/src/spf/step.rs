//! What was evaluated, for people to read.

use std::fmt;

/// One step of an evaluation. Steps are in the order of reading: what an include found follows it, one deeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// 0 for the record of the identity's domain, one more within each include.
    pub depth: u8,
    /// Whose record it is.
    pub domain: String,
    /// The term as it is published; of [`StepOutcome::Record`] the whole record.
    pub term: String,
    pub outcome: StepOutcome,
    /// Why, in words.
    pub reason: String,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// A record was found.
    Record,
    /// The mechanism matches: the evaluation of its record ends here.
    Match,
    NoMatch,
    /// A redirect: another record takes this one's place.
    Redirect,
    /// The text that the domain has for those who are refused.
    Explanation,
    /// The evaluation cannot go on.
    Error,
}

impl StepOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Match => "match",
            Self::NoMatch => "no match",
            Self::Redirect => "redirect",
            Self::Explanation => "explanation",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Keeps the steps, or costs nothing.
#[derive(Debug)]
pub(super) struct Recorder {
    steps: Option<Vec<Step>>,
    /// Why the mechanism at hand decides as it does.
    note: String,
}

impl Recorder {
    pub(super) fn new(steps: Option<Vec<Step>>) -> Self {
        Self { steps, note: String::new() }
    }

    /// The reason for the next step.
    pub(super) fn note(&mut self, words: impl FnOnce() -> String) {
        if self.steps.is_some() {
            self.note = words();
        }
    }

    /// Where the next step will stand: a place to keep while what belongs below it is recorded.
    pub(super) fn place(&self) -> usize {
        self.steps.as_ref().map_or(0, Vec::len)
    }

    /// Adds a step, with the last note as its reason, at the end or a place kept.
    pub(super) fn step(&mut self, place: usize, depth: u8, domain: &str, term: &str, outcome: StepOutcome) {
        let Some(steps) = &mut self.steps else { return };
        let (domain, term) = (domain.to_owned(), term.to_owned());
        let step = Step { depth, domain, term, outcome, reason: std::mem::take(&mut self.note) };
        steps.insert(place.min(steps.len()), step);
    }

    pub(super) fn into_steps(self) -> Vec<Step> {
        self.steps.unwrap_or_default()
    }
}
