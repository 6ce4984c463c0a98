//! Which answers of a list count.

use std::net::Ipv4Addr;
use std::str::FromStr;

/// Answers that count: all from one address to another, or all that have some bits (RFC 5782 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    Range(Ipv4Addr, Ipv4Addr),
    Bits(Ipv4Addr),
}

impl Codes {
    fn include(self, ip: Ipv4Addr) -> bool {
        match self {
            Self::Range(first, last) => (first..=last).contains(&ip),
            // The first octet is 127 in all of them.
            Self::Bits(bits) => {
                let mask = bits.to_bits() & 0x00ff_ffff;
                ip.to_bits() & mask == mask
            }
        }
    }
}

/// `127.0.0.2`, `127.0.0.2-127.0.0.11`, or `&127.0.0.4`: those with this bit.
impl FromStr for Codes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = |text: &str| {
            let address = text.trim().parse::<Ipv4Addr>().ok().filter(|ip| is_answer(*ip));
            address.ok_or_else(|| {
                format!("{text:?} is no answer of a list: write it like \"127.0.0.2\", \"127.0.0.2-127.0.0.11\" or \"&127.0.0.4\"")
            })
        };
        if let Some(bits) = text.strip_prefix('&') {
            return address(bits).map(Self::Bits);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (address(first)?, address(last)?);
        if last < first {
            return Err(format!("{text:?} ends before it begins"));
        }
        Ok(Self::Range(first, last))
    }
}

/// Whether an answer counts. What is outside 127/8 never does: that is a domain that was sold (RFC 5782 §2.3).
pub(super) fn counts(codes: &[Codes], ip: Ipv4Addr) -> bool {
    let is_error = ip.octets()[..3] == [127, 255, 255];
    is_answer(ip) && if codes.is_empty() { !is_error } else { codes.iter().any(|codes| codes.include(ip)) }
}

fn is_answer(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 127
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(codes: &[&str], answer: &str, expected: bool) {
        let codes: Vec<Codes> = codes.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(counts(&codes, answer.parse().unwrap()), expected, "{codes:?} {answer}");
    }

    #[test]
    fn answers_are_filtered() {
        check(&[], "127.0.0.2", true);
        check(&[], "127.255.255.254", false);
        check(&[], "203.0.113.1", false);
        check(&["127.0.0.2-127.0.0.4", "127.0.0.9"], "127.0.0.4", true);
        check(&["127.0.0.2-127.0.0.4", "127.0.0.9"], "127.0.0.5", false);
        check(&["127.0.0.2-127.0.0.4", "127.0.0.9"], "127.0.0.9", true);
        check(&["&127.0.0.4"], "127.0.0.6", true);
        check(&["&127.0.0.4"], "127.0.0.2", false);
        check(&["&127.0.0.4"], "203.0.0.4", false);
        for wrong in ["", "127", "10.0.0.1", "127.0.0.9-127.0.0.2", "&", "127.0.0.2-"] {
            assert!(wrong.parse::<Codes>().is_err(), "{wrong}");
        }
    }
}
