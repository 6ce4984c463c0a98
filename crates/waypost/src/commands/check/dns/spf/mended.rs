//! The record that a domain should have, made of those it has.

use mailauth::spf::{Directive, Mechanism, Qualifier, Record};

/// What ends a record where none of the old ones says better: what comes from elsewhere is suspicious, and is not refused
/// before the owner has seen what that would be.
const END: &str = "~all";

/// One record of all terms: each once, without what cannot be read, without `ptr`, and with an end that keeps others out.
/// Texts that are no SPF records of ASCII add nothing.
pub(super) fn joined(records: &[&Vec<u8>]) -> String {
    let mut terms: Vec<String> = Vec::new();
    let mut ends: Vec<String> = Vec::new();
    let mut modifiers: Vec<String> = Vec::new();
    for record in records {
        let Ok(text) = std::str::from_utf8(record) else { continue };
        let mut redirect = None;
        let mut ended = false;
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            match Term::read(term) {
                Term::Useless => {}
                Term::End { weak } => {
                    ended = true;
                    ends.extend((!weak).then(|| term.to_owned()));
                }
                Term::Redirect => redirect = Some(term.to_owned()),
                Term::Modifier => modifiers.push(term.to_owned()),
                Term::Other => add(&mut terms, term),
            }
        }
        // RFC 7208 §6.1: beside an `all` it says nothing.
        match redirect.filter(|_| !ended) {
            Some(redirect) if records.len() == 1 => ends.push(redirect),
            // The other records' terms come after it now.
            Some(redirect) => add(&mut terms, &redirect.replacen("redirect=", "include:", 1)),
            None => {}
        }
    }
    ends.dedup();
    let end = if let [end] = &ends[..] { end } else { END };
    terms.push(end.to_owned());
    // `exp=` may stand once.
    terms.extend(modifiers.into_iter().take(1));
    format!("v=spf1 {}", terms.join(" "))
}

fn add(terms: &mut Vec<String>, term: &str) {
    if !terms.iter().any(|other| other == term) {
        terms.push(term.to_owned());
    }
}

/// What a term is good for.
enum Term {
    /// It cannot be read, or should not be there.
    Useless,
    /// `weak`: it lets others use the domain's name.
    End {
        weak: bool,
    },
    Redirect,
    Modifier,
    Other,
}

impl Term {
    fn read(term: &str) -> Self {
        let alone = format!("v=spf1 {term}");
        let Ok(record) = Record::parse(alone.as_bytes()) else { return Self::Useless };
        match &record.directives[..] {
            [Directive { mechanism: Mechanism::All, qualifier, .. }] => {
                Self::End { weak: matches!(qualifier, Qualifier::Pass | Qualifier::Neutral) }
            }
            [Directive { mechanism: Mechanism::Ptr(_), .. }] => Self::Useless,
            [_, ..] => Self::Other,
            [] if record.redirect.is_some() => Self::Redirect,
            [] if record.explanation.is_some() => Self::Modifier,
            // Modifiers that nobody knows.
            [] => Self::Useless,
        }
    }
}
