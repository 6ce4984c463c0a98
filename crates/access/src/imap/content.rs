//! The octets of a section: found by what is kept parsed, read piece by piece.

use super::stop::{Outcome, Stop};
use ::message::structure::{Parsed, Part, SectionOf, header_fields};
use ::message::transfer::Decoder;
use bytes::Bytes;
use imap::response::Code;
use imap::section::{Partial, Section, SectionText};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use store::mailbox::Message;
use store::{Body, BodyReader};

/// Octets of a header that is read to pick fields from it: what `message` reads of one.
const MAX_HEADER: usize = ::message::MAX_HEADER;
/// Encoded parts up to so many octets are decoded into memory; longer ones twice, to be measured first.
const DECODED_AT_ONCE: u64 = 256 * 1024;

/// What a section is.
#[derive(Debug)]
pub(super) enum Content {
    /// There is no such part.
    Nil,
    Octets(Source),
    /// Only how many there are.
    Size {
        path: Vec<u32>,
        source: Source,
    },
}

impl Content {
    /// `BODY[…]`. Without what is parsed only the whole message can be had.
    pub(super) fn section(message: &Message, parsed: Option<&Parsed>, section: &Section) -> Self {
        let of = match &section.text {
            None => SectionOf::Whole,
            Some(SectionText::Mime) => SectionOf::Mime,
            Some(SectionText::Text) => SectionOf::Text,
            Some(SectionText::Header | SectionText::HeaderFields { .. }) => SectionOf::Header,
        };
        let top = section.path.is_empty();
        let range = match parsed {
            _ if top && of == SectionOf::Whole => Some(0..message.body.size()),
            Some(parsed) => parsed.octets(&section.path, of),
            None => None,
        };
        let Some(range) = range else { return Self::Nil };
        let mut spans = vec![Span::Body(message.body.clone(), range)];
        // It is above the header of this copy.
        if top && of != SectionOf::Text {
            spans.insert(0, Span::Memory(message.prefix.clone()));
        }
        let form = match &section.text {
            Some(SectionText::HeaderFields { names, not }) => {
                Form::Fields { names: names.clone(), not: *not }
            }
            _ => Form::AsIs,
        };
        Self::Octets(Source::new(spans, form))
    }

    /// `BINARY[…]`: without the content-transfer-encoding (RFC 9051 §6.4.5).
    pub(super) fn binary(message: &Message, parsed: Option<&Parsed>, path: &[u32]) -> Outcome<Self> {
        if path.is_empty() {
            return Ok(Self::section(message, parsed, &Section::default()));
        }
        let Some(part) = parsed.and_then(|parsed| parsed.section(path)) else { return Ok(Self::Nil) };
        let form = decoded(part)?;
        let span = Span::Body(message.body.clone(), part.body.clone());
        Ok(Self::Octets(Source::new(vec![span], form)))
    }

    pub(super) fn part(self, partial: Option<Partial>) -> Self {
        match (self, partial) {
            (Self::Octets(source), Some(_)) => Self::Octets(source.part(partial)),
            (whole, _) => whole,
        }
    }

    pub(super) fn size_of(self, path: &[u32]) -> Self {
        match self {
            Self::Octets(source) => Self::Size { path: path.to_vec(), source },
            // BINARY.SIZE has no NIL: a part that is not there has no octets.
            _ => Self::Size { path: path.to_vec(), source: Source::memory(Bytes::new()) },
        }
    }
}

/// A part's own encoding, if it is one that can be taken away.
fn decoded(part: &Part) -> Outcome<Form> {
    match Decoder::new(&part.encoding) {
        Some(_) => Ok(Form::Decoded { encoding: part.encoding.clone() }),
        None => {
            let encoding = String::from_utf8_lossy(&part.encoding);
            Err(Stop::no(Code::UnknownCte, format!("the encoding {encoding:?} is not known")))
        }
    }
}

/// Octets that can be measured and then read.
#[derive(Debug)]
pub(super) struct Source {
    /// One after the other.
    spans: Vec<Span>,
    form: Form,
    partial: Option<Partial>,
    reading: Option<Reading>,
}

#[derive(Debug, Clone)]
enum Span {
    Memory(Bytes),
    Body(Body, Range<u64>),
}

/// What is made of the spans' octets.
#[derive(Debug, Clone)]
enum Form {
    AsIs,
    Decoded { encoding: Vec<u8> },
    Fields { names: Vec<String>, not: bool },
}

/// What a literal needs before its first octet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measured {
    pub(super) size: u64,
    /// It may hold NUL, which BINARY gives out.
    pub(super) nul: bool,
}

impl Source {
    pub(super) fn memory(octets: Bytes) -> Self {
        Self::new(vec![Span::Memory(octets)], Form::AsIs)
    }

    fn new(spans: Vec<Span>, form: Form) -> Self {
        Self { spans, form, partial: None, reading: None }
    }

    pub(super) fn part(self, partial: Option<Partial>) -> Self {
        Self { partial, ..self }
    }

    fn stored(&self) -> u64 {
        self.spans.iter().map(Span::len).sum()
    }

    /// How many octets [`Source::next`] will give.
    pub(super) async fn measure(&mut self) -> Outcome<Measured> {
        let whole = match &self.form {
            Form::AsIs => Measured { size: self.stored(), nul: self.spans.iter().any(Span::may_have_nul) },
            Form::Fields { names, not } => {
                let fields = header_fields(&self.read_stored(MAX_HEADER).await?, names, *not);
                self.become_memory(fields)
            }
            Form::Decoded { .. } if self.stored() <= DECODED_AT_ONCE => {
                let mut octets = Vec::new();
                let mut reading = Reading::new(self);
                while let Some(piece) = reading.next().await? {
                    octets.extend_from_slice(&piece);
                }
                self.become_memory(octets)
            }
            Form::Decoded { .. } => {
                let (mut whole, mut reading) = (Measured::default(), Reading::new(self));
                while let Some(piece) = reading.next().await? {
                    whole.size += piece.len() as u64;
                    whole.nul |= piece.contains(&0);
                }
                whole
            }
        };
        let Some(Partial { offset, length }) = self.partial else { return Ok(whole) };
        Ok(Measured { size: whole.size.saturating_sub(offset).min(length), ..whole })
    }

    fn become_memory(&mut self, octets: Vec<u8>) -> Measured {
        let measured = Measured { size: octets.len() as u64, nul: octets.contains(&0) };
        (self.spans, self.form) = (vec![Span::Memory(octets.into())], Form::AsIs);
        measured
    }

    /// The next octets, in order; `None` at the end. Those before the offset that was asked for are left out; the end is
    /// whoever measured to see to.
    pub(super) async fn next(&mut self) -> Outcome<Option<Bytes>> {
        if self.reading.is_none() {
            let mut reading = Reading::new(self);
            reading.skip = self.partial.map_or(0, |partial| partial.offset);
            self.reading = Some(reading);
        }
        let Some(reading) = &mut self.reading else { return Ok(None) };
        reading.next().await
    }

    /// What is stored, as it is, up to a bound.
    async fn read_stored(&self, limit: usize) -> Outcome<Vec<u8>> {
        let (mut all, mut reading) = (Vec::new(), Reading::of(&self.spans, None));
        while let Some(piece) = reading.next().await? {
            all.extend_from_slice(&piece[..piece.len().min(limit - all.len())]);
            if all.len() == limit {
                break;
            }
        }
        Ok(all)
    }
}

impl Span {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(octets) => octets.len() as u64,
            Self::Body(_, range) => range.end - range.start,
        }
    }

    /// Not so where that can be seen in memory. Large ones are not read for it: they would be read twice.
    fn may_have_nul(&self) -> bool {
        match self {
            Self::Memory(octets) => octets.contains(&0),
            Self::Body(body, range) => body.in_memory().is_none_or(|octets| {
                let [start, end] =
                    [range.start, range.end].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
                octets.get(start..end.min(octets.len())).is_some_and(|octets| octets.contains(&0))
            }),
        }
    }

    fn open(self) -> (BodyReader, u64) {
        let length = self.len();
        match self {
            Self::Memory(octets) => (BodyReader::Memory(Some(octets)), length),
            Self::Body(body, range) => (body.reader_at(range.start), length),
        }
    }
}

/// One pass over spans.
#[derive(Debug)]
struct Reading {
    spans: VecDeque<Span>,
    /// With how many octets of it are still to come.
    current: Option<(BodyReader, u64)>,
    decoder: Option<Decoder>,
    /// Octets of the result that nobody wants.
    skip: u64,
}

impl Reading {
    fn new(source: &Source) -> Self {
        let decoder = match &source.form {
            Form::Decoded { encoding } => Decoder::new(encoding),
            _ => None,
        };
        Self::of(&source.spans, decoder)
    }

    fn of(spans: &[Span], decoder: Option<Decoder>) -> Self {
        Self { spans: spans.iter().cloned().collect(), current: None, decoder, skip: 0 }
    }

    async fn next(&mut self) -> Outcome<Option<Bytes>> {
        loop {
            let stored = self.next_stored().await.map_err(|error| {
                tracing::error!(protocol = %"imap", %error, "a message cannot be read");
                Stop::no(Code::ServerBug, "the message cannot be read; the log tells why")
            })?;
            let ended = stored.is_none();
            let piece = match (&mut self.decoder, stored) {
                (None, None) => return Ok(None),
                (None, Some(piece)) => piece,
                (Some(decoder), Some(piece)) => {
                    let mut out = Vec::with_capacity(piece.len());
                    decoder.feed(&piece, &mut out);
                    out.into()
                }
                (Some(_), None) => {
                    let mut out = Vec::new();
                    if let Some(decoder) = self.decoder.take() {
                        decoder.finish(&mut out);
                    }
                    out.into()
                }
            };
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
            self.skip -= skipped as u64;
            if skipped < piece.len() {
                return Ok(Some(piece.slice(skipped..)));
            }
            if ended {
                return Ok(None);
            }
        }
    }

    /// As it is stored. Whole spans that nobody wants are not read, as far as they are not decoded.
    async fn next_stored(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some((reader, left)) = &mut self.current
                && *left > 0
                && let Some(mut piece) = reader.next().await?
            {
                piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= piece.len() as u64;
                return Ok(Some(piece));
            }
            let Some(mut span) = self.spans.pop_front() else { return Ok(None) };
            if let (Span::Body(_, range), true) = (&mut span, self.decoder.is_none()) {
                let skipped = self.skip.min(range.end - range.start);
                range.start += skipped;
                self.skip -= skipped;
            }
            self.current = Some(span.open());
        }
    }
}

#[cfg(test)]
mod tests;
