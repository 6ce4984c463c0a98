//! The keywords of a message (RFC 9051 §2.3.2).

use crate::StoreError;
use std::cmp::Ordering;
use std::sync::Arc;

/// Octets of a keyword; clients make them up freely.
pub const MAX_KEYWORD: usize = 100;
/// Different keywords in a folder: each is told to every client that opens it, and a message can have them all.
pub const MAX_KEYWORDS: usize = 128;

/// Sorted, each once, in whatever case it was first written. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keywords(Option<Arc<str>>);

impl Keywords {
    pub fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        self.as_str().split(' ').filter(|word| !word.is_empty())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Upper and lower case are the same.
    pub fn contains(&self, keyword: &str) -> bool {
        self.iter().any(|own| own.eq_ignore_ascii_case(keyword))
    }

    /// Those of both; where only the case differs, this one's.
    pub fn with(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    pub fn without(&self, other: &Self) -> Self {
        self.iter().filter(|own| !other.contains(own)).collect()
    }

    /// The keywords with spaces between.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// # Errors
    /// [`StoreError::Refused`] for what is not a flag-keyword (RFC 9051 §9) or has too many octets.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.iter().find(|word| !Self::is_keyword(word)) {
            Some(word) => Err(StoreError::Refused(format!("{word:?} cannot be a keyword"))),
            None => Ok(()),
        }
    }

    /// Whether a word is a flag-keyword (RFC 9051 §9) of no more than [`MAX_KEYWORD`] octets.
    pub fn is_keyword(word: &str) -> bool {
        let special = |byte: u8| !byte.is_ascii_graphic() || br#"(){%*"\]"#.contains(&byte);
        (1..=MAX_KEYWORD).contains(&word.len()) && !word.bytes().any(special)
    }

    /// As the database keeps them: [`Keywords::as_str`].
    pub(super) fn from_stored(text: &str) -> Self {
        Self((!text.is_empty()).then(|| text.into()))
    }
}

fn order(a: &str, b: &str) -> Ordering {
    a.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// In any order and case; the first spelling of each is kept.
impl<'a> FromIterator<&'a str> for Keywords {
    fn from_iter<I: IntoIterator<Item = &'a str>>(words: I) -> Self {
        let mut words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.sort_by(|a, b| order(a, b));
        words.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        Self::from_stored(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_and_their_case_does_not_matter() {
        let words: Keywords = ["work", "$Junk", "WORK", "a"].into_iter().collect();
        assert_eq!(words.as_str(), "$Junk a work");
        assert!(words.contains("$JUNK") && !words.contains("$") && !words.is_empty());
        let more: Keywords = ["A", "z"].into_iter().collect();
        assert_eq!(words.with(&more).as_str(), "$Junk a work z");
        assert_eq!(words.without(&more).as_str(), "$Junk work");
        assert!(more.without(&more).is_empty() && more.without(&more) == Keywords::default());
    }

    #[test]
    fn what_cannot_be_a_keyword_is_refused() {
        let check = |word: &str| Some(word).into_iter().collect::<Keywords>().check().is_ok();
        assert!(check("$Forwarded") && check("a.b-c") && check(&"x".repeat(MAX_KEYWORD)));
        for word in ["\\Seen", "a(b", "a]", "über", "a\u{7}", "\"", &"x".repeat(MAX_KEYWORD + 1)] {
            assert!(!check(word), "{word}");
        }
    }
}
