//! Making data from a back-up.

use crate::BackupError;
use crate::pack::Pack;
use crate::repository::Repository;
use crate::run::Progress;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use std::path::Path;
use store::backup::{Loaded, Loader, Messages, QueueFate, Table};

/// Octets of bodies that are put in at once.
const BATCH: usize = 8 << 20;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeReport {
    /// The snapshot's moment, in milliseconds since 1970.
    pub at: i64,
    #[serde(flatten)]
    pub loaded: Loaded,
    /// What of the back-up could not be read.
    pub damaged: Vec<String>,
}

/// Makes the data of a snapshot in a folder that has none.
///
/// # Errors
/// [`BackupError::Refused`] when there is data; [`BackupError::Damaged`] when what is not messages cannot be read.
pub fn whole(
    repository: &Repository,
    snapshot: &Snapshot,
    data: &Path,
    queue: QueueFate,
    progress: &impl Progress,
) -> Result<WholeReport, BackupError> {
    let mut loader = Loader::new(data, snapshot.schema)?;
    let mut damaged = repository.damaged().to_vec();
    for name in &snapshot.tables {
        loader.load(&repository.get_rows::<Table>(*name)?)?;
    }
    for name in snapshot.parts() {
        match repository.get_rows::<Messages>(name) {
            Ok(part) => [part.messages, part.prefixes].iter().try_for_each(|table| loader.load(table))?,
            Err(BackupError::Damaged(what)) => damaged.push(what),
            Err(error) => return Err(error),
        }
    }
    load_bodies(repository, snapshot, &mut loader, &mut damaged, progress)?;
    let loaded = loader.finish(queue)?;
    Ok(WholeReport { at: snapshot.at, loaded, damaged })
}

/// Pack by pack, in the order in which they were written: each is read once.
fn load_bodies(
    repository: &Repository,
    snapshot: &Snapshot,
    loader: &mut Loader,
    damaged: &mut Vec<String>,
    progress: &impl Progress,
) -> Result<(), BackupError> {
    let (mut batch, mut octets, mut done) = (Vec::new(), 0, 0);
    for (number, path) in repository.packs().iter().enumerate() {
        let pack = Pack::open(path)?;
        for (name, begin) in pack.index()? {
            let Some(id) = name.as_body() else { continue };
            if !repository.is_at(name, number, begin) || !loader.names(id)? {
                continue;
            }
            match pack.read(name, begin) {
                Ok(body) => {
                    octets += body.len();
                    batch.push((id, body));
                }
                Err(BackupError::Damaged(what)) => damaged.push(what),
                Err(error) => return Err(error),
            }
            if octets > BATCH {
                loader.add_bodies(&batch)?;
                done += batch.len() as u64;
                progress.at(done, snapshot.messages.max(done));
                (batch, octets) = (Vec::new(), 0);
            }
        }
    }
    Ok(loader.add_bodies(&batch)?)
}
