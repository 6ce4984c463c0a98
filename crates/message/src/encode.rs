//! What a message asks of the next server, and its form for one that takes 7-bit mail only (RFC 6152 §3).

use crate::codec::{self, Encoding};
use crate::field::MAX_LINE;
use crate::header::{Field, Header};
use crate::mime::{Kind, Part};
use crate::words;

/// What the bytes of a message need of every server on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    pub body: Body,
    /// The header has octets above 127, which only SMTPUTF8 (RFC 6531) carries by right. Old programs write such
    /// headers too; whether it is a matter of SMTPUTF8 is said by the envelope.
    pub smtputf8: bool,
}

/// What a body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Body {
    /// ASCII in lines of at most 998 octets.
    SevenBit,
    /// Octets above 127 in such lines: 8BITMIME (RFC 6152).
    EightBit,
    /// Longer lines, NUL, or CR or LF alone: BINARYMIME (RFC 3030).
    Binary,
}

impl Needs {
    pub fn of(message: &[u8]) -> Self {
        let (header, body) = message.split_at(Header::parse(message).body_offset());
        // A header may be beyond ASCII without its body being 8-bit, but its lines are lines as any other.
        let body = if Body::of(header) == Body::Binary { Body::Binary } else { Body::of(body) };
        Self { body, smtputf8: !header.is_ascii() }
    }
}

impl Body {
    /// Reads once through the bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut class = if bytes.is_ascii() { Self::SevenBit } else { Self::EightBit };
        let mut start = 0;
        for lf in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[start..lf];
            start = lf + 1;
            match line.split_last() {
                Some((b'\r', text)) if is_text(text) => {}
                _ => class = Self::Binary,
            }
        }
        if !is_text(&bytes[start..]) { Self::Binary } else { class }
    }
}

fn is_text(line: &[u8]) -> bool {
    line.len() <= MAX_LINE && memchr::memchr2(b'\r', 0, line).is_none()
}

/// A message in its 7-bit form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downgraded {
    /// ASCII in lines of at most 998 octets; every part's content is what it was.
    pub message: Vec<u8>,
    /// The signatures that hold no longer, for the trail.
    pub broken: Vec<Signature>,
}

/// A signature over bytes that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// `DKIM-Signature`, with its `d=`.
    Dkim { domain: String },
    /// An `ARC-Message-Signature`.
    Arc,
    /// A `multipart/signed` (RFC 1847): PGP/MIME or S/MIME.
    Mime,
}

/// Most signatures that are named. Real mail has a handful.
const MAX_SIGNATURES: usize = 32;

/// Re-encodes every part that is not 7-bit: text as quoted-printable, anything else as base64. Headers with octets above
/// 127 get encoded words, long lines are folded. `None`: it is 7-bit already.
pub fn downgrade(message: &[u8]) -> Option<Downgraded> {
    if Needs::of(message) == (Needs { body: Body::SevenBit, smtputf8: false }) {
        return None;
    }
    let root = Part::parse(message);
    let mut writer =
        Writer { message, out: Vec::with_capacity(message.len() / 2 * 3), mime_signature_broken: false };
    writer.part(&root, true);
    let mut broken = Vec::new();
    if writer.mime_signature_broken {
        broken.push(Signature::Mime);
    }
    let signatures = root.header.fields().filter_map(|field| {
        if field.is("DKIM-Signature") {
            return Some(Signature::Dkim { domain: dkim_domain(&field) });
        }
        field.is("ARC-Message-Signature").then_some(Signature::Arc)
    });
    broken.extend(signatures.take(MAX_SIGNATURES));
    Some(Downgraded { message: writer.out, broken })
}

/// The `d=` tag (RFC 6376 §3.5).
fn dkim_domain(field: &Field<'_>) -> String {
    let value = field.value();
    let mut tags = value.split(';').filter_map(|tag| tag.split_once('='));
    let domain = tags.find(|(name, _)| name.trim() == "d").map(|(_, value)| value.trim());
    crate::field::printable(domain.unwrap_or_default(), address::MAX_DOMAIN)
}

struct Writer<'a> {
    message: &'a [u8],
    out: Vec<u8>,
    mime_signature_broken: bool,
}

impl Writer<'_> {
    fn part(&mut self, part: &Part<'_>, root: bool) {
        let before = self.out.len();
        match &part.kind {
            Kind::Leaf => self.leaf(part, root),
            Kind::Opaque => self.opaque(part, root),
            Kind::Message(inner) => {
                self.header(part, Header7 { encoding: Some("7bit"), root, ..Header7::default() });
                self.part(inner, false);
            }
            Kind::Multipart(parts) => {
                self.header(part, Header7 { encoding: Some("7bit"), root, ..Header7::default() });
                let mut next = part.body.start;
                for child in parts {
                    self.between(&self.message[next..child.range.start]);
                    self.part(child, false);
                    next = child.range.end;
                }
                self.between(&self.message[next..part.body.end]);
            }
        }
        let original = &self.message[part.body.clone()];
        if part.media.is("multipart", "signed") && !self.out[before..].ends_with(original) {
            self.mime_signature_broken = true;
        }
    }

    fn leaf(&mut self, part: &Part<'_>, root: bool) {
        let body = &self.message[part.body.clone()];
        let encoding = Encoding::of(&part.header);
        if Body::of(body) == Body::SevenBit {
            let plain = (encoding == Encoding::Identity).then_some("7bit");
            self.header(part, Header7 { encoding: plain, root, ..Header7::default() });
            self.out.extend_from_slice(body);
            return;
        }
        if encoding == Encoding::Unknown {
            return self.opaque(part, root);
        }
        // A body that says it is encoded and is not quite is read as readers read it, and encoded well.
        let decoded;
        let content = match encoding {
            Encoding::Identity => body,
            _ => {
                decoded = encoding.decode(body);
                &decoded
            }
        };
        let text = part.media.kind == "text" || part.media.kind == "message";
        if text && encoding != Encoding::Base64 && suits_quoted_printable(content) {
            let charset =
                (!part.header.contains("Content-Type") && !content.is_ascii()).then(|| charset(content));
            self.header(
                part,
                Header7 { encoding: Some("quoted-printable"), content_type: charset, added: true, root },
            );
            codec::quoted_printable(content, &mut self.out);
        } else {
            let charset = (text && !part.header.contains("Content-Type")).then(|| charset(content));
            self.header(part, Header7 { encoding: Some("base64"), content_type: charset, added: true, root });
            codec::base64(content, &mut self.out);
        }
    }

    /// A composite body may not be encoded (RFC 2045 §6.4), so what cannot be taken apart becomes mere octets.
    fn opaque(&mut self, part: &Part<'_>, root: bool) {
        let body = &self.message[part.body.clone()];
        if Body::of(body) == Body::SevenBit {
            self.header(part, Header7 { root, ..Header7::default() });
            self.out.extend_from_slice(body);
            return;
        }
        let content_type = Some("application/octet-stream");
        self.header(part, Header7 { encoding: Some("base64"), content_type, added: true, root });
        codec::base64(body, &mut self.out);
    }

    /// Delimiters, and the text around parts that nobody reads.
    fn between(&mut self, bytes: &[u8]) {
        if Body::of(bytes) == Body::SevenBit {
            return self.out.extend_from_slice(bytes);
        }
        for line in bytes.split_inclusive(|&b| b == b'\n') {
            let text = line.trim_ascii_end();
            let clean =
                text.iter().take(MAX_LINE).map(|&b| if matches!(b, b' '..=b'~' | b'\t') { b } else { b'?' });
            self.out.extend(clean);
            if line.ends_with(b"\n") {
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    fn header(&mut self, part: &Part<'_>, new: Header7) {
        let mut said = false;
        for field in part.header.fields() {
            let replaced = field.is("Content-Type") && new.content_type.is_some();
            if field.is("Content-Transfer-Encoding") && new.encoding.is_some() {
                said = true;
            } else if !replaced {
                words::seven_bit_field(&field, &mut self.out);
            }
        }
        if !part.header.is_complete() && !new.added && part.body.is_empty() {
            return;
        }
        if self.out.last().is_some_and(|&b| b != b'\n') {
            self.out.extend_from_slice(b"\r\n");
        }
        if new.added && new.root && !part.header.contains("MIME-Version") {
            self.out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        }
        if let Some(content_type) = new.content_type {
            self.out.extend_from_slice(format!("Content-Type: {content_type}\r\n").as_bytes());
        }
        if let Some(encoding) = new.encoding.filter(|_| said || new.added) {
            self.out.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}\r\n").as_bytes());
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

/// How a part's header changes.
#[derive(Default)]
struct Header7 {
    /// Replaces `Content-Transfer-Encoding`.
    encoding: Option<&'static str>,
    /// Replaces `Content-Type`.
    content_type: Option<&'static str>,
    /// The encoding is said also where nothing was said before.
    added: bool,
    /// The message's own header, which must say that it is MIME.
    root: bool,
}

/// Whether quoted-printable is the shorter and more readable form.
fn suits_quoted_printable(content: &[u8]) -> bool {
    let escaped =
        content.iter().filter(|&&b| !matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n') || b == b'=').count();
    escaped < content.len() / 4 + 16
}

/// For text that does not say what it is (RFC 1428 §3 names `unknown-8bit`).
fn charset(content: &[u8]) -> &'static str {
    if std::str::from_utf8(content).is_ok() {
        "text/plain; charset=utf-8"
    } else {
        "text/plain; charset=unknown-8bit"
    }
}

#[cfg(test)]
mod tests;
