//! Reading responses. Servers differ from the grammar in spaces and letter case, and have responses, codes and items that
//! are not known here: what can be passed over is.

mod code;
mod cursor;
mod data;
mod date;
mod fetch;
mod mailbox;
mod structure;

use super::WireName;
use crate::response::{ContentName, Data, FetchData, ListEntry, Status, StatusKind};
use cursor::Cursor;

/// A response, with its literals in their places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) octets: &'a [u8],
    /// Where the octets of a literal should be and are not, since they were given out.
    pub(super) streamed: &'a [usize],
    pub(super) unicode: bool,
}

/// One response of a server.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    Data(Data),
    /// LIST and LSUB: with the name as the server wrote it, to give it back as it is.
    Listed {
        entry: ListEntry,
        name: WireName,
        lsub: bool,
    },
    Tagged {
        tag: String,
        status: Status,
    },
    /// `+ …`: what follows the plus sign.
    Continue(Vec<u8>),
    /// Untagged, and not known here, or not as its RFC says.
    Unknown(String),
}

/// `None` when it is no response at all.
pub(super) fn response(place: Place<'_>) -> Option<Response> {
    let mut cursor = Cursor::new(place);
    if cursor.take(b'+') {
        cursor.spaces();
        return Some(Response::Continue(cursor.rest().to_vec()));
    }
    if cursor.take(b'*') {
        cursor.spaces();
        return Some(data::untagged(cursor).unwrap_or_else(|| Response::Unknown(printable(cursor.rest()))));
    }
    let tag = cursor.word()?.to_owned();
    cursor.spaces();
    let kind = status_kind(cursor.word()?)?;
    Some(Response::Tagged { tag, status: code::status(&mut cursor, kind) })
}

/// Whether the response is for people at its end, and so has no literals.
pub(super) fn is_status(response: &[u8]) -> bool {
    let mut cursor = Cursor::new(Place { octets: response, streamed: &[], unicode: false });
    if cursor.take(b'+') {
        return true;
    }
    if cursor.take(b'*') {
        cursor.spaces();
        return cursor.word().is_some_and(|word| status_kind(word).is_some());
    }
    true
}

/// When the response is a FETCH that has come to a section whose literal begins: the number of the message, what came
/// before, and the section.
pub(super) fn open_section(place: Place<'_>) -> Option<(u32, Vec<FetchData>, ContentName)> {
    let mut cursor = Cursor::new(place);
    if !cursor.ends_with_section() || !cursor.take(b'*') {
        return None;
    }
    cursor.spaces();
    let number = cursor.number()?;
    cursor.spaces();
    if !cursor.word()?.eq_ignore_ascii_case("FETCH") {
        return None;
    }
    fetch::open_section(&mut cursor).map(|(before, name)| (number, before, name))
}

fn status_kind(word: &str) -> Option<StatusKind> {
    const KINDS: [(&str, StatusKind); 5] = [
        ("OK", StatusKind::Ok),
        ("NO", StatusKind::No),
        ("BAD", StatusKind::Bad),
        ("PREAUTH", StatusKind::PreAuth),
        ("BYE", StatusKind::Bye),
    ];
    KINDS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, kind)| kind)
}

/// A server's words, safe to show on a terminal.
pub(super) fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.trim_end().chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
