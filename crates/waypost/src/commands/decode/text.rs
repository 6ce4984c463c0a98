//! A dialogue for people.

use crate::exit::Failure;
use crate::output::{self, Tone};
use capture::Time;
use capture::dialogue::{Dialogue, Ending, Message, Protocol, What};
use capture::stream::Side;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) fn print(dialogue: &Dialogue, files: &BTreeMap<u64, PathBuf>, first: bool) -> Result<(), Failure> {
    if !first {
        output::line("")?;
    }
    let protocol = match dialogue.protocol {
        Protocol::Smtp => "SMTP",
        Protocol::Lmtp => "LMTP",
    };
    let began = output::moment(i64::try_from(dialogue.began.0 / 1_000_000).unwrap_or(i64::MAX));
    let head = format!("#{} {} -> {} {protocol}, {began}", dialogue.number, dialogue.client, dialogue.server);
    output::line(&head)?;
    for entry in &dialogue.entries {
        let after = seconds(dialogue.began, entry.time);
        let (mark, text, tone) = match &entry.what {
            What::Line { side: Side::Client, text } => ("C:", text.clone(), None),
            What::Line { side: Side::Server, text } => ("S:", text.clone(), reply_tone(text)),
            What::Content { message, octets } => {
                ("C:", format!("[{}]", content(*message, *octets)), Some(Tone::Quiet))
            }
            What::Note(text) => ("--", text.clone(), Some(Tone::Quiet)),
        };
        let text = output::printable(&text);
        let text = tone.map_or_else(|| text.clone(), |tone| output::tinted(&text, tone));
        output::line(&format!("{after:>11} {mark} {text}"))?;
    }
    if dialogue.left_out > 0 {
        output::line(&format!("            -- {} lines more are not kept", dialogue.left_out))?;
    }
    for message in &dialogue.messages {
        output::line(&output::printable(&about(message, files)))?;
    }
    if dialogue.more_messages > 0 {
        output::line(&format!("  {} messages more", dialogue.more_messages))?;
    }
    output::line(&format!("  {}", end(dialogue)))
}

/// `message 1: 1234 octets`.
pub(super) fn content(message: u64, octets: u64) -> String {
    format!("message {message}: {octets} octets")
}

/// One line about a message.
fn about(message: &Message, files: &BTreeMap<u64, PathBuf>) -> String {
    let from = message.from.as_deref().map_or_else(|| "unknown".to_owned(), |from| format!("<{from}>"));
    let to: Vec<String> = message.to.iter().map(|to| format!("<{to}>")).collect();
    let mut text = format!("  {} from {from}", content(message.number, message.octets));
    if !to.is_empty() {
        text.push_str(&format!(" to {}", to.join(" ")));
    }
    if message.more_recipients > 0 {
        text.push_str(&format!(" and {} more", message.more_recipients));
    }
    if message.missing > 0 {
        text.push_str(&format!(", {} octets missing", message.missing));
    } else if !message.complete {
        text.push_str(", not complete");
    }
    if let Some(reply) = &message.reply {
        text.push_str(&format!(": {reply}"));
    }
    if let Some(file) = files.get(&message.number) {
        text.push_str(&format!("; saved as {}", file.display()));
    }
    text
}

fn end(dialogue: &Dialogue) -> String {
    let how = match dialogue.ending {
        Ending::Closed => "closed",
        Ending::Reset => "broken off (RST)",
        Ending::Evicted => "given up after a long silence, or for lack of room",
        Ending::Open => "still open when the capture ends",
    };
    let [client, server] = dialogue.octets;
    let mut text = format!(
        "{how} after {} s; the client said {client} octets, the server {server}",
        seconds(dialogue.began, dialogue.ended)
    );
    let missing: u64 = dialogue.missing.iter().sum();
    if missing > 0 {
        text.push_str(&format!("; {missing} are missing"));
    }
    text
}

/// Refusals stand out.
fn reply_tone(text: &str) -> Option<Tone> {
    match text.as_bytes().first() {
        Some(b'4') => Some(Tone::Warning),
        Some(b'5') => Some(Tone::Bad),
        _ => None,
    }
}

fn seconds(began: Time, time: Time) -> String {
    format!("{:.6}", time.since(began).as_secs_f64())
}
