//! What was said, by whom and when.

use crate::output;
use data_encoding::BASE64;
use serde::Serialize;
use std::time::Instant;

/// Most lines kept. A message is no part of what one wants to read again.
const MAX_KEPT: usize = 10_000;

/// One line of a dialogue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Since the connection was begun.
    pub seconds: f64,
    pub who: Who,
    /// Without its end, and with `[secret]` in place of secrets.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    Client,
    Server,
    /// What happened besides: connections, TLS.
    Note,
}

/// Shows or keeps the lines of a dialogue.
#[derive(Debug)]
pub struct Transcript {
    begun: Instant,
    show: bool,
    keep: bool,
    /// The client's next line is a secret that a person types.
    hide_next: bool,
    lines: Vec<Entry>,
}

impl Transcript {
    /// `show`: print each line at once; `keep`: for [`Transcript::lines`].
    pub fn new(show: bool, keep: bool) -> Self {
        Self { begun: Instant::now(), show, keep, hide_next: false, lines: Vec::new() }
    }

    /// Neither shown nor kept.
    pub fn silent() -> Self {
        Self::new(false, false)
    }

    /// Whether the session need show its lines at all.
    pub fn is_wanted(&self) -> bool {
        self.show || self.keep
    }

    /// The lines kept so far.
    pub fn lines(&self) -> &[Entry] {
        &self.lines
    }

    /// The client's next line is not to be shown.
    pub fn hide_next(&mut self) {
        self.hide_next = true;
    }

    pub fn note(&mut self, text: &str) {
        self.add(Who::Note, text);
    }

    pub(super) fn add(&mut self, who: Who, text: &str) {
        if !self.is_wanted() {
            return;
        }
        let hidden = who == Who::Client && std::mem::take(&mut self.hide_next);
        let text = match who {
            Who::Client if hidden => "[secret]".to_owned(),
            Who::Client => without_response(text),
            Who::Server => without_signature(text),
            Who::Note => text.to_owned(),
        };
        let entry = Entry { seconds: self.begun.elapsed().as_secs_f64(), who, text };
        if self.show {
            // A reader that went away is noticed by the report that follows.
            let _ = output::line(&entry.to_string());
        }
        if self.keep && self.lines.len() < MAX_KEPT {
            self.lines.push(entry);
        }
    }
}

/// An AUTH command that a person typed, without its initial response.
fn without_response(text: &str) -> String {
    let mut words = text.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(verb), Some(mechanism), Some(_)) if verb.eq_ignore_ascii_case("AUTH") => {
            format!("{verb} {mechanism} [secret]")
        }
        _ => text.to_owned(),
    }
}

/// A challenge without SCRAM's server signature: with it and the nonces anybody could try passwords (RFC 5802 §9).
fn without_signature(text: &str) -> String {
    let challenge = text.strip_prefix("334 ").and_then(|rest| BASE64.decode(rest.trim().as_bytes()).ok());
    match challenge {
        Some(challenge) if challenge.starts_with(b"v=") => "334 [secret]".to_owned(),
        _ => text.to_owned(),
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = match self.who {
            Who::Client => "C:",
            Who::Server => "S:",
            Who::Note => "--",
        };
        write!(f, "{:8.3} {mark} {}", self.seconds, output::printable(&self.text))
    }
}
