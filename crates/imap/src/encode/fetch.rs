//! FETCH (RFC 9051 §7.5.2).

use super::Encoder;
use crate::response::{ContentName, FetchData};
use crate::section::{Section, SectionText};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A FETCH response that is begun: items go between [`Encoder::begin_fetch`] and [`Encoder::end_fetch`], at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a response that is begun is to be ended"]
pub struct OpenFetch {
    first: bool,
    holds: Holds,
}

/// What the octets of a literal may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Of BINARY, which gives out NUL, in a literal8.
    Any,
    /// Of everything else (RFC 9051 §4.3.1).
    NoNul,
}

/// Stands for NUL where that cannot be: a message keeps its size, and what of it is fetched its offsets.
const FOR_NUL: u8 = 0x80;

impl Holds {
    fn of(name: &ContentName) -> Self {
        match name {
            ContentName::Binary { .. } => Self::Any,
            _ => Self::NoNul,
        }
    }
}

impl Encoder<'_> {
    /// `* 12 FETCH (`. What is written until its end must be its items and nothing else; the buffer may be sent in between.
    pub fn begin_fetch(&mut self, number: u32) -> OpenFetch {
        self.raw(b"* ");
        self.number(number);
        self.raw(b" FETCH (");
        OpenFetch { first: true, holds: Holds::NoNul }
    }

    pub fn fetch_item(&mut self, fetch: &mut OpenFetch, item: &FetchData) {
        self.separate(fetch);
        match item {
            FetchData::Uid(uid) => self.labelled(b"UID", *uid),
            FetchData::Flags { flags, recent } => {
                self.raw(b"FLAGS ");
                self.flags_of_message(flags, *recent);
            }
            FetchData::InternalDate(at) => {
                self.raw(b"INTERNALDATE ");
                self.date_time(at);
            }
            FetchData::Envelope(envelope) => {
                self.raw(b"ENVELOPE ");
                self.envelope(envelope);
            }
            FetchData::Structure { part, extended } => {
                self.raw(if *extended { b"BODYSTRUCTURE " } else { b"BODY " });
                self.structure(part, *extended);
            }
            FetchData::Content { name, value } => {
                self.content_name(name);
                match value {
                    Some(value) => {
                        fetch.holds = Holds::of(name);
                        self.literal_head(
                            value.len() as u64,
                            fetch.holds == Holds::Any && value.contains(&0),
                        );
                        self.octets(fetch, value);
                    }
                    None => self.nil(),
                }
            }
            FetchData::BinarySize { path, size } => {
                self.raw(b"BINARY.SIZE[");
                self.path(path);
                self.labelled(b"]", *size);
            }
            FetchData::Rfc822Size(size) => self.labelled(b"RFC822.SIZE", *size),
            FetchData::ModSeq(modseq) => self.value_in_parentheses(b"MODSEQ", |out| out.number(*modseq)),
            FetchData::SaveDate(at) => self.save_date(*at),
            FetchData::EmailId(id) => self.value_in_parentheses(b"EMAILID", |out| out.atom(id)),
            FetchData::ThreadId(Some(id)) => self.value_in_parentheses(b"THREADID", |out| out.atom(id)),
            FetchData::ThreadId(None) => self.raw(b"THREADID NIL"),
            FetchData::Preview(preview) => {
                self.raw(b"PREVIEW ");
                self.nstring(preview.as_deref());
            }
        }
    }

    /// The name and size of a section; exactly `size` of its [`octets`](Self::octets) are to follow. `nul`: they may hold NUL,
    /// so that BINARY is a literal8. The grammar has that there alone.
    pub fn fetch_literal(&mut self, fetch: &mut OpenFetch, name: &ContentName, size: u64, nul: bool) {
        self.separate(fetch);
        self.content_name(name);
        fetch.holds = Holds::of(name);
        self.literal_head(size, fetch.holds == Holds::Any && nul);
    }

    /// Octets of a literal whose size has been said. In what is not BINARY each NUL goes out as 0x80.
    pub fn octets(&mut self, fetch: &OpenFetch, octets: &[u8]) {
        if fetch.holds == Holds::Any {
            return self.raw(octets);
        }
        let mut rest = octets;
        while let Some(at) = memchr::memchr(0, rest) {
            let (clean, after) = rest.split_at(at);
            self.raw(clean);
            self.raw(&[FOR_NUL]);
            rest = after.get(1..).unwrap_or_default();
        }
        self.raw(rest);
    }

    pub fn end_fetch(&mut self, fetch: OpenFetch) {
        let OpenFetch { first: _, holds: _ } = fetch;
        self.raw(b")\r\n");
    }

    fn separate(&mut self, fetch: &mut OpenFetch) {
        if !std::mem::take(&mut fetch.first) {
            self.raw(b" ");
        }
    }

    fn value_in_parentheses(&mut self, label: &[u8], value: impl FnOnce(&mut Self)) {
        self.raw(label);
        self.raw(b" (");
        value(self);
        self.raw(b")");
    }

    fn save_date(&mut self, at: Option<Timestamp>) {
        self.raw(b"SAVEDATE ");
        match at {
            Some(at) => self.date_time(&at.to_zoned(TimeZone::UTC)),
            None => self.nil(),
        }
    }

    /// With the space behind it.
    fn content_name(&mut self, name: &ContentName) {
        let offset = match name {
            ContentName::Section { section, offset } => {
                self.raw(b"BODY[");
                self.section(section);
                self.raw(b"]");
                *offset
            }
            ContentName::Binary { path, offset } => {
                self.raw(b"BINARY[");
                self.path(path);
                self.raw(b"]");
                *offset
            }
            ContentName::Rfc822 => return self.raw(b"RFC822 "),
            ContentName::Rfc822Header => return self.raw(b"RFC822.HEADER "),
            ContentName::Rfc822Text => return self.raw(b"RFC822.TEXT "),
        };
        if let Some(offset) = offset {
            self.raw(b"<");
            self.number(offset);
            self.raw(b">");
        }
        self.raw(b" ");
    }

    pub(crate) fn section(&mut self, section: &Section) {
        self.path(&section.path);
        let Some(text) = &section.text else { return };
        if !section.path.is_empty() {
            self.raw(b".");
        }
        match text {
            SectionText::Header => self.raw(b"HEADER"),
            SectionText::Text => self.raw(b"TEXT"),
            SectionText::Mime => self.raw(b"MIME"),
            SectionText::HeaderFields { names, not } => {
                self.raw(if *not { b"HEADER.FIELDS.NOT " } else { b"HEADER.FIELDS " });
                self.list(names, |out, name| out.astring(name));
            }
        }
    }

    fn path(&mut self, path: &[u32]) {
        for (index, number) in path.iter().enumerate() {
            if index > 0 {
                self.raw(b".");
            }
            self.number(*number);
        }
    }
}
