//! What of unsynced changes survives a power cut: by a seed, anything from nothing to all, in pieces and out of order.

use super::disk::{Change, Naming, Node};
use super::record::Record;
use crate::random::Random;
use std::collections::{BTreeMap, HashSet};

/// How much of what was not synced is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Luck {
    /// All of it: what the running system saw.
    All,
    /// As the seed has it.
    Seed(u64),
}

impl Luck {
    pub(super) fn random(self) -> Option<Random> {
        match self {
            Self::All => None,
            Self::Seed(seed) => Some(Random::new(seed)),
        }
    }
}

/// What cuts did to what was not synced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// Writes of which nothing survived.
    pub writes_lost: u64,
    /// Writes of which some pieces survived and some did not.
    pub writes_torn: u64,
    pub writes_kept: u64,
    /// Names made, moved or removed that the disk did not know of.
    pub names_lost: u64,
    pub names_kept: u64,
}

impl std::ops::AddAssign for Damage {
    fn add_assign(&mut self, other: Self) {
        self.writes_lost += other.writes_lost;
        self.writes_torn += other.writes_torn;
        self.writes_kept += other.writes_kept;
        self.names_lost += other.names_lost;
        self.names_kept += other.names_kept;
    }
}

/// Brings into `content` what survives of changes that were not synced.
pub(super) fn survive(
    content: &mut Vec<u8>,
    pending: &[(usize, Change)],
    record: &Record,
    random: &mut Random,
) -> Damage {
    // Nothing and everything are what most often happens; between them lies what is seldom thought of.
    let kept = random.one_of([0, 100, 5, 50, 95]);
    let sector = random.one_of([512, 4096]);
    let stale = random.one_of([0, 30]);
    let in_order = random.chance(30);
    let until = if in_order { random.place(pending.len() + 1) } else { pending.len() };
    let mut damage = Damage::default();
    for (place, (_, change)) in pending.iter().enumerate() {
        let share = match (in_order, place < until) {
            (true, true) => 100,
            (true, false) => 0,
            (false, _) => kept,
        };
        match change {
            Change::Truncate(size) if random.chance(share) => content.resize(*size, 0),
            Change::Truncate(_) => {}
            Change::Write(offset, data) => {
                let (mut there, mut missing) = (0, 0);
                for (at, piece) in sectors(*offset, record.data(data), sector) {
                    if random.chance(share) {
                        put(content, at, piece);
                        there += 1;
                        continue;
                    }
                    missing += 1;
                    if at >= content.len() && random.chance(stale) {
                        // The file has grown, but what it shows there is what the disk had before.
                        let mut old = vec![0; piece.len()];
                        if random.chance(50) {
                            random.fill(&mut old);
                        }
                        put(content, at, &old);
                    }
                }
                match (there, missing) {
                    (_, 0) => damage.writes_kept += 1,
                    (0, _) => damage.writes_lost += 1,
                    _ => damage.writes_torn += 1,
                }
            }
        }
    }
    damage
}

/// The pieces of a write that a disk writes each as a whole.
fn sectors(offset: usize, mut data: &[u8], sector: usize) -> Vec<(usize, &[u8])> {
    let (mut at, mut pieces) = (offset, Vec::new());
    while !data.is_empty() {
        let (piece, rest) = data.split_at(data.len().min(sector - at % sector));
        pieces.push((at, piece));
        at += piece.len();
        data = rest;
    }
    pieces
}

/// Puts octets into a file, which grows with zeros where it is too short.
pub(super) fn put(content: &mut Vec<u8>, at: usize, octets: &[u8]) {
    let end = at + octets.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(octets);
}

/// The same for a folder's names.
pub(super) fn survive_names(
    safe: &mut BTreeMap<String, Node>,
    pending: &[(usize, Naming)],
    random: &mut Random,
) -> Damage {
    let kept = random.one_of([0, 100, 50, 90]);
    // What did not happen to a name is followed by nothing that needs it to have happened.
    let mut stuck: HashSet<&String> = HashSet::new();
    let mut damage = Damage::default();
    for (_, naming) in pending {
        if random.chance(kept) && !naming.names().any(|name| stuck.contains(name)) {
            naming.apply(safe);
            damage.names_kept += 1;
        } else {
            stuck.extend(naming.names());
            damage.names_lost += 1;
        }
    }
    damage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_end_where_sectors_do() {
        let pieces = |offset, length: usize| -> Vec<_> {
            sectors(offset, &vec![0; length], 512).iter().map(|(at, piece)| (*at, piece.len())).collect()
        };
        assert_eq!(pieces(0, 512), [(0, 512)]);
        assert_eq!(pieces(500, 600), [(500, 12), (512, 512), (1024, 76)]);
        assert_eq!(pieces(7, 0), []);
    }
}
