//! So many in a period (the generic cell rate algorithm).

use crate::MAX_KEYS;
use crate::bounded::{Bounded, Expires};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// `count` in `period`: all of them at once when none were used for that long, and one more each `period / count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// 0 lets nothing through.
    pub count: u32,
    pub period: Duration,
}

impl Rate {
    pub const fn per_minute(count: u32) -> Self {
        Self { count, period: Duration::from_secs(60) }
    }

    pub const fn per_hour(count: u32) -> Self {
        Self { count, period: Duration::from_secs(3600) }
    }
}

/// The rate is used up; so long until there is room again for what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub Duration);

/// Holds each key to a rate. At most [`MAX_KEYS`] are remembered; those with most credit are forgotten first.
#[derive(Debug)]
pub struct RateLimiter<K> {
    state: Mutex<State<K>>,
}

#[derive(Debug)]
struct State<K> {
    rate: Rate,
    keys: Bounded<K, FullAt>,
}

/// When a key has its full credit again, if it uses no more.
#[derive(Debug)]
struct FullAt(Instant);

impl Expires for FullAt {
    fn expires(&self) -> Instant {
        self.0
    }
}

impl<K: Hash + Eq> RateLimiter<K> {
    pub fn new(rate: Rate) -> Self {
        Self { state: Mutex::new(State { rate, keys: Bounded::new(MAX_KEYS) }) }
    }

    /// Changes the rate; what was used stays used.
    pub fn set_rate(&self, rate: Rate) {
        self.lock(|state| state.rate = rate);
    }

    /// Uses `cost` of the key's credit.
    ///
    /// # Errors
    /// When the credit does not suffice: nothing is used then. A cost above the rate's count is never let through.
    pub fn check(&self, key: K, cost: u32, now: Instant) -> Result<(), RetryAfter> {
        self.lock(|state| {
            let Rate { count, period } = state.rate;
            if cost > count {
                return Err(RetryAfter(period));
            }
            let full_at = state.keys.get(&key, now).map_or(now, |full_at| full_at.0);
            let used = full_at.saturating_duration_since(now) + share(period, cost, count);
            if used > period {
                return Err(RetryAfter(used - period));
            }
            state.keys.insert(key, FullAt(now + used), now);
            Ok(())
        })
    }

    fn lock<T>(&self, work: impl FnOnce(&mut State<K>) -> T) -> T {
        // Each step leaves the table whole: a panic elsewhere does not spoil it.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `period · cost / count`, rounded down to a nanosecond so that `count` of 1 fit into the period.
fn share(period: Duration, cost: u32, count: u32) -> Duration {
    let nanos = period.as_nanos() * u128::from(cost) / u128::from(count.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each step: seconds since the start, cost, and seconds to wait (0: let through).
    fn check(rate: Rate, steps: &[(u64, u32, u64)]) {
        let (start, limiter) = (Instant::now(), RateLimiter::new(rate));
        for &(seconds, cost, wait) in steps {
            let answer = limiter.check("key", cost, start + Duration::from_secs(seconds));
            let waited = answer.err().map_or(0, |after| after.0.as_secs());
            assert_eq!(waited, wait, "{cost} at {seconds} s");
        }
    }

    #[test]
    fn credit_is_used_and_comes_back() {
        check(Rate::per_minute(2), &[(0, 1, 0), (0, 1, 0), (0, 1, 30), (29, 1, 1), (30, 1, 0), (30, 1, 30)]);
        check(Rate::per_hour(60), &[(0, 60, 0), (0, 1, 60), (60, 1, 0), (3660, 60, 0)]);
        check(Rate::per_hour(60), &[(0, 61, 3600), (0, 60, 0)]);
        check(Rate::per_minute(0), &[(0, 1, 60), (900, 1, 60)]);
    }

    #[test]
    fn keys_do_not_share_credit_and_settings_change() {
        let (now, limiter) = (Instant::now(), RateLimiter::new(Rate::per_minute(1)));
        assert!(limiter.check("a", 1, now).is_ok() && limiter.check("b", 1, now).is_ok());
        assert_eq!(limiter.check("a", 1, now), Err(RetryAfter(Duration::from_secs(60))));
        limiter.set_rate(Rate::per_minute(2));
        assert_eq!(limiter.check("a", 1, now), Err(RetryAfter(Duration::from_secs(30))));
    }

    proptest! {
        /// Whatever comes when: in no period do more than twice `count` pass, and who waits as told gets through.
        #[test]
        fn the_rate_holds(
            count in 1u32..20,
            steps in prop::collection::vec((0u64..5_000, 1u32..4), 1..200),
        ) {
            let rate = Rate { count, period: Duration::from_secs(10) };
            let limiter = RateLimiter::new(rate);
            let (mut now, mut passed) = (Instant::now(), Vec::new());
            for (millis, cost) in steps {
                now += Duration::from_millis(millis);
                match limiter.check((), cost, now) {
                    Ok(()) => passed.push((now, cost)),
                    Err(_) if cost > count => {}
                    Err(after) => {
                        now += after.0;
                        prop_assert!(limiter.check((), cost, now).is_ok());
                        passed.push((now, cost));
                    }
                }
            }
            for &(start, _) in &passed {
                let within = |at: Instant| at >= start && at < start + rate.period;
                let sum: u32 = passed.iter().filter(|(at, _)| within(*at)).map(|(_, cost)| cost).sum();
                prop_assert!(sum <= 2 * count);
            }
        }
    }
}
