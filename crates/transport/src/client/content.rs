//! The octets of a message, in order: the trace fields of this copy, then the shared body.

use bytes::Bytes;
use std::io;
use store::{Body, BodyReader};

/// Octets given to the session at once: one piece on its way while the next is fetched.
const PIECE: usize = 64 * 1024;

/// A message as it is to be sent.
#[derive(Debug, Clone)]
pub struct Content {
    pub prefix: Bytes,
    pub body: Body,
}

impl Content {
    /// A message in memory.
    pub fn from_bytes(message: impl Into<Bytes>) -> Self {
        Self { prefix: Bytes::new(), body: Body::from_bytes(message) }
    }

    /// Octets in all.
    pub fn len(&self) -> u64 {
        self.prefix.len() as u64 + self.body.size()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it, for those who must change it.
    pub(crate) async fn read(&self) -> io::Result<Vec<u8>> {
        let body = self.body.read(usize::MAX).await?;
        Ok([&self.prefix[..], &body[..]].concat())
    }

    pub(super) fn source(&self) -> Source {
        let piece = match self.body.in_memory() {
            // One piece leaves in one packet, or in few; two would be written apart.
            Some(body) if body.len() + self.prefix.len() <= PIECE => {
                return Source {
                    piece: [&self.prefix[..], body].concat().into(),
                    rest: BodyReader::Memory(None),
                };
            }
            _ => self.prefix.clone(),
        };
        Source { piece, rest: self.body.reader() }
    }
}

pub(super) struct Source {
    piece: Bytes,
    rest: BodyReader,
}

impl Source {
    /// The next piece, never empty and at most `remaining` octets.
    pub(super) async fn next(&mut self, remaining: u64) -> io::Result<Bytes> {
        if self.piece.is_empty() {
            let short = || io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was");
            self.piece = self.rest.next().await?.ok_or_else(short)?;
        }
        let most = usize::try_from(remaining).unwrap_or(usize::MAX).min(PIECE);
        let count = self.piece.len().min(most);
        Ok(self.piece.split_to(count))
    }
}
