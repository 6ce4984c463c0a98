//! LIST's patterns (RFC 9051 §6.3.9).

use super::{DELIMITER, inbox_len};
use unicode_normalization::UnicodeNormalization;

/// `*` stands for anything, `%` for anything within a level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Element>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Char(char),
    /// `%`
    Level,
    /// `*`
    Any,
}

impl Pattern {
    /// Of names as they are inside. The reference is simply what the pattern continues: `LIST "a/" "%"` is
    /// `LIST "" "a/%"`. It has no wildcards.
    pub fn new(reference: &str, pattern: &str) -> Self {
        let mut elements: Vec<Element> = reference.nfc().map(Element::Char).collect();
        for char in pattern.nfc() {
            let element = match char {
                '*' => Element::Any,
                '%' => Element::Level,
                char => Element::Char(char),
            };
            // Of wildcards side by side the widest counts.
            match (elements.last_mut(), element) {
                (Some(last @ (Element::Any | Element::Level)), Element::Any) => *last = Element::Any,
                (Some(Element::Any | Element::Level), Element::Level) => {}
                _ => elements.push(element),
            }
        }
        Self(elements)
    }

    /// Whether it has no wildcard, so that it can only be the one name.
    pub fn is_literal(&self) -> bool {
        self.0.iter().all(|element| matches!(element, Element::Char(_)))
    }

    /// Whether it matches the whole of `name`. Takes at most the product of both lengths.
    pub fn matches(&self, name: &str) -> bool {
        // Where in the pattern one may be, having read so much of the name: all of them at once, in order.
        let mut places = vec![0];
        self.skip_wildcards(&mut places);
        let inbox = inbox_len(name);
        for (at, char) in name.char_indices() {
            let mut next: Vec<usize> = Vec::with_capacity(places.len() + 1);
            for &place in &places {
                let goes = match self.0.get(place) {
                    Some(Element::Any) => Some(place),
                    Some(Element::Level) if char != DELIMITER => Some(place),
                    Some(Element::Char(wanted)) if *wanted == char => Some(place + 1),
                    Some(Element::Char(wanted)) if at < inbox && wanted.eq_ignore_ascii_case(&char) => {
                        Some(place + 1)
                    }
                    _ => None,
                };
                if let Some(goes) = goes.filter(|goes| next.last() != Some(goes)) {
                    next.push(goes);
                }
            }
            if next.is_empty() {
                return false;
            }
            self.skip_wildcards(&mut next);
            places = next;
        }
        places.last() == Some(&self.0.len())
    }

    /// A wildcard may stand for nothing: whoever is at one is behind it as well. Keeps the places in order.
    fn skip_wildcards(&self, places: &mut Vec<usize>) {
        let mut index = 0;
        while let Some(&place) = places.get(index) {
            index += 1;
            let wild = matches!(self.0.get(place), Some(Element::Any | Element::Level));
            if wild && places.get(index) != Some(&(place + 1)) {
                places.insert(index, place + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("a/%", "a/b", true),
            ("a/%", "a", false),
            ("a*", "a/b", true),
            ("*c", "a/b/c", true),
            ("%c", "a/b/c", false),
            ("*%", "a/b/c", true),
            ("%*", "a/b/c", true),
            ("a", "a", true),
            ("a", "A", false),
            ("inbox", "INBOX", true),
            ("InB*", "INBOX", true),
            ("inbox/x", "INBOX/x", true),
            ("inbox/x", "INBOX/X", false),
            ("x/inbox", "x/INBOX", false),
            ("inboxes", "INBOXES", false),
            ("%\u{e4}%", "b\u{e4}r", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(Pattern::new("", pattern).matches(name), expected, "{pattern} {name}");
        }
        assert!(Pattern::new("~/Mail/", "%").matches("~/Mail/a"));
        assert!(Pattern::new("", "INBOX").is_literal());
    }

    #[test]
    fn many_wildcards_take_no_time() {
        let name = "a".repeat(1_000);
        assert!(!Pattern::new("", &"*a%".repeat(300).replace("%*", "%b*")).matches(&name));
        assert!(!Pattern::new("", &format!("{}b", "*a".repeat(400))).matches(&name));
    }

    /// As RFC 9051 defines it, without care for time.
    fn naive(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|taken| naive(rest, &name[taken..])),
            Some(('%', rest)) => {
                let level = name.iter().position(|char| *char == '/').unwrap_or(name.len());
                (0..=level).any(|taken| naive(rest, &name[taken..]))
            }
            Some((char, rest)) => name.first() == Some(char) && naive(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_is_as_defined(pattern in "[ab/*%]{0,8}", name in "[ab/]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = naive(&chars(&pattern), &chars(&name));
            prop_assert_eq!(Pattern::new("", &pattern).matches(&name), expected);
        }
    }
}
