//! What was said, by whom and when.

use super::Place;
use crate::output;
use data_encoding::BASE64;
use net::Endpoint;
use net::tls::TlsInfo;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use transport::client::{Seen, Watcher};

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

/// Shows or keeps the lines of dialogues. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Transcript(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    begun: Instant,
    show: bool,
    keep: bool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The client's next line is a secret that a person types.
    hide_next: bool,
    lines: Vec<Entry>,
}

impl Transcript {
    /// `show`: print each line at once; `keep`: for [`Transcript::lines`].
    pub fn new(show: bool, keep: bool) -> Self {
        Self(Arc::new(Shared { begun: Instant::now(), show, keep, kept: Mutex::default() }))
    }

    /// Neither shown nor kept.
    pub fn silent() -> Self {
        Self::new(false, false)
    }

    /// Who notes all that happens on a connection to `place`; nobody where it would be for nothing.
    pub fn watcher(&self, place: &Place) -> Option<Watcher> {
        if !self.0.show && !self.0.keep {
            return None;
        }
        let (transcript, place) = (self.clone(), place.clone());
        Some(Arc::new(move |seen| match seen {
            Seen::Connected { peer, .. } => transcript.add(Who::Note, &connected(&peer, &place)),
            Seen::Secured(info) => transcript.add(Who::Note, &describe(&info)),
            Seen::Sent(line) => transcript.add(Who::Client, &line),
            Seen::Received(line) => transcript.add(Who::Server, &line),
        }))
    }

    /// The lines kept so far.
    pub fn lines(&self) -> Vec<Entry> {
        self.kept().lines.clone()
    }

    /// The client's next line is not to be shown.
    pub fn hide_next(&self) {
        self.kept().hide_next = true;
    }

    /// What was noted before a panic still stands.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, who: Who, text: &str) {
        let mut kept = self.kept();
        let hidden = who == Who::Client && std::mem::take(&mut kept.hide_next);
        let text = match who {
            Who::Client if hidden => "[secret]".to_owned(),
            Who::Client => without_response(text),
            Who::Server => without_signature(text),
            Who::Note => text.to_owned(),
        };
        let entry = Entry { seconds: self.0.begun.elapsed().as_secs_f64(), who, text };
        if self.0.show {
            // A reader that went away is noticed by the report that follows.
            let _ = output::line(&entry.to_string());
        }
        if self.0.keep && kept.lines.len() < MAX_KEPT {
            kept.lines.push(entry);
        }
    }
}

fn connected(peer: &Endpoint, place: &Place) -> String {
    match (peer, place) {
        (Endpoint::Tcp(address), Place::Tcp(peer)) if peer.to_string() != address.to_string() => {
            format!("connected to {peer} ({address})")
        }
        _ => format!("connected to {place}"),
    }
}

fn describe(info: &TlsInfo) -> String {
    let certificate = info.peer_certificate.as_ref().map_or_else(String::new, |certificate| {
        let names = certificate.dns_names.join(", ");
        let names = if names.is_empty() { "no name".to_owned() } else { names };
        format!(", certificate for {names}, {}", if certificate.verified { "valid" } else { "not verified" })
    });
    format!("{} {}{certificate}", info.version, info.cipher)
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
