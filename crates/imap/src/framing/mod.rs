//! Framing: from octets to commands, before anything looks at their meaning (RFC 9051 §2.2.1, §4.3, RFC 7888).
//!
//! A command is text with literals in it; what a client may make a server hold is decided here. A literal is refused
//! before it is read. The messages of APPEND and REPLACE are not held at all: they pass by in pieces.
//!
//! A line ends with CRLF. An LF alone ends it too, but what it ended is refused: where two readers disagree about the
//! end of a line, one of them can be made to see commands that the other does not.

use crate::command::{AppendMessage, AppendTarget, Tag};
use crate::parse::append::Appending;
use crate::parse::{Context, Problem, Refused};
use bytes::{Bytes, BytesMut};
use std::fmt;
use steps::Step;

mod head;
mod steps;

/// Longest non-synchronizing literal under LITERAL- (RFC 7888 §5).
pub const MAX_LITERAL_MINUS: u64 = 4_096;

/// What one command may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of text, without its literals, with CRLFs.
    pub line: usize,
    /// Literals, messages apart.
    pub literals: usize,
    /// Octets of all of them, messages apart.
    pub literal_octets: usize,
    /// Octets thrown away to find the end of a refused command; a client that sends more is cut off.
    pub skipped: u64,
    /// LITERAL+ is on offer: non-synchronizing literals may be longer than [`MAX_LITERAL_MINUS`].
    pub literal_plus: bool,
}

impl Limits {
    /// Nobody knows who it is. LOGIN has two literals, and a SASL response fits in the line.
    pub const BEFORE_LOGIN: Self = Self {
        line: 8 * 1024,
        literals: 4,
        literal_octets: 4 * 1024,
        skipped: 64 * 1024,
        literal_plus: false,
    };
    /// A set of 10,000 separate messages is 60 KB of text (RFC 7162 §4 asks for 8 KB at least); the longest literals
    /// are values of METADATA. What is skipped may be a message that is refused and cannot be stopped, having been sent
    /// without waiting.
    pub const AFTER_LOGIN: Self = Self {
        line: 64 * 1024,
        literals: 64,
        literal_octets: 64 * 1024,
        skipped: 256 * 1024 * 1024,
        literal_plus: false,
    };
}

/// A command without its last CRLF; literals are in place, heads and all: `a1 LOGIN {3}␍␊abc pw`.
#[derive(Clone, PartialEq, Eq)]
pub struct Line(Bytes);

impl Line {
    pub fn new(octets: impl Into<Bytes>) -> Self {
        Self(octets.into())
    }

    pub fn octets(&self) -> &Bytes {
        &self.0
    }
}

/// It may be a password.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({} octets)", self.0.len())
    }
}

/// What the client did.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole command, for [`crate::parse::parse`].
    Line(Line),
    /// It waits for `+` before it sends a literal, which is welcome.
    Continue,
    /// It wants to send a message: [`Framer::take_message`] or [`Framer::refuse_message`] comes next.
    Message(Message),
    MessageData(Bytes),
    MessageEnd,
    /// APPEND or REPLACE ended properly after its last message.
    Appended {
        tag: Tag,
        target: AppendTarget,
    },
    /// The rest of the command whose message was refused is past: time for the tagged answer.
    MessageRefused {
        tag: Tag,
    },
    /// The command is past and was not understood. If messages came before, they are void.
    Refused(Refused),
    /// Where the next command begins is not known, or too far away: say BYE with this text, and close.
    Lost(&'static str),
}

/// A message that wants in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub tag: Tag,
    pub target: AppendTarget,
    pub message: AppendMessage,
    /// It waits for `+`, after [`Framer::take_message`].
    pub synchronizing: bool,
}

/// Octets that wait to become frames.
pub struct Framer {
    buffer: BytesMut,
    limits: Limits,
    context: Context,
    state: State,
    /// Up to here `buffer` has been cut into text and literals, all of the command that is being read.
    framed: usize,
    /// Up to here there is no LF after `framed`.
    scanned: usize,
    text: usize,
    literals: usize,
    literal_octets: usize,
    /// Messages have passed by: the text that is being read comes after the last of them.
    appending: Option<Appending>,
}

/// Passwords may wait in it.
impl fmt::Debug for Framer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framer")
            .field("state", &self.state)
            .field("octets", &self.buffer.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum State {
    Text,
    /// To this octet of the buffer.
    Literal(usize),
    /// The caller decides about a message.
    Offered {
        size: u64,
        synchronizing: bool,
    },
    Message(u64),
    /// Looks for the end of a refused command, of which so many octets are a literal, unless it is `done`; then says
    /// so.
    Skip {
        literal: u64,
        skipped: u64,
        done: bool,
        then: Box<Frame>,
    },
    Lost,
}

impl Framer {
    pub fn new(limits: Limits) -> Self {
        Self {
            buffer: BytesMut::new(),
            limits,
            context: Context::default(),
            state: State::Text,
            framed: 0,
            scanned: 0,
            text: 0,
            literals: 0,
            literal_octets: 0,
            appending: None,
        }
    }

    /// At once; meant for between commands.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// From the next command on.
    pub fn set_context(&mut self, context: Context) {
        self.context = context;
    }

    /// What the client sent. Held until frames are taken: the caller stops reading while it has no use for them.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Lost) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Octets held.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Octets of memory held for them.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Forgets what was sent ahead of TLS (RFC 9051 §6.2.1) or of compression, and gives it.
    pub fn take_rest(&mut self) -> Bytes {
        let rest = self.buffer.split().freeze();
        self.reset();
        rest
    }

    /// The next frame, when there is one.
    pub fn poll(&mut self) -> Option<Frame> {
        loop {
            let step = match &self.state {
                State::Text => self.poll_text(),
                State::Literal(end) if self.buffer.len() >= *end => {
                    (self.framed, self.scanned) = (*end, *end);
                    self.state = State::Text;
                    Step::Again
                }
                State::Message(left) => self.poll_message(*left),
                State::Skip { .. } => self.poll_skip(),
                State::Literal(_) | State::Offered { .. } | State::Lost => Step::Wait,
            };
            match step {
                Step::Again => {}
                Step::Wait => return None,
                Step::Out(frame) => return Some(frame),
            }
        }
    }

    /// The next line where no command is expected: the response to a challenge, the end of IDLE. It has no literals.
    /// Gives [`Frame::Line`], [`Frame::Refused`] or [`Frame::Lost`].
    pub fn poll_reply(&mut self) -> Option<Frame> {
        if matches!(self.state, State::Skip { .. } | State::Lost) {
            return self.poll();
        }
        let text = match self.find_text() {
            Ok(text) => text?,
            Err(problem) => {
                self.refuse_text(problem);
                return self.poll();
            }
        };
        let line = self.buffer.split_to(text.end).freeze();
        self.reset();
        Some(match text.crlf {
            true => Frame::Line(Line(line.slice(..text.end - 2))),
            false => Frame::Refused(Refused::of(b"", Problem::BareLf)),
        })
    }

    /// Its octets come next, as frames.
    pub fn take_message(&mut self) {
        if let State::Offered { size, .. } = self.state {
            self.state = State::Message(size);
        }
    }

    /// The rest of the command is skipped, as far as the client sends it nevertheless; [`Frame::MessageRefused`]
    /// follows.
    pub fn refuse_message(&mut self) {
        let State::Offered { size, synchronizing } = self.state else { return };
        let Some(appending) = self.appending.take() else { return };
        self.refuse(Frame::MessageRefused { tag: appending.tag }, (!synchronizing).then_some(size));
    }
}

#[cfg(test)]
mod tests;
