//! When to try again, and for how long.

const MINUTE: u64 = 60 * 1000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The schedule of retries. Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first attempt; doubled after each further one.
    pub first: u64,
    pub longest: u64,
    /// Each delay is that many per cent more or less, at random, so that what failed together does not return together.
    pub jitter_percent: u64,
    pub lifetime: u64,
    /// Of messages with a null sender: nobody waits for them.
    pub lifetime_null: u64,
    /// After that time the sender hears that the message is late.
    pub delay_notice: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: 5 * MINUTE,
            longest: 4 * HOUR,
            jitter_percent: 20,
            lifetime: 5 * DAY,
            lifetime_null: 2 * DAY,
            delay_notice: 4 * HOUR,
        }
    }
}

impl Backoff {
    /// The pause after an attempt that failed; `attempts` were made before it.
    pub fn pause(&self, attempts: u32, random: u64) -> u64 {
        let doubled = self.first.saturating_mul(1u64 << attempts.min(30));
        let base = doubled.min(self.longest);
        let swing = base / 100 * self.jitter_percent.min(100);
        base - swing + random % (2 * swing + 1)
    }
}

/// Numbers that need only be spread, from a seed, so that a simulation can be repeated (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_four_hours_and_vary_by_a_fifth() {
        let backoff = Backoff::default();
        let mut random = Random::new(1);
        for (attempts, minutes) in [(0, 5), (1, 10), (2, 20), (5, 160), (6, 240), (7, 240), (4_000_000, 240)]
        {
            let pauses: Vec<u64> = (0..1000).map(|_| backoff.pause(attempts, random.next())).collect();
            let base = minutes * MINUTE;
            assert!(pauses.iter().all(|p| (base * 4 / 5..=base * 6 / 5).contains(p)), "{attempts}");
            let (low, high) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
            assert!(high - low > base * 3 / 10, "{attempts}: hardly any jitter");
        }
    }
}
