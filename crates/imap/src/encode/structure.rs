//! ENVELOPE, BODY and BODYSTRUCTURE (RFC 9051 §7.5.2).

use super::Encoder;
use message::structure::{Address, Disposition, Envelope, Kind, Part};

impl Encoder<'_> {
    pub(super) fn envelope(&mut self, envelope: &Envelope) {
        let Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id } =
            envelope;
        self.raw(b"(");
        self.spaced([date, subject], |out, text| out.nstring(text.as_ref()));
        for list in [from, sender, reply_to, to, cc, bcc] {
            self.raw(b" ");
            self.addresses(list);
        }
        for text in [in_reply_to, message_id] {
            self.raw(b" ");
            self.nstring(text.as_ref());
        }
        self.raw(b")");
    }

    /// `1*address`, without spaces between.
    fn addresses(&mut self, list: &[Address]) {
        if list.is_empty() {
            return self.nil();
        }
        self.raw(b"(");
        for Address { name, adl, mailbox, host } in list {
            self.list([name, adl, mailbox, host], |out, text| out.nstring(text.as_ref()));
        }
        self.raw(b")");
    }

    /// `extended`: BODYSTRUCTURE. Recursion is bounded by [`message::structure::MAX_DEPTH`].
    pub(super) fn structure(&mut self, part: &Part, extended: bool) {
        self.raw(b"(");
        if let Kind::Multipart(parts) = &part.kind {
            parts.iter().for_each(|part| self.structure(part, extended));
            self.raw(b" ");
            self.string(part.subtype.as_bytes());
            if extended {
                self.raw(b" ");
                self.parameters(&part.parameters);
                self.extension_data_of(part);
            }
        } else {
            self.single_part(part, extended);
        }
        self.raw(b")");
    }

    /// `body-type-1part`.
    fn single_part(&mut self, part: &Part, extended: bool) {
        self.spaced([&part.media_type, &part.subtype], |out, text| out.string(text.as_bytes()));
        self.raw(b" ");
        self.parameters(&part.parameters);
        for text in [&part.id, &part.description] {
            self.raw(b" ");
            self.nstring(text.as_ref());
        }
        self.raw(b" ");
        self.string(&part.encoding);
        // `number`: 32 bits.
        self.labelled(b"", part.size().min(u32::MAX.into()));
        if let Kind::Message(envelope, inner) = &part.kind {
            self.raw(b" ");
            self.envelope(envelope);
            self.raw(b" ");
            self.structure(inner, extended);
        }
        if part.media_type == "text" || matches!(part.kind, Kind::Message(..)) {
            self.labelled(b"", part.lines);
        }
        if extended {
            self.raw(b" ");
            self.nstring(part.md5.as_ref());
            self.extension_data_of(part);
        }
    }

    /// What parts of both kinds have at their end.
    fn extension_data_of(&mut self, part: &Part) {
        self.raw(b" ");
        match &part.disposition {
            Some(Disposition { kind, parameters }) => {
                self.raw(b"(");
                self.string(kind);
                self.raw(b" ");
                self.parameters(parameters);
                self.raw(b")");
            }
            None => self.nil(),
        }
        self.raw(b" ");
        match part.language.as_slice() {
            [] => self.nil(),
            languages => self.list(languages, |out, language| out.string(language)),
        }
        self.raw(b" ");
        self.nstring(part.location.as_ref());
    }

    fn parameters(&mut self, parameters: &[(Vec<u8>, Vec<u8>)]) {
        match parameters {
            [] => self.nil(),
            _ => self.list(parameters, |out, (name, value)| {
                out.string(name);
                out.raw(b" ");
                out.string(value);
            }),
        }
    }
}
