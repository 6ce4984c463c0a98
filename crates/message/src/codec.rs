//! Content transfer encodings (RFC 2045 §6): what a field says, and the bytes themselves.

use crate::header::Header;
use crate::transfer::Decoder;

/// Longest encoded line without its CRLF (RFC 2045 §6.7, §6.8).
const ENCODED_LINE: usize = 76;

/// How a part's body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// 7bit, 8bit, binary, or nothing said: the bytes are the content.
    Identity,
    QuotedPrintable,
    Base64,
    /// Nobody knows (RFC 2045 §6.4: treat as opaque).
    Unknown,
}

impl Encoding {
    pub(crate) fn of(header: &Header<'_>) -> Self {
        Self::named(
            header.get("Content-Transfer-Encoding").map(|field| field.raw_value()).unwrap_or_default(),
        )
    }

    /// The encoding that a value of the field names.
    pub(crate) fn named(value: &[u8]) -> Self {
        let mut tokens = value.split(|octet| b";( \t\r\n".contains(octet));
        let token = tokens.find(|token| !token.is_empty()).unwrap_or_default();
        match token.to_ascii_lowercase().as_slice() {
            b"" | b"7bit" | b"8bit" | b"binary" => Self::Identity,
            b"quoted-printable" => Self::QuotedPrintable,
            b"base64" => Self::Base64,
            _ => Self::Unknown,
        }
    }

    /// The content of an encoded body. Damage is skipped, as RFC 2045 §6.7 and §6.8 ask.
    pub(crate) fn decode(self, body: &[u8]) -> Vec<u8> {
        let Some(mut decoder) = Decoder::of(self) else { return body.to_vec() };
        let mut out = Vec::with_capacity(body.len());
        decoder.feed(body, &mut out);
        decoder.finish(&mut out);
        out
    }
}

/// Encodes any bytes so that they decode to the same bytes: CRLF stays a line end, everything else that a 7-bit
/// path could change is escaped (RFC 2045 §6.7).
pub(crate) fn quoted_printable(content: &[u8], out: &mut Vec<u8>) {
    let mut lines = content.split_inclusive(|&b| b == b'\n').peekable();
    let mut column = 0;
    while let Some(line) = lines.next() {
        let (text, ends) = line.strip_suffix(b"\r\n").map_or((line, false), |text| (text, true));
        let last = lines.peek().is_none() && !ends;
        for (at, &byte) in text.iter().enumerate() {
            // White space at the end of a line would be lost.
            let exposed = at + 1 == text.len() && (ends || last) && matches!(byte, b' ' | b'\t');
            let plain = matches!(byte, b' '..=b'~' | b'\t') && byte != b'=' && !exposed;
            let width = if plain { 1 } else { 3 };
            // The last column is the soft break's own.
            if column + width > ENCODED_LINE - 1 {
                out.extend_from_slice(b"=\r\n");
                column = 0;
            }
            // A line that starts with a dot or "From " is changed by some old relays (RFC 2049 §3).
            if plain && !(column == 0 && (byte == b'.' || text[at..].starts_with(b"From "))) {
                out.push(byte);
                column += 1;
            } else {
                out.extend_from_slice(&[b'=', hex(byte >> 4), hex(byte & 15)]);
                column += 3;
            }
        }
        if ends {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
    }
}

/// Encodes in lines of 76 letters, each with its CRLF (RFC 2045 §6.8).
pub(crate) fn base64(content: &[u8], out: &mut Vec<u8>) {
    for chunk in content.chunks(ENCODED_LINE / 4 * 3) {
        out.extend_from_slice(data_encoding::BASE64.encode(chunk).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

fn hex(nibble: u8) -> u8 {
    b"0123456789ABCDEF"[usize::from(nibble & 15)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(content: &str, encoded: &str) {
        let mut out = Vec::new();
        quoted_printable(content.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), encoded, "{content:?}");
    }

    #[test]
    fn quoted_printable_escapes_what_would_be_changed() {
        check("a=b\r\né \r\n", "a=3Db\r\n=C3=A9=20\r\n");
        check("a\nb\rc\0", "a=0Ab=0Dc=00");
        check(".\r\nFrom me\r\n", "=2E\r\n=46rom me\r\n");
        check(&"x".repeat(80), &format!("{}=\r\n{}", "x".repeat(75), "x".repeat(5)));
    }

    #[test]
    fn damage_is_skipped() {
        assert_eq!(Encoding::QuotedPrintable.decode(b"a=ZZ=4 \n=41=\r\nb=\nc="), b"a=ZZ=4\nAbc");
        assert_eq!(Encoding::Base64.decode(b"YQ==\r\nYmM=!?"), b"abc");
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(content in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b' '), Just(b'='), any::<u8>()], 0..400)) {
            for encoding in [Encoding::QuotedPrintable, Encoding::Base64] {
                let mut out = Vec::new();
                match encoding {
                    Encoding::Base64 => base64(&content, &mut out),
                    _ => quoted_printable(&content, &mut out),
                }
                prop_assert!(out.is_ascii());
                prop_assert!(out.split(|&b| b == b'\n').all(|line| line.trim_ascii_end().len() <= ENCODED_LINE));
                prop_assert_eq!(encoding.decode(&out), &content[..]);
            }
        }
    }
}
