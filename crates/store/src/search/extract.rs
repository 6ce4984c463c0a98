//! What is read of a body, once.

use crate::StoreError;
use crate::body::{Body, Content};
use message::structure::{Parsed, Scanner};
use message::text::{Extractor, Text, fold};
use std::io::Read as _;

/// Octets of a file that are read at once.
const PIECE: usize = 64 << 10;

/// What the search keeps of a body. Both texts are folded, so that they are compared octet by octet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extract {
    /// A line a field of the message's own header, `NAME: VALUE`.
    pub(super) header: String,
    /// The header fields of messages in it, the text of its parts, and the names of its attachments.
    pub(super) content: String,
}

impl Extract {
    fn new(text: &Text) -> Self {
        Self { header: fold(&text.header), content: fold(&text.inner) + &fold(&text.body) }
    }

    pub(super) fn of(body: &Body) -> Result<Self, StoreError> {
        Ok(read(body)?.0)
    }

    /// Octets of the texts.
    pub(super) fn len(&self) -> usize {
        self.header.len() + self.content.len()
    }
}

/// All that is kept of a body, in one pass over it: its texts, what it consists of, and its first words.
pub(super) fn read(body: &Body) -> Result<(Extract, Parsed, String), StoreError> {
    let mut extractor = Extractor::new();
    pieces(body, |piece| extractor.feed(piece))?;
    let (parsed, text) = extractor.finish();
    Ok((Extract::new(&text), parsed, message::preview(&text)))
}

/// What a body consists of.
pub(super) fn parse(body: &Body) -> Result<Parsed, StoreError> {
    let mut scanner = Scanner::new();
    pieces(body, |piece| scanner.feed(piece))?;
    Ok(scanner.finish())
}

/// Reads a body in order, on this thread.
fn pieces(body: &Body, mut each: impl FnMut(&[u8])) -> Result<(), StoreError> {
    let path = match &body.content {
        Content::Memory(bytes, _) => {
            each(bytes);
            return Ok(());
        }
        Content::File { path, .. } => path,
    };
    let mut read = || -> std::io::Result<()> {
        let mut file = std::fs::File::open(path)?;
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(()),
                length => each(&piece[..length]),
            }
        }
    };
    read().map_err(|e| StoreError::file(path, e))
}
