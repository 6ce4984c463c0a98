//! What a session knows of a message: its size and its unique-id.

use crate::Error;

/// Longest unique-id (RFC 1939 §7, UIDL).
pub const MAX_UNIQUE_ID: usize = 70;

/// A message as the maildrop lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Size as transmitted: every line ends with CRLF, byte-stuffing is not counted (RFC 1939 §11). [`crate::Octets`]
    /// counts so.
    pub octets: u64,
    pub unique_id: UniqueId,
}

/// Names a message in its maildrop, for ever: 1 to 70 characters from `!` to `~` (RFC 1939 §7, UIDL).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UniqueId(Box<str>);

impl UniqueId {
    /// # Errors
    /// [`Error::UniqueId`] when the text is empty, too long, or holds a character outside `!` to `~`.
    pub fn new(text: &str) -> Result<Self, Error> {
        let fits = (1..=MAX_UNIQUE_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.into())).ok_or_else(|| Error::UniqueId(text.chars().take(80).collect()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_ids_are_checked() {
        let check = |text: &str, good| assert_eq!(UniqueId::new(text).is_ok(), good, "{text:?}");
        check("QhdPYR:00WBw1Ph7x7", true);
        check(&"x".repeat(70), true);
        check(&"x".repeat(71), false);
        check("", false);
        check("a b", false);
        check("a\r\n", false);
        check("é", false);
    }
}
