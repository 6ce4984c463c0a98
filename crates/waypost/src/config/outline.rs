//! The outline of a file: where each key stands, and which of them nobody knows.
//!
//! `serde` would stop at the first unknown key and guess nothing; this finds them all, and suggests.

use super::error::Problem;
use super::reference;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Names closer than this (Jaro-Winkler, 0 to 1) are suggested; below it the guess would only amuse.
const SIMILAR: f64 = 0.8;

/// Every key of a file, with its place.
#[derive(Debug)]
pub(super) struct Outline<'t> {
    text: &'t str,
    keys: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// With the index of each array entry: `route[1].to`.
    name: String,
    /// Without: `route.to`.
    general: String,
    /// From the start of the key to the end of its value.
    span: Range<usize>,
    is_table: bool,
}

impl<'t> Outline<'t> {
    pub(super) fn new(text: &'t str, table: &DeTable<'_>) -> Self {
        let mut outline = Self { text, keys: Vec::new() };
        outline.walk("", "", table);
        outline
    }

    fn walk(&mut self, name: &str, general: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let (name, general) = (join(name, key.get_ref()), join(general, key.get_ref()));
            self.add(&name, &general, key.span().start..value.span().end.max(key.span().end), value);
        }
    }

    fn add(&mut self, name: &str, general: &str, span: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let is_table = value.get_ref().is_table();
        self.keys.push(Entry { name: name.to_owned(), general: general.to_owned(), span, is_table });
        match value.get_ref() {
            DeValue::Table(table) => self.walk(name, general, table),
            DeValue::Array(array) => {
                for (index, item) in array.iter().enumerate().filter(|(_, item)| item.get_ref().is_table()) {
                    self.add(&format!("{name}[{index}]"), general, item.span(), item);
                }
            }
            _ => {}
        }
    }

    /// The line of a key, or of the nearest table above it that is in the file.
    pub(super) fn line_of(&self, name: &str) -> Option<usize> {
        let mut name = name;
        loop {
            if let Some(entry) = self.keys.iter().find(|entry| entry.name == name) {
                return Some(self.line_at(entry.span.start));
            }
            name = &name[..name.rfind('.')?];
        }
    }

    pub(super) fn line_at(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or(self.text);
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// The name of the innermost key whose value holds this place.
    pub(super) fn key_at(&self, offset: usize) -> String {
        let holds = self.keys.iter().filter(|entry| !entry.is_table && entry.span.contains(&offset));
        let innermost = holds.min_by_key(|entry| entry.span.len());
        innermost.map(|entry| entry.name.clone()).unwrap_or_default()
    }

    pub(super) fn problem(&self, key: &str, text: impl Into<String>) -> Problem {
        Problem { line: self.line_of(key), key: key.to_owned(), text: text.into() }
    }

    /// The keys that are in no reference. What is inside an unknown table is not told again.
    pub(super) fn unknown(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        let mut unknown: Vec<&str> = Vec::new();
        for entry in self.keys.iter().filter(|entry| !reference::is_known(&entry.general)) {
            if !unknown.iter().any(|outer| entry.general.starts_with(&format!("{outer}."))) {
                unknown.push(&entry.general);
                let line = Some(self.line_at(entry.span.start));
                let text = format!("unknown key: {}", suggestion(&entry.general));
                problems.push(Problem { line, key: entry.name.clone(), text });
            }
        }
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

fn join(above: &str, key: &str) -> String {
    if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") }
}

/// The same key in another table, else the most similar name.
fn suggestion(general: &str) -> String {
    let (table, key) = general.rsplit_once('.').unwrap_or(("", general));
    let names = reference::names();
    let split = |name: &str| {
        name.rsplit_once('.').map_or_else(|| (String::new(), name.to_owned()), |(t, k)| (t.into(), k.into()))
    };
    let dashed = key.replace('_', "-").to_lowercase();
    let score = |name: &String| {
        let (other_table, other_key) = split(name);
        let similar = strsim::jaro_winkler(&dashed, &other_key);
        // At equal similarity a key of the table that was written in is meant.
        similar + if other_table == table { 0.05 } else { 0.0 }
    };
    let best = names.iter().map(|name| (score(name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((similarity, name)) if similarity >= SIMILAR => {
            let (other_table, other_key) = split(name);
            match other_table.as_str() {
                same if same == table => format!("did you mean {other_key}?"),
                "" => format!("did you mean {other_key}, at the top of the file, before the first table?"),
                other => format!("did you mean {other_key} in [{other}]?"),
            }
        }
        _ => "docs/configuration.md lists those there are".to_owned(),
    }
}
