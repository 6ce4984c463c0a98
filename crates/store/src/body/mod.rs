//! Bodies: the bytes of messages, kept once however many mailboxes and queue entries name them.
//!
//! Small ones are rows of `bodies.db`, larger ones files. A body in memory counts against one budget that all
//! sessions share; past it, bodies go to disk while they are received.

pub(crate) mod files;
mod spool;
mod sqlite;

pub use spool::{Budget, Spool};
pub(crate) use sqlite::{drop_reference, insert, is_named, load, named, remove, sweep, unreferenced};

use crate::Id;
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;

/// Bodies up to this many bytes are rows, larger ones files (DESIGN.md: 64–256 KiB, by measuring). A row is written twice, to
/// the log and from there to its page, a file once and with two syncs of its own: beside 64 KiB, messages of 100 KB had a
/// tenth less delivered with a disk that had nothing else to do, and a third more with one that was busy.
pub const INLINE_LIMIT: usize = 128 << 10;
/// Pieces in which a file is read.
const PIECE: usize = 64 << 10;

/// A body that is in memory, or durable in a file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Body {
    pub(crate) id: Id,
    pub(crate) content: Content,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// The share of the budget is held only to be given back when the last clone goes.
    Memory(Bytes, #[expect(dead_code)] Option<Arc<spool::Share>>),
    File {
        path: PathBuf,
        size: u64,
        /// While no job has taken it.
        unnamed: Option<Arc<files::Unnamed>>,
    },
}

impl Body {
    /// A body made here (a notification, an appended message), outside the budget of what peers send.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self { id: Id::generate(), content: Content::Memory(bytes.into(), None) }
    }

    pub fn id(&self) -> Id {
        self.id
    }

    /// Octets, without any copy's prefix.
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes, _) => bytes.len() as u64,
            Content::File { size, .. } => *size,
        }
    }

    /// The bytes, when they are in memory.
    pub fn in_memory(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Memory(bytes, _) => Some(bytes),
            Content::File { .. } => None,
        }
    }

    /// Reads piece by piece, never holding more than one of 64 KiB of a file.
    pub fn reader(&self) -> BodyReader {
        self.reader_at(0)
    }

    /// The same from an octet on; nothing when there are not so many.
    pub fn reader_at(&self, offset: u64) -> BodyReader {
        match &self.content {
            Content::Memory(bytes, _) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                BodyReader::Memory(Some(bytes.slice(offset.min(bytes.len())..)))
            }
            Content::File { path, .. } => BodyReader::Closed(path.clone(), offset),
        }
    }

    /// The whole of it, or its first `limit` octets.
    pub async fn read(&self, limit: usize) -> std::io::Result<Bytes> {
        if let Some(bytes) = self.in_memory() {
            return Ok(bytes.slice(..bytes.len().min(limit)));
        }
        let (mut whole, mut reader) = (Vec::new(), self.reader());
        while let Some(piece) = reader.next().await? {
            let room = limit - whole.len();
            whole.extend_from_slice(&piece[..piece.len().min(room)]);
            if whole.len() == limit {
                break;
            }
        }
        Ok(whole.into())
    }
}

/// Gives a body's bytes in order.
#[derive(Debug)]
pub enum BodyReader {
    Memory(Option<Bytes>),
    /// Not opened yet, and where to begin.
    Closed(PathBuf, u64),
    Open(std::fs::File),
}

impl BodyReader {
    /// The next piece, `None` at the end. File reads happen on the blocking pool.
    pub async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        let state = std::mem::replace(self, Self::Memory(None));
        let file = match state {
            Self::Memory(bytes) => return Ok(bytes.filter(|b| !b.is_empty())),
            Self::Closed(path, offset) => Ok((path, offset)),
            Self::Open(file) => Err(file),
        };
        let read = tokio::task::spawn_blocking(move || -> std::io::Result<(std::fs::File, Vec<u8>)> {
            use std::io::{Read as _, Seek as _, SeekFrom};
            let mut file = match file {
                Ok((path, offset)) => {
                    let mut file = std::fs::File::open(path)?;
                    file.seek(SeekFrom::Start(offset))?;
                    file
                }
                Err(open) => open,
            };
            let mut piece = Vec::with_capacity(PIECE);
            (&mut file).take(PIECE as u64).read_to_end(&mut piece)?;
            Ok((file, piece))
        });
        let (file, piece) = read.await.map_err(std::io::Error::other)??;
        if piece.is_empty() {
            return Ok(None);
        }
        *self = Self::Open(file);
        Ok(Some(piece.into()))
    }
}
