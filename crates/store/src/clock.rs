//! What time it is, in the units that records have. Crates without I/O get it as an argument; this is where the others ask.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub fn seconds() -> u64 {
    since_1970().as_secs()
}

/// Milliseconds since 1970.
pub fn millis() -> i64 {
    i64::try_from(since_1970().as_millis()).unwrap_or(i64::MAX)
}

/// Nothing, where the clock was never set and stands before that.
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
