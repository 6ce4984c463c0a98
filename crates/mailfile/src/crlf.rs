//! Line ends: LF in files, CRLF on the network.

/// Turns LF that stands alone into CRLF, piece by piece. Everything else stays as it is, a CR alone too.
#[derive(Debug, Clone, Copy, Default)]
pub struct Crlf {
    after_cr: bool,
}

impl Crlf {
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if let Some(text) = line.strip_suffix(b"\n") {
                let has_cr = text.last().map_or(self.after_cr, |&last| last == b'\r');
                out.extend_from_slice(text);
                out.extend_from_slice(if has_cr { b"\n" } else { b"\r\n" });
            } else {
                out.extend_from_slice(line);
            }
            self.after_cr = line.last() == Some(&b'\r');
        }
    }
}

/// Turns CRLF into LF, piece by piece. Everything else stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lf {
    /// A CR that was not passed on yet.
    held: bool,
}

impl Lf {
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            if std::mem::take(&mut self.held) && byte != b'\n' {
                out.push(b'\r');
            }
            match byte {
                b'\r' => self.held = true,
                byte => out.push(byte),
            }
        }
    }

    pub fn finish(self, out: &mut Vec<u8>) {
        if self.held {
            out.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn crlf(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut lines, mut out) = (Crlf::default(), Vec::new());
        pieces.iter().for_each(|piece| lines.push(piece, &mut out));
        out
    }

    fn lf(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut lines, mut out) = (Lf::default(), Vec::new());
        pieces.iter().for_each(|piece| lines.push(piece, &mut out));
        lines.finish(&mut out);
        out
    }

    #[test]
    fn only_a_lone_lf_becomes_crlf() {
        for (text, expected) in
            [("a\nb", "a\r\nb"), ("a\r\nb\r", "a\r\nb\r"), ("\n\n", "\r\n\r\n"), ("a\rb", "a\rb")]
        {
            assert_eq!(crlf(&[text.as_bytes()]), expected.as_bytes(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference_and_the_way_back_is_the_same(
            text in prop::collection::vec(prop::sample::select(b"a\r\n".to_vec()), 0..12),
            cut in 0usize..12,
        ) {
            let (head, tail) = text.split_at(cut.min(text.len()));
            prop_assert_eq!(crlf(&[head, tail]), crlf(&[&text]));
            prop_assert_eq!(lf(&[head, tail]), lf(&[&text]));
            // The way back is the same for text whose CRs stand before LF only, each alone.
            let network = crlf(&[&text.iter().copied().filter(|&byte| byte != b'\r').collect::<Vec<_>>()]);
            prop_assert_eq!(crlf(&[&lf(&[&network])]), network);
        }
    }
}
