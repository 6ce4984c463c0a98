//! Mail that a server writes to programs of other servers: reports in a multipart/report (RFC 6522) with words for people
//! in front.

use crate::compose::{Attach, mailboxes, text_part};
use crate::date::rfc5322_date;
use crate::field::NewField;
use crate::id::{MessageId, boundary};
use crate::list::Mailbox;
use address::{Address, Domain};
use jiff::Zoned;

/// A message to be written.
#[derive(Debug, Clone)]
pub struct Notice<'a> {
    pub from: Mailbox,
    pub to: &'a Address,
    pub subject: String,
    /// Further fields of its header.
    pub fields: Vec<NewField>,
    /// `report-type` of the multipart/report, a token. `None`: multipart/mixed.
    pub report_type: Option<&'static str>,
    /// For people.
    pub text: String,
    /// For programs.
    pub parts: Vec<NoticePart>,
}

/// One part for programs.
#[derive(Debug, Clone)]
pub enum NoticePart {
    /// A file, in base64.
    File(Attach),
    /// Lines of text as they are: 7-bit, with CRLF.
    Lines { media_type: &'static str, content: Vec<u8> },
}

impl Notice<'_> {
    /// The whole message, 7-bit, CRLF throughout. `domain` stands right of the `@` of the Message-ID.
    pub fn build(&self, now: &Zoned, random: [u8; 16], domain: &Domain) -> Vec<u8> {
        let boundary = boundary(random);
        let mut out = Vec::new();
        let mut put = |field: &NewField| out.extend_from_slice(field.as_str().as_bytes());
        put(&mailboxes("From", std::slice::from_ref(&self.from)));
        put(&mailboxes("To", &[self.to.clone().into()]));
        put(&crate::words::unstructured("Subject", &self.subject));
        put(&NewField::new("Date", &rfc5322_date(now)));
        put(&NewField::new("Message-ID", &MessageId::generate(random, domain).to_string()));
        self.fields.iter().for_each(&mut put);
        // RFC 3834 §5: nobody's vacation program answers this.
        put(&NewField::new("Auto-Submitted", "auto-generated"));
        put(&NewField::new("MIME-Version", "1.0"));
        let kind = match self.report_type {
            Some(report_type) => format!("multipart/report; report-type={report_type}"),
            None => "multipart/mixed".to_owned(),
        };
        put(&NewField::new("Content-Type", &format!("{kind}; boundary=\"{boundary}\"")));
        out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        text_part(&self.text, &mut out);
        for part in &self.parts {
            out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
            part.write(&mut out);
        }
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }
}

impl NoticePart {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::File(attach) => attach.part(out),
            Self::Lines { media_type, content } => {
                out.extend_from_slice(NewField::new("Content-Type", media_type).as_str().as_bytes());
                out.extend_from_slice(b"Content-Transfer-Encoding: 7bit\r\n\r\n");
                out.extend_from_slice(content);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_words_and_parts() {
        let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        let notice = Notice {
            from: "reports@example.org".parse().unwrap(),
            to: &"tls@example.net".parse().unwrap(),
            subject: "Report Domain: example.net".into(),
            fields: vec![NewField::new("TLS-Report-Domain", "example.net")],
            report_type: Some("tlsrpt"),
            text: "A report.".into(),
            parts: vec![
                NoticePart::File(Attach {
                    name: "a!b!1!2.json.gz".into(),
                    media_type: "application/tlsrpt+gzip".into(),
                    content: b"hello".to_vec(),
                }),
                NoticePart::Lines { media_type: "text/rfc822-headers", content: b"Subject: x\r\n".to_vec() },
            ],
        };
        let raw = String::from_utf8(notice.build(&now, [1; 16], &"example.org".parse().unwrap())).unwrap();
        for line in [
            "To: tls@example.net\r\n",
            "TLS-Report-Domain: example.net\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: multipart/report; report-type=tlsrpt;\r\n",
            "\r\n\r\nA report.",
            "Content-Type: application/tlsrpt+gzip\r\n",
            "filename=\"a!b!1!2.json.gz\"\r\n",
            "\r\n\r\naGVsbG8=",
            "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\n\r\n--=_",
        ] {
            assert!(raw.contains(line), "{line:?} in {raw}");
        }
        assert!(raw.ends_with("--\r\n"));
    }
}
