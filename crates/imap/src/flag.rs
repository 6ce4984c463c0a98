//! Flags and keywords of messages (RFC 9051 §2.3.2).

use std::fmt;
use std::sync::Arc;

/// Longest keyword, in octets. Those in use are below thirty.
pub const MAX_KEYWORD: usize = 100;

/// A flag as a command or response names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    Answered,
    Flagged,
    Deleted,
    Seen,
    Draft,
    /// A word of the client's or a registered one (`$Forwarded`, RFC 5788); upper and lower case are the same.
    Keyword(Keyword),
}

/// An atom that is no system flag. Keeps the case it came in; compares without.
#[derive(Debug, Clone)]
pub struct Keyword(Arc<str>);

impl Keyword {
    /// `None` when it is no atom, empty, begins with a backslash, or is longer than [`MAX_KEYWORD`].
    pub fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= MAX_KEYWORD && text.bytes().all(crate::is_atom_char);
        fits.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl PartialOrd for Keyword {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyword {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(other.folded())
    }
}

impl std::hash::Hash for Keyword {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().for_each(|byte| state.write_u8(byte));
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Flag {
    /// The five that every server knows, in the order in which they are shown.
    pub const SYSTEM: [Self; 5] = [Self::Answered, Self::Flagged, Self::Deleted, Self::Seen, Self::Draft];

    /// From an atom, or one after a backslash. `None` for what is neither, `\Recent` and unknown system flags, which no
    /// client may set.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(system) = text.strip_prefix('\\') else { return Keyword::new(text).map(Self::Keyword) };
        Self::SYSTEM.into_iter().find(|flag| flag.as_str()[1..].eq_ignore_ascii_case(system))
    }

    /// As it is written: `\Seen`, `$Forwarded`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Seen => "\\Seen",
            Self::Draft => "\\Draft",
            Self::Keyword(keyword) => keyword.as_str(),
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_without_regard_to_case() {
        assert_eq!(Flag::parse("\\SEEN"), Some(Flag::Seen));
        assert_eq!(Flag::parse("$forwarded"), Flag::parse("$Forwarded"));
        assert_eq!(Flag::parse("$Forwarded").unwrap().to_string(), "$Forwarded");
        for refused in ["", "\\Recent", "\\Foo", "a b", "a(b", "\u{fc}", &"x".repeat(MAX_KEYWORD + 1)] {
            assert_eq!(Flag::parse(refused), None, "{refused}");
        }
    }
}
