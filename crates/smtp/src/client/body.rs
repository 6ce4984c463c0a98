//! The body as it goes over the wire (RFC 5321 §2.3.8, §4.5.2; RFC 3030).

use bytes::BytesMut;

/// Writes a message so that nobody can see a line end or an end of data where there is none: every CR, LF
/// and CRLF becomes CRLF, the last line is ended, and for DATA a dot is put before a leading dot.
#[derive(Debug)]
pub struct BodyEncoder {
    form: Form,
    /// The next octet begins a line.
    line_start: bool,
    /// The last octet was a CR, already written as CRLF: an LF that follows belongs to it.
    after_cr: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// DATA: dot-stuffed lines, then a lone dot.
    Dots,
    /// BDAT with text.
    Lines,
    /// BDAT with BODY=BINARYMIME: octets as they are (RFC 3030 §3).
    Octets,
}

impl BodyEncoder {
    /// For DATA.
    pub fn dots() -> Self {
        Self::new(Form::Dots)
    }

    /// For BDAT; `binary` bodies are passed as they are.
    pub fn chunks(binary: bool) -> Self {
        Self::new(if binary { Form::Octets } else { Form::Lines })
    }

    fn new(form: Form) -> Self {
        Self { form, line_start: true, after_cr: false }
    }

    /// Appends the next piece of the body. How the body is cut into pieces makes no difference.
    pub fn encode(&mut self, piece: &[u8], out: &mut BytesMut) {
        if self.form == Form::Octets {
            out.extend_from_slice(piece);
            return;
        }
        out.reserve(piece.len() + piece.len() / 64);
        let mut rest = piece;
        while let Some(&first) = rest.first() {
            if first == b'\n' && std::mem::take(&mut self.after_cr) {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            self.after_cr = false;
            if self.line_start && first == b'.' && self.form == Form::Dots {
                out.extend_from_slice(b".");
            }
            let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
                out.extend_from_slice(rest);
                self.line_start = false;
                return;
            };
            let (line, tail) = rest.split_at(end);
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
            self.line_start = true;
            self.after_cr = tail.first() == Some(&b'\r');
            rest = tail.get(1..).unwrap_or_default();
        }
    }

    /// Appends what ends the body.
    pub fn finish(&mut self, out: &mut BytesMut) {
        if self.form == Form::Octets {
            return;
        }
        if !self.line_start {
            out.extend_from_slice(b"\r\n");
            self.line_start = true;
        }
        if self.form == Form::Dots {
            out.extend_from_slice(b".\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(mut encoder: BodyEncoder, pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = BytesMut::new();
        pieces.iter().for_each(|piece| encoder.encode(piece, &mut out));
        encoder.finish(&mut out);
        out.to_vec()
    }

    #[track_caller]
    fn check(input: &str, data: &str) {
        let wire = encode(BodyEncoder::dots(), &[input.as_bytes()]);
        assert_eq!(String::from_utf8_lossy(&wire), data);
    }

    #[test]
    fn leading_dots_are_doubled() {
        check("a\r\nb\r\n", "a\r\nb\r\n.\r\n");
        check(".\r\n..\r\n.a\r\na.\r\n", "..\r\n...\r\n..a\r\na.\r\n.\r\n");
    }

    #[test]
    fn the_last_line_is_ended() {
        check("", ".\r\n");
        check("a", "a\r\n.\r\n");
        check("a\r", "a\r\n.\r\n");
        check("\r\n", "\r\n.\r\n");
    }

    #[test]
    fn bare_line_ends_become_crlf_so_that_no_hidden_dot_ends_the_data() {
        check("a\nb\n", "a\r\nb\r\n.\r\n");
        check("a\rb", "a\r\nb\r\n.\r\n");
        check("a\n.\nMAIL FROM:<x>\n", "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n");
        check("a\r.\r", "a\r\n..\r\n.\r\n");
        check("a\n.\r\n", "a\r\n..\r\n.\r\n");
        check("a\r\r\n\n", "a\r\n\r\n\r\n.\r\n");
    }

    #[test]
    fn chunks_are_not_stuffed_and_binary_is_untouched() {
        assert_eq!(encode(BodyEncoder::chunks(false), &[b".\n.a"]), b".\r\n.a\r\n");
        assert_eq!(encode(BodyEncoder::chunks(true), &[b"\n\r\0."]), b"\n\r\0.");
    }

    fn has_bare_line_end(wire: &[u8]) -> bool {
        let text = String::from_utf8_lossy(wire).replace("\r\n", "");
        text.contains(['\r', '\n'])
    }

    proptest! {
        #[test]
        fn no_bare_line_end_and_no_lone_dot_before_the_end(body in "[.a\r\n]{0,40}") {
            let wire = encode(BodyEncoder::dots(), &[body.as_bytes()]);
            prop_assert!(!has_bare_line_end(&wire));
            let text = String::from_utf8(wire).unwrap();
            let lines: Vec<&str> = text.split("\r\n").collect();
            let ends = lines.iter().position(|&line| line == ".");
            // The last element is what follows the final CRLF: nothing.
            prop_assert_eq!(ends, Some(lines.len() - 2));
            prop_assert!(!has_bare_line_end(&encode(BodyEncoder::chunks(false), &[body.as_bytes()])));
        }

        #[test]
        fn unstuffed_it_is_the_body_with_crlf(body in "[.a\r\n]{0,40}") {
            let lines = encode(BodyEncoder::chunks(false), &[body.as_bytes()]);
            let dots = encode(BodyEncoder::dots(), &[body.as_bytes()]);
            let text = String::from_utf8(dots).unwrap();
            let unstuffed: String = text
                .strip_suffix(".\r\n")
                .unwrap()
                .split_inclusive("\r\n")
                .map(|line| line.strip_prefix('.').unwrap_or(line))
                .collect();
            prop_assert_eq!(unstuffed.as_bytes(), &lines[..]);
        }

        #[test]
        fn pieces_do_not_matter(body in "[.a\r\n]{0,40}", cut in 0usize..40) {
            let (head, tail) = body.as_bytes().split_at(cut.min(body.len()));
            prop_assert_eq!(
                encode(BodyEncoder::dots(), &[head, tail]),
                encode(BodyEncoder::dots(), &[body.as_bytes()])
            );
        }
    }
}
