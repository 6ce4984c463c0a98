//! What was counted and is not in the store yet: like facts are one.

use address::Domain;
use std::collections::HashMap;
use store::report::{ReportKind, Tally};

/// Most different facts that are held: at some hundred octets each some megabytes. What comes beyond in the same minute is
/// not reported.
pub(crate) const MAX_PENDING: usize = 20_000;

#[derive(Debug, Default)]
pub(crate) struct Pending {
    counts: HashMap<(ReportKind, u32, Domain, String), u64>,
    left_out: u64,
}

impl Pending {
    pub(crate) fn add(&mut self, kind: ReportKind, day: u32, domain: Domain, key: String) {
        let full = self.counts.len() >= MAX_PENDING;
        let key = (kind, day, domain, key);
        match self.counts.get_mut(&key) {
            Some(count) => *count += 1,
            None if full => self.left_out += 1,
            None => drop(self.counts.insert(key, 1)),
        }
    }

    /// Everything, and how many facts found no room.
    pub(crate) fn take(&mut self) -> (Vec<Tally>, u64) {
        let tally = |((kind, day, domain, key), count)| Tally { kind, day, domain, key, count };
        let left_out = std::mem::take(&mut self.left_out);
        (std::mem::take(&mut self.counts).into_iter().map(tally).collect(), left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_facts_are_one_and_there_is_an_end() {
        let domain: Domain = "example.org".parse().unwrap();
        let mut pending = Pending::default();
        for n in 0..MAX_PENDING + 3 {
            pending.add(ReportKind::Dmarc, 1, domain.clone(), n.to_string());
            pending.add(ReportKind::Dmarc, 1, domain.clone(), "0".into());
        }
        let (tallies, left_out) = pending.take();
        assert_eq!((tallies.len(), left_out), (MAX_PENDING, 3));
        let first = tallies.iter().find(|tally| tally.key == "0").unwrap();
        assert_eq!(first.count, MAX_PENDING as u64 + 4);
        assert_eq!(pending.take(), (Vec::new(), 0));
    }
}
