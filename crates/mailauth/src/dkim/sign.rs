//! Making a signature (RFC 6376 §5): one field, to be put in front of the message, which stays as it is.

use super::canonical::{BodyHash, Canonicalization, hash_header};
use super::key::SigningKey;
use super::signature::{MAX_SIGNED_FIELDS, Selector};
use crate::Error;
use crate::header::{Field, Header};
use address::Domain;
use data_encoding::BASE64;
use std::fmt::Write;

/// The columns that lines of the field keep to (RFC 5322 §2.1.1), where a name or number is not longer.
pub const LINE_WIDTH: usize = 78;

/// Signed once more than they occur, so that nobody adds another: what readers are shown, and how the
/// body is read (RFC 6376 §5.4, §8.15).
const OVERSIGNED: &[&str] = &[
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// Signed where they occur (RFC 6376 §5.4.1); a mailing list adds its own on the way.
const SIGNED: &[&str] = &[
    "Sender",
    "Resent-Date",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Message-ID",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    // Where a forwarder keeps the author (RFC 7960 §4.1.3.1); unsigned, anybody could write it.
    message::ORIGINAL_FROM,
];

/// Signs for a domain with one key. Made once, used for every message, by any thread.
#[derive(Debug, Clone)]
pub struct Signer {
    /// `d=`.
    pub domain: Domain,
    /// `s=`.
    pub selector: Selector,
    pub key: SigningKey,
    /// `c=`; relaxed/relaxed unless changed. The body must be hashed in this form.
    pub canonicalization: Canonicalization,
    /// Names of fields signed once more than they occur. `From` is signed even if no list has it.
    pub oversigned: Vec<String>,
    /// Names of fields of which each occurrence is signed.
    pub signed: Vec<String>,
    /// `i=`: an identity within the domain; `None` leaves the tag out.
    pub identity: Option<String>,
    /// Seconds from signing to `x=`; `None` leaves the tag out.
    pub lifetime: Option<u64>,
    /// Writes `l=` with the length of the body, so that text may be appended (RFC 6376 §8.2 warns of it).
    pub body_length: bool,
    /// Writes `z=` with copies of the signed fields, for diagnosis.
    pub copy_fields: bool,
}

impl Signer {
    /// A signer with the settings that suit mail to people: relaxed/relaxed, and the fields of RFC 6376 §5.4.1.
    pub fn new(domain: Domain, selector: Selector, key: SigningKey) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            domain,
            selector,
            key,
            canonicalization: Canonicalization::RELAXED,
            oversigned: owned(OVERSIGNED),
            signed: owned(SIGNED),
            identity: None,
            lifetime: None,
            body_length: false,
            copy_fields: false,
        }
    }

    /// The `DKIM-Signature` field with its CRLF. `header` is the message's header, with or without its empty
    /// line, `body` the hash of its body in this signer's form, and `now` the time in seconds since 1970.
    ///
    /// RSA costs some hundred microseconds: busy servers call this off the threads that serve connections.
    pub fn sign(&self, header: &[u8], body: &BodyHash, now: u64) -> Result<Vec<u8>, Error> {
        self.sign_as("DKIM-Signature: v=1;", header, body, now)
    }

    /// The same with another start, for ARC-Message-Signature.
    pub(crate) fn sign_as(
        &self,
        start: &str,
        header: &[u8],
        body: &BodyHash,
        now: u64,
    ) -> Result<Vec<u8>, Error> {
        if body.form() != self.canonicalization.body {
            return Err(Error::BodyForm {
                hashed: body.form().as_str(),
                needed: self.canonicalization.body.as_str(),
            });
        }
        let header = Header::parse(header);
        let names = self.names(&header);
        if names.len() > MAX_SIGNED_FIELDS {
            return Err(Error::TooManyFields(names.len()));
        }
        let field = self.unsigned_field(start, &header, &names, body, now);
        let own = Field::parse(field.as_bytes()).ok_or(Error::Sign)?;
        let data = hash_header(&header, names.iter().copied(), None, &own, self.canonicalization.header);
        let signature = self.key.sign(&data)?;
        Ok(field.finish(&BASE64.encode(&signature)))
    }

    /// `h=`: each name as often as it is to be signed.
    fn names(&self, header: &Header<'_>) -> Vec<&str> {
        let mut names = Vec::new();
        let lists = [(&self.oversigned, 1), (&self.signed, 0)];
        for (name, extra) in
            lists.iter().flat_map(|(list, extra)| list.iter().map(|name| (name.as_str(), *extra)))
        {
            let count = header.places(name.as_bytes()).len() + extra;
            names.extend(std::iter::repeat_n(name, count.min(MAX_SIGNED_FIELDS + 1)));
        }
        // The tag must name From, whatever the lists and the header have (RFC 6376 §5.4).
        if !names.iter().any(|name| name.eq_ignore_ascii_case("From")) {
            names.push("From");
        }
        names
    }

    /// The field up to and with `b=`.
    fn unsigned_field(
        &self,
        start: &str,
        header: &Header<'_>,
        names: &[&str],
        body: &BodyHash,
        now: u64,
    ) -> Folded {
        let mut field = Folded::new(start);
        field.tag(&format!("a={};", self.key.algorithm()));
        field.tag(&format!("c={};", self.canonicalization));
        field.tag(&format!("d={};", self.domain));
        field.tag(&format!("s={};", self.selector));
        if let Some(identity) = &self.identity {
            field.tag(&format!("i={};", quoted_printable(identity.as_bytes(), b"")));
        }
        field.tag(&format!("t={now};"));
        if let Some(lifetime) = self.lifetime {
            field.tag(&format!("x={};", now.saturating_add(lifetime.max(1))));
        }
        if self.body_length {
            field.tag(&format!("l={};", body.length()));
        }
        field.list("h=", names, ':');
        if self.copy_fields {
            let copies: Vec<String> =
                names.iter().enumerate().filter_map(|n| copy(header, names, n)).collect();
            let copies: Vec<&str> = copies.iter().map(String::as_str).collect();
            field.list("z=", &copies, '|');
        }
        field.tag(&format!("bh={};", BASE64.encode(body.octets())));
        field.line("b=");
        field
    }
}

/// The `z=` copy of the field that the name at this place of `h=` signs, if there is one.
fn copy(header: &Header<'_>, names: &[&str], (at, name): (usize, &&str)) -> Option<String> {
    let earlier = names[..at].iter().filter(|other| other.eq_ignore_ascii_case(name)).count();
    let place = header.places(name.as_bytes()).iter().rev().nth(earlier)?;
    let value = header.fields().get(*place)?.value();
    Some(format!("{name}:{}", quoted_printable(value, b"|:")))
}

/// Encodes as RFC 6376 §2.11 has it; `also` are further octets to encode.
fn quoted_printable(octets: &[u8], also: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for &octet in octets {
        if octet.is_ascii_graphic() && !matches!(octet, b';' | b'=') && !also.contains(&octet) {
            text.push(char::from(octet));
        } else {
            let _ = write!(text, "={octet:02X}");
        }
    }
    text
}

/// A field that is folded as it grows.
pub(crate) struct Folded {
    text: String,
    column: usize,
}

impl Folded {
    pub(crate) fn new(start: &str) -> Self {
        Self { text: start.to_owned(), column: start.len() }
    }

    /// Appends a word after a space, or on a new line if this one is full.
    pub(crate) fn tag(&mut self, word: &str) {
        if self.column + 1 + word.len() > LINE_WIDTH {
            self.line(word);
        } else {
            self.text.push(' ');
            self.text.push_str(word);
            self.column += 1 + word.len();
        }
    }

    /// Appends a word on a new line.
    pub(crate) fn line(&mut self, word: &str) {
        self.text.push_str("\r\n\t");
        self.text.push_str(word);
        self.column = 1 + word.len();
    }

    /// A tag with a list, from a new line, folded between its elements. In `z=` long elements are folded
    /// inside too; a field name (`h=`) never is.
    fn list(&mut self, tag: &str, elements: &[&str], separator: char) {
        self.line(tag);
        for (at, element) in elements.iter().enumerate() {
            let last = at + 1 == elements.len();
            if self.column + element.len() + 1 > LINE_WIDTH {
                self.line("");
            }
            let mut rest = *element;
            while separator == '|' && rest.len() >= LINE_WIDTH - 1 {
                let (head, tail) = rest.split_at(rest.floor_char_boundary(LINE_WIDTH - 2));
                self.text.push_str(head);
                self.line("");
                rest = tail;
            }
            self.text.push_str(rest);
            self.text.push(if last { ';' } else { separator });
            self.column += rest.len() + 1;
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The whole field, after the base64 of its signature, folded wherever the line is full. All of the value of
    /// `b=` is left out of the hash, its folds too.
    pub(crate) fn finish(mut self, base64: &str) -> Vec<u8> {
        let mut rest = base64;
        while !rest.is_empty() {
            if self.column >= LINE_WIDTH {
                self.line("");
            }
            let (head, tail) = rest.split_at(rest.len().min(LINE_WIDTH - self.column));
            self.text.push_str(head);
            self.column += head.len();
            rest = tail;
        }
        self.text.push_str("\r\n");
        self.text.into_bytes()
    }
}
