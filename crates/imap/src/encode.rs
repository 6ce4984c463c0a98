//! Writes what a server says.
//!
//! [`Encoder`] is made for a moment, over the session's output: it appends whole responses, and a FETCH in pieces when a
//! section of it is not in memory:
//!
//! ```
//! use bytes::BytesMut;
//! use imap::response::{ContentName, FetchData};
//! use imap::{Enabled, Encoder};
//!
//! let mut out = BytesMut::new();
//! let mut encoder = Encoder::new(&mut out, Enabled::default());
//! let mut fetch = encoder.begin_fetch(12);
//! encoder.fetch_item(&mut fetch, &FetchData::Uid(40));
//! encoder.fetch_literal(&mut fetch, &ContentName::Rfc822Text, 5, false);
//! encoder.octets(&fetch, b"Hi");
//! encoder.octets(&fetch, b"!\r\n");
//! encoder.end_fetch(fetch);
//! assert_eq!(out, "* 12 FETCH (UID 40 RFC822.TEXT {5}\r\nHi!\r\n)\r\n");
//! ```

mod code;
mod data;
mod fetch;
mod structure;
#[cfg(test)]
mod tests;
mod text;

use crate::command::Tag;
use crate::response::{Data, Status, StatusKind};
use bytes::BytesMut;
use data_encoding::BASE64;

pub(crate) use code::from_word as code_from_word;
pub use fetch::OpenFetch;

/// What the client has said that it understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Enabled {
    /// ENABLE IMAP4rev2 (RFC 9051 §6.3.1).
    pub rev2: bool,
    /// RFC 7162 §3.1: by ENABLE, or by a command that implies it.
    pub condstore: bool,
    /// RFC 7162 §3.2.3.
    pub qresync: bool,
    /// ENABLE UTF8=ACCEPT (RFC 6855 §3).
    pub utf8: bool,
}

impl Enabled {
    /// Whether quoted strings and names of mailboxes may be UTF-8 (RFC 9051 §4.3 and §5.1, RFC 6855 §3, RFC 9755 §3).
    pub fn unicode(self) -> bool {
        self.rev2 || self.utf8
    }
}

/// Appends responses to a buffer, as a client that has enabled this and that can read them.
#[derive(Debug)]
pub struct Encoder<'a> {
    out: &'a mut BytesMut,
    enabled: Enabled,
}

impl<'a> Encoder<'a> {
    pub fn new(out: &'a mut BytesMut, enabled: Enabled) -> Self {
        Self { out, enabled }
    }

    /// An untagged response.
    pub fn data(&mut self, data: &Data) {
        match data {
            Data::Status(status) => self.untagged(status),
            Data::Fetch { number, items } => {
                let mut fetch = self.begin_fetch(*number);
                items.iter().for_each(|item| self.fetch_item(&mut fetch, item));
                self.end_fetch(fetch);
            }
            _ => {
                self.raw(b"* ");
                self.other_data(data);
                self.raw(b"\r\n");
            }
        }
    }

    /// The end of a command.
    pub fn tagged(&mut self, tag: &Tag, status: &Status) {
        self.raw(tag.as_str().as_bytes());
        self.status(status);
    }

    /// `* OK …`.
    pub fn untagged(&mut self, status: &Status) {
        self.raw(b"*");
        self.status(status);
    }

    /// `+ go ahead`: the client may send its literal, or is in IDLE.
    pub fn continuation(&mut self, text: &str) {
        self.raw(b"+ ");
        self.response_text(text);
        self.raw(b"\r\n");
    }

    /// A SASL challenge.
    pub fn challenge(&mut self, challenge: &[u8]) {
        self.raw(b"+ ");
        self.raw(BASE64.encode(challenge).as_bytes());
        self.raw(b"\r\n");
    }

    fn status(&mut self, status: &Status) {
        self.raw(match status.kind {
            StatusKind::Ok => b" OK ",
            StatusKind::No => b" NO ",
            StatusKind::Bad => b" BAD ",
            StatusKind::PreAuth => b" PREAUTH ",
            StatusKind::Bye => b" BYE ",
        });
        if let Some(code) = &status.code {
            self.raw(b"[");
            self.code(code);
            self.raw(b"] ");
        }
        self.response_text(&status.text);
        self.raw(b"\r\n");
    }
}
