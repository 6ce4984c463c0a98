//! The head of a literal, at the end of a line.

/// As far back from the end of a line as a head is looked for: `~{`, 20 digits, `+}`, and room.
pub(super) const WINDOW: usize = 32;
/// More are no number, whatever their value: the window might not show them all.
const MAX_DIGITS: usize = 20;

/// `{5}`, `{5+}`, `~{5}` (RFC 9051 §9, literal and literal8; RFC 7888).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Of the head itself, which is the end of the text.
    pub(super) length: usize,
    /// `None`: 63 bits do not hold it.
    pub(super) size: Option<u64>,
    pub(super) synchronizing: bool,
    pub(super) binary: bool,
}

impl Head {
    /// The head that `text`, a line without its CRLF, ends with. Looks at its last [`WINDOW`] octets only.
    pub(super) fn at_end(text: &[u8]) -> Option<Self> {
        let text = &text[text.len().saturating_sub(WINDOW)..];
        let inner = text.strip_suffix(b"}")?;
        let (inner, synchronizing) = inner.strip_suffix(b"+").map_or((inner, true), |inner| (inner, false));
        let digits = inner.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (before, digits) = inner.split_at(inner.len() - digits);
        let before = match before.strip_suffix(b"{") {
            Some(before) if !digits.is_empty() => before,
            // Digits as far as we look: a number that is too large, however it begins.
            None if before.is_empty() && digits.len() > WINDOW / 2 => before,
            _ => return None,
        };
        let binary = before.ends_with(b"~");
        let start = before.len() - usize::from(binary);
        let size = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
        let size = size.filter(|size| *size <= i64::MAX as u64 && digits.len() <= MAX_DIGITS);
        Some(Self { length: text.len() - start, size, synchronizing, binary })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_found_at_the_end_of_a_line() {
        let head = |length, size, synchronizing, binary| Some(Head { length, size, synchronizing, binary });
        for (text, expected) in [
            ("a LOGIN {11}", head(4, Some(11), true, false)),
            ("a LOGIN {0+}", head(4, Some(0), false, false)),
            ("a APPEND x ~{12}", head(5, Some(12), true, true)),
            ("~{12+}", head(6, Some(12), false, true)),
            ("{9223372036854775807}", head(21, Some(i64::MAX as u64), true, false)),
            ("{9223372036854775808}", head(21, None, true, false)),
            ("{99999999999999999999+}", head(23, None, false, false)),
            ("{}", None),
            ("{+}", None),
            ("{1}}", None),
            ("{1} ", None),
            ("{-1}", None),
            ("1}", None),
            ("", None),
        ] {
            assert_eq!(Head::at_end(text.as_bytes()), expected, "{text}");
        }
        let absurd = format!("a {{{}5+}}", "0".repeat(60));
        assert_eq!(Head::at_end(absurd.as_bytes()).unwrap().size, None);
    }
}
