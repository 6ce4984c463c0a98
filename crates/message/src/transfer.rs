//! Content transfer encodings taken away from bodies that come in pieces (RFC 2045 §6), as BINARY of IMAP needs it.

use crate::codec::Encoding;

/// Most white space that is taken for padding at the end of a line, in octets: no line of quoted-printable may be longer than
/// 76, and no line of a message longer than 998.
const MAX_PADDING: usize = 998;

/// Decodes a body in pieces of any size; the result is the same however it is cut. Damage is skipped, as RFC 2045 §6.7 and
/// §6.8 ask, so that nothing fails.
///
/// ```
/// let mut decoder = message::transfer::Decoder::new(b"Base64").unwrap();
/// let mut out = Vec::new();
/// for piece in [&b"aGVs"[..], b"bG", b"8=\r\n"] {
///     decoder.feed(piece, &mut out);
/// }
/// decoder.finish(&mut out);
/// assert_eq!(out, b"hello");
/// assert!(message::transfer::Decoder::new(b"x-uuencode").is_none());
/// ```
#[derive(Debug)]
pub struct Decoder(State);

#[derive(Debug)]
enum State {
    Identity,
    QuotedPrintable(QuotedPrintable),
    /// Bits that are not yet an octet, and how many they are.
    Base64(u32, u32),
}

impl Decoder {
    /// For a value of Content-Transfer-Encoding; `None` if nobody knows it (`UNKNOWN-CTE` of RFC 9051 §6.4.5). Nothing said is
    /// `7bit`.
    pub fn new(encoding: &[u8]) -> Option<Self> {
        Self::of(Encoding::named(encoding))
    }

    pub(crate) fn of(encoding: Encoding) -> Option<Self> {
        Some(Self(match encoding {
            Encoding::Identity => State::Identity,
            Encoding::QuotedPrintable => State::QuotedPrintable(QuotedPrintable::default()),
            Encoding::Base64 => State::Base64(0, 0),
            Encoding::Unknown => return None,
        }))
    }

    /// Decodes the next octets to the end of `out`: no more than one piece and [`MAX_PADDING`] octets.
    pub fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            State::Identity => out.extend_from_slice(octets),
            State::QuotedPrintable(state) => state.feed(octets, out),
            State::Base64(bits, count) => base64(octets, bits, count, out),
        }
    }

    /// What was held back.
    pub fn finish(self, out: &mut Vec<u8>) {
        if let State::QuotedPrintable(state) = self.0 {
            state.finish(out);
        }
    }
}

/// RFC 2045 §6.8. Octets that are not in its alphabet are skipped.
fn base64(octets: &[u8], bits: &mut u32, count: &mut u32, out: &mut Vec<u8>) {
    out.reserve(octets.len() / 4 * 3);
    for &octet in octets {
        let value = BASE64[usize::from(octet)];
        if value >= 64 {
            // The end of one encoded piece; some programs concatenate several.
            if octet == b'=' {
                (*bits, *count) = (0, 0);
            }
            continue;
        }
        *bits = *bits << 6 | u32::from(value);
        *count += 6;
        if *count >= 8 {
            *count -= 8;
            out.push((*bits >> *count) as u8);
        }
    }
}

/// The values of the alphabet; 64 for what is not in it.
const BASE64: [u8; 256] = {
    let (mut table, mut value) = ([64; 256], 0);
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while value < alphabet.len() {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table
};

/// RFC 2045 §6.7. What is no escape stays as it is; white space at the end of a line was added on the way.
#[derive(Debug, Default)]
struct QuotedPrintable {
    escape: Escape,
    /// White space of which it is not known whether it ends the line; it stands after the escape.
    blanks: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Escape {
    #[default]
    None,
    /// After `=`: at the end of a line it joins it to the next.
    Equals,
    /// After `=` and a first digit.
    High(u8),
}

impl QuotedPrintable {
    fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while let Some((&first, after)) = rest.split_first() {
            if self.escape != Escape::None {
                self.octet(first, out);
                rest = after;
                continue;
            }
            let end = memchr::memchr2(b'=', b'\n', rest).unwrap_or(rest.len());
            let plain = rest[..end].trim_ascii_end();
            if !plain.is_empty() {
                out.append(&mut self.blanks);
                out.extend_from_slice(plain);
            }
            let odd = &rest[plain.len()..rest.len().min(end + 1)];
            odd.iter().for_each(|&octet| self.octet(octet, out));
            rest = &rest[rest.len().min(end + 1)..];
        }
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        match octet {
            b'\n' => {
                let soft = self.escape == Escape::Equals;
                if !soft {
                    self.give_up(out);
                    out.extend_from_slice(if self.blanks.ends_with(b"\r") { b"\r\n" } else { b"\n" });
                }
                (self.escape, self.blanks) = (Escape::None, Vec::new());
            }
            octet if octet.is_ascii_whitespace() => {
                if matches!(self.escape, Escape::High(_)) {
                    self.give_up(out);
                }
                self.blanks.push(octet);
                if self.blanks.len() > MAX_PADDING {
                    self.give_up(out);
                    out.append(&mut self.blanks);
                }
            }
            octet => {
                if !self.blanks.is_empty() {
                    self.give_up(out);
                    out.append(&mut self.blanks);
                }
                self.escaped(octet, out);
            }
        }
    }

    fn escaped(&mut self, octet: u8, out: &mut Vec<u8>) {
        let digit = |octet: u8| (octet as char).to_digit(16).map(|digit| digit as u8);
        match (self.escape, octet, digit(octet)) {
            (Escape::Equals, _, Some(_)) => self.escape = Escape::High(octet),
            (Escape::High(high), _, Some(low)) => {
                out.push(digit(high).unwrap_or_default() << 4 | low);
                self.escape = Escape::None;
            }
            (_, b'=', _) => {
                self.give_up(out);
                self.escape = Escape::Equals;
            }
            _ => {
                self.give_up(out);
                out.push(octet);
            }
        }
    }

    /// It was no escape.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        match std::mem::take(&mut self.escape) {
            Escape::None => {}
            Escape::Equals => out.push(b'='),
            Escape::High(high) => out.extend_from_slice(&[b'=', high]),
        }
    }

    fn finish(mut self, out: &mut Vec<u8>) {
        // Nothing follows the last line, so it is not joined to anything.
        if self.escape != Escape::Equals || !self.blanks.is_empty() {
            self.give_up(out);
        }
        out.append(&mut self.blanks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(encoding: &str, pieces: &[&[u8]]) -> Vec<u8> {
        let (mut decoder, mut out) = (Decoder::new(encoding.as_bytes()).unwrap(), Vec::new());
        pieces.iter().for_each(|piece| decoder.feed(piece, &mut out));
        decoder.finish(&mut out);
        out
    }

    fn check(encoding: &str, body: &str, content: &str) {
        let octets: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
        for pieces in [vec![body.as_bytes()], octets] {
            assert_eq!(String::from_utf8(decode(encoding, &pieces)).unwrap(), content, "{body:?}");
        }
    }

    #[test]
    fn encodings_are_known_whatever_their_case() {
        for name in ["", "7bit", " 8BIT ", "binary", "BINARY; x"] {
            check(name, "a=41\r\n", "a=41\r\n");
        }
        for name in ["x-unknown", "base-64", "\u{ff}"] {
            assert!(Decoder::new(name.as_bytes()).is_none());
        }
    }

    #[test]
    fn quoted_printable_as_rfc_2045_says() {
        check("Quoted-Printable", "a=C3=a4 =\r\n b \t\r\nc=\n d\n", "a\u{e4}  b\r\nc d\n");
        check("quoted-printable", "x =  \r\ny\r \r\n\r\n", "x y\r\n\r\n");
        check("quoted-printable", "=ZZ =4 = 4 ==41=4=41\r\n", "=ZZ =4 = 4 =A=4A\r\n");
        check("quoted-printable", "end ", "end ");
        check("quoted-printable", "end=", "end");
        check("quoted-printable", "end= ", "end= ");
        check("quoted-printable", "end=4", "end=4");
    }

    #[test]
    fn padding_is_bounded() {
        let long = format!("a{}\n", " ".repeat(10 * MAX_PADDING));
        let octets: Vec<&[u8]> = long.as_bytes().chunks(7).collect();
        assert_eq!(decode("quoted-printable", &octets), decode("quoted-printable", &[long.as_bytes()]));
    }

    #[test]
    fn base64_skips_what_is_not_in_it() {
        check("base64", "YQ==\r\nYm!M=\r\nZ", "abc");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_it_is_cut(body in "([=a4Z \t\r\n]|=\r\n|=4a|é){0,40}", cut in 1usize..5) {
            for encoding in ["quoted-printable", "base64", "8bit"] {
                let pieces: Vec<&[u8]> = body.as_bytes().chunks(cut).collect();
                prop_assert_eq!(decode(encoding, &pieces), decode(encoding, &[body.as_bytes()]));
            }
        }
    }
}
