//! Delivery status notifications that people can use (RFC 3464 in the multipart/report of RFC 6522; RFC 6533 for
//! internationalised mail).
//!
//! Three parts: words for a person in the sender's language with English below, fields for programs, and the original
//! message or its header. Whatever the original is, a notification is 7-bit unless it returns an 8-bit message whole.

mod fields;
mod status;
mod texts;
mod words;

pub use status::Status;
pub use texts::Language;

use crate::codec;
use crate::compose::{mailboxes, text_part};
use crate::date::rfc5322_date;
use crate::encode::{Body, Needs, downgrade};
use crate::field::NewField;
use crate::header::Header;
use crate::id::{MessageId, boundary};
use crate::list::Mailbox;
use crate::words::{decode_words, unstructured};
use address::{Address, Domain};
use jiff::Zoned;
use std::borrow::Cow;

/// Largest original that is returned whole, in octets; of a larger one only the header comes back. The sender has it, and
/// a notification must not be harder to deliver than the message. (RFC 3461 §6.2 leaves the choice to the MTA.)
pub const MAX_RETURNED: usize = 1024 * 1024;
/// Most of a header that is returned, in octets.
const MAX_RETURNED_HEADER: usize = 64 * 1024;

/// A notification to be.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// This host.
    pub reporting_mta: &'a Domain,
    /// Who it comes from: `MAILER-DAEMON@` this host as a rule.
    pub from: &'a Address,
    /// The original's reverse path. A notification is never made for a null one (RFC 5321 §4.5.5), so this is an address.
    pub to: &'a Address,
    /// When the original arrived here.
    pub arrival: Option<&'a Zoned>,
    /// When BY wants it delivered (RFC 2852 §5).
    pub deliver_by: Option<&'a Zoned>,
    /// Until when it was to be kept back: `for;3600` or `until;2030-01-31T08:00:00Z` (RFC 4865 §5.1.2).
    pub release: Option<&'a str>,
    /// ENVID, its xtext decoded.
    pub envelope_id: Option<&'a str>,
    /// The queue id, for the administrator.
    pub queue_id: &'a str,
    /// The sender's language.
    pub language: Language,
    /// What happened to whom; at least one.
    pub recipients: &'a [RecipientReport<'a>],
    pub original: Original<'a>,
}

/// What happened to one recipient.
#[derive(Debug, Clone)]
pub struct RecipientReport<'a> {
    /// The address in the envelope.
    pub recipient: &'a Address,
    /// ORCPT as `type;address`, its xtext decoded.
    pub original_recipient: Option<&'a str>,
    pub action: Action<'a>,
    pub status: Status,
    /// The server that said so, if one did.
    pub remote: Option<&'a str>,
    pub diagnostic: Option<Diagnostic<'a>>,
    pub last_attempt: Option<&'a Zoned>,
}

/// RFC 3464 §2.3.3.
#[derive(Debug, Clone, Copy)]
pub enum Action<'a> {
    Failed,
    /// Still being tried; `until` when is known.
    Delayed {
        until: Option<&'a Zoned>,
    },
    Delivered,
    /// Handed to another server, which `notifies` of what it does or never will.
    Relayed {
        notifies: bool,
    },
    /// Delivered to an alias of several addresses.
    Expanded,
}

/// Why, in the words of whoever knows (RFC 3464 §2.3.6).
#[derive(Debug, Clone, Copy)]
pub enum Diagnostic<'a> {
    /// An SMTP reply, its lines separated by LF.
    Smtp(&'a str),
    /// This server's own finding: no connection, no such domain, a loop.
    Local(&'a str),
}

/// The message it is about.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// All of it, or its header alone.
    pub message: &'a [u8],
    /// RET of the envelope.
    pub ret: Return,
    /// MAIL had SMTPUTF8.
    pub smtputf8: bool,
}

/// What comes back with a failure; other notifications return the header alone (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    Full,
    Headers,
}

impl Report<'_> {
    /// The whole message. Send it with a null reverse path.
    pub fn build(&self, now: &Zoned, random: [u8; 16]) -> Vec<u8> {
        let boundary = boundary(random);
        let returned = self.returned();
        let mut out = self.header(now, random);
        let eight_bit = if returned.encoding == "8bit" { "Content-Transfer-Encoding: 8bit\r\n" } else { "" };
        put(&mut out, eight_bit);
        put(&mut out, "Content-Type: multipart/report; report-type=delivery-status;\r\n");
        put(&mut out, &format!("\tboundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n"));
        put(&mut out, &format!("Content-Language: {}\r\n", self.language.tags()));
        text_part(&self.explain(), &mut out);

        put(&mut out, &format!("\r\n--{boundary}\r\nContent-Description: Delivery report\r\n"));
        let fields = self.fields();
        if fields.is_ascii() {
            put(&mut out, "Content-Type: message/delivery-status\r\n\r\n");
            put(&mut out, &fields);
        } else {
            // Encoded, so that it needs neither 8BITMIME nor SMTPUTF8 on its way back (RFC 6533 §4.4, §4.5).
            put(&mut out, "Content-Type: message/global-delivery-status; charset=utf-8\r\n");
            put(&mut out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
            codec::quoted_printable(fields.as_bytes(), &mut out);
        }

        put(&mut out, &format!("\r\n--{boundary}\r\nContent-Description: {}\r\n", returned.description));
        put(&mut out, &format!("Content-Type: {}\r\n", returned.media_type));
        put(&mut out, &format!("Content-Transfer-Encoding: {}\r\n\r\n", returned.encoding));
        out.extend_from_slice(&returned.content);
        put(&mut out, &format!("\r\n--{boundary}--\r\n"));
        out
    }

    fn header(&self, now: &Zoned, random: [u8; 16]) -> Vec<u8> {
        let texts = self.language.texts();
        let original = Header::parse(self.original.message);
        let from = Mailbox { name: Some(texts.get("from").into()), address: self.from.clone() };
        let mut out = Vec::new();
        put(&mut out, mailboxes("From", &[from]).as_str());
        put(&mut out, mailboxes("To", &[self.to.clone().into()]).as_str());
        put(&mut out, unstructured("Subject", &self.subject(&original)).as_str());
        put(&mut out, NewField::new("Date", &rfc5322_date(now)).as_str());
        let id = MessageId::generate(random, self.reporting_mta);
        put(&mut out, NewField::new("Message-ID", &id.to_string()).as_str());
        if let Some(id) = MessageId::of(&original) {
            put(&mut out, NewField::new("In-Reply-To", &id.to_string()).as_str());
            put(&mut out, NewField::new("References", &id.to_string()).as_str());
        }
        // RFC 3834 §5: nobody's vacation program answers this.
        put(&mut out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
        out
    }

    fn subject(&self, original: &Header<'_>) -> String {
        let texts = self.language.texts();
        let subject = original.get("Subject").map(|field| decode_words(&field.value())).unwrap_or_default();
        let subject = match subject.trim() {
            "" => texts.get("no-subject").to_owned(),
            long => long.chars().take(100).collect(),
        };
        texts.fill(&format!("subject.{}", self.gravest()), &[("subject", &subject)])
    }

    /// What the whole is about: a failure weighs more than a delay, a delay more than success, and what was only
    /// handed on is not called delivered.
    fn gravest(&self) -> &'static str {
        let has = |test: fn(&Action<'_>) -> bool| self.recipients.iter().any(|r| test(&r.action));
        if has(|action| matches!(action, Action::Failed)) {
            "failed"
        } else if has(|action| matches!(action, Action::Delayed { .. })) {
            "delayed"
        } else if has(|action| matches!(action, Action::Relayed { .. })) {
            "relayed"
        } else {
            "success"
        }
    }

    /// The third part.
    fn returned(&self) -> Returned<'_> {
        let original = self.original.message;
        let header = Header::parse(original);
        let needs = Needs::of(original);
        let global = self.original.smtputf8 && needs.smtputf8;
        let whole =
            self.original.ret == Return::Full && self.gravest() == "failed" && original.len() <= MAX_RETURNED;
        if !whole {
            let fields = header.as_bytes();
            let cut = &fields[..fields.len().min(MAX_RETURNED_HEADER)];
            return Returned::header(cut, global);
        }
        let (content, encoding) = match (global, needs.body) {
            // Encoded for the same reason as the second part; message/global allows it (RFC 6532 §3.7).
            (true, _) => (quoted_printable(original), "quoted-printable"),
            // What only BINARYMIME could carry comes back in its 7-bit form.
            (false, Body::Binary) => match downgrade(original) {
                Some(down) => (Cow::Owned(down.message), "7bit"),
                None => (Cow::Borrowed(original), "7bit"),
            },
            (false, Body::EightBit) => (Cow::Borrowed(original), "8bit"),
            (false, Body::SevenBit) if needs.smtputf8 => (Cow::Borrowed(original), "8bit"),
            (false, Body::SevenBit) => (Cow::Borrowed(original), "7bit"),
        };
        let media_type = if global { "message/global" } else { "message/rfc822" };
        Returned { description: "Undelivered message", media_type, encoding, content }
    }
}

struct Returned<'a> {
    description: &'static str,
    media_type: &'static str,
    encoding: &'static str,
    content: Cow<'a, [u8]>,
}

impl<'a> Returned<'a> {
    fn header(fields: &'a [u8], global: bool) -> Self {
        let media_type = if global { "message/global-headers" } else { "text/rfc822-headers" };
        let (content, encoding) = match Body::of(fields) {
            Body::SevenBit => (Cow::Borrowed(fields), "7bit"),
            _ => (quoted_printable(fields), "quoted-printable"),
        };
        Self { description: "Message header", media_type, encoding, content }
    }
}

fn quoted_printable(content: &[u8]) -> Cow<'static, [u8]> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 4);
    codec::quoted_printable(content, &mut out);
    out.into()
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
