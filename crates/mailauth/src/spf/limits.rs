//! What one check may cost (RFC 7208 §4.6.4).

use super::outcome::Problem;
use std::time::Duration;

/// Terms of all records together that ask the DNS: `include`, `a`, `mx`, `ptr`, `exists`, `redirect`, and the names
/// of `%{p}`.
pub const MAX_TERMS: u8 = 10;
/// Questions of the publisher's choice that nothing answers.
pub const MAX_VOID_LOOKUPS: u8 = 2;
/// MX records of one `mx`; with more it is a permerror.
pub const MAX_MX: usize = 10;
/// Names of the client's address that are verified; the others are ignored.
pub const MAX_PTR: usize = 10;
/// A check may be ended as temperror after this long, not sooner.
pub const MAX_ELAPSED: Duration = Duration::from_secs(20);

/// What was spent so far, in every include and redirect together.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Limits {
    pub(super) terms: u8,
    pub(super) voids: u8,
}

impl Limits {
    /// Counts a term that is about to ask.
    pub(super) fn count_term(&mut self) -> Result<(), Problem> {
        self.terms += 1;
        if self.terms > MAX_TERMS { Err(Problem::TooManyTerms) } else { Ok(()) }
    }

    /// Counts a question that had no answer.
    pub(super) fn count_void(&mut self, name: &str) -> Result<(), Problem> {
        self.voids += 1;
        if self.voids > MAX_VOID_LOOKUPS { Err(Problem::TooManyVoids(name.to_owned())) } else { Ok(()) }
    }
}
