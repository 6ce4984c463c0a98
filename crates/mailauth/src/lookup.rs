//! What is asked of the DNS, and what it answered: this crate never looks up itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The answer to a look-up, without an order; a list of `Ok` may be empty, which means the same as
/// [`LookupError::NoRecord`].
pub type Found<T> = Result<Vec<T>, LookupError>;

/// The answer to a TXT look-up: each record with its strings joined, without anything between them
/// (RFC 6376 §3.6.2.2).
pub type Txt = Found<Vec<u8>>;

/// The DNS, as SPF, DMARC and ARC ask it. Aliases are followed in every answer.
///
/// Names are in ASCII, without a final dot, and not always host names (`_dmarc.example.org`). Whoever implements
/// this bounds each answer in time and size, and keeps a cache.
pub trait Dns: Sync {
    fn txt(&self, name: &str) -> impl Future<Output = Txt> + Send;
    fn a(&self, name: &str) -> impl Future<Output = Found<Ipv4Addr>> + Send;
    fn aaaa(&self, name: &str) -> impl Future<Output = Found<Ipv6Addr>> + Send;
    fn mx(&self, name: &str) -> impl Future<Output = Found<Mx>> + Send;
    /// The names of an address.
    fn ptr(&self, ip: IpAddr) -> impl Future<Output = Found<String>> + Send;
}

/// An MX record; the exchange is without a final dot, so that of a null MX is empty (RFC 7505).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mx {
    pub preference: u16,
    pub exchange: String,
}

/// Why a look-up brought no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// NXDOMAIN.
    #[error("the name does not exist")]
    NoName,
    /// The name exists and has no record of this type.
    #[error("the name has no such record")]
    NoRecord,
    /// SERVFAIL, a time-out, a bogus answer: another try may end otherwise.
    #[error("the look-up failed; try again later")]
    Failed,
}

/// The longest character-string of a TXT record in octets (RFC 1035 §3.3).
pub const MAX_TXT_STRING: usize = 255;

/// Cuts the text of a TXT record into strings of at most [`MAX_TXT_STRING`] octets.
pub fn txt_strings(text: &str) -> Vec<&str> {
    let mut strings = Vec::new();
    let mut rest = text;
    while rest.len() > MAX_TXT_STRING {
        let (head, tail) = rest.split_at(rest.floor_char_boundary(MAX_TXT_STRING));
        strings.push(head);
        rest = tail;
    }
    strings.push(rest);
    strings
}

/// The text of a TXT record as a zone file has it: quoted strings, with `\` before what would end them
/// (RFC 1035 §5.1).
pub fn zone_text(text: &str) -> String {
    let quoted = |string: &&str| format!("\"{}\"", string.replace('\\', "\\\\").replace('"', "\\\""));
    txt_strings(text).iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_into_strings() {
        assert_eq!(txt_strings(""), [""]);
        assert_eq!(txt_strings("v=DKIM1"), ["v=DKIM1"]);
        let lengths = |n: usize| txt_strings(&"x".repeat(n)).iter().map(|s| s.len()).collect::<Vec<_>>();
        assert_eq!(lengths(255), [255]);
        assert_eq!(lengths(256), [255, 1]);
        assert_eq!(lengths(600), [255, 255, 90]);
        let accents = "é".repeat(200);
        assert_eq!(txt_strings(&accents).concat(), accents);
    }

    #[test]
    fn zone_text_is_quoted() {
        assert_eq!(zone_text(r#"a"b\c"#), r#""a\"b\\c""#);
        assert_eq!(zone_text(&"x".repeat(256)), format!("\"{}\" \"x\"", "x".repeat(255)));
    }
}
