//! [`Parsed`] in few octets, to be kept beside the message.
//!
//! A version, then the fields that are kept, then the parts. Numbers are LEB128; octets are preceded by their number.
//! The envelope is not there: it is read from the fields again.

use super::{Address, Disposition, Envelope, Kind, Octets, Parameters, Parsed, Part};
use crate::mime::MAX_DEPTH;

/// Changes with the form, and with what [`super::Scanner`] makes of a message: what was kept before is made anew.
const VERSION: u8 = 2;

impl Parsed {
    /// For [`Self::from_bytes`]: some hundred octets for most messages, and never more than a few times
    /// [`MAX_KEPT`](super::MAX_KEPT).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Output(vec![VERSION, u8::from(self.whole)]);
        out.octets(&self.common);
        out.part(&self.root, 0);
        out.0
    }

    /// What [`Self::to_bytes`] was called on; `None` if these octets are of another version, or damaged, and the message
    /// has to be scanned again. Takes memory in proportion to `bytes`, whatever they are.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        let version = input.octet()?;
        let whole = input.octet()? == 1;
        let common = input.octets()?.to_vec();
        let root = input.part(0, 0)?;
        (version == VERSION && input.0.is_empty()).then(|| Self::new(common, whole, root))
    }
}

struct Output(Vec<u8>);

impl Output {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn octets(&mut self, octets: &[u8]) {
        self.number(octets.len() as u64);
        self.0.extend_from_slice(octets);
    }

    /// The number is one more than that of the octets, or zero.
    fn optional(&mut self, octets: &Option<Octets>) {
        self.number(octets.as_ref().map_or(0, |octets| octets.len() as u64 + 1));
        self.0.extend_from_slice(octets.as_deref().unwrap_or_default());
    }

    fn list<T>(&mut self, list: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.number(list.len() as u64);
        list.iter().for_each(|one| each(self, one));
    }

    fn parameters(&mut self, parameters: &Parameters) {
        self.list(parameters, |out, (name, value)| {
            out.octets(name);
            out.octets(value);
        });
    }

    /// Offsets count from `base`, where the part around it starts.
    fn part(&mut self, part: &Part, base: u64) {
        self.octets(part.media_type.as_bytes());
        self.octets(part.subtype.as_bytes());
        self.parameters(&part.parameters);
        for field in [&part.id, &part.description, &part.md5, &part.location] {
            self.optional(field);
        }
        self.octets(&part.encoding);
        self.list(part.disposition.as_slice(), |out, disposition| {
            out.octets(&disposition.kind);
            out.parameters(&disposition.parameters);
        });
        self.list(&part.language, |out, tag| out.octets(tag));
        self.number(part.header.start - base);
        self.number(part.header.end - part.header.start);
        self.number(part.body.end - part.body.start);
        self.number(part.lines);
        match &part.kind {
            Kind::Leaf => self.0.push(0),
            Kind::Multipart(parts) => {
                self.0.push(1);
                self.list(parts, |out, inner| out.part(inner, part.header.start));
            }
            Kind::Message(envelope, inner) => {
                self.0.push(2);
                self.envelope(envelope);
                self.part(inner, part.header.start);
            }
        }
    }

    fn envelope(&mut self, envelope: &Envelope) {
        let Envelope { date, subject, in_reply_to, message_id, .. } = envelope;
        [date, subject, in_reply_to, message_id].into_iter().for_each(|text| self.optional(text));
        let Envelope { from, sender, reply_to, to, cc, bcc, .. } = envelope;
        for list in [from, sender, reply_to, to, cc, bcc] {
            self.list(list, |out, Address { name, adl, mailbox, host }| {
                [name, adl, mailbox, host].into_iter().for_each(|text| out.optional(text));
            });
        }
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn octet(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            if bits.leading_zeros() < shift {
                return None;
            }
            number |= bits << shift;
            if octet < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let (octets, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(octets)
    }

    fn octets(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        self.take(len)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.octets()?.to_vec()).ok()
    }

    fn optional(&mut self) -> Option<Option<Octets>> {
        match self.number()? {
            0 => Some(None),
            more => Some(Some(self.take(more - 1)?.to_vec())),
        }
    }

    /// Every item takes an octet at least, so that a list is no longer than the input.
    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.number()?;
        if len > self.0.len() as u64 {
            return None;
        }
        (0..len).map(|_| each(self)).collect()
    }

    fn parameters(&mut self) -> Option<Parameters> {
        self.list(|input| Some((input.octets()?.to_vec(), input.octets()?.to_vec())))
    }

    fn part(&mut self, base: u64, depth: usize) -> Option<Part> {
        if depth > MAX_DEPTH {
            return None;
        }
        let (media_type, subtype, parameters) = (self.text()?, self.text()?, self.parameters()?);
        let (id, description) = (self.optional()?, self.optional()?);
        let (md5, location) = (self.optional()?, self.optional()?);
        let encoding = self.octets()?.to_vec();
        let disposition = self.list(|input| {
            Some(Disposition { kind: input.octets()?.to_vec(), parameters: input.parameters()? })
        })?;
        let language = self.list(|input| Some(input.octets()?.to_vec()))?;
        let start = base.checked_add(self.number()?)?;
        let body = start.checked_add(self.number()?)?;
        let end = body.checked_add(self.number()?)?;
        let lines = self.number()?;
        let kind = match self.octet()? {
            0 => Kind::Leaf,
            1 => Kind::Multipart(self.list(|input| input.part(start, depth + 1))?),
            2 => Kind::Message(Box::new(self.envelope()?), Box::new(self.part(start, depth + 1)?)),
            _ => return None,
        };
        let fine = !matches!(&kind, Kind::Multipart(parts) if parts.is_empty());
        fine.then_some(Part {
            media_type,
            subtype,
            parameters,
            id,
            description,
            encoding,
            md5,
            disposition: disposition.into_iter().next(),
            language,
            location,
            header: start..body,
            body: body..end,
            lines,
            kind,
        })
    }

    fn envelope(&mut self) -> Option<Envelope> {
        let (date, subject) = (self.optional()?, self.optional()?);
        let (in_reply_to, message_id) = (self.optional()?, self.optional()?);
        let mut lists = [const { Vec::new() }; 6];
        for list in &mut lists {
            *list = self.list(|input| {
                let (name, adl) = (input.optional()?, input.optional()?);
                Some(Address { name, adl, mailbox: input.optional()?, host: input.optional()? })
            })?;
        }
        let [from, sender, reply_to, to, cc, bcc] = lists;
        Some(Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id })
    }
}
