//! Modified UTF-7, written (RFC 3501 §5.1.3).

use data_encoding::{Encoding, Specification};
use std::sync::LazyLock;

/// BASE64 with `,` for `/`, and without padding.
static BASE64: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,");
    specification.encoding().unwrap_or(data_encoding::BASE64_NOPAD)
});

/// Whether the name is written as it is.
pub(super) fn is_itself(name: &str) -> bool {
    name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'&')
}

pub(super) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    let mut shifted: Vec<u8> = Vec::new();
    for character in name.chars() {
        if matches!(character, ' '..='~') {
            flush(&mut shifted, &mut out);
            out.push(character);
            if character == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(character.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut shifted, &mut out);
    out
}

fn flush(shifted: &mut Vec<u8>, out: &mut String) {
    if !shifted.is_empty() {
        out.push('&');
        out.push_str(&BASE64.encode(shifted));
        out.push('-');
        shifted.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_ascii_are_shifted() {
        for (name, expected) in [
            ("INBOX", "INBOX"),
            ("R&D", "R&-D"),
            // RFC 3501 §5.1.3's.
            ("~peter/mail/\u{53f0}\u{5317}/\u{65e5}\u{672c}\u{8a9e}", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entw\u{fc}rfe", "Entw&APw-rfe"),
            ("\u{1f4e8}", "&2D3c6A-"),
        ] {
            assert_eq!(encode(name), expected);
            assert_eq!(is_itself(name), name == expected);
        }
    }
}
