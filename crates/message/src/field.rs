//! Header fields of our own: made clean, folded, and never able to hold a second field.

use std::fmt;

/// Longest line without its CRLF that should be sent (RFC 5322 §2.1.1).
pub const FOLD_AT: usize = 78;
/// Longest line without its CRLF that may be sent (RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6).
pub const MAX_LINE: usize = 998;

/// The name of what was no field and has to be one.
pub(crate) const MALFORMED: &str = "X-Malformed";

/// A whole header field, `Name: value` CRLF, folded. It cannot hold a line end that would start another field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewField(String);

impl NewField {
    /// A field of this name. `value` is taken as words and folded between them; control characters become spaces.
    pub fn new(name: &'static str, value: &str) -> Self {
        let mut folder = Folder::new(name);
        value
            .split(|c: char| c.is_control() || c == ' ')
            .filter(|word| !word.is_empty())
            .for_each(|w| folder.word(w));
        folder.finish()
    }

    /// The field with its CRLF.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NewField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes words with a space between, or a fold where the line would pass [`FOLD_AT`].
#[derive(Debug)]
pub(crate) struct Folder {
    text: String,
    column: usize,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        Self { text: format!("{name}:"), column: name.len() + 1 }
    }

    /// Adds a word, which the caller made clean. One longer than a line may be is cut into several.
    pub(crate) fn word(&mut self, word: &str) {
        let mut rest = word;
        while rest.len() > MAX_LINE - FOLD_AT {
            let cut = rest.floor_char_boundary(MAX_LINE - FOLD_AT);
            self.put(&rest[..cut]);
            rest = &rest[cut..];
        }
        self.put(rest);
    }

    /// Adds text directly after the last word.
    pub(crate) fn glue(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }

    /// Adds words that belong together: on one line if that is possible.
    pub(crate) fn clause(&mut self, words: &[&str]) {
        let len: usize = words.iter().map(|word| word.len() + 1).sum();
        if self.column + len > FOLD_AT && len <= FOLD_AT {
            self.fold();
        }
        words.iter().for_each(|word| self.word(word));
    }

    fn fold(&mut self) {
        // A line of white space alone is obsolete (RFC 5322 §3.2.2), so the first word stays beside the name.
        if self.text.contains(' ') {
            self.text.push_str("\r\n");
            self.column = 0;
        }
    }

    fn put(&mut self, word: &str) {
        if self.column > 0 && self.column + 1 + word.len() > FOLD_AT {
            self.fold();
        }
        self.text.push(if self.column == 0 { '\t' } else { ' ' });
        self.column += 1 + word.len();
        self.text.push_str(word);
    }

    pub(crate) fn finish(mut self) -> NewField {
        self.text.push_str("\r\n");
        NewField(self.text)
    }
}

/// At most `max` octets of `text`, in printable ASCII: anything else becomes `?`.
pub(crate) fn printable(text: &str, max: usize) -> String {
    text.chars().take(max).map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// `text` as a comment (RFC 5322 §3.2.2): parentheses and backslashes are escaped. Quotes mean nothing in a comment but
/// many readers take them for the start of a string, so they become `'`.
pub(crate) fn comment(text: &str, max: usize) -> String {
    let mut out = String::from("(");
    for c in printable(text, max).chars() {
        if matches!(c, '(' | ')' | '\\') {
            out.push('\\');
        }
        out.push(if c == '"' { '\'' } else { c });
    }
    out.push(')');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_cannot_start_another_field() {
        assert_eq!(NewField::new("X-A", "b\r\nBcc: c\0d").as_str(), "X-A: b Bcc: c d\r\n");
        assert_eq!(comment("a)(\\é\r\nx", 8), "(a\\)\\(\\\\???x)");
    }

    proptest! {
        #[test]
        fn lines_stay_within_the_limit(words in proptest::collection::vec("[!-~é]{1,200}", 0..20), long in 0usize..3000) {
            let value = format!("{} {}", words.join(" "), "x".repeat(long));
            let field = NewField::new("Subject", &value);
            let (last, lines) = field.as_str().split("\r\n").collect::<Vec<_>>().split_last().map(|(l, r)| (*l, r.to_vec())).unwrap();
            prop_assert_eq!(last, "");
            for line in &lines {
                prop_assert!(line.len() <= MAX_LINE);
                prop_assert!(line.len() <= FOLD_AT || line.trim_start_matches("Subject:").trim().split(' ').count() == 1);
            }
            prop_assert!(lines.iter().skip(1).all(|line| line.starts_with('\t')));
        }
    }
}
