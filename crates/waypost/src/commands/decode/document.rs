//! A dialogue as JSON.

use capture::Time;
use capture::dialogue::{Dialogue, Ending, Message, Protocol, Via, What};
use capture::stream::Side;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Serialize)]
pub(super) struct Document {
    number: u64,
    client: String,
    server: String,
    protocol: &'static str,
    began: String,
    ended: String,
    /// `closed`, `reset`, `evicted` or `open`.
    ending: &'static str,
    tls: Option<Tls>,
    octets: Both,
    missing: Both,
    lines: Vec<Line>,
    /// Lines past the bound of a transcript.
    lines_left_out: u64,
    messages: Vec<Mail>,
    messages_left_out: u64,
}

#[derive(Debug, Serialize)]
struct Tls {
    version: Option<String>,
    cipher: Option<String>,
    server_name: Option<String>,
    decrypted: bool,
}

#[derive(Debug, Serialize)]
struct Both {
    client: u64,
    server: u64,
}

#[derive(Debug, Serialize)]
struct Line {
    time: String,
    /// `client`, `server`, or `note`: of this program.
    from: &'static str,
    text: String,
}

#[derive(Debug, Serialize)]
struct Mail {
    number: u64,
    from: Option<String>,
    to: Vec<String>,
    recipients_left_out: u64,
    via: &'static str,
    octets: u64,
    missing: u64,
    complete: bool,
    reply: Option<String>,
    file: Option<PathBuf>,
}

impl Document {
    pub(super) fn new(dialogue: &Dialogue, files: &BTreeMap<u64, PathBuf>) -> Self {
        let both = |[client, server]: [u64; 2]| Both { client, server };
        let lines = dialogue.entries.iter().map(|entry| {
            let (from, text) = match &entry.what {
                What::Line { side: Side::Client, text } => ("client", text.clone()),
                What::Line { side: Side::Server, text } => ("server", text.clone()),
                What::Content { message, octets } => ("note", super::text::content(*message, *octets)),
                What::Note(text) => ("note", text.clone()),
            };
            Line { time: moment(entry.time), from, text }
        });
        Self {
            number: dialogue.number,
            client: dialogue.client.to_string(),
            server: dialogue.server.to_string(),
            protocol: protocol(dialogue.protocol),
            began: moment(dialogue.began),
            ended: moment(dialogue.ended),
            ending: ending(dialogue.ending),
            tls: dialogue.tls.clone().map(|tls| Tls {
                version: tls.version,
                cipher: tls.cipher,
                server_name: tls.server_name,
                decrypted: tls.decrypted,
            }),
            octets: both(dialogue.octets),
            missing: both(dialogue.missing),
            lines: lines.collect(),
            lines_left_out: dialogue.left_out,
            messages: dialogue.messages.iter().map(|message| Mail::new(message, files)).collect(),
            messages_left_out: dialogue.more_messages,
        }
    }
}

impl Mail {
    fn new(message: &Message, files: &BTreeMap<u64, PathBuf>) -> Self {
        Self {
            number: message.number,
            from: message.from.clone(),
            to: message.to.clone(),
            recipients_left_out: message.more_recipients,
            via: via(message.via),
            octets: message.octets,
            missing: message.missing,
            complete: message.complete,
            reply: message.reply.clone(),
            file: files.get(&message.number).cloned(),
        }
    }
}

pub(super) fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Smtp => "smtp",
        Protocol::Lmtp => "lmtp",
    }
}

fn via(via: Via) -> &'static str {
    match via {
        Via::Data => "data",
        Via::Bdat => "bdat",
    }
}

fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Closed => "closed",
        Ending::Reset => "reset",
        Ending::Evicted => "evicted",
        Ending::Open => "open",
    }
}

/// RFC 3339, in UTC.
fn moment(time: Time) -> String {
    jiff::Timestamp::from_nanosecond(time.0.into()).unwrap_or_default().to_string()
}
