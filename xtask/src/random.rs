//! Numbers that need only be spread, from a seed (SplitMix64).

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another stream, for another thread, that the same seed and name always begin alike.
    #[must_use]
    pub fn branch(&self, name: u64) -> Self {
        let mut branch = Self(self.0 ^ name.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        branch.next_u64();
        branch
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0, less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next_u64() % end.max(1)
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn duration(&mut self, range: std::ops::Range<Duration>) -> Duration {
        let width = u64::try_from((range.end.saturating_sub(range.start)).as_micros()).unwrap_or(u64::MAX);
        range.start + Duration::from_micros(self.below(width))
    }

    /// A place in something that has `length` of them.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of them; they are not none.
    pub fn one_of<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.place(N)]
    }

    /// True in so many of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn fill(&mut self, octets: &mut [u8]) {
        for piece in octets.chunks_mut(8) {
            let random = self.next_u64().to_le_bytes();
            piece.copy_from_slice(&random[..piece.len()]);
        }
    }
}
