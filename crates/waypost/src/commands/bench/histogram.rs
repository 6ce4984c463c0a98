//! Times, counted in buckets: percentiles of any number of messages in 31 KiB.

use serde::Serialize;
use std::time::Duration;

/// Buckets for each doubling: a percentile is at most 1/64 too high.
const STEPS: u64 = 64;
/// Each doubling from `STEPS` microseconds to the end of `u64`, and the exact ones below.
const BUCKETS: usize = 64 * (64 - 6 + 1);

/// How often which time was seen.
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

/// In milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }
}

impl Histogram {
    pub(super) fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count += 1;
        }
        self.total += 1;
        self.max = self.max.max(micros);
    }

    /// None when nothing was seen.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        (self.total > 0).then(|| Percentiles {
            p50: self.at(50),
            p90: self.at(90),
            p99: self.at(99),
            max: milliseconds(self.max),
        })
    }

    /// The time that `percent` of all did not exceed.
    fn at(&self, percent: u64) -> f64 {
        let rank = self.total.saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        milliseconds(found.map_or(self.max, |index| highest(index).min(self.max)))
    }
}

fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// Below `STEPS` each value is its own; above, the six bits after the highest tell the bucket of its doubling.
fn bucket(micros: u64) -> usize {
    let doublings = u64::from(micros.max(STEPS).ilog2() - STEPS.ilog2());
    let index = doublings * STEPS + (micros >> doublings);
    usize::try_from(index).unwrap_or(BUCKETS - 1)
}

/// The highest value of a bucket.
fn highest(index: usize) -> u64 {
    let index = index as u64;
    if index < STEPS * 2 {
        return index;
    }
    let doublings = index / STEPS - 1;
    let low = (index - doublings * STEPS) << doublings;
    low + ((1 << doublings) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_values_and_is_narrow() {
        for value in (0..5000).chain([1 << 20, (1 << 40) + 12_345, u64::MAX]) {
            let top = highest(bucket(value));
            assert!(top >= value && top - value <= value / STEPS, "{value} {top}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut seen = Histogram::default();
        assert_eq!(seen.percentiles(), None);
        (1..=100).for_each(|millis| seen.add(Duration::from_millis(millis)));
        let found = seen.percentiles().unwrap();
        let near = |found: f64, expected: f64| (expected..=expected * 1.016).contains(&found);
        assert!(near(found.p50, 50.0) && near(found.p90, 90.0) && near(found.p99, 99.0), "{found:?}");
        assert_eq!(found.max, 100.0);
    }

    #[test]
    fn one_value_is_every_percentile() {
        let mut seen = Histogram::default();
        seen.add(Duration::from_micros(12_345));
        let exact = 12.345;
        assert_eq!(seen.percentiles(), Some(Percentiles { p50: exact, p90: exact, p99: exact, max: exact }));
    }
}
