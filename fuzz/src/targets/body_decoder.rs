//! DATA's decoder against a model that needs no states because it sees everything at once.

use super::{Settings, dialogue, has_bare_newline};
use bytes::BytesMut;
use smtp::server::{BareNewline, BodyDecoder, Framing};

pub fn run(data: &[u8]) {
    let Some((settings, pieces)) = dialogue(data) else { return };
    let framing = if settings.bit(0) { Framing::Counted } else { Framing::Dot };
    let expected = model(data.get(2..).unwrap_or_default(), framing);
    let found = decode(pieces, framing, settings);
    assert_eq!(found, expected);
    assert!(!has_bare_newline(&found.message), "a line end that another server reads differently");
}

#[derive(Debug, PartialEq, Eq)]
struct Read {
    message: Vec<u8>,
    /// Octets of the wire, CRLF.CRLF included, when that came.
    end: Option<usize>,
    has_bare_newline: bool,
    longest_line: u64,
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, framing: Framing, settings: Settings) -> Read {
    let bare = if settings.bit(1) { BareNewline::Normalise } else { BareNewline::Reject };
    let mut decoder = BodyDecoder::new(framing, bare);
    let (mut message, mut given, mut end) = (Vec::new(), 0, None);
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        given += piece.len();
        let decoded = decoder.decode(&mut input);
        message.extend_from_slice(&decoded.head);
        message.extend_from_slice(&decoded.tail);
        if decoded.end {
            end = Some(given - input.len());
            break;
        }
        assert!(input.is_empty(), "the decoder left octets of the message");
    }
    let facts = decoder.facts();
    assert_eq!(facts.octets, message.len() as u64);
    assert_eq!(facts.has_8bit, !message.is_ascii());
    assert_eq!(facts.has_nul, message.contains(&0));
    Read { message, end, has_bare_newline: facts.has_bare_newline, longest_line: facts.longest_line }
}

/// RFC 5321 §4.5.2 on lines that end with CRLF and nothing else; what may yet become one is held back.
fn model(wire: &[u8], framing: Framing) -> Read {
    let mut read = Read { message: Vec::new(), end: None, has_bare_newline: false, longest_line: 0 };
    let mut rest = wire;
    while let Some(length) = rest.windows(2).position(|two| two == b"\r\n") {
        let (line, after) = (&rest[..length], &rest[length + 2..]);
        if framing == Framing::Dot && line == b"." {
            read.end = Some(wire.len() - after.len());
            break;
        }
        read.line(line, framing);
        read.message.extend_from_slice(b"\r\n");
        rest = after;
    }
    if read.end.is_none() {
        read.line(rest.strip_suffix(b"\r").unwrap_or(rest), framing);
    }
    let lines =
        read.message.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    read.longest_line = lines.map(|line| line.len() as u64).max().unwrap_or(0);
    read
}

impl Read {
    fn line(&mut self, line: &[u8], framing: Framing) {
        let line = if framing == Framing::Dot { line.strip_prefix(b".").unwrap_or(line) } else { line };
        for &octet in line {
            if matches!(octet, b'\r' | b'\n') {
                self.has_bare_newline = true;
                self.message.extend_from_slice(b"\r\n");
            } else {
                self.message.push(octet);
            }
        }
    }
}
