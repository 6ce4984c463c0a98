//! The structure of a MIME message (RFC 2046), as ranges of its bytes. Depth and number of parts are bounded.

use crate::header::Header;
use mail_parser::{HeaderName, HeaderValue, MessageParser};
use std::ops::Range;
use std::sync::LazyLock;

/// Deepest nesting that is read. Real mail stays below ten.
pub const MAX_DEPTH: usize = 32;
/// Most parts of a message that are read. A digest may have hundreds.
pub const MAX_PARTS: usize = 4096;
/// Longest boundary. RFC 2046 §5.1.1 allows 70 octets; some programs write more.
const MAX_BOUNDARY: usize = 250;
/// Longest line that is looked at as a delimiter, with the white space that may follow the boundary.
pub(crate) const MAX_DELIMITER: usize = 1000;

/// A message or a part of one.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) header: Header<'a>,
    /// The whole part in the message: header, empty line and body.
    pub(crate) range: Range<usize>,
    /// The body in the message.
    pub(crate) body: Range<usize>,
    pub(crate) media: Media,
    pub(crate) kind: Kind<'a>,
}

#[derive(Debug)]
pub(crate) enum Kind<'a> {
    Leaf,
    /// The parts between the delimiters; what is between their ranges is delimiters, preamble and epilogue.
    Multipart(Vec<Part<'a>>),
    /// A message in a message.
    Message(Box<Part<'a>>),
    /// Says that it has parts, but they cannot be told or are too many or too deep.
    Opaque,
}

/// A media type, in lower case, with its parameters decoded (RFC 2231).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Media {
    pub(crate) kind: String,
    pub(crate) subtype: String,
    parameters: Vec<(String, String)>,
}

impl Media {
    fn new(kind: &str, subtype: &str) -> Self {
        Self { kind: kind.into(), subtype: subtype.into(), parameters: Vec::new() }
    }

    pub(crate) fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind == kind && self.subtype == subtype
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The boundary of a multipart, without white space at its end (RFC 2046 §5.1.1).
    pub(crate) fn boundary(&self) -> Option<&str> {
        let boundary = self.parameter("boundary")?.trim_end();
        let fine = !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY && boundary.is_ascii();
        fine.then_some(boundary)
    }

    /// Reads `Content-Type` or `Content-Disposition` (RFC 2183), which has no subtype.
    pub(crate) fn read(header: &Header<'_>, name: &str) -> Option<Self> {
        static PARSER: LazyLock<MessageParser> =
            LazyLock::new(|| MessageParser::new().default_header_ignore().header_content_type("X"));
        let field = header.get(name)?;
        // A field of its own, so that no other field is read and nothing after it either.
        let alone = [b"X:", field.raw_value(), b"\r\n\r\n"].concat();
        let parsed = PARSER.parse_headers(&alone)?;
        let value = parsed
            .headers()
            .iter()
            .find(|h| h.name == HeaderName::parse("X").unwrap_or(HeaderName::Subject))?;
        let HeaderValue::ContentType(content) = &value.value else { return None };
        let parameters = content.attributes().unwrap_or_default().iter();
        Some(Self {
            kind: content.ctype().to_ascii_lowercase(),
            subtype: content.subtype().unwrap_or_default().to_ascii_lowercase(),
            parameters: parameters.map(|a| (a.name.to_ascii_lowercase(), a.value.to_string())).collect(),
        })
    }
}

impl std::fmt::Display for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.subtype)
    }
}

impl<'a> Part<'a> {
    /// Reads a message.
    pub(crate) fn parse(message: &'a [u8]) -> Self {
        let mut reader = Reader { message, parts: 0 };
        reader.part(0..message.len(), 0, &Media::new("text", "plain"))
    }
}

struct Reader<'a> {
    message: &'a [u8],
    parts: usize,
}

impl<'a> Reader<'a> {
    fn part(&mut self, range: Range<usize>, depth: usize, default: &Media) -> Part<'a> {
        self.parts += 1;
        let header = Header::parse(&self.message[range.clone()]);
        let body = range.start + header.body_offset()..range.end;
        let media = Media::read(&header, "Content-Type").filter(|media| !media.subtype.is_empty());
        let media = media.unwrap_or_else(|| default.clone());
        let kind = self.kind(&header, &media, body.clone(), depth);
        Part { header, range, body, media, kind }
    }

    fn kind(&mut self, header: &Header<'a>, media: &Media, body: Range<usize>, depth: usize) -> Kind<'a> {
        let nested = media.is("message", "rfc822") || media.is("message", "global");
        if media.kind != "multipart" && !nested {
            return Kind::Leaf;
        }
        // Encoded messages are leaves: only message/global may be encoded (RFC 6532 §3.7), and then it is one.
        if crate::codec::Encoding::of(header) != crate::codec::Encoding::Identity {
            return if nested { Kind::Leaf } else { Kind::Opaque };
        }
        if depth >= MAX_DEPTH {
            return Kind::Opaque;
        }
        if nested {
            return Kind::Message(Box::new(self.part(body, depth + 1, &Media::new("text", "plain"))));
        }
        let digest = media.subtype == "digest";
        let default = if digest { Media::new("message", "rfc822") } else { Media::new("text", "plain") };
        match media.boundary().and_then(|boundary| self.split(body, boundary)) {
            Some(ranges) => Kind::Multipart(
                ranges.into_iter().map(|range| self.part(range, depth + 1, &default)).collect(),
            ),
            None => Kind::Opaque,
        }
    }

    /// The ranges between delimiter lines (RFC 2046 §5.1.1), or `None` when there is not one.
    fn split(&self, body: Range<usize>, boundary: &str) -> Option<Vec<Range<usize>>> {
        let (mut ranges, mut open, mut start) = (Vec::new(), None, body.start);
        while start < body.end {
            let end =
                memchr::memchr(b'\n', &self.message[start..body.end]).map_or(body.end, |lf| start + lf + 1);
            if let Some(closes) = delimiter(&self.message[start..end], boundary) {
                if let Some(from) = open.take() {
                    ranges.push(from..self.before_line_end(from, start));
                }
                if closes {
                    return Some(ranges);
                }
                if self.parts + ranges.len() >= MAX_PARTS {
                    return None;
                }
                open = Some(end);
            }
            start = end;
        }
        // The closing delimiter is missing: the last part goes to the end.
        ranges.extend(open.map(|from| from..body.end));
        (!ranges.is_empty()).then_some(ranges)
    }

    /// The line end before a delimiter belongs to the delimiter.
    fn before_line_end(&self, from: usize, delimiter: usize) -> usize {
        let part = &self.message[from..delimiter];
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        from + part.strip_suffix(b"\r").unwrap_or(part).len()
    }
}

/// Whether the line is a delimiter, and the closing one.
pub(crate) fn delimiter(line: &[u8], boundary: &str) -> Option<bool> {
    if line.len() > MAX_DELIMITER {
        return None;
    }
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary.as_bytes())?;
    match rest.trim_ascii_end() {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(part: &Part<'_>, message: &[u8]) -> String {
        match &part.kind {
            Kind::Leaf => {
                format!("{}={:?}", part.media, String::from_utf8_lossy(&message[part.body.clone()]))
            }
            Kind::Opaque => format!("{}?", part.media),
            Kind::Message(inner) => format!("<{}>", shape(inner, message)),
            Kind::Multipart(parts) => {
                format!("[{}]", parts.iter().map(|p| shape(p, message)).collect::<Vec<_>>().join(" "))
            }
        }
    }

    fn check(message: &str, expected: &str) {
        let message = message.replace('\n', "\r\n");
        assert_eq!(shape(&Part::parse(message.as_bytes()), message.as_bytes()), expected, "{message}");
    }

    #[test]
    fn parts_are_split_at_delimiter_lines() {
        check("Subject: x\n\nhello\n", "text/plain=\"hello\\r\\n\"");
        check(
            "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n--b \nContent-Type: IMAGE/png\n\ntwo\n\n--b--\nepi\n",
            "[text/plain=\"one\" image/png=\"two\\r\\n\"]",
        );
        check(
            "Content-Type: multipart/digest; boundary=\"b\"\n\n--b\n\nSubject: in\n\nx\n--bb\n--b--\n",
            "[<text/plain=\"x\\r\\n--bb\">]",
        );
        check(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nleft open\n",
            "[text/plain=\"left open\\r\\n\"]",
        );
    }

    #[test]
    fn what_cannot_be_split_is_opaque() {
        check("Content-Type: multipart/mixed\n\n--b\n\none\n--b--\n", "multipart/mixed?");
        check("Content-Type: multipart/mixed; boundary=x\n\n--b\n\none\n--b--\n", "multipart/mixed?");
        check(
            "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\none\n--b--\n",
            "multipart/mixed?",
        );
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = "Content-Type: message/rfc822\n\n".repeat(100_000);
        let shape = shape(&Part::parse(deep.as_bytes()), deep.as_bytes());
        assert_eq!(shape.matches('<').count(), MAX_DEPTH);
        let wide =
            format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\n".repeat(MAX_PARTS + 1));
        assert!(matches!(Part::parse(wide.as_bytes()).kind, Kind::Opaque));
    }

    proptest! {
        #[test]
        fn ranges_lie_in_order_within_the_message(raw in "(Content-Type: (multipart/mixed; boundary=(a|b)|message/rfc822|text/html)\r?\n|\r?\n|--(a|b)(--)?\r?\n|x|é){0,40}") {
            fn walk(part: &Part<'_>, within: &Range<usize>) {
                assert!(within.start <= part.range.start && part.range.end <= within.end);
                assert!(part.range.start <= part.body.start && part.body.end == part.range.end);
                let mut next = part.body.start;
                let inner = match &part.kind {
                    Kind::Multipart(parts) => parts.iter().collect(),
                    Kind::Message(inner) => vec![&**inner],
                    _ => vec![],
                };
                for child in inner {
                    assert!(next <= child.range.start);
                    next = child.range.end;
                    walk(child, &part.body);
                }
            }
            walk(&Part::parse(raw.as_bytes()), &(0..raw.len()));
        }
    }
}
