//! Forgetting old snapshots, and freeing what nothing names any more.

use crate::BackupError;
use crate::name::Name;
use crate::pack::Pack;
use crate::repository::Repository;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::PathBuf;
use store::Id;
use store::backup::{Messages, Table};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Which snapshots are kept: the newest always, and those that either says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// The newest so many.
    pub newest: Option<u32>,
    /// Those made within so many days.
    pub days: Option<u32>,
}

impl Keep {
    /// Of a snapshot that has `newer` after it.
    fn keeps(self, at: i64, newer: usize, now: i64) -> bool {
        let by_count = self.newest.is_some_and(|count| newer < count as usize);
        let by_age = self.days.is_some_and(|days| at >= now - i64::from(days) * DAY_MS);
        newer == 0 || by_count || by_age || self == Self::default()
    }
}

/// What was freed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneReport {
    pub removed: u64,
    pub kept: u64,
    /// Octets.
    pub freed: u64,
}

/// Removes snapshots, then what only they named. A pack of which less than half is needed is written again without the rest.
///
/// # Errors
/// [`BackupError::Damaged`] when it cannot be known what the others name: then nothing is freed.
pub fn prune(repository: &mut Repository, keep: Keep, now: i64) -> Result<PruneReport, BackupError> {
    let all = repository.snapshots()?.good;
    let count = all.len();
    let (mut kept, mut report) = (Vec::new(), PruneReport::default());
    for (place, snapshot) in all.into_iter().enumerate() {
        if keep.keeps(snapshot.at, count - 1 - place, now) {
            kept.push(snapshot);
        } else {
            snapshot.remove(repository.folder())?;
            report.removed += 1;
        }
    }
    report.kept = kept.len() as u64;
    let mut needed: HashSet<Name> = HashSet::new();
    for snapshot in &kept {
        for name in &snapshot.tables {
            if needed.insert(*name) {
                let table: Table = repository.get_rows(*name)?;
                if table.name == "queued" {
                    let bodies = table.integers(["body"]);
                    needed.extend(bodies.map(|[body]| Name::body(Id::from_stored(body))));
                }
            }
        }
        for name in snapshot.parts() {
            if needed.insert(name) {
                let part: Messages = repository.get_rows(name)?;
                needed.extend(part.bodies().map(|(_, (body, _))| Name::body(body)));
            }
        }
    }
    report.freed = free(repository, &needed)?;
    Ok(report)
}

/// Returns how many octets there are less.
fn free(repository: &mut Repository, needed: &HashSet<Name>) -> Result<u64, BackupError> {
    let (packs, before) = (repository.packs().to_vec(), repository.written());
    let (mut removed, mut octets): (Vec<PathBuf>, u64) = (Vec::new(), 0);
    for (number, path) in packs.iter().enumerate() {
        let pack = Pack::open(path)?;
        let (mut used, mut live) = (0, Vec::new());
        for (name, begin) in pack.index()? {
            if needed.contains(&name) && repository.is_at(name, number, begin) {
                used += pack.space(begin)?;
                live.push((name, begin));
            }
        }
        let length = pack.length()?;
        if used * 2 >= length {
            continue;
        }
        // One that is damaged stays as it is: what can be read of it may still be wanted.
        let read = live.into_iter().map(|(name, begin)| Ok((name, pack.read(name, begin)?)));
        let Ok(objects) = read.collect::<Result<Vec<_>, BackupError>>() else { continue };
        objects.iter().try_for_each(|(name, object)| repository.put_anew(*name, object))?;
        octets += length;
        removed.push(path.clone());
    }
    // What is needed is safe elsewhere before it goes here.
    repository.seal()?;
    removed.iter().try_for_each(|path| repository.remove_pack(path))?;
    Ok(octets.saturating_sub(repository.written() - before))
}
