//! Status responses and their codes (RFC 9051 §7.1).

use super::cursor::Cursor;
use super::printable;
use crate::Flag;
use crate::encode::code_from_word;
use crate::response::{Code, Status, StatusKind};
use crate::set::Runs;

/// From after the word that tells its kind.
pub(super) fn status(cursor: &mut Cursor<'_>, kind: StatusKind) -> Status {
    cursor.spaces();
    let code = bracketed(cursor);
    cursor.spaces();
    Status { kind, code, text: printable(cursor.rest()) }
}

/// Goes past the brackets, also when the code in them is not known.
fn bracketed(cursor: &mut Cursor<'_>) -> Option<Code> {
    let start = *cursor;
    cursor.expect(b'[')?;
    let code = code(cursor);
    cursor.spaces();
    if code.is_some() && cursor.take(b']') {
        return code;
    }
    // Not as it should be, or not known: to the first bracket that closes.
    *cursor = start;
    match memchr::memchr(b']', cursor.rest()) {
        Some(len) => cursor.skip(len + 1),
        None => *cursor = start,
    }
    None
}

fn code(cursor: &mut Cursor<'_>) -> Option<Code> {
    let word = cursor.code_atom()?.to_ascii_uppercase();
    cursor.spaces();
    Some(match word.as_str() {
        "APPENDUID" => Code::AppendUid { uidvalidity: cursor.number()?, uids: spaced_runs(cursor)? },
        "COPYUID" => Code::CopyUid {
            uidvalidity: cursor.number()?,
            from: spaced_runs(cursor)?,
            to: spaced_runs(cursor)?,
        },
        "BADCHARSET" if cursor.peek() == Some(b'(') => Code::BadCharset(cursor.list(Cursor::astring_text)?),
        "BADCHARSET" => Code::BadCharset(Vec::new()),
        "BADEVENT" => Code::BadEvent(cursor.list(Cursor::astring_text)?),
        "CAPABILITY" => Code::Capability(words(cursor)),
        "HIGHESTMODSEQ" => Code::HighestModSeq(cursor.number()?),
        "INPROGRESS" => in_progress(cursor)?,
        "MAILBOXID" => Code::MailboxId(cursor.list(Cursor::astring_text)?.pop()?),
        "METADATA" => metadata(cursor)?,
        "MODIFIED" => Code::Modified(cursor.runs()?),
        "PERMANENTFLAGS" => permanent_flags(cursor)?,
        "UIDNEXT" => Code::UidNext(cursor.number()?),
        "UIDVALIDITY" => Code::UidValidity(cursor.number()?),
        "UNSEEN" => Code::Unseen(cursor.number()?),
        word => code_from_word(word)?,
    })
}

fn spaced_runs(cursor: &mut Cursor<'_>) -> Option<Runs> {
    cursor.spaces();
    cursor.runs()
}

fn words(cursor: &mut Cursor<'_>) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(word) = cursor.code_atom() {
        words.push(word.to_owned());
        cursor.spaces();
    }
    words
}

/// RFC 9585 §4.
fn in_progress(cursor: &mut Cursor<'_>) -> Option<Code> {
    if !cursor.take(b'(') {
        return Some(Code::InProgress { tag: None, done: None, total: None });
    }
    let tag = cursor.nstring()?.map(|tag| printable(&tag));
    let mut number = || {
        cursor.spaces();
        if cursor.nil() { Some(None) } else { cursor.number().map(Some) }
    };
    let (done, total) = (number()?, number()?);
    cursor.spaces();
    cursor.expect(b')')?;
    Some(Code::InProgress { tag, done, total })
}

fn metadata(cursor: &mut Cursor<'_>) -> Option<Code> {
    let word = cursor.code_atom()?.to_ascii_uppercase();
    cursor.spaces();
    Some(match word.as_str() {
        "LONGENTRIES" => Code::MetadataLongEntries(cursor.number()?),
        "MAXSIZE" => Code::MetadataMaxSize(cursor.number()?),
        "TOOMANY" => Code::MetadataTooMany,
        _ => return None,
    })
}

fn permanent_flags(cursor: &mut Cursor<'_>) -> Option<Code> {
    let mut any_keyword = false;
    let flags = cursor.list(|cursor| {
        let name = cursor.atom()?;
        any_keyword |= name == "\\*";
        Some(Flag::parse(name))
    })?;
    Some(Code::PermanentFlags { flags: flags.into_iter().flatten().collect(), any_keyword })
}
