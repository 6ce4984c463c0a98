//! From the octets on the wire to those of the message: DATA's dots and BDAT's plain octets (RFC 5321 §4.5.2,
//! RFC 3030), without any line end that another server could read differently.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr2};

/// What to do with a CR or LF that stands alone. RFC 5321 §2.3.8 forbids both; servers that take one of them
/// for a line end let messages be smuggled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BareNewline {
    /// The message is read to its end and refused.
    #[default]
    Reject,
    /// Each becomes CRLF in what is passed on. The message still ends only where CRLF.CRLF stood on the wire,
    /// and the next client doubles the dots of every line that now begins with one.
    Normalise,
    /// Passed on: `BODY=BINARYMIME` only, which no DATA command ever carries.
    Keep,
}

/// How the end of the message is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By CRLF.CRLF; a dot that begins a line is taken off.
    Dot,
    /// By count.
    Counted,
}

/// What was seen in a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BodyFacts {
    /// Octets of the message, as passed on.
    pub octets: u64,
    /// An octet of 128 or more.
    pub has_8bit: bool,
    pub has_nul: bool,
    /// A CR or LF that stood alone on the wire.
    pub has_bare_newline: bool,
    /// The longest line in octets without its CRLF; not measured for `BODY=BINARYMIME`.
    pub longest_line: u64,
}

/// What one call decoded; either part may be empty, `head` comes first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    pub head: Bytes,
    pub tail: Bytes,
    /// CRLF.CRLF was read. What follows it is left in the input.
    pub end: bool,
}

/// Reads a message piece by piece; where the pieces are cut makes no difference to the message.
///
/// ```
/// use smtp::server::{BareNewline, BodyDecoder, Framing};
///
/// let mut decoder = BodyDecoder::new(Framing::Dot, BareNewline::Reject);
/// let mut input = bytes::BytesMut::from("hello\r\n..\r\n.\r\nQUIT\r\n");
/// let decoded = decoder.decode(&mut input);
/// assert!(decoded.end);
/// assert_eq!([decoded.head, decoded.tail].concat(), b"hello\r\n.\r\n");
/// assert_eq!(input, "QUIT\r\n");
/// ```
#[derive(Debug)]
pub struct BodyDecoder {
    framing: Framing,
    bare: BareNewline,
    state: State,
    line: u64,
    facts: BodyFacts,
}

/// ```text
///               "."            CR             LF
///  ┌▶ LineStart ───▶ Dot ──────────▶ DotCr ─────────▶ end
///  │      │           │ other          │ other: a bare CR
///  │      ▼           ▼                │
///  │   MidLine ◀───────────────────────┘◀──┐
///  │      │ CR                             │ other: a bare CR
///  │ LF   ▼                                │
///  └───── Cr ──────────────────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    MidLine,
    /// A CR, not yet passed on.
    Cr,
    /// A dot that began a line, not passed on.
    Dot,
    DotCr,
}

impl BodyDecoder {
    pub fn new(framing: Framing, bare: BareNewline) -> Self {
        Self { framing, bare, state: State::LineStart, line: 0, facts: BodyFacts::default() }
    }

    pub fn facts(&self) -> BodyFacts {
        BodyFacts { longest_line: self.facts.longest_line.max(self.line), ..self.facts }
    }

    /// Takes the whole input, or up to the end of the message. What is between two dots to take off or line
    /// ends to mend is not copied if it is the first such piece.
    pub fn decode(&mut self, input: &mut BytesMut) -> Decoded {
        if self.bare == BareNewline::Keep {
            return self.finished(Decoded { head: input.split().freeze(), ..Decoded::default() });
        }
        let mut out = Output::default();
        let (mut start, mut at, mut end) = (0, 0, false);
        while let Some(&octet) = input.get(at) {
            match (self.state, octet) {
                (State::LineStart, b'.') if self.framing == Framing::Dot => {
                    out.pass(input, start, at);
                    at += 1;
                    start = at;
                    self.state = State::Dot;
                }
                (State::LineStart | State::MidLine, _) => {
                    let found = self.scan_line(&input[at..]);
                    at += found.passed;
                    if let Some(state) = found.stopped {
                        out.pass(input, start, at);
                        at += 1;
                        start = at;
                        self.state = state;
                        if state == State::MidLine {
                            self.bare_newline(&mut out);
                        }
                    }
                }
                (State::Cr, b'\n') => {
                    out.put_crlf();
                    self.end_line();
                    at += 1;
                    start = at;
                }
                (State::Dot, b'\r') => {
                    self.state = State::DotCr;
                    at += 1;
                    start = at;
                }
                (State::DotCr, b'\n') => {
                    at += 1;
                    start = at;
                    end = true;
                    break;
                }
                (State::Cr | State::DotCr, _) => self.bare_newline(&mut out),
                (State::Dot, _) => self.state = State::MidLine,
            }
        }
        self.finished(out.decoded(input, start, at, end))
    }

    /// The end of a counted message: a CR at its very end is one that stands alone.
    pub fn finish(&mut self) -> Decoded {
        let mut out = Output::default();
        if self.state == State::Cr {
            self.bare_newline(&mut out);
        }
        self.finished(out.decoded(&mut BytesMut::new(), 0, 0, true))
    }

    /// Passes over whole lines until something is to be looked at or the octets are used up.
    fn scan_line(&mut self, octets: &[u8]) -> Scan {
        let Some(length) = memchr2(b'\r', b'\n', octets) else {
            self.state = State::MidLine;
            self.line += octets.len() as u64;
            return Scan { passed: octets.len(), stopped: None };
        };
        self.line += length as u64;
        match octets.get(length..length + 2) {
            Some(b"\r\n") => {
                self.end_line();
                Scan { passed: length + 2, stopped: None }
            }
            _ if octets.get(length) == Some(&b'\r') => Scan { passed: length, stopped: Some(State::Cr) },
            _ => Scan { passed: length, stopped: Some(State::MidLine) },
        }
    }

    fn end_line(&mut self) {
        self.facts.longest_line = self.facts.longest_line.max(self.line);
        self.line = 0;
        self.state = State::LineStart;
    }

    /// A CR or LF stood alone. It never begins a line of the wire, so no dot after it is taken off and no
    /// message ends there.
    fn bare_newline(&mut self, out: &mut Output) {
        self.facts.has_bare_newline = true;
        out.put_crlf();
        self.end_line();
        self.state = State::MidLine;
    }

    fn finished(&mut self, decoded: Decoded) -> Decoded {
        for part in [&decoded.head, &decoded.tail] {
            self.facts.octets += part.len() as u64;
            self.facts.has_8bit = self.facts.has_8bit || !part.is_ascii();
            self.facts.has_nul = self.facts.has_nul || memchr(0, part).is_some();
        }
        decoded
    }
}

struct Scan {
    passed: usize,
    /// The octet after those passed is a CR whose fellow is not seen yet, or a line end that stands alone.
    stopped: Option<State>,
}

/// The first piece is taken from the input as it lies there, the others are copied together.
#[derive(Default)]
struct Output {
    head: Option<usize>,
    tail: BytesMut,
}

impl Output {
    /// Passes on what stands from `start` to `at` in the input; what follows it there is something else.
    fn pass(&mut self, input: &[u8], start: usize, at: usize) {
        if self.head.is_none() && start == 0 {
            self.head = Some(at);
        } else {
            self.head.get_or_insert(0);
            self.tail.extend_from_slice(input.get(start..at).unwrap_or_default());
        }
    }

    fn put_crlf(&mut self) {
        self.head.get_or_insert(0);
        self.tail.extend_from_slice(b"\r\n");
    }

    fn decoded(mut self, input: &mut BytesMut, start: usize, at: usize, end: bool) -> Decoded {
        self.pass(input, start, at);
        let head = input.split_to(self.head.unwrap_or(at)).freeze();
        input.advance(at - head.len());
        Decoded { head, tail: self.tail.freeze(), end }
    }
}

#[cfg(test)]
mod tests;
