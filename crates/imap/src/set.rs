//! Sets of numbers: what a client names messages by, and what a folder's UIDs are kept as.

use std::ops::RangeInclusive;

/// Ranges in one set. A client that names 10,000 separate messages sends 60 KB; more is asked in parts.
pub const MAX_RANGES: usize = 16_384;

/// `2,4:7,9,12:*` (RFC 9051 §9, sequence-set), of sequence numbers or of UIDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SequenceSet {
    /// As written; `4:*` and `*:4` are the same.
    Numbers(Vec<(SeqNumber, SeqNumber)>),
    /// `$`: the result that the last SEARCH saved (RFC 9051 §6.4.4.1).
    Saved,
}

/// `nz-number` or `*`, the largest number in use. Orders as the numbers do, `*` last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeqNumber {
    Number(u32),
    Last,
}

impl SeqNumber {
    fn resolve(self, last: u32) -> u32 {
        match self {
            Self::Number(number) => number,
            Self::Last => last,
        }
    }
}

impl SequenceSet {
    /// The numbers themselves, where `last` stands for `*`. `None` for `$`, which only the session knows.
    pub fn resolve(&self, last: u32) -> Option<Runs> {
        let Self::Numbers(ranges) = self else { return None };
        let ordered = ranges.iter().map(|(a, b)| {
            let (a, b) = (a.resolve(last), b.resolve(last));
            a.min(b)..=a.max(b)
        });
        Some(Runs::from_ranges(ordered))
    }

    /// Whether a fixed number is the largest that it names: what NO-or-OK of an out-of-range number rests on.
    pub fn largest(&self) -> Option<SeqNumber> {
        match self {
            Self::Numbers(ranges) => ranges.iter().map(|(a, b)| *a.max(b)).max(),
            Self::Saved => None,
        }
    }
}

/// Numbers as runs: sorted, apart from each other, without zero. Ten thousand consecutive UIDs cost eight octets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    runs: Vec<(u32, u32)>,
}

impl Runs {
    /// From ranges in any order, which may overlap. Empty ranges and zero are left out.
    pub fn from_ranges(ranges: impl IntoIterator<Item = RangeInclusive<u32>>) -> Self {
        let cleaned = ranges.into_iter().map(|range| ((*range.start()).max(1), *range.end()));
        let mut sorted: Vec<(u32, u32)> = cleaned.filter(|(first, last)| first <= last).collect();
        sorted.sort_unstable();
        let mut runs: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match runs.last_mut() {
                Some(run) if first <= run.1.saturating_add(1) => run.1 = run.1.max(last),
                _ => runs.push((first, last)),
            }
        }
        Self { runs }
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many numbers.
    pub fn len(&self) -> u32 {
        let count: u64 = self.runs.iter().map(|(first, last)| u64::from(last - first) + 1).sum();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = RangeInclusive<u32>> + ExactSizeIterator + '_ {
        self.runs.iter().map(|(first, last)| *first..=*last)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.ranges().flatten()
    }

    pub fn contains(&self, number: u32) -> bool {
        self.runs.partition_point(|run| run.1 < number) < self.runs.len()
            && self.runs[self.runs.partition_point(|run| run.1 < number)].0 <= number
    }

    pub fn first(&self) -> Option<u32> {
        self.runs.first().map(|run| run.0)
    }

    pub fn last(&self) -> Option<u32> {
        self.runs.last().map(|run| run.1)
    }

    /// Adds a number; cheapest above all others.
    pub fn insert(&mut self, number: u32) {
        if number == 0 {
            return;
        }
        match self.runs.last_mut() {
            Some(run) if run.1.checked_add(1) == Some(number) => run.1 = number,
            Some(run) if run.1 >= number => *self = self.union(&Self { runs: vec![(number, number)] }),
            _ => self.runs.push((number, number)),
        }
    }

    pub fn union(&self, other: &Self) -> Self {
        Self::from_ranges(self.ranges().chain(other.ranges()))
    }

    pub fn intersection(&self, other: &Self) -> Self {
        let (mut a, mut b) = (self.runs.iter().peekable(), other.runs.iter().peekable());
        let mut runs = Vec::new();
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let (first, last) = (x.0.max(y.0), x.1.min(y.1));
            if first <= last {
                runs.push((first, last));
            }
            if x.1 <= y.1 {
                a.next()
            } else {
                b.next()
            };
        }
        Self { runs }
    }

    pub fn difference(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        let mut holes = other.runs.iter().peekable();
        for &(mut first, last) in &self.runs {
            while holes.peek().is_some_and(|hole| hole.1 < first) {
                holes.next();
            }
            let mut ahead = holes.clone();
            let mut open = true;
            while let Some(hole) = ahead.peek().filter(|hole| hole.0 <= last) {
                if hole.0 > first {
                    runs.push((first, hole.0 - 1));
                }
                if hole.1 >= last {
                    open = false;
                    break;
                }
                first = hole.1 + 1;
                ahead.next();
            }
            if open {
                runs.push((first, last));
            }
        }
        Self { runs }
    }

    /// The `index`th smallest, from 0: the UID of a sequence number less one.
    pub fn nth(&self, index: u32) -> Option<u32> {
        let mut left = index;
        for (first, last) in &self.runs {
            let count = last - first + 1;
            if left < count {
                return Some(first + left);
            }
            left -= count;
        }
        None
    }

    /// How many are smaller, and whether the number itself is there: the sequence number of a UID, less one.
    pub fn position(&self, number: u32) -> Result<u32, u32> {
        let mut before = 0;
        for (first, last) in &self.runs {
            if number < *first {
                return Err(before);
            }
            if number <= *last {
                return Ok(before + (number - first));
            }
            before += last - first + 1;
        }
        Err(before)
    }

    /// The numbers at these positions (from 1): sequence numbers turned into UIDs. Positions past the end are left out.
    pub fn select(&self, positions: &Self) -> Self {
        let mut selected = Vec::new();
        let mut before = 0_u32;
        let mut wanted = positions.runs.iter().peekable();
        for (first, last) in &self.runs {
            let count = last - first + 1;
            // Positions of this run: before + 1 ..= before + count.
            while let Some((from, to)) = wanted.peek() {
                let (low, high) = ((*from).max(before + 1), (*to).min(before + count));
                if low <= high {
                    selected.push(first + (low - before - 1)..=first + (high - before - 1));
                }
                if *to > before + count {
                    break;
                }
                wanted.next();
            }
            before += count;
        }
        Self::from_ranges(selected)
    }
}

impl FromIterator<u32> for Runs {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        Self::from_ranges(numbers.into_iter().map(|number| number..=number))
    }
}

/// As the protocol writes it: `1:3,7`. Empty when there is none, which no grammar allows: do not send it then.
impl std::fmt::Display for Runs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (first, last)) in self.runs.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}:{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn runs(numbers: &BTreeSet<u32>) -> Runs {
        numbers.iter().copied().collect()
    }

    #[test]
    fn a_set_resolves_with_its_last_number() {
        use SeqNumber::{Last, Number};
        let set = SequenceSet::Numbers(vec![(Number(9), Last), (Number(1), Number(2)), (Last, Number(7))]);
        assert_eq!(set.resolve(8).unwrap().to_string(), "1:2,7:9");
        assert_eq!(set.largest(), Some(Last));
        assert!(SequenceSet::Saved.resolve(8).is_none());
    }

    proptest! {
        #[test]
        fn runs_behave_as_sets(
            a in prop::collection::btree_set(1..60_u32, 0..40),
            b in prop::collection::btree_set(1..60_u32, 0..40),
            number in 0..70_u32,
        ) {
            let (x, y) = (runs(&a), runs(&b));
            prop_assert!(x.iter().eq(a.iter().copied()));
            prop_assert_eq!(x.union(&y), runs(&(&a | &b)));
            prop_assert_eq!(x.intersection(&y), runs(&(&a & &b)));
            prop_assert_eq!(x.difference(&y), runs(&(&a - &b)));
            prop_assert_eq!(x.contains(number), a.contains(&number));
            prop_assert_eq!(x.len() as usize, a.len());
            prop_assert_eq!(x.nth(number), a.iter().nth(number as usize).copied());
            let before = a.range(..number).count() as u32;
            prop_assert_eq!(x.position(number), if a.contains(&number) { Ok(before) } else { Err(before) });
            let chosen: BTreeSet<u32> =
                a.iter().enumerate().filter(|(i, _)| b.contains(&(*i as u32 + 1))).map(|(_, n)| *n).collect();
            prop_assert_eq!(x.select(&y), runs(&chosen));
            let mut grown = x;
            grown.insert(number);
            let mut expected = a;
            if number > 0 { expected.insert(number); }
            prop_assert_eq!(grown, runs(&expected));
        }
    }
}
