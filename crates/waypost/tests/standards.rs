//! `docs/standards.md` and the code agree: what is cited is listed, and what is said to be kept is cited.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const STATES: [&str; 4] = ["complete", "partial", "planned", "not planned"];

#[test]
fn every_rfc_that_code_cites_is_listed() {
    let listed = listed();
    let missing: Vec<_> = cited().into_iter().filter(|(number, _)| !listed.contains_key(number)).collect();
    assert!(missing.is_empty(), "cited, but not in docs/standards.md: {missing:#?}");
}

#[test]
fn what_is_listed_as_kept_is_cited_in_code() {
    let cited = cited();
    let unfounded: Vec<u32> = listed()
        .into_iter()
        .filter(|(number, row)| row.is_kept() && !cited.contains_key(number))
        .map(|(number, _)| number)
        .collect();
    assert!(
        unfounded.is_empty(),
        "complete or partial in docs/standards.md, but nowhere cited: {unfounded:?}"
    );
}

#[test]
fn what_is_not_complete_says_why() {
    for (number, row) in listed() {
        assert!(STATES.contains(&row.state.as_str()), "RFC {number} has the state {:?}", row.state);
        let silent = matches!(row.state.as_str(), "partial" | "not planned") && row.note.is_empty();
        assert!(!silent, "RFC {number} is {} without a word", row.state);
    }
}

#[test]
fn citations_are_found_in_all_their_forms() {
    for (text, expected) in [
        ("/// RFC 5321 §4.1.", &[5321][..]),
        ("RFC 6376, 8301, 8463 and RFC 8616)", &[6376, 8301, 8463, 8616]),
        ("RFC 6376, with the 1024 bits of 1995", &[6376]),
        ("RFC 5802/7677, RFC 20.", &[5802, 7677, 20]),
        ("an RFC, 1939", &[]),
    ] {
        assert_eq!(numbers(text), expected, "{text:?}");
    }
}

/// A row of the list.
struct Row {
    state: String,
    note: String,
}

impl Row {
    fn is_kept(&self) -> bool {
        matches!(self.state.as_str(), "complete" | "partial")
    }
}

/// The rows `| RFC 5321 | title | state | note |`. An RFC is listed once.
fn listed() -> BTreeMap<u32, Row> {
    let text = std::fs::read_to_string(root().join("docs/standards.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| RFC ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _title, state, note] = cells[..] else { panic!("not four columns: {line}") };
        let number = name["RFC ".len()..].parse().unwrap();
        let row = Row { state: state.to_owned(), note: note.to_owned() };
        assert!(rows.insert(number, row).is_none(), "{name} is listed twice");
    }
    assert!(rows.len() > 100, "the table was not understood");
    rows
}

/// Every RFC cited in `crates/*/src`, with one of the files that do.
fn cited() -> BTreeMap<u32, PathBuf> {
    let mut found = BTreeMap::new();
    for source in std::fs::read_dir(root().join("crates")).unwrap() {
        each_source(&source.unwrap().path().join("src"), &mut |file, text| {
            for number in text.lines().flat_map(numbers) {
                found.entry(number).or_insert_with(|| file.to_owned());
            }
        });
    }
    found
}

fn each_source(folder: &Path, visit: &mut impl FnMut(&Path, &str)) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            each_source(&path, visit);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            visit(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The numbers in a line: `RFC 5321 §4`, and those that follow in a list, `RFC 6376, 8301` or `RFC 5802/7677`.
fn numbers(line: &str) -> Vec<u32> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (start, _) in line.match_indices("RFC ") {
        let mut rest = &line[start + "RFC ".len()..];
        loop {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let Ok(number) = rest[..digits].parse() else { break };
            if seen.insert(number) {
                found.push(number);
            }
            rest = &rest[digits..];
            let Some(next) = rest.strip_prefix(", ").or_else(|| rest.strip_prefix('/')) else { break };
            rest = next;
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
