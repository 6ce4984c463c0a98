//! Names of mailboxes. Inside they are UTF-8 in Unicode's normal form C; on the wire UTF-8 for those who said so
//! (RFC 9051 §5.1, RFC 6855), modified UTF-7 for all others (RFC 3501 §5.1.3).

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
        let (first, rest) = name.split_at(name.find(DELIMITER).unwrap_or(name.len()));
        match first.eq_ignore_ascii_case("INBOX") {
            true => Self(format!("INBOX{rest}")),
            false => Self(name.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for MailboxName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
