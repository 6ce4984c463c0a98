//! What a search or a sort found: as it is told (ESEARCH: RFC 4731, RFC 5267, RFC 9394) and as it is saved (RFC 5182).

use super::fetch::window;
use super::view::View;
use imap::Runs;
use imap::fetch::PartialRange;
use imap::response::{Esearch, EsearchAll};
use imap::search::SearchReturn;

/// Messages that the client knows, by their UIDs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// As they stand in the folder.
    Rising(Runs),
    Sorted(Vec<u32>),
}

impl Found {
    fn first(&self) -> Option<u32> {
        match self {
            Self::Rising(uids) => uids.first(),
            Self::Sorted(uids) => uids.first().copied(),
        }
    }

    fn last(&self) -> Option<u32> {
        match self {
            Self::Rising(uids) => uids.last(),
            Self::Sorted(uids) => uids.last().copied(),
        }
    }

    pub(super) fn len(&self) -> u32 {
        match self {
            Self::Rising(uids) => uids.len(),
            Self::Sorted(uids) => u32::try_from(uids.len()).unwrap_or(u32::MAX),
        }
    }

    fn uids(&self) -> Runs {
        match self {
            Self::Rising(uids) => uids.clone(),
            Self::Sorted(uids) => uids.iter().copied().collect(),
        }
    }

    /// Those at these places.
    fn at(&self, range: PartialRange) -> Self {
        match self {
            Self::Rising(uids) => Self::Rising(window(uids, range)),
            Self::Sorted(uids) => {
                let places = window(&Runs::from_ranges([1..=self.len()]), range);
                Self::Sorted(
                    places.iter().filter_map(|place| uids.get(place as usize - 1)).copied().collect(),
                )
            }
        }
    }

    fn named(&self, view: &View, uid: bool) -> EsearchAll {
        match self {
            Self::Rising(uids) if uid => EsearchAll::Set(uids.clone()),
            Self::Rising(uids) => EsearchAll::Set(named(view, uids.iter(), uid).collect()),
            Self::Sorted(uids) => EsearchAll::Ordered(named(view, uids.iter().copied(), uid).collect()),
        }
    }

    /// The answer to RETURN. MIN and MAX of what is sorted are the first and the last (RFC 5267 §3.1).
    pub(super) fn esearch(&self, view: &View, uid: bool, returns: SearchReturn) -> Esearch {
        let name = |found: Option<u32>| named(view, found.into_iter(), uid).next();
        Esearch {
            tag: None,
            uid,
            min: name(self.first().filter(|_| returns.min)),
            max: name(self.last().filter(|_| returns.max)),
            count: returns.count.then(|| self.len()),
            all: (returns.all && self.len() > 0).then(|| self.named(view, uid)),
            modseq: None,
            partial: returns.partial.map(|range| (range, self.at(range).named(view, uid))),
        }
    }

    /// What `$` stands for after SAVE: all, but where only ends or a part are asked for these (RFC 5182 §2.4, RFC 9394 §3.2). They are
    /// also the messages that count for MODSEQ (RFC 4731 §3.2).
    pub(super) fn chosen(&self, returns: SearchReturn) -> Runs {
        let SearchReturn { min, max, all, count, partial, .. } = returns;
        if all || count || !(min || max || partial.is_some()) {
            return self.uids();
        }
        let ends = [self.first().filter(|_| min), self.last().filter(|_| max)];
        let part = partial.map_or_else(Runs::default, |range| self.at(range).uids());
        ends.into_iter().flatten().collect::<Runs>().union(&part)
    }
}

/// As UIDs, or as the numbers that the client counts by.
pub(super) fn named(view: &View, uids: impl Iterator<Item = u32>, uid: bool) -> impl Iterator<Item = u32> {
    uids.filter_map(move |found| if uid { Some(found) } else { view.number(found) })
}

/// Whether RETURN asks for an answer: SAVE alone asks for none.
pub(super) fn is_told(returns: SearchReturn) -> bool {
    let SearchReturn { min, max, all, count, save, partial } = returns;
    min || max || all || count || partial.is_some() || !save
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Option<PartialRange> = Some(PartialRange { from: 2, to: 3, from_end: false });
    const NOTHING: SearchReturn =
        SearchReturn { min: false, max: false, all: false, count: false, save: true, partial: None };

    /// For a search that found 1, 3, 5 and 7, and a sort that found them as 5, 1, 7, 3.
    #[track_caller]
    fn check(returns: SearchReturn, searched: &[u32], sorted: &[u32], told: bool) {
        let runs = |uids: &[u32]| uids.iter().copied().collect::<Runs>();
        assert_eq!(
            Found::Rising(runs(&[1, 3, 5, 7])).chosen(returns),
            runs(searched),
            "searched, {returns:?}"
        );
        assert_eq!(Found::Sorted(vec![5, 1, 7, 3]).chosen(returns), runs(sorted), "sorted, {returns:?}");
        assert_eq!(is_told(returns), told, "{returns:?}");
    }

    #[test]
    fn what_is_saved_is_what_is_told() {
        let all = [1, 3, 5, 7];
        check(NOTHING, &all, &all, false);
        check(SearchReturn { save: false, ..NOTHING }, &all, &all, true);
        check(SearchReturn { all: true, ..NOTHING }, &all, &all, true);
        check(SearchReturn { min: true, ..NOTHING }, &[1], &[5], true);
        check(SearchReturn { max: true, ..NOTHING }, &[7], &[3], true);
        check(SearchReturn { min: true, max: true, ..NOTHING }, &[1, 7], &[3, 5], true);
        check(SearchReturn { min: true, count: true, ..NOTHING }, &all, &all, true);
        check(SearchReturn { partial: PART, ..NOTHING }, &[3, 5], &[1, 7], true);
        check(SearchReturn { partial: PART, max: true, ..NOTHING }, &[3, 5, 7], &[1, 3, 7], true);
        check(SearchReturn { partial: PART, count: true, ..NOTHING }, &all, &all, true);
        for found in [Found::Rising(Runs::default()), Found::Sorted(Vec::new())] {
            let returns = SearchReturn { min: true, max: true, partial: PART, ..NOTHING };
            assert!(found.chosen(returns).is_empty());
        }
    }
}
