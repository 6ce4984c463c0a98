//! Headers for those who cannot read UTF-8.

/// Makes the surrogate of a message for a client that has not said UTF8 (RFC 6856 §2.1): each octet of the header
/// outside ASCII becomes a question mark, so that the message keeps its size and can be fetched at all. The body,
/// whose encoding MIME declares, stays as it is.
#[derive(Debug)]
pub(super) struct AsciiHeader {
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    InLine,
    /// Also after the CR of an empty line.
    LineStart,
    Body,
}

impl AsciiHeader {
    pub(super) fn new() -> Self {
        Self { place: Place::LineStart }
    }

    /// The next piece with its part of the header replaced; `None` when nothing is to be.
    pub(super) fn replace(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let header = self.header_part(piece);
        let (header, body) = piece.split_at_checked(header)?;
        if header.is_ascii() {
            return None;
        }
        let replaced = header.iter().map(|byte| if byte.is_ascii() { *byte } else { b'?' });
        Some(replaced.chain(body.iter().copied()).collect())
    }

    /// How many octets of the piece belong to the header.
    fn header_part(&mut self, piece: &[u8]) -> usize {
        if self.place == Place::Body {
            return 0;
        }
        for (index, byte) in piece.iter().enumerate() {
            self.place = match (self.place, byte) {
                (Place::LineStart, b'\n') => {
                    self.place = Place::Body;
                    return index + 1;
                }
                (_, b'\n') => Place::LineStart,
                (Place::LineStart, b'\r') => Place::LineStart,
                _ => Place::InLine,
            };
        }
        piece.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: &str) {
        for size in 1..=message.len().max(1) {
            let mut header = AsciiHeader::new();
            let piece = |piece: &[u8]| header.replace(piece).unwrap_or_else(|| piece.to_vec());
            let sent: Vec<u8> = message.as_bytes().chunks(size).flat_map(piece).collect();
            assert_eq!(String::from_utf8_lossy(&sent), expected, "by {size}");
        }
    }

    #[test]
    fn only_the_header_is_replaced() {
        check("Subject: Grüße\r\n\r\nGrüße\r\n\r\nü", "Subject: Gr????e\r\n\r\nGrüße\r\n\r\nü");
        check("A: b\nC: ü\n\nü\n", "A: b\nC: ??\n\nü\n");
        check("\r\nü", "\r\nü");
        check("A: ü", "A: ??");
        check("A: b\r\n\r\nplain\r\n", "A: b\r\n\r\nplain\r\n");
    }
}
