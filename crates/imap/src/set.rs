//! Sets of numbers, as a client names messages by them.

pub use crate::runs::Runs;

/// Ranges in one set. A client that names 10,000 separate messages sends 60 KB; more is asked in parts.
pub const MAX_RANGES: usize = 16_384;

/// `2,4:7,9,12:*` (RFC 9051 §9, sequence-set), of sequence numbers or of UIDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SequenceSet {
    /// As written; `4:*` and `*:4` are the same.
    Numbers(Vec<(SeqNumber, SeqNumber)>),
    /// `$`: the result that the last SEARCH saved (RFC 9051 §6.4.4.1).
    Saved,
    /// `2,4:7,$`: by the grammar `$` may end a set, and nothing may follow it.
    WithSaved(Vec<(SeqNumber, SeqNumber)>),
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
    /// Its numbers, without what `$` stands for, which only the session knows.
    fn ranges(&self) -> &[(SeqNumber, SeqNumber)] {
        match self {
            Self::Numbers(ranges) | Self::WithSaved(ranges) => ranges,
            Self::Saved => &[],
        }
    }

    /// Whether `$` is in it.
    pub fn has_saved(&self) -> bool {
        !matches!(self, Self::Numbers(_))
    }

    /// The numbers themselves, where `last` stands for `*`. `None` for `$` alone; with it, those beside it.
    pub fn resolve(&self, last: u32) -> Option<Runs> {
        if *self == Self::Saved {
            return None;
        }
        let ordered = self.ranges().iter().map(|(a, b)| {
            let (a, b) = (a.resolve(last), b.resolve(last));
            a.min(b)..=a.max(b)
        });
        Some(Runs::from_ranges(ordered))
    }

    /// Whether a fixed number is the largest that it names: what NO-or-OK of an out-of-range number rests on.
    pub fn largest(&self) -> Option<SeqNumber> {
        self.ranges().iter().map(|(a, b)| *a.max(b)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_resolves_with_its_last_number() {
        use SeqNumber::{Last, Number};
        let set = SequenceSet::Numbers(vec![(Number(9), Last), (Number(1), Number(2)), (Last, Number(7))]);
        assert_eq!(set.resolve(8).unwrap().to_string(), "1:2,7:9");
        assert_eq!(set.largest(), Some(Last));
        assert!(SequenceSet::Saved.resolve(8).is_none());
        let both = SequenceSet::WithSaved(vec![(Number(2), Number(3))]);
        assert_eq!((both.resolve(8).unwrap().to_string().as_str(), both.has_saved()), ("2:3", true));
    }
}
