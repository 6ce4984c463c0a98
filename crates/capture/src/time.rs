//! Moments, as a capture has them.

use std::time::Duration;

/// Nanoseconds since 1970, as the machine that captured had it; it ends in 2554.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// From seconds and a fraction; what is too large is the last moment there is.
    pub(crate) fn new(seconds: u64, nanoseconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
    }

    /// How much later than `earlier`; nothing when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
