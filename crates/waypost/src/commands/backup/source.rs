//! The data as a back-up reads it, through the server or without one.

use admin::backup::{Bodies, Body, Changes, Cut, Facts, ImportNotes, Long, Piece, unpack};
use admin::{AdminError, Client, Octets, Operation};
use backup::{BackupError, Fetched, Source, first_of};
use bytes::Bytes;
use store::Id;
use store::backup::{Changes as Changed, Cut as Moment, Facts as StoreFacts, Known, Named, Table};

pub(crate) struct Served<'a>(pub(crate) &'a Client);

impl Served<'_> {
    pub(crate) async fn call<O: Operation>(&self, operation: O) -> Result<O::Answer, BackupError> {
        self.0.call(operation).await.map_err(failed)
    }

    async fn all(&self, long: Long) -> Result<Bytes, BackupError> {
        let Octets(first) = long.first;
        if first.len() >= long.length {
            return Ok(first);
        }
        let mut all = first.to_vec();
        while all.len() < long.length {
            let piece = self.call(Piece { id: long.id, offset: all.len() }).await?;
            if piece.is_empty() {
                return Err(BackupError::Other("the server's answer ended too early".to_owned()));
            }
            all.extend_from_slice(&piece.0);
        }
        Ok(all.into())
    }
}

pub(crate) fn failed(error: AdminError) -> BackupError {
    let text = error.to_string();
    if error.is_temporary() { BackupError::Temporary(text) } else { BackupError::Other(text) }
}

impl Source for Served<'_> {
    async fn facts(&self) -> Result<StoreFacts, BackupError> {
        self.call(Facts {}).await
    }

    async fn cut(&self, known: Vec<Known>) -> Result<Moment, BackupError> {
        let long = self.call(Cut { known }).await?;
        unpack(&self.all(long).await?).map_err(failed)
    }

    async fn changes(&self, folder: Known, after: u32) -> Result<Changed, BackupError> {
        self.call(Changes { folder, after }).await
    }

    async fn import_notes(&self, after: Option<(Id, Vec<u8>)>) -> Result<Table, BackupError> {
        let after = after.map(|(source, key)| (source, key.into()));
        self.call(ImportNotes { after }).await
    }

    async fn bodies(&self, wanted: &[Named]) -> Result<Vec<Fetched>, BackupError> {
        let mut fetched = Vec::new();
        for body in self.call(Bodies { wanted: first_of(wanted).to_vec() }).await? {
            fetched.push(match body {
                Body::Whole(octets) => Ok(octets.0),
                Body::Long(long) => Ok(self.all(long).await?),
                Body::Absent(absent) => Err(absent),
            });
        }
        Ok(fetched)
    }
}
