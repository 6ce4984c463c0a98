//! Address lists in header fields (RFC 5322 §3.4): display names, groups, comments, quoted strings.

use crate::words::{decode_words, phrase};
use crate::{Error, Result};
use address::{Address, AddressError, ForwardPath};

/// Most addresses read from a field. Intake takes fewer recipients anyway; this bounds memory.
pub const MAX_ADDRESSES: usize = 10_000;

/// A name and an address: `John <john@example.org>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    pub name: Option<String>,
    pub address: Address,
}

impl Mailbox {
    /// As it is written in a header field, the name in encoded words where it must be.
    pub(crate) fn words(&self) -> Vec<String> {
        let Some(name) = self.name.as_deref().filter(|name| !name.trim().is_empty()) else {
            return vec![self.address.to_string()];
        };
        let mut words = phrase(name);
        words.push(format!("<{}>", self.address));
        words
    }
}

impl From<Address> for Mailbox {
    fn from(address: Address) -> Self {
        Self { name: None, address }
    }
}

impl std::str::FromStr for Mailbox {
    type Err = Error;

    /// Reads one mailbox, as a person types it.
    fn from_str(text: &str) -> Result<Self> {
        let mut list = parse(text)?;
        match (list.pop(), list.pop()) {
            (Some(Listed { name, path, .. }), None) => match path? {
                ForwardPath::Address(address) => Ok(Self { name, address }),
                ForwardPath::Unqualified(local) => Err(AddressError::NoAt(local.to_string()).into()),
            },
            _ => Err(Error::NotOneAddress(text.chars().take(100).collect())),
        }
    }
}

/// One entry of an address list as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The display name, decoded; or a comment in its place (`john@example.org (John)`).
    pub name: Option<String>,
    /// The name of the group it stands in.
    pub group: Option<String>,
    /// The address, or a local name such as `root`.
    pub path: std::result::Result<ForwardPath, AddressError>,
}

/// Reads a list. Entries that are no addresses are there as errors; an empty group gives none.
///
/// # Errors
/// More than [`MAX_ADDRESSES`].
pub fn parse(value: &str) -> Result<Vec<Listed>> {
    let (mut found, mut group, mut entry) = (Vec::new(), None, Entry::default());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (entry.within, c) {
            (Within::Comment(depth), _) => entry.comment(c, depth, &mut chars),
            (Within::Quotes, '\\') => entry.quoted_pair(chars.next()),
            (Within::Quotes, '"') => entry.quote(Within::Text),
            (Within::Quotes, c) => entry.push(c),
            (_, '"') => entry.quote(Within::Quotes),
            (_, '(') => entry.within = Within::Comment(1),
            (_, '<') if entry.angle.is_none() => (entry.angle, entry.in_angle) = (Some(String::new()), true),
            (_, '>') if entry.in_angle => entry.in_angle = false,
            (_, '[') => entry.literal(true),
            (_, ']') => entry.literal(false),
            (_, ':') if !entry.in_angle && !entry.in_literal && group.is_none() => {
                group = Some(std::mem::take(&mut entry).name().unwrap_or_default());
            }
            (_, ',' | ';') if !entry.in_angle => {
                found.extend(std::mem::take(&mut entry).finish(&group));
                if c == ';' {
                    group = None;
                }
            }
            (_, c) => entry.push(c),
        }
        if found.len() > MAX_ADDRESSES {
            return Err(Error::TooManyAddresses);
        }
    }
    found.extend(entry.finish(&group));
    Ok(found)
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Within {
    #[default]
    Text,
    Quotes,
    /// Comments nest (RFC 5322 §3.2.2).
    Comment(usize),
}

/// An entry while it is read.
#[derive(Debug, Default)]
struct Entry {
    within: Within,
    in_angle: bool,
    in_literal: bool,
    /// Outside `<>`, with quotes and backslashes as they are.
    text: String,
    /// The same without them.
    plain: String,
    angle: Option<String>,
    remark: String,
}

impl Entry {
    fn push(&mut self, c: char) {
        match &mut self.angle {
            Some(angle) if self.in_angle => angle.push(c),
            _ => {
                self.text.push(c);
                self.plain.push(c);
            }
        }
    }

    fn literal(&mut self, opens: bool) {
        self.in_literal = opens;
        self.push(if opens { '[' } else { ']' });
    }

    fn quote(&mut self, next: Within) {
        self.within = next;
        self.push('"');
        if !self.in_angle {
            self.plain.pop();
        }
    }

    fn quoted_pair(&mut self, c: Option<char>) {
        self.push('\\');
        if !self.in_angle {
            self.plain.pop();
        }
        c.into_iter().for_each(|c| self.push(c));
    }

    fn comment(&mut self, c: char, depth: usize, chars: &mut std::str::Chars<'_>) {
        match c {
            '\\' => self.remark.extend(chars.next()),
            '(' => self.within = Within::Comment(depth + 1),
            ')' if depth == 1 => self.within = Within::Text,
            ')' => self.within = Within::Comment(depth - 1),
            c => self.remark.push(c),
        }
    }

    fn name(&self) -> Option<String> {
        let name = if self.angle.is_some() || self.remark.is_empty() { &self.plain } else { &self.remark };
        let name = decode_words(name.split_whitespace().collect::<Vec<_>>().join(" ").as_str());
        (!name.is_empty()).then_some(name)
    }

    fn finish(self, group: &Option<String>) -> Option<Listed> {
        let named = self.angle.is_some() || !self.remark.is_empty();
        let name = self.name().filter(|_| named);
        let address = squeeze(self.angle.as_ref().unwrap_or(&self.text));
        if address.is_empty() && self.angle.is_none() {
            return None;
        }
        Some(Listed { name, group: group.clone(), path: address.parse() })
    }
}

/// Takes away the white space that is allowed around `.` and `@` (RFC 5322 §4.4), outside quotes.
fn squeeze(text: &str) -> String {
    let text = text.trim();
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                let beside = |c: char| matches!(c, '.' | '@' | ' ');
                if out.ends_with(beside) && !out.ends_with(' ')
                    || chars.peek().is_none_or(|&c| beside(c) || c == '\t')
                {
                    continue;
                }
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(input: &str, expected: &[(&str, &str)]) {
        let found = parse(input).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|l| {
                (
                    l.name.as_deref().unwrap_or(""),
                    l.path.as_ref().map_or_else(|_| "!".into(), ToString::to_string),
                )
            })
            .collect();
        let shown: Vec<_> = shown.iter().map(|(name, path)| (*name, path.as_str())).collect();
        assert_eq!(shown, expected, "{input:?}");
    }

    #[test]
    fn lists_read_as_rfc_5322_says() {
        check("a@x.example", &[("", "<a@x.example>")]);
        check("John Doe <a@x.example>, b@x.example", &[("John Doe", "<a@x.example>"), ("", "<b@x.example>")]);
        check("\"Doe, J. \\\"X\\\"\" <a@x.example>", &[("Doe, J. \"X\"", "<a@x.example>")]);
        check("a@x.example (John (the) Doe)", &[("John the Doe", "<a@x.example>")]);
        check("=?utf-8?Q?J=C3=B6rg?= <j@x.example>", &[("J\u{f6}rg", "<j@x.example>")]);
        check(
            "Us: a@x.example, B <b@x.example>;, c@x.example",
            &[("", "<a@x.example>"), ("B", "<b@x.example>"), ("", "<c@x.example>")],
        );
        check("undisclosed-recipients:;", &[]);
        check(
            "\"a, b\"@x.example, c . d @ x.example",
            &[("", "<\"a, b\"@x.example>"), ("", "<c.d@x.example>")],
        );
        check(
            "<a@[IPv6:2001:db8::1]>, root, <@r.example:b@x.example>",
            &[("", "<a@[IPv6:2001:db8::1]>"), ("", "<root>"), ("", "<b@x.example>")],
        );
        check("a b c, <>, (only a comment)", &[("", "!"), ("", "!")]);
        check(",, ,", &[]);
        assert_eq!(parse("G: a@x.example;").unwrap()[0].group.as_deref(), Some("G"));
    }

    #[test]
    fn one_mailbox_is_read_and_written() {
        let mailbox: Mailbox = "J\u{f6}rg, M. <j@x.example>".replace(',', "").parse().unwrap();
        assert_eq!(mailbox.words().join(" "), "=?utf-8?B?SsO2cmcgTS4=?= <j@x.example>");
        for bad in ["", "a@x.example, b@x.example", "root", "a b@x.example"] {
            assert!(bad.parse::<Mailbox>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_input_is_read(text in "([a-z@.\"<>()\\\\,:; \\[\\]é]){0,60}") {
            for listed in parse(&text).unwrap() {
                if let Ok(path) = listed.path {
                    prop_assert!(!path.to_string().contains(['\r', '\n']));
                }
            }
        }
    }
}
