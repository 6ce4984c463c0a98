//! What is marked on a message.

/// The flags that Maildir, mbox and IMAP have in common, and keywords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    pub seen: bool,
    pub answered: bool,
    pub flagged: bool,
    pub deleted: bool,
    pub draft: bool,
    /// Such as `$Forwarded`, each once, as they were written.
    pub keywords: Vec<String>,
}

/// What Maildir's `P` (passed on) is in IMAP.
pub(crate) const FORWARDED: &str = "$Forwarded";

impl Flags {
    /// Adds a keyword that is not there, in whatever case.
    pub fn add_keyword(&mut self, keyword: &str) {
        if !keyword.is_empty() && !self.keywords.iter().any(|own| own.eq_ignore_ascii_case(keyword)) {
            self.keywords.push(keyword.to_owned());
        }
    }
}
