//! What the other side is to an import: folders, and messages in them, given in bounded pieces.

use crate::exit::Failure;
use bytes::Bytes;
use mailfile::{Crlf, Flags};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Octets of a message that is given in one piece. Each may wait in a channel and in a batch.
pub(super) const MAX_WHOLE: usize = 1 << 20;
/// Octets of the pieces of a larger one.
pub(super) const PIECE: usize = 256 << 10;
/// Messages that were read and wait to be put: with [`MAX_WHOLE`], octets too.
pub(super) const AHEAD: usize = 16;
/// Pieces of a message that wait.
pub(super) const PIECES_AHEAD: usize = 4;

/// Keys of what was brought from a folder before, with the octets of each.
pub(super) type Known = Arc<HashMap<Vec<u8>, u64>>;

/// A folder of the other side.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// Decoded, outermost first; none: INBOX.
    pub(super) levels: Vec<String>,
    /// Special use, such as `\Sent`, where the other side says so.
    pub(super) role: Option<String>,
    pub(super) subscribed: bool,
    /// Names it for ever: what is remembered of it is found by this.
    pub(super) source: String,
}

/// What a folder has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) messages: u64,
    /// Those that were brought before.
    pub(super) known: u64,
    /// As the other side says, where it says.
    pub(super) octets: Option<u64>,
}

/// A message of the other side.
#[derive(Debug)]
pub(super) struct Message {
    /// Names it in its folder, for ever.
    pub(super) key: Vec<u8>,
    /// Names it for people.
    pub(super) label: String,
    pub(super) flags: Flags,
    /// Milliseconds since 1970.
    pub(super) received: i64,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Whole(Bytes),
    /// A large one. Without [`Piece::End`] it broke off: it comes again, or is said to have failed.
    Pieces(mpsc::Receiver<Piece>),
}

#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    End,
}

/// What comes out of a folder.
#[derive(Debug)]
pub(super) enum Item {
    /// So many messages more are to be expected: for the progress bar.
    Expected(u64),
    Message(Message),
    /// One that was brought before, with its flags as they are now, if the other side says them.
    Known {
        key: Vec<u8>,
        flags: Option<Flags>,
    },
    /// A message that cannot be read.
    Failed {
        label: String,
        why: String,
    },
}

/// Where a source puts what it reads.
pub(super) type Out = mpsc::Sender<Item>;

/// The other side. A folder is named by its place in what [`folders`](Self::folders) gave.
pub(super) trait Source {
    /// What is there, INBOX first.
    async fn folders(&mut self) -> Result<Vec<Folder>, Failure>;

    /// Names that are subscribed to though there is no such folder, by their levels.
    fn subscriptions(&self) -> Vec<Vec<String>> {
        Vec::new()
    }

    /// Reads a folder and gives what is not known, in order, and the flags of all that is known; without `out` it only
    /// counts. Ends early when nobody takes what it gives any more.
    async fn read(&mut self, folder: usize, known: Known, out: Option<Out>) -> Result<Count, Failure>;

    /// Number and octets of the messages of the folder that was read last, where the other side says them: what is here is
    /// compared with them.
    fn totals(&self) -> Option<(u64, u64)> {
        None
    }

    /// Whether the message of that key is one of these.
    fn has(&self, _key: &[u8]) -> bool {
        false
    }

    /// Takes leave of the other side.
    async fn end(&mut self) {}
}

/// What everybody but the text knows of a message.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) key: Vec<u8>,
    pub(super) label: String,
    pub(super) flags: Flags,
    pub(super) received: i64,
}

/// Puts a message together on a thread that may block: whole when it is small, else in pieces. Lone LFs become CRLFs.
#[derive(Debug)]
pub(super) struct Composer<'a> {
    out: &'a Out,
    head: Option<Head>,
    lines: Crlf,
    held: Vec<u8>,
    pieces: Option<mpsc::Sender<Piece>>,
}

/// Nobody takes messages any more.
#[derive(Debug)]
pub(super) struct Gone;

impl<'a> Composer<'a> {
    pub(super) fn new(out: &'a Out, head: Head) -> Self {
        Self { out, head: Some(head), lines: Crlf::default(), held: Vec::new(), pieces: None }
    }

    pub(super) fn write(&mut self, octets: &[u8]) -> Result<(), Gone> {
        self.lines.push(octets, &mut self.held);
        if self.pieces.is_none() && self.held.len() > MAX_WHOLE {
            let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
            self.give(Content::Pieces(receiver))?;
            self.pieces = Some(sender);
        }
        if self.pieces.is_some() && self.held.len() >= PIECE {
            self.give_piece()?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), Gone> {
        if self.pieces.is_none() {
            let whole = std::mem::take(&mut self.held).into();
            return self.give(Content::Whole(whole));
        }
        self.give_piece()?;
        // Whoever has refused the message has said so.
        let _ = self.pieces.take().map(|pieces| pieces.blocking_send(Piece::End));
        Ok(())
    }

    fn give(&mut self, content: Content) -> Result<(), Gone> {
        let Some(Head { key, label, flags, received }) = self.head.take() else { return Ok(()) };
        let message = Message { key, label, flags, received, content };
        self.out.blocking_send(Item::Message(message)).map_err(|_| Gone)
    }

    /// A message that was refused on its way is read to its end all the same, and nothing of it is kept.
    fn give_piece(&mut self) -> Result<(), Gone> {
        let piece = std::mem::take(&mut self.held).into();
        if let Some(pieces) = &self.pieces {
            let _ = pieces.blocking_send(Piece::Data(piece));
        }
        Ok(())
    }
}

/// The key of what has a long name.
pub(super) fn hash(name: &[u8]) -> Vec<u8> {
    /// Octets of it that are kept: enough that no two are ever the same by chance.
    const KEPT: usize = 16;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name);
    digest.as_ref().iter().take(KEPT).copied().collect()
}

/// Runs what blocks on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::no(format!("the import broke off: {error}"))))
}
