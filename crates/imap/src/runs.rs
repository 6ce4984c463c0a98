//! Sets of numbers, as runs of consecutive ones.

use std::ops::RangeInclusive;

/// Numbers as runs of consecutive ones, in order, neither touching nor overlapping, without zero: a folder of a million
/// messages is a few of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    runs: Vec<Run>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: u32,
    last: u32,
    /// How many numbers are in the runs before.
    before: u32,
}

impl Run {
    fn len(self) -> u32 {
        // 1 ≤ first ≤ last, so that this does not overflow.
        self.last - self.first + 1
    }

    fn end(self) -> u32 {
        self.before + self.len()
    }
}

impl Runs {
    /// From ranges in any order, which may overlap.
    pub fn from_ranges(ranges: impl IntoIterator<Item = RangeInclusive<u32>>) -> Self {
        ranges.into_iter().collect()
    }

    /// Adds a number larger than all before it; what is not larger is passed over.
    pub fn push(&mut self, number: u32) {
        self.push_run(number, number);
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

    /// How many numbers.
    pub fn len(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.end())
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = RangeInclusive<u32>> + ExactSizeIterator + '_ {
        self.runs.iter().map(|run| run.first..=run.last)
    }

    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges().flatten()
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

    /// The place of a number, from 0: of a UID its sequence number less one.
    pub fn position(&self, uid: u32) -> Option<u32> {
        let run = self.runs.get(self.runs.partition_point(|run| run.last < uid))?;
        (run.first <= uid).then(|| run.before + (uid - run.first))
    }

    /// How many numbers are below this one.
    pub fn below(&self, uid: u32) -> u32 {
        let run = self.runs.get(self.runs.partition_point(|run| run.last < uid));
        run.map_or(self.len(), |run| run.before + uid.saturating_sub(run.first))
    }

    /// The number at a place, from 0.
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

    /// The numbers at these places, counted from 1: sequence numbers turned into UIDs. Places past the end are left out.
    pub fn select(&self, places: &Self) -> Self {
        let mut selected = Self::default();
        for wanted in places.ranges() {
            let (mut from, to) = (*wanted.start(), (*wanted.end()).min(self.len()));
            let mut index = self.runs.partition_point(|run| run.end() < from);
            while let Some(run) = self.runs.get(index).filter(|_| from <= to) {
                let last = to.min(run.end());
                selected.push_run(run.first + (from - run.before - 1), run.first + (last - run.before - 1));
                (from, index) = (last + 1, index + 1);
            }
        }
        selected
    }

    /// What is in either.
    pub fn union(&self, other: &Self) -> Self {
        self.ranges().chain(other.ranges()).collect()
    }
}

/// As the protocol writes it: `1:3,7`. Empty when there is none, which no grammar allows: do not send it then.
impl std::fmt::Display for Runs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, run) in self.runs.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match run.first == run.last {
                true => write!(f, "{comma}{}", run.first)?,
                false => write!(f, "{comma}{}:{}", run.first, run.last)?,
            }
        }
        Ok(())
    }
}

/// In any order, also overlapping; 0 is left out.
impl FromIterator<RangeInclusive<u32>> for Runs {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u32>>>(ranges: I) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().map(RangeInclusive::into_inner).collect();
        ranges.sort_unstable();
        let mut runs = Self::default();
        ranges.into_iter().for_each(|(first, last)| runs.push_run(first, last));
        runs
    }
}

impl FromIterator<u32> for Runs {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        numbers.into_iter().map(|number| number..=number).collect()
    }
}

impl From<Vec<RangeInclusive<u32>>> for Runs {
    fn from(ranges: Vec<RangeInclusive<u32>>) -> Self {
        ranges.into_iter().collect()
    }
}

impl From<RangeInclusive<u32>> for Runs {
    fn from(range: RangeInclusive<u32>) -> Self {
        std::iter::once(range).collect()
    }
}

impl From<u32> for Runs {
    fn from(uid: u32) -> Self {
        Self::from(uid..=uid)
    }
}

impl From<Vec<u32>> for Runs {
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

    fn runs(ranges: &Ranges) -> Runs {
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
            prop_assert!(x.iter().eq(s.iter().copied()));
            prop_assert_eq!(x.len() as usize, s.len());
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
            let places: BTreeSet<u32> = t.iter().copied().filter(|place| *place as usize <= s.len()).collect();
            let chosen: BTreeSet<u32> = places.iter().filter_map(|place| s.iter().nth(*place as usize - 1)).copied().collect();
            prop_assert_eq!(x.select(&y), chosen.into_iter().collect::<Runs>());
            let spread: Vec<_> = x.ranges().collect();
            prop_assert!(spread.windows(2).all(|pair| *pair[0].end() + 1 < *pair[1].start()));
        }
    }

    #[test]
    fn the_largest_uids_do_not_overflow() {
        let all = Runs::from(0..=u32::MAX);
        assert_eq!(
            (all.len(), all.nth(u32::MAX - 1), all.last()),
            (u32::MAX, Some(u32::MAX), Some(u32::MAX))
        );
        let (rest, most) = (all.difference(&Runs::from(5..=u32::MAX)), all.difference(&Runs::from(1)));
        assert_eq!((rest, most.first(), most.len()), (Runs::from(1..=4), Some(2), u32::MAX - 1));
        assert_eq!(all.union(&Runs::from(u32::MAX)), all);
    }
}
