//! The words of notifications, from files: one for each language, checked against each other by a test.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A language that notifications are written in. Another is one more file in `texts/` and one more line here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    English,
    German,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The best for a language tag such as `de-AT` (RFC 5646); English when there is no better.
    pub fn choose(tag: &str) -> Self {
        Self::find(tag).unwrap_or_default()
    }

    /// The one that a language tag such as `de-AT` (RFC 5646) asks for, if there is one.
    pub fn find(tag: &str) -> Option<Self> {
        let wanted = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(wanted))
    }

    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// For `Content-Language`: English always stands below.
    pub(super) fn tags(self) -> String {
        match self {
            Self::English => self.tag().to_owned(),
            other => format!("{}, {}", other.tag(), Self::English.tag()),
        }
    }

    pub(super) fn texts(self) -> &'static Texts {
        static ENGLISH: LazyLock<Texts> = LazyLock::new(|| Texts::read(include_str!("texts/en.txt")));
        static GERMAN: LazyLock<Texts> = LazyLock::new(|| Texts::read(include_str!("texts/de.txt")));
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

/// Texts by name. In the file, `[name]` starts one, its lines are joined, and `#` starts a comment line.
#[derive(Debug)]
pub(super) struct Texts(BTreeMap<&'static str, String>);

impl Texts {
    fn read(file: &'static str) -> Self {
        let mut texts: BTreeMap<&str, String> = BTreeMap::new();
        let mut name = "";
        for line in file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(next) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                name = next;
                continue;
            }
            let text = texts.entry(name).or_default();
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(line);
        }
        Self(texts)
    }

    /// The text of this name; empty when there is none, which the tests rule out for the names in use.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The text with `{key}` replaced. What is filled in is not looked at again.
    pub(super) fn fill(&self, name: &str, values: &[(&str, &str)]) -> String {
        let mut out = String::new();
        let mut rest = self.get(name);
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let Some((key, after)) = after.split_once('}') else { break };
            out.push_str(values.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value));
            rest = after;
        }
        out + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(text: &str) -> Vec<&str> {
        let mut found: Vec<_> =
            text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|p| p.0).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn every_language_says_everything() {
        let (english, german) = (Language::English.texts(), Language::German.texts());
        assert_eq!(english.0.keys().collect::<Vec<_>>(), german.0.keys().collect::<Vec<_>>());
        for (name, text) in &english.0 {
            assert_eq!(placeholders(text), placeholders(german.get(name)), "{name}");
            let pair = name.strip_prefix("why.").map(|code| format!("do.{code}"));
            assert!(pair.is_none_or(|pair| english.has(&pair)), "{name} lacks what to do");
        }
    }

    #[test]
    fn languages_are_chosen_by_tag() {
        assert_eq!(Language::choose("de-AT"), Language::German);
        assert_eq!(Language::choose("DE"), Language::German);
        assert_eq!(Language::choose("den"), Language::English);
        assert_eq!(Language::choose(""), Language::English);
        assert_eq!(Language::find("en_GB"), Some(Language::English));
        assert_eq!(Language::find("fr"), None);
        for language in Language::ALL {
            assert_eq!(Language::find(language.tag()), Some(language));
        }
    }
}
