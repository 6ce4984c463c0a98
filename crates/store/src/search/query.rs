//! What is looked for, and whether a text has it.

use super::extract::SEPARATOR;
use memchr::memmem::Finder;
use message::text::{Cut, Whose, fold};
use std::collections::HashSet;

/// Characters of what the index keeps: shorter needles are looked for in the texts.
const GRAM: usize = 3;
/// Sequences of a needle that the index is asked for. Each narrows further, the first few the most, and what is
/// found is compared with the text all the same.
const MAX_GRAMS: usize = 12;

/// A search key that asks for words (RFC 9051 §6.4.4). A needle is compared as [`message`] folds it, anywhere in a text; every
/// text has the empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// In the header or the body: `TEXT`.
    Text(String),
    /// In the body: `BODY`.
    Body(String),
    /// In a field of the message's own header with this name: `HEADER`, and `FROM`, `TO`, `CC`, `BCC`, `SUBJECT`. An empty needle:
    /// there is such a field.
    Header { name: String, needle: String },
}

/// A query, ready to be compared with many texts.
pub(super) struct Matcher {
    place: Place,
    finder: Finder<'static>,
    needle: String,
}

enum Place {
    Anywhere,
    Content,
    /// The field's name, folded.
    Field(String),
}

impl Matcher {
    pub(super) fn new(query: &Query) -> Self {
        let (place, needle) = match query {
            Query::Text(needle) => (Place::Anywhere, needle),
            Query::Body(needle) => (Place::Content, needle),
            Query::Header { name, needle } => (Place::Field(fold(name)), needle),
        };
        // Lines end in LF in what is compared.
        let needle = fold(needle).replace(SEPARATOR, "");
        Self { place, finder: Finder::new(&needle).into_owned(), needle }
    }

    /// Whether texts, folded as [`Extract`] has them, have what is looked for.
    ///
    /// [`Extract`]: super::extract::Extract
    pub(super) fn matches(&self, header: &[u8], content: &[u8]) -> bool {
        match &self.place {
            Place::Anywhere => self.is_in(header) || self.is_in(content),
            Place::Content => self.is_in(content),
            Place::Field(name) => {
                let own = header.split(|&b| b == SEPARATOR as u8).next().unwrap_or_default();
                let mut values = own.split(|&b| b == b'\n').filter_map(|line| value(line, name));
                values.any(|value| self.is_in(value))
            }
        }
    }

    /// Whether the content does not matter.
    pub(super) fn is_of_header(&self) -> bool {
        matches!(self.place, Place::Field(_))
    }

    /// Whether texts cut so may lack what is looked for.
    pub(super) fn misses(&self, cut: Cut) -> bool {
        match &self.place {
            Place::Anywhere => cut.header || cut.content,
            Place::Content => cut.content,
            Place::Field(_) => cut.header,
        }
    }

    /// Whether a field with this name is asked for, in the header of whom.
    pub(super) fn wants(&self, whose: Whose, name: &str) -> bool {
        match &self.place {
            Place::Anywhere => true,
            Place::Content => whose == Whose::Inner,
            Place::Field(wanted) => whose == Whose::Message && fold(name) == *wanted,
        }
    }

    pub(super) fn needle(&self) -> &str {
        &self.needle
    }

    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.finder.find(text).is_some()
    }

    /// What to ask the index, so that it answers with every document that matches, and others; `None` when the needle is
    /// too short for it.
    pub(super) fn expression(&self) -> Option<String> {
        let grams = match &self.place {
            Place::Field(name) if self.needle.is_empty() => grams(&format!("{name}:")),
            _ => grams(&self.needle),
        };
        let step = grams.len().div_ceil(MAX_GRAMS).max(1);
        let quoted = grams.iter().step_by(step).map(|gram| format!("\"{}\"", gram.replace('"', "\"\"")));
        (!grams.is_empty()).then(|| quoted.collect::<Vec<_>>().join(" AND "))
    }
}

/// What follows the name, the colon and the space of a line of the header.
fn value<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// Every sequence of three characters in it, once, in order. SQLite ends a text at a NUL: none has one ([`indexed`]).
fn grams(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut seen = HashSet::new();
    let usable = characters.windows(GRAM).filter(|gram| !gram.contains(&'\0'));
    usable.map(String::from_iter).filter(|gram| seen.insert(gram.clone())).collect()
}

/// What the index is given of a document.
pub(super) fn indexed(header: &str, content: &str) -> String {
    format!("{header}\n{content}").replace('\0', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &Query, expected: Option<&str>) {
        assert_eq!(Matcher::new(query).expression().as_deref(), expected, "{query:?}");
    }

    #[test]
    fn the_index_is_asked_for_sequences_of_three() {
        check(&Query::Text("Blue".into()), Some("\"BLU\" AND \"LUE\""));
        check(&Query::Body("a\"b OR".into()), Some("\"A\"\"B\" AND \"\"\"B \" AND \"B O\" AND \" OR\""));
        check(&Query::Body("aaaaaa".into()), Some("\"AAA\""));
        check(&Query::Text("日本語".into()), Some("\"日本語\""));
        check(&Query::Header { name: "Cc".into(), needle: String::new() }, Some("\"CC:\""));
    }

    #[test]
    fn the_index_is_not_asked_what_it_does_not_know() {
        check(&Query::Text("ab".into()), None);
        check(&Query::Text(String::new()), None);
        check(&Query::Text("a\0b\0c".into()), None);
    }

    #[test]
    fn a_long_needle_asks_for_some() {
        let long: String = ('a'..='z').chain('0'..='9').collect();
        let expression = Matcher::new(&Query::Text(long.repeat(20))).expression().unwrap_or_default();
        assert!((2..=MAX_GRAMS).contains(&expression.split(" AND ").count()), "{expression}");
    }

    #[test]
    fn a_field_is_its_name_and_its_value() {
        let header = b"SUBJECT: SUBJECT: X\nTO: A\nX-TO: B\n\rCC: PART\n";
        let has = |name: &str, needle: &str| {
            let query = Query::Header { name: name.into(), needle: needle.into() };
            Matcher::new(&query).matches(header, b"")
        };
        assert!(has("Subject", "SUBJECT: x") && has("TO", "a") && has("to", "") && has("X-To", "b"));
        assert!(!has("to", "b") && !has("o", "") && !has("cc", "") && !has("subject", "to"));
    }
}
