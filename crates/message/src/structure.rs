//! What a message is made of, found in one pass over its octets: the envelope and the tree of its parts, as IMAP shows
//! them (RFC 9051 §7.5.2).
//!
//! [`Scanner`] is given the message in pieces of any size and keeps no more than bounded headers of it: the result is
//! the same however it is cut, and takes no more memory for a large message than for a small one. Any octets are a message.
//! [`Parsed`] holds ranges of those octets, and has a compact form to be kept.
//!
//! ```
//! use message::structure::{Kind, Scanner};
//!
//! let mut scanner = Scanner::new();
//! for piece in [&b"Subject: hi\r\nContent-Type: multi"[..], b"part/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n"] {
//!     scanner.feed(piece);
//! }
//! let parsed = scanner.finish();
//! assert_eq!(parsed.envelope.subject.as_deref(), Some(&b"hi"[..]));
//! let part = parsed.section(&[1]).unwrap();
//! assert_eq!((part.media_type.as_str(), part.size()), ("text", 3));
//! assert!(matches!(parsed.root.kind, Kind::Multipart(_)));
//! ```

mod compact;
mod entity;
mod envelope;
mod scan;

pub use envelope::{Address, Envelope};
pub use scan::{MAX_HEADER_KEPT, MAX_KEPT, Scanner, Whose};
pub(crate) use scan::{Sink, Walker};

use crate::header::{Field, Header};
pub use crate::mime::{MAX_DEPTH, MAX_PARTS};
use std::ops::Range;
use std::sync::Arc;

/// Octets as they stand in the message, unfolded but not decoded; without CR, LF and NUL.
pub type Octets = Vec<u8>;
/// `name=value` of RFC 2045 §5.1 in order, unquoted. Those of RFC 2231 stay as they are: `filename*0*` is such a name.
pub type Parameters = Vec<(Octets, Octets)>;

/// A message as [`Scanner`] found it. Offsets count from its first octet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Shared, as is `root`, with whoever writes it out: a listing has thousands of them.
    pub envelope: Arc<Envelope>,
    /// The message itself, as a part whose header is the message's.
    pub root: Arc<Part>,
    /// The fields of the message's header for which [`of_use`] holds, as they stand in it.
    common: Vec<u8>,
    /// Whether those are all of them, whole.
    whole: bool,
}

/// An entity of MIME (RFC 2045 §2.4): the message, one of its parts, or a message in it.
///
/// The media type says what the part was taken for: it is `multipart` just where `kind` is [`Kind::Multipart`], and
/// `message/rfc822` or `message/global` just where it is [`Kind::Message`]. What says that it is a multipart but has no
/// delimiters is shown as `text/plain`, a message that is encoded, or nested too deep, as `application/octet-stream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// In lower case, `text` if nothing is said.
    pub media_type: String,
    /// In lower case, `plain` if nothing is said.
    pub subtype: String,
    /// Of Content-Type; `charset=us-ascii` when there is no such field that can be read (RFC 2045 §5.2).
    pub parameters: Parameters,
    /// Content-ID, with its angle brackets.
    pub id: Option<Octets>,
    /// Content-Description.
    pub description: Option<Octets>,
    /// Content-Transfer-Encoding; `7bit` if nothing is said.
    pub encoding: Octets,
    /// Content-MD5.
    pub md5: Option<Octets>,
    /// Content-Disposition.
    pub disposition: Option<Disposition>,
    /// Content-Language.
    pub language: Vec<Octets>,
    /// Content-Location.
    pub location: Option<Octets>,
    /// The header with the empty line that ends it, which is not there when the message ends before.
    pub header: Range<u64>,
    /// Everything after it. The line end before a delimiter is none of it.
    pub body: Range<u64>,
    /// Line ends in the body.
    pub lines: u64,
    pub kind: Kind,
}

/// Content-Disposition (RFC 2183).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition {
    /// As it is written: `attachment`, `INLINE`.
    pub kind: Octets,
    pub parameters: Parameters,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Leaf,
    /// At least one part.
    Multipart(Vec<Part>),
    /// A message in the message: its envelope, and itself, whose ranges are all of this part's body.
    Message(Box<Envelope>, Box<Part>),
}

/// What is asked of a part, or, where no part is named, of the message (RFC 9051 §6.4.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionOf {
    /// `BODY[]`: all of the message; `BODY[1]`: the part's body.
    Whole,
    /// `BODY[1.MIME]`: the part's own header.
    Mime,
    /// `BODY[HEADER]`, `BODY[1.HEADER]`: of a message.
    Header,
    /// `BODY[TEXT]`, `BODY[1.TEXT]`: of a message, what follows its header.
    Text,
}

/// The fields of an envelope.
const ENVELOPE: [&str; 10] =
    ["Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID"];
/// Those that describe a part.
const ENTITY: [&str; 8] = [
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-ID",
    "Content-Description",
    "Content-Disposition",
    "Content-Language",
    "Content-Location",
    "Content-MD5",
];
/// What mail programs ask for besides when they list a folder.
const LISTED: [&str; 18] = [
    "References",
    "MIME-Version",
    "Priority",
    "X-Priority",
    "Importance",
    "Newsgroups",
    "List-Id",
    "List-Post",
    "List-Subscribe",
    "List-Unsubscribe",
    "Auto-Submitted",
    "Disposition-Notification-To",
    "Lines",
    "X-Label",
    "X-TUID",
    "X-Uniform-Type-Identifier",
    "X-K9mail-Identity",
    "Chat-Version",
];

/// Whether a field is kept: of a part, of a message, or of the message itself (`top`).
fn of_use(name: &str, message: bool, top: bool) -> bool {
    let is = |one: &&str| one.eq_ignore_ascii_case(name);
    ENTITY.iter().any(is) || message && ENVELOPE.iter().any(is) || top && LISTED.iter().any(is)
}

impl Parsed {
    fn new(common: Vec<u8>, whole: bool, root: Part) -> Self {
        let envelope = Arc::new(Envelope::read(&Header::parse(&common)));
        Self { envelope, root: Arc::new(root), common, whole }
    }

    /// The part of this number (RFC 9051 §6.4.5.1): `[4, 2]` of `BODY[4.2.MIME]`. The empty path is the message.
    ///
    /// `BODY[4.2]` is the part's `body`, `BODY[4.2.MIME]` its `header`; `HEADER` and `TEXT` are those of
    /// [`Part::message`].
    pub fn section(&self, path: &[u32]) -> Option<&Part> {
        let (mut part, mut top) = (&*self.root, true);
        for (at, &number) in path.iter().enumerate() {
            if at > 0
                && let Kind::Message(_, inner) = &part.kind
            {
                (part, top) = (inner, true);
            }
            part = match &part.kind {
                Kind::Multipart(parts) => parts.get(usize::try_from(number).ok()?.checked_sub(1)?)?,
                // A message that has no parts is its own first part.
                _ if top && number == 1 => part,
                _ => return None,
            };
            top = false;
        }
        Some(part)
    }

    /// The octets that a section names, in the message; `None` where it names none. Of [`SectionOf::Header`] and
    /// [`SectionOf::Text`] that is only the message and what is a message in it.
    pub fn octets(&self, path: &[u32], of: SectionOf) -> Option<Range<u64>> {
        let part = self.section(path)?;
        let range = match (of, path.is_empty()) {
            (SectionOf::Whole, true) => return Some(part.header.start..part.body.end),
            (SectionOf::Whole, false) => &part.body,
            (SectionOf::Mime, true) => return None,
            (SectionOf::Mime, false) | (SectionOf::Header, true) => &part.header,
            (SectionOf::Text, true) => &part.body,
            (SectionOf::Header, false) => &part.message()?.header,
            (SectionOf::Text, false) => &part.message()?.body,
        };
        Some(range.clone())
    }

    /// What [`header_fields`] makes of the message's header, without the header. `None` if one of `names` is not among those
    /// that mail programs ask for when they list a folder (those of the envelope, of threads, mailing lists and MIME), or
    /// their fields are too long to be kept.
    pub fn fields(&self, names: &[impl AsRef<str>]) -> Option<Vec<u8>> {
        let known = self.whole && names.iter().all(|name| of_use(name.as_ref(), true, true));
        known.then(|| header_fields(&self.common, names, false))
    }

    /// The `References` of the message, for [`message_ids`](crate::message_ids).
    pub fn references(&self) -> Option<String> {
        Header::parse(&self.common).get("References").map(|field| field.value())
    }
}

impl Part {
    /// Octets of the body, encoded as it is.
    pub fn size(&self) -> u64 {
        self.body.end - self.body.start
    }

    /// The message in it.
    pub fn message(&self) -> Option<&Self> {
        match &self.kind {
            Kind::Message(_, inner) => Some(inner),
            Kind::Leaf | Kind::Multipart(_) => None,
        }
    }

    /// Whether it is this media type.
    pub fn is(&self, media_type: &str, subtype: &str) -> bool {
        self.media_type == media_type && self.subtype == subtype
    }
}

/// The fields of these names, whatever their case, or all others (`HEADER.FIELDS` and `HEADER.FIELDS.NOT` of RFC 9051
/// §6.4.5.1), as they stand in `header` and in its order, then the empty line. Lines that are no field are among the others.
pub fn header_fields(header: &[u8], names: &[impl AsRef<str>], not: bool) -> Vec<u8> {
    let named = |field: &Field<'_>| names.iter().any(|name| field.is(name.as_ref()));
    let mut out = Vec::new();
    for field in Header::parse(header).fields().filter(|field| named(field) != not) {
        out.extend_from_slice(field.as_bytes());
        if !out.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

#[cfg(test)]
mod tests;
