//! Reading, piece by piece.
//!
//! ```text
//! Begins ── From ──▶ Header ── empty line ──▶ Body ──┐
//!                      ▲                        │    │ end of the file
//!                      └── empty line, From … ──┘    ▼
//!                                                   Ended
//! ```

use super::fields::{State, is_state};
use super::{from, is_quoted};
use crate::Flags;
use std::collections::VecDeque;
use std::io::{self, BufRead, Read as _};

/// Octets of a header; what is longer is taken for the text.
pub const MAX_HEADER: usize = 1 << 20;
/// Octets read at once: a longer line is given in several pieces.
const MAX_PIECE: u64 = 64 << 10;

/// What is in the file, in order. Each `Begin` is followed by `Data` and one `End`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Begin(Head),
    /// Of the message, from its header on: unquoted, without the fields of its state.
    Data(Vec<u8>),
    End,
}

/// What is known of a message when its header was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub sender: String,
    /// When it arrived, in milliseconds since 1970, if the `From ` line says so.
    pub date: Option<i64>,
    pub flags: Flags,
    /// The header, as the first `Data` has it.
    pub header: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Begins,
    Header,
    Body,
    Ended,
}

/// Reads an mbox. See the module's doc for the format.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    at: At,
    /// The `From ` line of the message whose header is read.
    from: from::Line,
    state: State,
    header: Vec<u8>,
    /// The field that is read is one of the message's state, and so are its further lines.
    in_state: bool,
    /// An empty line, which is the message's only if the message goes on.
    held: Option<Vec<u8>>,
    /// The message that is read is given to nobody.
    hidden: bool,
    skipped: u64,
    events: VecDeque<Event>,
    /// What is read next is the beginning of a line, not the rest of a long one.
    begins: bool,
    position: u64,
}

/// A line, or a piece of a long one.
struct Piece {
    bytes: Vec<u8>,
    begins: bool,
}

impl<R: BufRead> Reader<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            at: At::Begins,
            from: from::Line { sender: String::new(), date: None },
            state: State::default(),
            header: Vec::new(),
            in_state: false,
            held: None,
            hidden: false,
            skipped: 0,
            events: VecDeque::new(),
            begins: true,
            position: 0,
        }
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// Those of the file, and `InvalidData` when it does not begin with a `From ` line.
    #[expect(clippy::should_implement_trait, reason = "an iterator of results would go on after an error")]
    pub fn next(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.at == At::Ended {
                return Ok(None);
            }
            let bytes = self.read()?;
            let ends = bytes.ends_with(b"\n");
            let begins = std::mem::replace(&mut self.begins, ends);
            self.take(Piece { bytes, begins })?;
        }
    }

    /// Messages passed over: a program's own notes, and those that were deleted in it.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Octets of the file that were read.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.input).take(MAX_PIECE).read_until(b'\n', &mut bytes)?;
        self.position += bytes.len() as u64;
        Ok(bytes)
    }

    fn take(&mut self, piece: Piece) -> io::Result<()> {
        if piece.bytes.is_empty() {
            if self.at == At::Header {
                self.end_header();
            }
            self.end_message();
            self.at = At::Ended;
            return Ok(());
        }
        let empty = piece.begins && matches!(&piece.bytes[..], b"\n" | b"\r\n");
        match self.at {
            At::Begins if empty => {}
            At::Begins => match piece.bytes.strip_prefix(b"From ") {
                Some(sender) => {
                    let nameless =
                        || from::Line { sender: String::from_utf8_lossy(sender).trim().into(), date: None };
                    self.begin(from::parse(&piece.bytes).unwrap_or_else(nameless));
                }
                None => {
                    let text = "it does not begin with a `From ` line: it is no mbox";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
            },
            At::Header => self.header_line(piece, empty),
            At::Body => self.body_line(piece, empty),
            At::Ended => {}
        }
        Ok(())
    }

    fn begin(&mut self, from: from::Line) {
        self.from = from;
        self.at = At::Header;
        (self.state, self.in_state, self.hidden) = (State::default(), false, false);
        self.header.clear();
    }

    fn header_line(&mut self, piece: Piece, empty: bool) {
        let continues = !piece.begins || matches!(piece.bytes.first(), Some(b' ' | b'\t'));
        if !continues {
            self.in_state = is_state(&piece.bytes);
            self.state.add(&piece.bytes);
        }
        if !self.in_state || empty {
            self.header.extend_from_slice(&piece.bytes);
        }
        if empty {
            // Also where the next `From ` line follows at once.
            self.end_header();
            self.held = Some(Vec::new());
        } else if self.header.len() > MAX_HEADER {
            self.end_header();
        }
    }

    fn end_header(&mut self) {
        self.at = At::Body;
        let State { flags, hidden } = std::mem::take(&mut self.state);
        self.hidden = hidden;
        if hidden {
            self.skipped += 1;
            return;
        }
        let header = std::mem::take(&mut self.header);
        let sender = std::mem::take(&mut self.from.sender);
        self.events.push_back(Event::Begin(Head {
            sender,
            date: self.from.date,
            flags,
            header: header.clone(),
        }));
        self.data(header);
    }

    fn body_line(&mut self, mut piece: Piece, empty: bool) {
        if self.held.is_some()
            && piece.begins
            && let Some(from) = from::parse(&piece.bytes)
        {
            self.end_message();
            return self.begin(from);
        }
        if let Some(held) = self.held.take() {
            self.data(held);
        }
        if empty {
            self.held = Some(piece.bytes);
            return;
        }
        if piece.begins && is_quoted(&piece.bytes) {
            piece.bytes.remove(0);
        }
        self.data(piece.bytes);
    }

    fn data(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() && !self.hidden {
            self.events.push_back(Event::Data(bytes));
        }
    }

    fn end_message(&mut self) {
        self.held = None;
        if self.at == At::Body && !self.hidden {
            self.events.push_back(Event::End);
        }
    }
}
