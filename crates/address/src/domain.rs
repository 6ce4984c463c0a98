//! Domain names as mail uses them: one canonical form, A-labels in lower case.

use std::fmt;
use std::str::FromStr;

/// Longest domain in octets (RFC 5321 §4.5.3.1.2), counted in its A-label form.
pub const MAX_DOMAIN: usize = 255;
/// Longest label in octets (RFC 1035 §2.3.4).
pub const MAX_LABEL: usize = 63;

/// A domain name, kept as lower-case A-labels without a final dot, so that equal names are equal values.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Box<str>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    #[error("the domain is empty")]
    Empty,
    #[error("the domain is longer than {MAX_DOMAIN} octets")]
    TooLong,
    #[error("the domain {0:?} has an empty label or one longer than {MAX_LABEL} octets")]
    Label(String),
    #[error("the domain {0:?} has a character that no host name has")]
    Character(String),
    #[error("the domain {0:?} is not a valid internationalised name")]
    Idna(String),
}

impl Domain {
    /// Parses U-labels or A-labels. A final dot is taken off: SMTP has no relative names.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(DomainError::Empty);
        }
        // A U-label can need more octets than its A-label; the bound keeps the conversion cheap.
        if text.len() > 4 * MAX_DOMAIN {
            return Err(DomainError::TooLong);
        }
        let ascii = if text.is_ascii() && !text.to_ascii_lowercase().contains("xn--") {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(text).map_err(|_| DomainError::Idna(text.to_owned()))?
        };
        if ascii.len() > MAX_DOMAIN {
            return Err(DomainError::TooLong);
        }
        for label in ascii.split('.') {
            if label.is_empty() || label.len() > MAX_LABEL {
                return Err(DomainError::Label(ascii));
            }
            let edge_hyphen = label.starts_with('-') || label.ends_with('-');
            // The underscore is no host name's (RFC 1123 §2.1) but names in real envelopes have it.
            if edge_hyphen || !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
                return Err(DomainError::Character(ascii));
            }
        }
        Ok(Self(ascii.into_boxed_str()))
    }

    /// The A-label form, which is valid in every protocol.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form for people: U-labels.
    pub fn to_unicode(&self) -> String {
        idna::domain_to_unicode(&self.0).0
    }

    /// The labels, leftmost first.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// The name without its leftmost label, or `None` for a top-level name.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, rest)| Self(rest.into()))
    }

    /// Whether this name is `other` or below it.
    pub fn is_within(&self, other: &Self) -> bool {
        self == other || self.0.strip_suffix(&*other.0).is_some_and(|rest| rest.ends_with('.'))
    }
}

impl FromStr for Domain {
    type Err = DomainError;
    fn from_str(text: &str) -> Result<Self, DomainError> {
        Self::parse(text)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl serde::Serialize for Domain {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Domain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Result<&str, DomainError>) {
        assert_eq!(
            Domain::parse(input).as_ref().map(Domain::as_str),
            expected.as_ref().copied(),
            "{input:?}"
        );
    }

    #[test]
    fn names_are_folded_to_one_form() {
        check("Example.ORG", Ok("example.org"));
        check("example.org.", Ok("example.org"));
        check("münchen.example", Ok("xn--mnchen-3ya.example"));
        check("XN--MNCHEN-3YA.example", Ok("xn--mnchen-3ya.example"));
        check("_dmarc.example.org", Ok("_dmarc.example.org"));
        check("localhost", Ok("localhost"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        check("", Err(DomainError::Empty));
        check(".", Err(DomainError::Empty));
        check("a..b", Err(DomainError::Label("a..b".into())));
        check("-a.b", Err(DomainError::Character("-a.b".into())));
        check("a b.c", Err(DomainError::Character("a b.c".into())));
        check("a\r\nb", Err(DomainError::Character("a\r\nb".into())));
        check(&"a.".repeat(200), Err(DomainError::TooLong));
        let long = "a".repeat(64);
        check(&long, Err(DomainError::Label(long.clone())));
    }

    #[test]
    fn within_means_equal_or_below() {
        let org = Domain::parse("example.org").unwrap();
        assert!(org.is_within(&org));
        assert!(Domain::parse("a.example.org").unwrap().is_within(&org));
        assert!(!Domain::parse("badexample.org").unwrap().is_within(&org));
        assert_eq!(Domain::parse("münchen.example").unwrap().to_unicode(), "münchen.example");
    }
}
