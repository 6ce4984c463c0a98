//! What is written down of a dialogue.

use crate::stream::Side;
use crate::{Time, tls};
use std::net::SocketAddr;

/// Most octets of text of one dialogue; what follows is counted.
pub const MAX_TRANSCRIPT: usize = 1024 * 1024;
/// Most characters of one line; replies have at most 512 (RFC 5321 §4.5.3.1.5), commands little more.
pub const MAX_LINE_SHOWN: usize = 2048;
/// Most messages of one dialogue that are told of; what follows is counted.
pub const MAX_MESSAGES: usize = 1000;
/// Most recipients of one message that are told of; what follows is counted.
pub const MAX_RECIPIENTS: usize = 1000;
/// What an entry costs besides its text.
const ENTRY_OVERHEAD: usize = 64;

/// One connection, from its first to its last octet in the capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialogue {
    /// From 1, in the order in which they were known as SMTP.
    pub number: u64,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub began: Time,
    pub ended: Time,
    pub ending: Ending,
    pub protocol: Protocol,
    /// Of its TLS, if any was begun.
    pub tls: Option<tls::Summary>,
    pub entries: Vec<Entry>,
    /// Entries past [`MAX_TRANSCRIPT`].
    pub left_out: u64,
    pub messages: Vec<Message>,
    /// Messages past [`MAX_MESSAGES`].
    pub more_messages: u64,
    /// Octets that each side said, below TLS: the client's, the server's.
    pub octets: [u64; 2],
    /// Octets that are not in the capture.
    pub missing: [u64; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    Lmtp,
}

/// Why nothing more is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both sides closed.
    Closed,
    /// One side broke off.
    Reset,
    /// Nothing came for a long time, or memory was short.
    Evicted,
    /// The capture ended first.
    Open,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub time: Time,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Line {
        side: Side,
        text: String,
    },
    /// Content of a message: by DATA all of it, by BDAT a chunk.
    Content {
        message: u64,
        octets: u64,
    },
    /// What is worth knowing and nobody said.
    Note(String),
}

/// How a message was carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    Data,
    Bdat,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// From 1, in this dialogue.
    pub number: u64,
    /// As the client wrote it, without brackets; none when the command is not in the capture.
    pub from: Option<String>,
    /// Recipients that were accepted.
    pub to: Vec<String>,
    /// Recipients past [`MAX_RECIPIENTS`].
    pub more_recipients: u64,
    pub via: Via,
    /// Octets of its content, without the dots that DATA adds.
    pub octets: u64,
    /// Octets that are not in the capture.
    pub missing: u64,
    /// Whether its end was seen, and nothing is missing.
    pub complete: bool,
    /// The last line of the (last) reply to it.
    pub reply: Option<String>,
}

/// Entries, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) list: Vec<Entry>,
    pub(super) left_out: u64,
    pub(super) weight: usize,
}

impl Entries {
    pub(super) fn line(&mut self, side: Side, time: Time, text: String) {
        self.add(time, What::Line { side, text: shorten(text) });
    }

    pub(super) fn note(&mut self, time: Time, text: impl Into<String>) {
        self.add(time, What::Note(text.into()));
    }

    pub(super) fn add(&mut self, time: Time, what: What) {
        let text = match &what {
            What::Line { text, .. } | What::Note(text) => text.len(),
            What::Content { .. } => 0,
        };
        if self.weight + text > MAX_TRANSCRIPT {
            self.left_out += 1;
            return;
        }
        self.weight += text + ENTRY_OVERHEAD;
        self.list.push(Entry { time, what });
    }
}

fn shorten(mut text: String) -> String {
    if text.len() > MAX_LINE_SHOWN {
        let cut = text.floor_char_boundary(MAX_LINE_SHOWN);
        let more = text.len() - cut;
        text.truncate(cut);
        text.push_str(&format!(" … ({more} octets more)"));
    }
    text
}
