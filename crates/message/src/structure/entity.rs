//! What the header of an entity says of its body (RFC 2045 §3).

use super::envelope::quoted_string;
use super::{Disposition, Kind, Octets, Parameters, Part};
use crate::codec::Encoding;
use crate::header::Header;
use crate::mime::Media;

/// Most parameters of a field, and languages, that are kept. Real mail has five at most, or twenty where RFC 2231 cuts a
/// long name in pieces.
const MAX_PARAMETERS: usize = 100;
/// Longest value in which parameters are looked for, in octets.
const MAX_VALUE: usize = 16 * 1024;
/// Longest comment there, in octets: what is longer was not meant as one, and would be looked through again and again.
const MAX_COMMENT: usize = 200;

/// A part of which the header has been read.
pub(super) struct Entity {
    /// With empty ranges, and as a leaf.
    pub(super) part: Part,
    /// What its body is to be read as.
    pub(super) contents: Contents,
}

pub(super) enum Contents {
    Leaf,
    Multipart { boundary: String, digest: bool },
    Message,
}

impl Entity {
    /// `in_digest`: what says nothing of itself is a message there (RFC 2046 §5.1.5).
    pub(super) fn read(header: &Header<'_>, in_digest: bool) -> Self {
        // With a NUL it is no type (RFC 2045 §5.2), and could not be shown: no string of IMAP has one.
        let is_type = |media: &Media| {
            !media.subtype.is_empty() && ![&media.kind, &media.subtype].iter().any(|word| word.contains('\0'))
        };
        let media = Media::read(header, "Content-Type").filter(is_type);
        let text = |name| header.get(name).map(|field| unfold(field.raw_value())).filter(|v| !v.is_empty());
        let (kind, subtype, parameters) = match &media {
            Some(media) => {
                let value = header.get("Content-Type").map(|field| field.raw_value()).unwrap_or_default();
                (media.kind.as_str(), media.subtype.as_str(), parametrized(value).1)
            }
            None if in_digest => ("message", "rfc822", Vec::new()),
            None => ("text", "plain", us_ascii()),
        };
        let mut part = Part {
            media_type: kind.to_owned(),
            subtype: subtype.to_owned(),
            parameters,
            id: text("Content-ID"),
            description: text("Content-Description"),
            encoding: text("Content-Transfer-Encoding").unwrap_or_else(|| b"7bit".to_vec()),
            md5: text("Content-MD5"),
            disposition: text("Content-Disposition").and_then(|value| {
                let (kind, parameters) = parametrized(&value);
                (!kind.is_empty()).then_some(Disposition { kind, parameters })
            }),
            language: text("Content-Language").map(|value| languages(&value)).unwrap_or_default(),
            location: text("Content-Location"),
            header: 0..0,
            body: 0..0,
            lines: 0,
            kind: Kind::Leaf,
        };
        let contents = if part.media_type == "multipart" {
            let boundary = media.as_ref().and_then(Media::boundary).map(str::to_owned);
            boundary.map(|boundary| Contents::Multipart { boundary, digest: part.subtype == "digest" })
        } else if part.is("message", "rfc822") || part.is("message", "global") {
            (Encoding::of(header) == Encoding::Identity).then_some(Contents::Message)
        } else {
            Some(Contents::Leaf)
        };
        let contents = contents.unwrap_or_else(|| {
            part.becomes_leaf();
            Contents::Leaf
        });
        Self { part, contents }
    }
}

impl Part {
    /// Takes for a leaf what said that it was more.
    pub(super) fn becomes_leaf(&mut self) {
        let (kind, subtype, parameters) = match self.media_type.as_str() {
            "multipart" => ("text", "plain", us_ascii()),
            "message" => ("application", "octet-stream", std::mem::take(&mut self.parameters)),
            _ => return,
        };
        (self.media_type, self.subtype, self.parameters) = (kind.into(), subtype.into(), parameters);
    }

    /// How many pieces it is kept in, apart from its fields.
    pub(super) fn pieces(&self) -> usize {
        let of_disposition = self.disposition.as_ref().map_or(0, |disposition| disposition.parameters.len());
        self.parameters.len() + of_disposition + self.language.len()
    }
}

fn us_ascii() -> Parameters {
    vec![(b"charset".to_vec(), b"us-ascii".to_vec())]
}

/// A value in one line (RFC 5322 §2.2.3), trimmed, without what no string of IMAP may hold.
pub(super) fn unfold(raw: &[u8]) -> Octets {
    raw.trim_ascii().iter().copied().filter(|octet| !b"\r\n\0".contains(octet)).collect()
}

fn languages(value: &[u8]) -> Vec<Octets> {
    let tags = value.split(|&octet| octet == b',').map(|tag| tag.trim_ascii().to_vec());
    tags.filter(|tag| !tag.is_empty()).take(MAX_PARAMETERS).collect()
}

/// `value; name=value; …` (RFC 2045 §5.1). What has no `=` is left out, comments too.
fn parametrized(value: &[u8]) -> (Octets, Parameters) {
    let mut rest = &value[..value.len().min(MAX_VALUE)];
    let (mut piece, mut first, mut found) = (Piece::default(), None, Parameters::new());
    loop {
        let octet = rest.split_first();
        rest = octet.map(|(_, after)| after).unwrap_or_default();
        match octet.map(|(octet, _)| *octet) {
            None | Some(b';') => match (&first, std::mem::take(&mut piece).finish()) {
                (None, (whole, value)) => first = Some([whole, value.unwrap_or_default()].concat()),
                (_, (name, Some(value))) if !name.is_empty() => found.push((name, value)),
                _ => {}
            },
            Some(b'"') => rest = piece.quoted(rest),
            Some(b'(') => rest = skip_comment(rest),
            Some(b'=') if piece.value.is_none() && first.is_some() => piece.value = Some(Octets::new()),
            Some(octet) => piece.push(octet),
        }
        if octet.is_none() || found.len() >= MAX_PARAMETERS {
            return (first.unwrap_or_default(), found);
        }
    }
}

/// What stands between two semicolons.
#[derive(Default)]
struct Piece {
    name: Octets,
    value: Option<Octets>,
    /// Octets of the value that are not trimmed, for they stood in quotes.
    quoted: usize,
}

impl Piece {
    fn push(&mut self, octet: u8) {
        let to = self.value.as_mut().unwrap_or(&mut self.name);
        if octet != 0 && !(octet.is_ascii_whitespace() && (to.is_empty() || b"\r\n".contains(&octet))) {
            to.push(octet);
        }
    }

    fn quoted<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let to = self.value.as_mut().unwrap_or(&mut self.name);
        let (_, rest) = quoted_string(text, to);
        self.quoted = to.len();
        rest
    }

    fn finish(mut self) -> (Octets, Option<Octets>) {
        self.name.truncate(self.name.trim_ascii_end().len());
        if let Some(value) = &mut self.value {
            value.truncate(value.trim_ascii_end().len().max(self.quoted));
        }
        (self.name, self.value)
    }
}

/// From after a parenthesis to after the one that closes it. Without that it is none: file names have them.
fn skip_comment(text: &[u8]) -> &[u8] {
    let mut depth = 1usize;
    let mut octets = text.iter().enumerate().take(MAX_COMMENT);
    while let Some((at, octet)) = octets.next() {
        match octet {
            b'\\' => _ = octets.next(),
            b'(' => depth += 1,
            b')' if depth == 1 => return &text[at + 1..],
            b')' => depth -= 1,
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str) {
        let (first, parameters) = parametrized(value.as_bytes());
        let mut shown = String::from_utf8_lossy(&first).into_owned();
        for (name, value) in parameters {
            shown += &format!("|{}={}", String::from_utf8_lossy(&name), String::from_utf8_lossy(&value));
        }
        assert_eq!(shown, expected, "{value:?}");
    }

    #[test]
    fn parameters_stay_as_they_are() {
        check("text/plain; charset=utf-8", "text/plain|charset=utf-8");
        check(
            " attachment ;\r\n FileName = \"a; \\\"b\\\" \" ; size=3;",
            "attachment|FileName=a; \"b\" |size=3",
        );
        check(
            "inline; filename*0*=utf-8''%C3; filename*1*=%BC",
            "inline|filename*0*=utf-8''%C3|filename*1*=%BC",
        );
        check("a/b (x;y=z); (c) n=v (d \\) e) w; =x; y; z=", "a/b|n=v  w|z=");
        check("attachment; filename=a (1.txt", "attachment|filename=a 1.txt");
        check("a; n=\"not closed", "a|n=not closed");
        check("", "");
    }
}
