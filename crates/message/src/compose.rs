//! Writing a new message (`waypost send`): header, text, attachments. Never more than 7 bits in a body.

use crate::codec;
use crate::date::rfc5322_date;
use crate::encode::Body;
use crate::field::{FOLD_AT, Folder, NewField};
use crate::id::{MessageId, boundary};
use crate::list::Mailbox;
use crate::sendmail::to_crlf;
use crate::words;
use jiff::Zoned;

/// A message to be written. There is no Bcc: such recipients are in the envelope alone.
///
/// ```
/// use message::Draft;
///
/// let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
/// let draft = Draft {
///     from: "Ann <ann@example.org>".parse().unwrap(),
///     to: vec!["bob@example.net".parse().unwrap()],
///     cc: vec![],
///     subject: "Hello".into(),
///     text: "Hi Bob,\nhow are you?".into(),
///     attachments: vec![],
/// };
/// let raw = draft.build(&now, [1; 16], &"example.org".parse().unwrap());
/// assert!(raw.starts_with(b"From: Ann <ann@example.org>\r\n"));
/// ```
#[derive(Debug, Clone)]
pub struct Draft {
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    pub subject: String,
    /// Any line ends.
    pub text: String,
    pub attachments: Vec<Attach>,
}

/// A file to attach.
#[derive(Debug, Clone)]
pub struct Attach {
    /// Its name without a path.
    pub name: String,
    /// Like `image/png`; [`media_type`] guesses one from the name.
    pub media_type: String,
    pub content: Vec<u8>,
}

impl Draft {
    /// The whole message, CRLF throughout. `domain` stands right of the `@` of the Message-ID.
    pub fn build(&self, now: &Zoned, random: [u8; 16], domain: &address::Domain) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |field: NewField| out.extend_from_slice(field.as_str().as_bytes());
        put(mailboxes("From", std::slice::from_ref(&self.from)));
        if !self.to.is_empty() {
            put(mailboxes("To", &self.to));
        }
        if !self.cc.is_empty() {
            put(mailboxes("Cc", &self.cc));
        }
        put(words::unstructured("Subject", &self.subject));
        put(NewField::new("Date", &rfc5322_date(now)));
        put(NewField::new("Message-ID", &MessageId::generate(random, domain).to_string()));
        put(NewField::new("MIME-Version", "1.0"));
        if self.attachments.is_empty() {
            text_part(&self.text, &mut out);
            return out;
        }
        let boundary = boundary(random);
        out.extend_from_slice(
            format!("Content-Type: multipart/mixed;\r\n\tboundary=\"{boundary}\"\r\n").as_bytes(),
        );
        out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        text_part(&self.text, &mut out);
        for attachment in &self.attachments {
            out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
            attachment.part(&mut out);
        }
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }
}

impl Attach {
    pub(crate) fn part(&self, out: &mut Vec<u8>) {
        let clean: String =
            self.media_type.chars().filter(|c| c.is_ascii_graphic() && *c != ';').take(100).collect();
        // A composite type may not be encoded (RFC 2045 §6.4).
        let composite = clean.starts_with("multipart/") || clean.starts_with("message/");
        let fine = clean.split_once('/').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty()) && !composite;
        let media_type = if fine { clean.as_str() } else { "application/octet-stream" };
        let mut disposition = Folder::new("Content-Disposition");
        disposition.word("attachment;");
        words::parameter("filename", &self.name).iter().for_each(|word| disposition.word(word));
        out.extend_from_slice(NewField::new("Content-Type", media_type).as_str().as_bytes());
        out.extend_from_slice(disposition.finish().as_str().as_bytes());
        out.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n\r\n");
        codec::base64(&self.content, out);
    }
}

/// Address fields: folded between addresses, never within one that fits.
pub(crate) fn mailboxes(name: &'static str, list: &[Mailbox]) -> NewField {
    let mut folder = Folder::new(name);
    for (n, mailbox) in list.iter().enumerate() {
        let mut words = mailbox.words();
        if let Some(last) = words.last_mut().filter(|_| n + 1 < list.len()) {
            last.push(',');
        }
        folder.clause(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    folder.finish()
}

/// The header and body of a text part: as it is when it fits, else quoted-printable.
pub(crate) fn text_part(text: &str, out: &mut Vec<u8>) {
    let text = to_crlf(text.as_bytes());
    let short =
        text.split(|&b| b == b'\n').all(|line| line.len() <= FOLD_AT + 1 && !line.starts_with(b"From "));
    if short && Body::of(&text) == Body::SevenBit {
        out.extend_from_slice(
            b"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n",
        );
        out.extend_from_slice(&text);
    } else {
        out.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
        out.extend_from_slice(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n");
        codec::quoted_printable(&text, out);
    }
}

/// The media type that a file name suggests.
pub fn media_type(file_name: &str) -> &'static str {
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "txt" | "log" | "md" | "text" => "text/plain",
        "csv" => "text/csv",
        "htm" | "html" => "text/html",
        "ics" => "text/calendar",
        "vcf" => "text/vcard",
        "xml" => "application/xml",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "tar" => "application/x-tar",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "asc" | "sig" => "application/pgp-signature",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::Needs;
    use mail_parser::{MessageParser, MimeHeaders};
    use proptest::prelude::*;

    fn build(subject: &str, text: &str, name: &str, content: &[u8]) -> Vec<u8> {
        let content = content.to_vec();
        let draft = Draft {
            from: Mailbox { name: Some("J\u{f6}rg, M.".into()), address: "j@example.org".parse().unwrap() },
            to: vec!["a@example.net".parse().unwrap(), "B <b@example.net>".parse().unwrap()],
            cc: vec![],
            subject: subject.into(),
            text: text.into(),
            attachments: vec![Attach { name: name.into(), media_type: media_type(name).into(), content }],
        };
        let now = jiff::Timestamp::from_second(1_830_330_000).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
        draft.build(&now, [3; 16], &"example.org".parse().unwrap())
    }

    proptest! {
        #[test]
        fn a_draft_is_read_as_it_was_written(subject in "[a-zäö€]{1,9}( [a-z€?=]{1,40}){0,5}", text in "([ -~äö€]{0,120}\n){0,6}x\n", name in "[a-zä \"]{1,40}x\\.pdf", content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let raw = build(&subject, &text, &name, &content);
            prop_assert_eq!(Needs::of(&raw), Needs { body: Body::SevenBit, smtputf8: false });
            let parsed = MessageParser::default().parse(&raw).unwrap();
            prop_assert_eq!(parsed.subject(), Some(subject.as_str()));
            prop_assert_eq!(parsed.from().and_then(|f| f.first()).and_then(|f| f.name()), Some("J\u{f6}rg, M."));
            prop_assert_eq!(parsed.to().map(|to| to.iter().count()), Some(2));
            prop_assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n"), text);
            let attachment = parsed.attachment(0).unwrap();
            prop_assert_eq!(attachment.attachment_name(), Some(name.as_str()));
            prop_assert_eq!(attachment.contents(), content);
        }
    }
}
