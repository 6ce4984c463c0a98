//! What `waypost backup` reads, in bounded pieces (see [`store::backup`]), and what `waypost restore` puts back.
//!
//! ```text
//! Facts   ─▶ of which data, of which schema
//! Cut     ─▶ which folders have changed, or all that is left at one moment   Piece … ─▶ when that is long
//! Changes ─▶ messages of such a folder, page by page
//! Bodies  ─▶ several bodies                                                  Piece … ─▶ of a large one
//!
//! Missing ─▶ which messages are not there any more     PutBack ─▶ what became of each
//! ```

mod back;
mod kept;

pub use back::{Back, Brief, Missing, PutBack};
pub(crate) use kept::Answers;

use crate::octets::Octets;
use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateDecoder, DeflateEncoder};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use store::Id;
use store::backup::{Absent, Changes as Changed, Facts as StoreFacts, Known, Named, Table};

/// Octets of one answer, before they are base64: it must fit into a line of the socket.
const MAX_PIECE: usize = 6 << 20;

/// Which data this is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {}

impl Operation for Facts {
    type Answer = StoreFacts;

    /// That everybody's mail is read is told to the log.
    fn changes(&self) -> Option<String> {
        Some("all data (backup)".to_owned())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<StoreFacts, AdminError> {
        Ok(operations.store.backup_facts().await?)
    }
}

/// As [`store::Store::cut`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cut {
    pub known: Vec<Known>,
}

/// The beginning of octets, the rest of which is fetched by [`Piece`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Long {
    pub id: Id,
    /// Of all of it.
    pub length: usize,
    pub first: Octets,
}

impl Operation for Cut {
    /// JSON of a [`store::backup::Cut`], compressed: see [`unpack`].
    type Answer = Long;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Long, AdminError> {
        let store = operations.store.clone();
        let packed = blocking(move || pack(&store.cut(&self.known)?)).await?;
        operations.answers.keep(packed)
    }
}

/// More of an answer that was too long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Piece {
    pub id: Id,
    pub offset: usize,
}

impl Operation for Piece {
    type Answer = Octets;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Octets, AdminError> {
        operations.answers.piece(self.id, self.offset)
    }
}

/// As [`store::Store::changed_messages`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Changes {
    pub folder: Known,
    pub after: u32,
}

impl Operation for Changes {
    type Answer = Changed;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Changed, AdminError> {
        let store = operations.store.clone();
        blocking(move || Ok(store.changed_messages(self.folder, self.after)?)).await
    }
}

/// As [`store::Store::import_notes`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImportNotes {
    pub after: Option<(Id, Octets)>,
}

impl Operation for ImportNotes {
    type Answer = Table;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Table, AdminError> {
        let store = operations.store.clone();
        let after = self.after.map(|(source, key)| (source, key.0.to_vec()));
        blocking(move || Ok(store.import_notes(after)?)).await
    }
}

/// The first of some bodies, as many as one answer holds; at least one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bodies {
    pub wanted: Vec<Named>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Whole(Octets),
    /// The rest is fetched by [`Piece`].
    Long(Long),
    Absent(Absent),
}

impl Operation for Bodies {
    type Answer = Vec<Body>;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<Vec<Body>, AdminError> {
        let (mut found, mut octets) = (Vec::new(), 0);
        for (id, size) in self.wanted {
            octets += usize::try_from(size).unwrap_or(usize::MAX / 2);
            if octets > MAX_PIECE && !found.is_empty() {
                break;
            }
            found.push(match operations.store.whole_body(id, size).await {
                Ok(whole) if whole.len() > MAX_PIECE => Body::Long(operations.answers.keep(whole)?),
                Ok(whole) => Body::Whole(whole.into()),
                Err(error) => Body::Absent(operations.store.why_absent(id, error)?),
            });
        }
        Ok(found)
    }
}

fn pack(cut: &store::backup::Cut) -> Result<Bytes, AdminError> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut encoder, cut).map_err(|error| AdminError::Failed(error.to_string()))?;
    Ok(encoder.finish()?.into())
}

/// What [`Cut`] answers, all pieces together.
pub fn unpack(octets: &[u8]) -> Result<store::backup::Cut, AdminError> {
    let mut decoder = DeflateDecoder::new(Vec::new());
    decoder.write_all(octets)?;
    let text = decoder.finish()?;
    serde_json::from_slice(&text).map_err(|error| AdminError::Failed(error.to_string()))
}
