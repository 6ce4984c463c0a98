//! What is read of a body, once.

use crate::StoreError;
use crate::body::{Body, Content};
use message::structure::{Parsed, Scanner};
use message::text::{Cut, Extractor, Text, fold};
use std::io::Read as _;
use std::ops::ControlFlow;

/// Octets of a file that are read at once.
const PIECE: usize = 64 << 10;

/// Between two texts that are kept as one: no text has it, and no needle.
pub(super) const SEPARATOR: char = '\r';

/// What the search keeps of a body. Both texts are folded, so that they are compared octet by octet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extract {
    /// A line a field of the message's own header, `NAME: VALUE`; after a separator, those of its parts.
    pub(super) header: String,
    /// The header fields of messages in it; after a separator, the text of its parts and the names of its attachments.
    pub(super) content: String,
    /// What is not all there.
    pub(super) cut: Cut,
}

impl Extract {
    fn new(text: &Text) -> Self {
        let joined = |first: &str, second: &str| {
            let mut joined = fold(first);
            if !second.is_empty() {
                joined.push(SEPARATOR);
                joined += &fold(second);
            }
            joined
        };
        Self {
            header: joined(&text.header, &text.mime),
            content: joined(&text.inner, &text.body),
            cut: text.cut,
        }
    }

    /// Octets of the texts.
    pub(super) fn len(&self) -> usize {
        self.header.len() + self.content.len()
    }
}

/// All that is kept of a body, in one pass over it: its texts, what it consists of, and its first words.
pub(super) fn read(body: &Body) -> Result<(Extract, Parsed, String), StoreError> {
    let mut extractor = Extractor::new();
    pieces(body, |piece| {
        extractor.feed(piece);
        ControlFlow::Continue(())
    })?;
    let (parsed, text) = extractor.finish();
    Ok((Extract::new(&text), parsed, message::preview(&text)))
}

/// What a body consists of.
pub(super) fn parse(body: &Body) -> Result<Parsed, StoreError> {
    let mut scanner = Scanner::new();
    pieces(body, |piece| {
        scanner.feed(piece);
        ControlFlow::Continue(())
    })?;
    Ok(scanner.finish())
}

/// Reads a body in order, on this thread, until it is enough.
pub(super) fn pieces(body: &Body, mut each: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
    let path = match &body.content {
        Content::Memory(bytes, _) => {
            let _ = bytes.chunks(PIECE).try_for_each(each);
            return Ok(());
        }
        Content::File { path, .. } => path,
    };
    let mut read = || -> std::io::Result<()> {
        let mut file = std::fs::File::open(path)?;
        let mut piece = vec![0; PIECE];
        loop {
            let length = file.read(&mut piece)?;
            if length == 0 || each(&piece[..length]).is_break() {
                return Ok(());
            }
        }
    };
    read().map_err(|e| StoreError::file(path, e))
}
