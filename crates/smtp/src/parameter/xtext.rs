//! `xtext`: a value in which anything may stand (RFC 3461 §4).

/// Reads `xtext`: `+2B` is the octet 2B, everything else stands for itself. `None` when it is not `xtext`, or
/// when the octets are not UTF-8 or hold control characters, which no use of it needs.
pub fn decode_xtext(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        match octet {
            b'+' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                octets.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'!'..=b'~' if octet != b'=' => octets.push(octet),
            _ => return None,
        }
    }
    String::from_utf8(octets).ok().filter(|value| !value.chars().any(char::is_control))
}

/// Writes `xtext`.
pub fn encode_xtext(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for octet in value.bytes() {
        match octet {
            b'!'..=b'~' if octet != b'+' && octet != b'=' => out.push(char::from(octet)),
            _ => out.push_str(&format!("+{octet:02X}")),
        }
    }
    out
}
