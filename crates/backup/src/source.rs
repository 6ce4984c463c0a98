//! Where a back-up reads the data from.

use crate::BackupError;
use bytes::Bytes;
use store::backup::{Absent, Changes, Cut, Facts, Known, Named, Table};
use store::{Id, Store};

/// Octets of bodies that are asked for at once.
const MAX_OCTETS: u64 = 4 << 20;

/// A body, or why there is none.
pub type Fetched = Result<Bytes, Absent>;

/// The data of an installation: a running server's, or a store.
pub trait Source {
    fn facts(&self) -> impl Future<Output = Result<Facts, BackupError>>;
    /// As [`Store::cut`].
    fn cut(&self, known: Vec<Known>) -> impl Future<Output = Result<Cut, BackupError>>;
    /// As [`Store::changed_messages`].
    fn changes(&self, folder: Known, after: u32) -> impl Future<Output = Result<Changes, BackupError>>;
    /// As [`Store::import_notes`].
    fn import_notes(&self, after: Option<(Id, Vec<u8>)>) -> impl Future<Output = Result<Table, BackupError>>;
    /// The first of some bodies; at least one.
    fn bodies(&self, wanted: &[Named]) -> impl Future<Output = Result<Vec<Fetched>, BackupError>>;
}

impl Source for Store {
    async fn facts(&self) -> Result<Facts, BackupError> {
        Ok(self.backup_facts().await?)
    }

    async fn cut(&self, known: Vec<Known>) -> Result<Cut, BackupError> {
        Ok(Self::cut(self, &known)?)
    }

    async fn changes(&self, folder: Known, after: u32) -> Result<Changes, BackupError> {
        Ok(self.changed_messages(folder, after)?)
    }

    async fn import_notes(&self, after: Option<(Id, Vec<u8>)>) -> Result<Table, BackupError> {
        Ok(Self::import_notes(self, after)?)
    }

    async fn bodies(&self, wanted: &[Named]) -> Result<Vec<Fetched>, BackupError> {
        let mut fetched = Vec::new();
        for (id, size) in first_of(wanted) {
            fetched.push(match self.whole_body(*id, *size).await {
                Ok(octets) => Ok(octets),
                Err(error) => Err(self.why_absent(*id, error)?),
            });
        }
        Ok(fetched)
    }
}

/// As many as are asked for at once.
pub fn first_of(wanted: &[Named]) -> &[Named] {
    let mut octets = 0;
    let fit = wanted.iter().take_while(|(_, size)| {
        octets += size;
        octets <= MAX_OCTETS
    });
    let count = fit.count().max(1).min(wanted.len());
    &wanted[..count]
}
