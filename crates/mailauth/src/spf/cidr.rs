//! Networks, as `ip4`, `ip6`, `a` and `mx` compare addresses (RFC 7208 §5, §5.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many leading bits of an address count, in each family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DualCidr {
    /// 0 to 32.
    pub v4: u8,
    /// 0 to 128.
    pub v6: u8,
}

impl DualCidr {
    pub(super) const WHOLE: Self = Self { v4: 32, v6: 128 };

    /// Whether `a` and `b` are of one family and one network.
    pub(super) fn same_network(self, a: IpAddr, b: IpAddr) -> bool {
        match (a, b) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same_v4(a, b, self.v4),
            (IpAddr::V6(a), IpAddr::V6(b)) => same_v6(a, b, self.v6),
            _ => false,
        }
    }
}

fn same_v4(a: Ipv4Addr, b: Ipv4Addr, bits: u8) -> bool {
    let differing = a.to_bits() ^ b.to_bits();
    // A shift by the whole width, of "/0", leaves nothing to differ.
    differing.checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
}

fn same_v6(a: Ipv6Addr, b: Ipv6Addr, bits: u8) -> bool {
    let differing = a.to_bits() ^ b.to_bits();
    differing.checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
}

/// Cuts the `dual-cidr-length` off the end of a term: what is before it, and the digits of each family.
/// `a/24//64`, `a/24` and `a//64` have one; `a:host/b.example` has none.
pub(super) fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (head, digits) = trailing_digits(text);
    if digits.is_empty() {
        return (text, None, None);
    }
    let Some(before) = head.strip_suffix("//") else {
        return match head.strip_suffix('/') {
            Some(before) => (before, Some(digits), None),
            None => (text, None, None),
        };
    };
    let (head, more) = trailing_digits(before);
    match head.strip_suffix('/') {
        Some(first) if !more.is_empty() => (first, Some(more), Some(digits)),
        _ => (before, None, Some(digits)),
    }
}

fn trailing_digits(text: &str) -> (&str, &str) {
    let head = text.trim_end_matches(|c: char| c.is_ascii_digit());
    text.split_at(head.len())
}

/// The value of a prefix length, which has no leading zero and is at most `max`.
pub(super) fn prefix(digits: &str, max: u8) -> Option<u8> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|bits| plain && *bits <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_cut_off_the_end() {
        for (text, expected) in [
            ("", ("", None, None)),
            ("/24", ("", Some("24"), None)),
            ("//64", ("", None, Some("64"))),
            ("/24//64", ("", Some("24"), Some("64"))),
            (":mail.example/24//64", (":mail.example", Some("24"), Some("64"))),
            (":a/b.example", (":a/b.example", None, None)),
            (":a.b1", (":a.b1", None, None)),
            // What is left is no domain, and is refused as such.
            ("/24/64", ("/24", Some("64"), None)),
            ("///64", ("/", None, Some("64"))),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn lengths_are_in_range_and_plain() {
        for (digits, max, expected) in [
            ("0", 32, Some(0)),
            ("32", 32, Some(32)),
            ("33", 32, None),
            ("032", 32, None),
            ("00", 32, None),
            ("+8", 32, None),
            ("", 32, None),
            ("128", 128, Some(128)),
            ("300", 128, None),
        ] {
            assert_eq!(prefix(digits, max), expected, "{digits}");
        }
    }

    #[test]
    fn only_the_leading_bits_count() {
        let same = |a: &str, b: &str, v4, v6| {
            DualCidr { v4, v6 }.same_network(a.parse().unwrap(), b.parse().unwrap())
        };
        assert!(same("192.0.2.1", "192.0.2.254", 24, 128));
        assert!(!same("192.0.2.1", "192.0.3.1", 24, 128));
        assert!(same("192.0.2.1", "10.0.0.1", 0, 128));
        assert!(!same("192.0.2.1", "192.0.2.2", 32, 0));
        assert!(same("2001:db8::1", "2001:db8::ffff", 0, 112));
        assert!(!same("2001:db8::1", "2001:db8::2", 0, 128));
        // The families are never compared, not even with nothing to compare.
        assert!(!same("192.0.2.1", "::", 0, 0));
    }
}
