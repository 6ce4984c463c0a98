//! Finding the report in a message.

use super::aggregate::{self, Aggregate};
use super::container::{UnpackError, unpack};
use super::failure::FailureReport;
use super::tls;
use message::structure::{Kind, Parsed, Part, Scanner};
use message::transfer::Decoder;
use message::{Header, decode_words};

/// Largest part that is decoded, in octets: reports are packed, and no domain asks for more than `!10m`.
pub const MAX_PACKED: usize = 16 * 1024 * 1024;

/// A report that arrived.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    Aggregate(Aggregate),
    Tls(tls::Report),
    Failure(FailureReport),
}

/// Why what looks like a report is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the report cannot be unpacked: {0}")]
    Unpack(#[from] UnpackError),
    #[error("the report is larger than {MAX_PACKED} octets")]
    TooLarge,
    #[error("the DMARC report cannot be read: {0}")]
    Aggregate(#[from] aggregate::ParseError),
    #[error("the TLS report cannot be read: {0}")]
    Tls(#[from] tls::ParseError),
}

/// Whether a message says of itself that it is a report of a day: by the subject that RFC 9990 and RFC 8460 §5.3 ask for.
pub fn is_report(header: &[u8]) -> bool {
    let header = Header::parse(header);
    let subject = header.get("Subject").map(|field| decode_words(&field.value())).unwrap_or_default();
    let mut words = subject.split_whitespace();
    words.next() == Some("Report") && words.next() == Some("Domain:")
}

/// Reads the first report in `message`; `None` when there is nothing that looks like one.
pub fn read(message: &[u8]) -> Option<Result<Incoming, ReadError>> {
    let mut scanner = Scanner::new();
    scanner.feed(message);
    let parsed: Parsed = scanner.finish();
    read_part(message, &parsed.root)
}

fn read_part(message: &[u8], part: &Part) -> Option<Result<Incoming, ReadError>> {
    match &part.kind {
        Kind::Multipart(parts) if is_failure_report(part) => parts
            .iter()
            .find(|part| part.is("message", "feedback-report"))
            .and_then(|part| FailureReport::parse(&content(message, part)?))
            .map(|report| Ok(Incoming::Failure(report))),
        Kind::Multipart(parts) => parts.iter().find_map(|part| read_part(message, part)),
        _ if may_hold_report(part) => read_file(message, part),
        _ => None,
    }
}

fn read_file(message: &[u8], part: &Part) -> Option<Result<Incoming, ReadError>> {
    if part.body.end.saturating_sub(part.body.start) > MAX_PACKED as u64 {
        return Some(Err(ReadError::TooLarge));
    }
    let content = match unpack(&content(message, part)?) {
        Ok(content) => content,
        Err(error) => return Some(Err(error.into())),
    };
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
    match text.iter().find(|octet| !octet.is_ascii_whitespace())? {
        b'<' => Some(Aggregate::parse(text).map(Incoming::Aggregate).map_err(ReadError::from)),
        b'{' => Some(tls::Report::parse(text).map(Incoming::Tls).map_err(ReadError::from)),
        _ => None,
    }
}

fn content(message: &[u8], part: &Part) -> Option<Vec<u8>> {
    let body = usize::try_from(part.body.start).ok()?..usize::try_from(part.body.end).ok()?;
    let mut decoder = Decoder::new(&part.encoding)?;
    let mut out = Vec::new();
    decoder.feed(message.get(body)?, &mut out);
    decoder.finish(&mut out);
    Some(out)
}

/// `multipart/report; report-type=feedback-report` (RFC 5965 §2).
fn is_failure_report(part: &Part) -> bool {
    let named = |(name, value): &(Vec<u8>, Vec<u8>)| {
        name.eq_ignore_ascii_case(b"report-type") && value.eq_ignore_ascii_case(b"feedback-report")
    };
    part.is("multipart", "report") && part.parameters.iter().any(named)
}

/// By its media type, or by its name where senders have not cared for the type.
fn may_hold_report(part: &Part) -> bool {
    const TYPES: [(&str, &str); 9] = [
        ("application", "gzip"),
        ("application", "x-gzip"),
        ("application", "zip"),
        ("application", "x-zip-compressed"),
        ("application", "xml"),
        ("text", "xml"),
        ("application", "json"),
        ("application", "tlsrpt+json"),
        ("application", "tlsrpt+gzip"),
    ];
    const EXTENSIONS: [&[u8]; 5] = [b".xml", b".xml.gz", b".zip", b".json", b".json.gz"];
    let named = |(name, value): &(Vec<u8>, Vec<u8>)| {
        let value = value.to_ascii_lowercase();
        (name.eq_ignore_ascii_case(b"name") || name.eq_ignore_ascii_case(b"filename"))
            && EXTENSIONS.iter().any(|extension| value.ends_with(extension))
    };
    let disposition = part.disposition.iter().flat_map(|disposition| &disposition.parameters);
    TYPES.iter().any(|(kind, subtype)| part.is(kind, subtype))
        || part.parameters.iter().chain(disposition).any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_known_by_their_subject() {
        let check = |header: &str, expected| assert_eq!(is_report(header.as_bytes()), expected, "{header:?}");
        check("Subject: Report Domain: example.com Submitter: a.example Report-ID: <1@a>\r\n\r\n", true);
        check("Subject: Report Domain: example.com\r\n\tSubmitter: a.example\r\n\r\n", true);
        check("Subject: Re: Report Domain: example.com\r\n\r\n", false);
        check("Subject: Report\r\n\r\n", false);
        check("To: a@example.com\r\n\r\nSubject: Report Domain: x", false);
    }

    #[test]
    fn mail_without_a_report_is_none() {
        assert_eq!(read(b"Subject: hello\r\n\r\nworld\r\n"), None);
        assert_eq!(read(b"Content-Type: application/zip\r\n\r\nnothing"), None);
        let broken =
            read(b"Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\nH4sI\r\n");
        assert_eq!(broken, Some(Err(ReadError::Unpack(UnpackError::Gzip))));
    }
}
