//! One pass over a message in pieces: headers are kept as far as they are asked for, bodies are only counted.

use super::entity::{Contents, Entity};
use super::{Envelope, Kind, Parsed, Part};
use crate::header::{Field, Header};
use crate::mime::{MAX_DELIMITER, MAX_DEPTH, MAX_PARTS, delimiter};

/// Most of a header that is kept, in octets, counting the fields that are of use alone. Some thousand recipients fit; what
/// is longer is cut.
pub const MAX_HEADER_KEPT: usize = 256 * 1024;
/// Most that is kept of all headers of a message, in octets. When it is used up, parts are taken as if they had no header.
pub const MAX_KEPT: usize = 1024 * 1024;
/// What an address or a parameter counts for in [`MAX_KEPT`] besides its octets, so that memory stays near it.
const PIECE: usize = 64;

/// Finds the structure of a message that comes in pieces: see the [module](super).
#[derive(Debug, Default)]
pub struct Scanner(Walker<()>);

impl Scanner {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets, any number of them.
    pub fn feed(&mut self, octets: &[u8]) {
        self.0.feed(octets);
    }

    /// What it was: any octets are a message, no octets too.
    pub fn finish(self) -> Parsed {
        self.0.finish().0
    }
}

/// Whose header a field stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The message's own.
    Message,
    /// That of a part (RFC 2045 §3), here or in a message in it.
    Part,
    /// That of a message in it.
    Inner,
}

/// Who else wants to know what stands in the message, as it goes by.
pub(crate) trait Sink {
    /// A field, or if it is not `whole` its first [`MAX_HEADER_KEPT`] octets.
    fn field(&mut self, _field: &Field<'_>, _whose: Whose, _whole: bool) {}
    /// More of the field that was not whole.
    fn rest(&mut self, _octets: &[u8], _whose: Whose) {}
    /// The field that was not whole has ended.
    fn rest_ends(&mut self, _whose: Whose) {}
    /// The body of a leaf begins.
    fn begin(&mut self, _part: &Part, _header: &Header<'_>) {}
    /// More of it; the line end that belongs to the delimiter too.
    fn octets(&mut self, _octets: &[u8]) {}
    /// It has ended.
    fn end(&mut self) {}
    /// It was none, but what stands before the first part of a multipart.
    fn discard(&mut self) {}
}

impl Sink for () {}

/// The state of a scan. Lines are what matters, for a delimiter is a line and so are fields; a line that comes in
/// several pieces is collected until it can no longer be a delimiter.
#[derive(Debug)]
pub(crate) struct Walker<S> {
    sink: S,
    lines: Lines,
    /// The entities that are open, the message first. Once begun there is always one.
    open: Vec<Open>,
    /// Of the innermost, while its header is read: the fields of use, and the one that is being read, which is at most
    /// [`MAX_HEADER_KEPT`] long itself.
    header: Vec<u8>,
    /// Where that one starts, and whether it was cut.
    field: usize,
    cut: bool,
    /// How many parts there are, and what is kept of their headers.
    parts: usize,
    kept: usize,
    /// What is kept of the message's own header, and whether a field of use is not, or not whole.
    common: Vec<u8>,
    partial: bool,
}

/// Where in the message we are.
#[derive(Debug, Default)]
struct Lines {
    offset: u64,
    /// Line ends so far.
    count: u64,
    /// Octets of the line end just behind us.
    end: u64,
    last: u8,
    /// The start of a line of which the end has not come.
    start: Vec<u8>,
    /// Whether we are in a line too long for that.
    within: bool,
}

impl Lines {
    fn pass(&mut self, piece: &[u8]) {
        let before = piece.len().checked_sub(2).and_then(|at| piece.get(at)).copied().unwrap_or(self.last);
        let ends = piece.ends_with(b"\n");
        self.end = if ends { 1 + u64::from(before == b'\r') } else { 0 };
        self.count += u64::from(ends);
        self.offset += piece.len() as u64;
        self.last = piece.last().copied().unwrap_or(self.last);
    }
}

/// An entity that has begun.
#[derive(Debug)]
struct Open {
    start: u64,
    /// Whether it is a message, not just a part of one.
    message: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Header { in_digest: bool },
    Body(Box<Body>),
}

/// An entity of which the body is being read.
#[derive(Debug)]
struct Body {
    /// As far as it is known. What is in it is put there when it has ended.
    part: Part,
    /// Of a message in the message.
    envelope: Box<Envelope>,
    /// Line ends before the body.
    lines: u64,
    delimiters: Delimiters,
}

/// What delimits the parts of a multipart, while more may come.
#[derive(Debug)]
enum Delimiters {
    None,
    Of { boundary: String, digest: bool },
}

impl<S: Default> Default for Walker<S> {
    fn default() -> Self {
        Self::new(S::default())
    }
}

impl<S> Walker<S> {
    pub(crate) fn new(sink: S) -> Self {
        Self {
            sink,
            lines: Lines::default(),
            open: Vec::new(),
            header: Vec::new(),
            field: 0,
            cut: false,
            parts: 0,
            kept: 0,
            common: Vec::new(),
            partial: false,
        }
    }

    pub(crate) fn sink(&self) -> &S {
        &self.sink
    }
}

impl<S: Sink> Walker<S> {
    pub(crate) fn feed(&mut self, octets: &[u8]) {
        self.begin();
        let mut rest = octets;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map(|lf| lf + 1);
            let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
            self.piece(piece, end.is_some());
            rest = after;
        }
    }

    pub(crate) fn finish(mut self) -> (Parsed, S) {
        self.begin();
        let start = std::mem::take(&mut self.lines.start);
        if !start.is_empty() {
            self.line(&start, true);
        }
        let root = self.close(0, self.lines.offset, self.lines.count);
        let root = root.unwrap_or_else(|| Entity::read(&Header::parse(b""), false).part);
        (Parsed::new(self.common, !self.partial, root), self.sink)
    }

    fn begin(&mut self) {
        if self.open.is_empty() {
            self.enter(0, true, false);
        }
    }

    fn enter(&mut self, start: u64, message: bool, in_digest: bool) {
        self.parts += 1;
        self.open.push(Open { start, message, stage: Stage::Header { in_digest } });
    }

    /// Hands on lines in the same pieces however they come.
    fn piece(&mut self, piece: &[u8], ends: bool) {
        if self.lines.within {
            self.lines.within = !ends;
            return self.content(piece, false);
        }
        if self.lines.start.is_empty() && (ends || piece.len() > MAX_DELIMITER) {
            self.lines.within = !ends;
            return self.line(piece, ends);
        }
        let mut line = std::mem::take(&mut self.lines.start);
        line.extend_from_slice(piece);
        if ends || line.len() > MAX_DELIMITER {
            self.lines.within = !ends;
            self.line(&line, ends);
            line.clear();
        }
        self.lines.start = line;
    }

    /// A line, or the beginning of one that is too long for a delimiter.
    fn line(&mut self, line: &[u8], whole: bool) {
        if whole && line.starts_with(b"--") && self.delimiter(line) {
            self.lines.pass(line);
        } else {
            self.content(line, true);
        }
    }

    fn content(&mut self, piece: &[u8], starts: bool) {
        match self.open.last() {
            Some(Open { stage: Stage::Header { .. }, .. }) => self.header(piece, starts),
            Some(Open { stage: Stage::Body(body), .. }) if body.is_read() => self.sink.octets(piece),
            _ => {}
        }
        self.lines.pass(piece);
    }

    fn header(&mut self, piece: &[u8], starts: bool) {
        if starts && matches!(piece, b"\n" | b"\r\n") {
            return self.header_ends(self.lines.offset + piece.len() as u64, self.lines.count + 1);
        }
        // A line that starts with white space continues the field (RFC 5322 §2.2.3).
        if starts && !matches!(piece.first(), Some(b' ' | b'\t')) {
            self.field_ends();
        }
        let room = MAX_HEADER_KEPT.saturating_sub(self.header.len() - self.field);
        let (fits, rest) = piece.split_at(piece.len().min(room));
        self.header.extend_from_slice(fits);
        if rest.is_empty() {
            return;
        }
        if !std::mem::replace(&mut self.cut, true) {
            self.sink.field(&Field::read(&self.header[self.field..], 0), self.whose(), false);
        }
        self.sink.rest(rest, self.whose());
    }

    fn whose(&self) -> Whose {
        match self.open.last() {
            Some(Open { message: false, .. }) => Whose::Part,
            _ if self.open.len() > 1 => Whose::Inner,
            _ => Whose::Message,
        }
    }

    /// Looks at the field that was read, and forgets it unless it is of use.
    fn field_ends(&mut self) {
        let (mut cut, whose) = (std::mem::take(&mut self.cut), self.whose());
        let (top, message) = (self.open.len() == 1, whose != Whose::Part);
        let field = Field::read(&self.header[self.field..], 0);
        if cut {
            self.sink.rest_ends(whose);
        } else if !field.as_bytes().is_empty() {
            self.sink.field(&field, whose, true);
        }
        let of_use = field.name().map(|name| super::of_use(name, message, top));
        if of_use == Some(true) && self.header.len() > MAX_HEADER_KEPT {
            cut = true;
            self.header.truncate(MAX_HEADER_KEPT);
        }
        self.partial |= top && cut && of_use != Some(false);
        if of_use != Some(true) {
            self.header.truncate(self.field);
        } else if !self.header.ends_with(b"\n") {
            self.header.extend_from_slice(b"\r\n");
        }
        self.field = self.header.len();
    }

    fn header_ends(&mut self, at: u64, lines: u64) {
        self.field_ends();
        self.field = 0;
        let mut fields = std::mem::take(&mut self.header);
        let depth = self.open.len().saturating_sub(1);
        let Some(Open { start, message, stage }) = self.open.last_mut() else { return };
        let Stage::Header { in_digest } = *stage else { return };
        if self.kept + fields.len() > MAX_KEPT {
            fields.clear();
        }
        let header = Header::parse(&fields);
        let Entity { mut part, contents } = Entity::read(&header, in_digest);
        let inner = *message && depth > 0;
        let envelope = if inner { Envelope::read(&header) } else { Envelope::default() };
        self.kept += fields.len() + PIECE * (part.pieces() + envelope.addresses());
        (part.header, part.body) = ((*start).min(at)..at, at..at);
        let full = depth >= MAX_DEPTH || self.parts >= MAX_PARTS;
        let (mut delimiters, mut enters) = (Delimiters::None, false);
        match contents {
            Contents::Leaf => {}
            _ if full => part.becomes_leaf(),
            Contents::Message => enters = true,
            Contents::Multipart { boundary, digest } => {
                part.kind = Kind::Multipart(Vec::new());
                delimiters = Delimiters::Of { boundary, digest };
            }
        }
        if !enters {
            self.sink.begin(&part, &header);
        }
        *stage = Stage::Body(Box::new(Body { part, envelope: Box::new(envelope), lines, delimiters }));
        if enters {
            self.enter(at, true, false);
        }
        if depth == 0 {
            self.common = fields;
        }
    }

    /// Whether the line delimits parts of a multipart, the outermost first: what is left open in it has ended then.
    fn delimiter(&mut self, line: &[u8]) -> bool {
        let found = self.open.iter().enumerate().find_map(|(at, open)| Some((at, open.delimits(line)?)));
        let Some((at, (closes, digest))) = found else { return false };
        if !closes && self.parts >= MAX_PARTS {
            return false;
        }
        // The line end before a delimiter belongs to the delimiter, unless it is that of another one.
        let last = self.open.get(at + 1).map_or(self.lines.offset, |open| open.start);
        let end = self.lines.offset - self.lines.end;
        self.close(at + 1, end.max(last), self.lines.count.saturating_sub(u64::from(self.lines.end > 0)));
        if let Some(Open { stage: Stage::Body(body), .. }) = self.open.last_mut() {
            match (body.is_read(), closes) {
                (true, true) => self.sink.end(),
                (true, false) => self.sink.discard(),
                (false, _) => {}
            }
            if closes {
                body.delimiters = Delimiters::None;
            }
        }
        if !closes {
            self.enter(self.lines.offset + line.len() as u64, false, digest);
        }
        true
    }

    /// Ends all but the `left` outermost entities here. Returns the message when it is ended too.
    fn close(&mut self, left: usize, end: u64, lines: u64) -> Option<Part> {
        while self.open.len() > left {
            if let Some(Open { stage: Stage::Header { .. }, .. }) = self.open.last() {
                self.header_ends(end, lines);
                continue;
            }
            let Some(Open { stage: Stage::Body(body), .. }) = self.open.pop() else { continue };
            if body.is_read() {
                self.sink.end();
            }
            let (envelope, part) = body.finish(end, lines);
            let Some(Open { stage: Stage::Body(outer), .. }) = self.open.last_mut() else {
                return Some(part);
            };
            match &mut outer.part.kind {
                Kind::Multipart(parts) => parts.push(part),
                kind => *kind = Kind::Message(envelope, Box::new(part)),
            }
        }
        None
    }
}

impl Open {
    /// Whether the line is a delimiter of its parts: if it closes it, and if it is a digest.
    fn delimits(&self, line: &[u8]) -> Option<(bool, bool)> {
        let Stage::Body(body) = &self.stage else { return None };
        let Delimiters::Of { boundary, digest } = &body.delimiters else { return None };
        Some((delimiter(line, boundary)?, *digest))
    }
}

impl Body {
    /// Whether what comes next is its own text: of a leaf, or of a multipart that may be none.
    fn is_read(&self) -> bool {
        match (&self.part.kind, &self.delimiters) {
            (Kind::Multipart(parts), Delimiters::Of { .. }) => parts.is_empty(),
            (Kind::Multipart(_), Delimiters::None) => false,
            (Kind::Leaf, _) => true,
            (Kind::Message(..), _) => false,
        }
    }

    fn finish(self, end: u64, lines: u64) -> (Box<Envelope>, Part) {
        let mut part = self.part;
        part.header = part.header.start.min(end)..part.header.end.min(end);
        part.body = part.header.end..end;
        part.lines = lines.saturating_sub(self.lines);
        if matches!(&part.kind, Kind::Multipart(parts) if parts.is_empty()) {
            part.kind = Kind::Leaf;
            part.becomes_leaf();
        }
        (self.envelope, part)
    }
}
