//! Text in any charset, in pieces.

use crate::words::{self, charset};
use encoding_rs::CoderResult;

/// Most octets without a line end that are held back to be read at once, where a charset has to be read line by line.
const MAX_LINE: usize = 64 * 1024;

/// Reads text of one charset: the result is the same however it is cut.
pub(super) enum Charset {
    Web(encoding_rs::Decoder),
    /// What is read by lines, for a line end ends whatever is shifted (RFC 2152); and the line that has not ended.
    Lines(fn(&[u8]) -> String, Vec<u8>),
}

impl Charset {
    /// For the label in Content-Type.
    pub(super) fn new(label: Option<&str>) -> Self {
        match charset(label) {
            words::Charset::Web(encoding) => Self::Web(encoding.new_decoder_without_bom_handling()),
            words::Charset::Mail(decode) => Self::Lines(decode, Vec::new()),
        }
    }

    /// Appends the text of the next octets, which are the `last` or not.
    pub(super) fn feed(&mut self, octets: &[u8], last: bool, out: &mut String) {
        match self {
            Self::Web(decoder) => decode(decoder, octets, last, out),
            Self::Lines(decode, held) => {
                held.extend_from_slice(octets);
                let whole = last || held.len() > MAX_LINE;
                let end = memchr::memrchr(b'\n', held).map_or(0, |lf| lf + 1);
                let end = if whole { held.len() } else { end };
                out.push_str(&decode(&held[..end]));
                held.drain(..end);
            }
        }
    }
}

fn decode(decoder: &mut encoding_rs::Decoder, octets: &[u8], last: bool, out: &mut String) {
    let mut rest = octets;
    loop {
        out.reserve(decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len()));
        let (result, read, _) = decoder.decode_to_string(rest, out, last);
        if result == CoderResult::InputEmpty {
            return;
        }
        rest = &rest[read..];
    }
}

impl std::fmt::Debug for Charset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Web(decoder) => f.debug_tuple("Web").field(&decoder.encoding().name()).finish(),
            Self::Lines(_, held) => f.debug_tuple("Lines").field(held).finish(),
        }
    }
}
