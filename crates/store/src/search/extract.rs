//! What is read of a body, once.

use crate::StoreError;
use crate::body::{Body, Content};
use message::structure::{Parsed, Scanner};
use std::io::Read as _;

/// Octets of a file that are read at once.
const PIECE: usize = 64 << 10;

/// What the search keeps of a body. Both texts are folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extract {
    /// A line a field of the message's own header, `name: value`.
    pub(super) header: String,
    /// The text of its parts, and the names of its attachments.
    pub(super) content: String,
}

impl Extract {
    pub(super) fn of(body: &Body) -> Result<Self, StoreError> {
        let mut whole = Vec::new();
        pieces(body, |piece| whole.extend_from_slice(piece))?;
        let view = message::View::read(&whole);
        let header: Vec<String> = view.fields.iter().map(|(n, v)| format!("{n}: {v}")).collect();
        let names: Vec<&str> = view.attachments.iter().map(|a| a.name.as_str()).collect();
        Ok(Self {
            header: fold(&header.join("\n")),
            content: fold(&(view.text() + "\n" + &names.join("\n"))),
        })
    }

    /// Octets of the texts.
    pub(super) fn len(&self) -> usize {
        self.header.len() + self.content.len()
    }
}

pub(super) fn fold(text: &str) -> String {
    text.to_lowercase()
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
