//! Responses out of a stream: lines, and the literals in them.

use super::parse::{self, Place, Response};
use crate::response::{ContentName, FetchData};
use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Longest response, with the literals that are kept in it. RFC 9051 names no bound; the longest known are SEARCH and the
/// BODYSTRUCTURE of messages of thousands of parts.
pub const MAX_RESPONSE: usize = 1 << 20;
/// Literals in one response. An ENVELOPE with 8-bit names has one an address.
pub const MAX_LITERALS: usize = 10_000;
/// Sections in one FETCH that are given out in pieces; what came before them is read again for each.
pub const MAX_SECTIONS: usize = 1_000;

/// Reads what a server says.
#[derive(Debug, Default)]
pub struct Reader {
    /// Sections of FETCH that have so many octets are given out in pieces, shorter ones in the response. At most
    /// [`MAX_RESPONSE`].
    pub stream_from: u64,
    /// Names of mailboxes are UTF-8: the server has said that UTF8=ACCEPT or IMAP4rev2 is enabled.
    pub unicode: bool,
    input: BytesMut,
    /// As far as it has come, with the literals but those that were given out.
    response: Vec<u8>,
    /// Where the line that is being read began.
    line: usize,
    /// Where in `response` the octets of a literal are missing.
    streamed: Vec<usize>,
    literals: usize,
    within: Within,
}

#[derive(Debug, Default, Clone, Copy)]
enum Within {
    #[default]
    Line,
    /// So many octets of a literal that is kept are to come.
    Literal(usize),
    /// So many of one that is given out.
    Section(u64),
}

/// What was read.
#[derive(Debug, PartialEq)]
pub enum Read {
    Response(Response),
    /// In a FETCH: this section's octets come next, in pieces. `before` is what came before it, often the UID; all that is
    /// not given out in pieces comes again in the response itself, at its end.
    Section {
        number: u32,
        before: Vec<FetchData>,
        name: ContentName,
        size: u64,
    },
    Octets(Bytes),
    SectionEnd,
}

/// The server breaks a bound, or speaks another protocol. There is no going on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    #[error("the server sent a response of more than {MAX_RESPONSE} octets")]
    TooLong,
    #[error("the server sent a response of more than {MAX_LITERALS} literals")]
    TooManyLiterals,
    #[error("the server announced a literal of {0} octets")]
    Literal(String),
    #[error("the server said {0:?}, which is not IMAP")]
    NotImap(String),
}

impl Reader {
    /// Until the server has said otherwise names of mailboxes are modified UTF-7.
    pub fn new(stream_from: u64) -> Self {
        Self { stream_from, ..Self::default() }
    }

    pub fn push(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
    }

    /// Octets that wait to be read.
    pub fn waiting(&self) -> usize {
        self.input.len()
    }

    /// Forgets what was not read yet: it came before TLS.
    pub fn clear(&mut self) {
        *self = Self { stream_from: self.stream_from, unicode: self.unicode, ..Self::default() };
    }

    /// The next thing, or `None` when more input is needed.
    ///
    /// # Errors
    /// See [`ReadError`]: the connection is to be closed.
    pub fn read(&mut self) -> Result<Option<Read>, ReadError> {
        loop {
            match self.within {
                Within::Section(0) => {
                    self.within = Within::Line;
                    self.line = self.response.len();
                    return Ok(Some(Read::SectionEnd));
                }
                _ if self.input.is_empty() => return Ok(None),
                Within::Section(left) => return Ok(Some(self.section(left))),
                Within::Literal(left) => self.literal(left),
                Within::Line => {
                    if let Some(read) = self.line()? {
                        return Ok(Some(read));
                    }
                }
            }
        }
    }

    fn section(&mut self, left: u64) -> Read {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(self.input.len());
        self.within = Within::Section(left - len as u64);
        Read::Octets(self.input.split_to(len).freeze())
    }

    fn literal(&mut self, left: usize) {
        let len = left.min(self.input.len());
        self.response.extend_from_slice(&self.input[..len]);
        self.input.advance(len);
        self.within = match left - len {
            0 => {
                self.line = self.response.len();
                Within::Line
            }
            left => Within::Literal(left),
        };
    }

    /// Takes in a line or what there is of it.
    fn line(&mut self) -> Result<Option<Read>, ReadError> {
        let end = memchr::memchr(b'\n', &self.input).map(|at| at + 1);
        let len = end.unwrap_or(self.input.len());
        if self.response.len() + len > MAX_RESPONSE {
            return Err(ReadError::TooLong);
        }
        self.response.extend_from_slice(&self.input[..len]);
        self.input.advance(len);
        if end.is_none() {
            return Ok(None);
        }
        match literal_size(&self.response, self.line) {
            Some(digits) => self.begin_literal(&digits),
            None => self.end_response().map(Some),
        }
    }

    fn begin_literal(&mut self, digits: &str) -> Result<Option<Read>, ReadError> {
        let size: u64 = digits.parse().map_err(|_| ReadError::Literal(digits.to_owned()))?;
        self.literals += 1;
        if self.literals > MAX_LITERALS {
            return Err(ReadError::TooManyLiterals);
        }
        if size >= self.stream_from
            && self.streamed.len() < MAX_SECTIONS
            && let Some((number, before, name)) = parse::open_section(self.place())
        {
            self.streamed.push(self.response.len());
            self.within = Within::Section(size);
            return Ok(Some(Read::Section { number, before, name, size }));
        }
        let kept = usize::try_from(size).unwrap_or(usize::MAX);
        if kept.saturating_add(self.response.len()) > MAX_RESPONSE {
            return Err(ReadError::TooLong);
        }
        self.within = Within::Literal(kept);
        if kept == 0 {
            self.literal(0);
        }
        Ok(None)
    }

    fn end_response(&mut self) -> Result<Read, ReadError> {
        let place = self.place();
        let response = parse::response(place).ok_or_else(|| {
            ReadError::NotImap(
                parse::printable(&place.octets[..place.octets.len().min(200)]).trim_end().to_owned(),
            )
        })?;
        self.response.clear();
        self.streamed.clear();
        (self.line, self.literals) = (0, 0);
        Ok(Read::Response(response))
    }

    fn place(&self) -> Place<'_> {
        Place { octets: &self.response, streamed: &self.streamed, unicode: self.unicode }
    }
}

/// The digits of `{5}` or `~{5}` at the end of a line. Words for people may end like this as well, and have none.
fn literal_size(response: &[u8], line: usize) -> Option<String> {
    if line == 0 && parse::is_status(response) {
        return None;
    }
    let text = response.get(line..)?;
    let text = text.strip_suffix(b"\n")?;
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let text = text.strip_suffix(b"}")?;
    // RFC 7888's `+` is for clients, and is forgiven.
    let text = text.strip_suffix(b"+").unwrap_or(text);
    let open = text.iter().rposition(|byte| *byte == b'{')?;
    let digits = text.get(open + 1..)?;
    let fits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    fits.then(|| String::from_utf8_lossy(digits.get(..20).unwrap_or(digits)).into_owned())
}
