//! What stands left of the `@`.

use std::fmt;
use std::str::FromStr;

/// Longest local part in octets (RFC 5321 §4.5.3.1.1).
pub const MAX_LOCAL_PART: usize = 64;

/// A local part by its value: without quotes, which [`fmt::Display`] puts back where the grammar needs them.
/// Case is kept; [`LocalPart::folded`] is the form to look up.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(Box<str>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocalPartError {
    #[error("the local part is empty")]
    Empty,
    #[error("the local part is longer than {MAX_LOCAL_PART} octets")]
    TooLong,
    #[error("the local part {0:?} has a character that is not allowed there")]
    Character(String),
}

impl LocalPart {
    /// Takes a value as it is (no quotes or backslashes are read).
    ///
    /// # Errors
    /// Empty, too long, or with control characters (RFC 5321 §4.1.2 allows none, RFC 6531 §3.3 adds U+0080 upwards).
    pub fn from_value(value: &str) -> Result<Self, LocalPartError> {
        if value.is_empty() {
            return Err(LocalPartError::Empty);
        }
        if value.len() > MAX_LOCAL_PART {
            return Err(LocalPartError::TooLong);
        }
        if value.chars().any(char::is_control) {
            return Err(LocalPartError::Character(value.to_owned()));
        }
        Ok(Self(value.into()))
    }

    /// The value, without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form under which accounts and aliases are looked up: lower case.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// The part before the first `separator` and what follows it, for subaddresses (`user+detail`).
    pub fn split_detail(&self, separator: char) -> Option<(Self, &str)> {
        let (user, detail) = self.0.split_once(separator)?;
        (!user.is_empty()).then(|| (Self(user.into()), detail))
    }

    fn is_dot_string(&self) -> bool {
        self.0.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
    }
}

/// RFC 5322 §3.2.3 `atext`, with RFC 6531 §3.3 `UTF8-non-ascii`.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_control())
}

impl FromStr for LocalPart {
    type Err = LocalPartError;

    /// Parses `Dot-string / Quoted-string` (RFC 5321 §4.1.2).
    fn from_str(text: &str) -> Result<Self, LocalPartError> {
        let refused = || LocalPartError::Character(text.to_owned());
        let Some(quoted) = text.strip_prefix('"') else {
            let local = Self::from_value(text)?;
            return if local.is_dot_string() { Ok(local) } else { Err(refused()) };
        };
        let inner = quoted.strip_suffix('"').ok_or_else(refused)?;
        let mut value = String::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => value.push(chars.next().ok_or_else(refused)?),
                '"' => return Err(refused()),
                c => value.push(c),
            }
        }
        Self::from_value(&value)
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_dot_string() {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

impl fmt::Debug for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, value: &str, shown: &str) {
        let local: LocalPart = input.parse().unwrap();
        assert_eq!((local.as_str(), local.to_string().as_str()), (value, shown), "{input:?}");
    }

    #[test]
    fn quotes_are_syntax_not_value() {
        check("john.doe", "john.doe", "john.doe");
        check("\"john.doe\"", "john.doe", "john.doe");
        check("\"a b\"", "a b", "\"a b\"");
        check("\"a\\\"b\\\\\"", "a\"b\\", "\"a\\\"b\\\\\"");
        check("\"a@b\"", "a@b", "\"a@b\"");
        check("用户", "用户", "用户");
    }

    #[test]
    fn what_is_no_local_part_is_refused() {
        for text in
            ["", "\"\"", ".a", "a.", "a..b", "a b", "a@b", "\"a", "\"a\\\"", "\"a\"b\"", "a\0b", "\"a\r\nb\""]
        {
            assert!(text.parse::<LocalPart>().is_err(), "{text:?}");
        }
        assert_eq!("a".repeat(65).parse::<LocalPart>(), Err(LocalPartError::TooLong));
    }

    #[test]
    fn detail_follows_the_first_separator() {
        let local: LocalPart = "me+a+b".parse().unwrap();
        let (user, detail) = local.split_detail('+').unwrap();
        assert_eq!((user.as_str(), detail), ("me", "a+b"));
        assert!("+a".parse::<LocalPart>().unwrap().split_detail('+').is_none());
    }
}
