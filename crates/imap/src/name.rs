//! Names of mailboxes. Inside they are UTF-8 in Unicode's normal form C; on the wire UTF-8 for those who said so
//! (RFC 9051 §5.1, RFC 6855), modified UTF-7 for all others (RFC 3501 §5.1.3).

mod pattern;
mod utf7;

pub use pattern::Pattern;
use unicode_normalization::{UnicodeNormalization, is_nfc};
pub use utf7::{decode as decode_utf7, encode as encode_utf7};

/// Between the levels of a name.
pub const DELIMITER: char = '/';
/// Longest name, in octets of UTF-8.
pub const MAX_NAME: usize = 1_000;

/// A mailbox as a command names it. `INBOX` in whatever case is `INBOX`; so is it as the first level of a longer name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(String);

impl MailboxName {
    /// Normalises what is decoded already. Not checked here: whether a folder of that name may be made, which is the
    /// store's to say.
    pub fn new(name: &str) -> Self {
        let mut name = if is_nfc(name) { name.to_owned() } else { name.nfc().collect() };
        let inbox = inbox_len(&name);
        if let Some(inbox) = name.get_mut(..inbox) {
            inbox.make_ascii_uppercase();
        }
        Self(name)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How much of a name is `INBOX`, which has no case: all of its first level, or nothing.
fn inbox_len(name: &str) -> usize {
    let first = name.split(DELIMITER).next().unwrap_or_default();
    if first.eq_ignore_ascii_case("INBOX") { first.len() } else { 0 }
}

impl std::fmt::Display for MailboxName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised() {
        for (name, expected) in [
            ("iNbOx", "INBOX"),
            ("inbox/Inbox", "INBOX/Inbox"),
            ("inboxes", "inboxes"),
            ("a/inbox", "a/inbox"),
            ("A\u{308}", "\u{c4}"),
            ("", ""),
        ] {
            assert_eq!(MailboxName::new(name).as_str(), expected, "{name}");
        }
    }
}
