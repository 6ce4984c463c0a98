//! Sets of UIDs, as runs of consecutive ones: a folder of a million messages is a few of them.

use std::ops::RangeInclusive;

/// UIDs in runs that are in order and neither touch nor overlap, each with how many UIDs are before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UidRuns {
    runs: Vec<Run>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: u32,
    last: u32,
    before: u32,
}

impl Run {
    fn count(self) -> u32 {
        // 1 ≤ first ≤ last, so that this does not overflow.
        self.last - self.first + 1
    }

    fn end(self) -> u32 {
        self.before + self.count()
    }
}

impl UidRuns {
    /// Adds a UID larger than all before it; what is not larger is passed over.
    pub fn push(&mut self, uid: u32) {
        self.push_run(uid, uid);
    }

    /// Adds what of a run is larger than all before it.
    pub fn push_run(&mut self, first: u32, last: u32) {
        let first = first.max(1);
        match self.runs.last_mut() {
            Some(run) if first <= run.last.saturating_add(1) => run.last = run.last.max(last),
            tail => {
                let before = tail.map_or(0, |run| run.end());
                if first <= last {
                    self.runs.push(Run { first, last, before });
                }
            }
        }
    }

    /// How many UIDs.
    pub fn count(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.end())
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn runs(&self) -> impl DoubleEndedIterator<Item = RangeInclusive<u32>> + ExactSizeIterator + '_ {
        self.runs.iter().map(|run| run.first..=run.last)
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.runs().flatten()
    }

    pub fn first(&self) -> Option<u32> {
        self.runs.first().map(|run| run.first)
    }

    pub fn last(&self) -> Option<u32> {
        self.runs.last().map(|run| run.last)
    }

    pub fn contains(&self, uid: u32) -> bool {
        self.position(uid).is_some()
    }

    /// The place of a UID, from 0: its sequence number less one.
    pub fn position(&self, uid: u32) -> Option<u32> {
        let run = self.runs.get(self.runs.partition_point(|run| run.last < uid))?;
        (run.first <= uid).then(|| run.before + (uid - run.first))
    }

    /// How many UIDs are below this one.
    pub fn below(&self, uid: u32) -> u32 {
        let run = self.runs.get(self.runs.partition_point(|run| run.last < uid));
        run.map_or_else(|| self.count(), |run| run.before + uid.saturating_sub(run.first))
    }

    /// The UID at a place, from 0.
    pub fn nth(&self, place: u32) -> Option<u32> {
        let run = self.runs.get(self.runs.partition_point(|run| run.end() <= place))?;
        Some(run.first + (place - run.before))
    }

    /// The runs, cut where needed, of what is in both.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        let (mut these, mut those) = (self.runs.iter().peekable(), other.runs.iter().peekable());
        while let (Some(this), Some(that)) = (these.peek(), those.peek()) {
            let (first, last) = (this.first.max(that.first), this.last.min(that.last));
            if first <= last {
                both.push_run(first, last);
            }
            if this.last < that.last {
                these.next();
            } else {
                those.next();
            }
        }
        both
    }

    /// What is in this one and not in the other.
    pub fn difference(&self, other: &Self) -> Self {
        let mut left = Self::default();
        let mut those = other.runs.iter().peekable();
        for this in &self.runs {
            let mut first = this.first;
            while those.next_if(|that| that.last < first).is_some() {}
            while let Some(that) = those.peek().filter(|that| that.first <= this.last) {
                if first < that.first {
                    left.push_run(first, that.first - 1);
                }
                if that.last >= this.last {
                    first = 0;
                    break;
                }
                first = that.last + 1;
                those.next();
            }
            if first != 0 {
                left.push_run(first, this.last);
            }
        }
        left
    }

    /// What is in either.
    pub fn union(&self, other: &Self) -> Self {
        self.runs().chain(other.runs()).collect()
    }
}

/// In any order, also overlapping; 0 is no UID.
impl FromIterator<RangeInclusive<u32>> for UidRuns {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u32>>>(ranges: I) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().map(RangeInclusive::into_inner).collect();
        ranges.sort_unstable();
        let mut runs = Self::default();
        ranges.into_iter().for_each(|(first, last)| runs.push_run(first, last));
        runs
    }
}

impl FromIterator<u32> for UidRuns {
    fn from_iter<I: IntoIterator<Item = u32>>(uids: I) -> Self {
        uids.into_iter().map(|uid| uid..=uid).collect()
    }
}

impl From<Vec<RangeInclusive<u32>>> for UidRuns {
    fn from(ranges: Vec<RangeInclusive<u32>>) -> Self {
        ranges.into_iter().collect()
    }
}

impl From<RangeInclusive<u32>> for UidRuns {
    fn from(range: RangeInclusive<u32>) -> Self {
        std::iter::once(range).collect()
    }
}

impl From<u32> for UidRuns {
    fn from(uid: u32) -> Self {
        Self::from(uid..=uid)
    }
}

impl From<Vec<u32>> for UidRuns {
    fn from(uids: Vec<u32>) -> Self {
        uids.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Ranges = Vec<(u32, u32)>;

    fn set(ranges: &Ranges) -> BTreeSet<u32> {
        ranges.iter().flat_map(|(first, length)| *first..=first + length).filter(|uid| *uid > 0).collect()
    }

    fn runs(ranges: &Ranges) -> UidRuns {
        ranges.iter().map(|(first, length)| *first..=first + length).collect()
    }

    proptest! {
        #[test]
        fn runs_do_as_sets_do(
            a in prop::collection::vec((0u32..60, 0u32..9), 0..8),
            b in prop::collection::vec((0u32..60, 0u32..9), 0..8),
        ) {
            let (x, y) = (runs(&a), runs(&b));
            let (s, t) = (set(&a), set(&b));
            prop_assert_eq!(&x.iter().collect::<BTreeSet<_>>(), &s);
            prop_assert_eq!(x.count() as usize, s.len());
            prop_assert_eq!(x.intersection(&y), s.intersection(&t).copied().collect());
            prop_assert_eq!(x.difference(&y), s.difference(&t).copied().collect());
            prop_assert_eq!(x.union(&y), s.union(&t).copied().collect());
            for (place, uid) in s.iter().enumerate() {
                prop_assert_eq!(x.position(*uid), Some(place as u32));
                prop_assert_eq!(x.nth(place as u32), Some(*uid));
            }
            prop_assert_eq!(x.nth(s.len() as u32), None);
            for uid in 0..80 {
                prop_assert_eq!(x.contains(uid), s.contains(&uid));
                prop_assert_eq!(x.below(uid) as usize, s.range(..uid).count());
            }
            let spread: Vec<_> = x.runs().collect();
            prop_assert!(spread.windows(2).all(|pair| *pair[0].end() + 1 < *pair[1].start()));
        }
    }

    #[test]
    fn the_largest_uids_do_not_overflow() {
        let all = UidRuns::from(0..=u32::MAX);
        assert_eq!(
            (all.count(), all.nth(u32::MAX - 1), all.last()),
            (u32::MAX, Some(u32::MAX), Some(u32::MAX))
        );
        let (rest, most) = (all.difference(&UidRuns::from(5..=u32::MAX)), all.difference(&UidRuns::from(1)));
        assert_eq!((rest, most.first(), most.count()), (UidRuns::from(1..=4), Some(2), u32::MAX - 1));
        assert_eq!(all.union(&UidRuns::from(u32::MAX)), all);
    }
}
