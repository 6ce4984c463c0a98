//! A table that cannot grow without end.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// What is remembered only until an instant.
pub(crate) trait Expires {
    /// From then on the entry says no more than its absence would.
    fn expires(&self) -> Instant;
}

/// At most `limit` entries. A full table forgets what has expired, then what would expire first, an eighth of it
/// at a time, so that a flood of new keys costs little each.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    entries: HashMap<K, V>,
    limit: usize,
}

impl<K: Hash + Eq, V: Expires> Bounded<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), limit }
    }

    /// The entry, unless it has expired.
    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.expires() > now)
    }

    pub(crate) fn insert(&mut self, key: K, value: V, now: Instant) {
        if self.entries.len() >= self.limit && !self.entries.contains_key(&key) {
            self.make_room(now);
        }
        self.entries.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    fn make_room(&mut self, now: Instant) {
        self.entries.retain(|_, entry| entry.expires() > now);
        let target = self.limit - self.limit.div_ceil(8);
        if self.entries.len() <= target {
            return;
        }
        let mut ends: Vec<Instant> = self.entries.values().map(Expires::expires).collect();
        let surplus = ends.len() - target;
        let (_, &mut last, _) = ends.select_nth_unstable(surplus - 1);
        // Those that expire at the same instant go with it: what is left is never more than the target.
        self.entries.retain(|_, entry| entry.expires() > last);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    impl Expires for Instant {
        fn expires(&self) -> Instant {
            *self
        }
    }

    #[test]
    fn a_full_table_forgets_the_expired_then_what_expires_first() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut table = Bounded::new(8);
        for key in 1..=8 {
            table.insert(key, at(key), start);
        }
        table.insert(9, at(9), at(4));
        assert_eq!(table.len(), 5);
        for key in 10..=13 {
            table.insert(key, at(key), at(4));
        }
        assert!(table.get(&5, at(4)).is_none() && table.get(&6, at(4)).is_some());
        assert!(table.get(&6, at(6)).is_none());
    }

    proptest! {
        #[test]
        fn it_never_holds_more_than_its_limit(
            keys in prop::collection::vec((0u8..60, 0u64..40, 0u64..40), 0..400),
            limit in 1usize..20,
        ) {
            let start = Instant::now();
            let mut table = Bounded::new(limit);
            for (key, expires, now) in keys {
                let (expires, now) = (start + Duration::from_secs(expires), start + Duration::from_secs(now));
                table.insert(key, expires, now);
                prop_assert!(table.len() <= limit);
                prop_assert_eq!(table.get(&key, now).is_some(), expires > now);
            }
        }
    }
}
