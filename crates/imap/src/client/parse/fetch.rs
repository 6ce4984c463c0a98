//! FETCH (RFC 9051 §7.5.2).

use super::cursor::{Cursor, Text};
use super::{date, structure};
use crate::response::{ContentName, FetchData};
use crate::section::{MAX_FIELDS, MAX_PATH, Section, SectionText};
use bytes::Bytes;
use std::sync::Arc;

/// What an item's name says that its value is.
enum Name<'a> {
    Content(ContentName),
    BinarySize(Vec<u32>),
    Other(&'a str),
}

/// All items but those that are not known and those that were given out in pieces.
pub(super) fn items(cursor: &mut Cursor<'_>) -> Option<Vec<FetchData>> {
    cursor.spaces();
    let items = cursor.list(|cursor| {
        let name = name(cursor)?;
        cursor.spaces();
        value(cursor, name)
    })?;
    Some(items.into_iter().flatten().collect())
}

/// The items before the one whose literal begins where the text ends, and that one's name.
pub(super) fn open_section(cursor: &mut Cursor<'_>) -> Option<(Vec<FetchData>, ContentName)> {
    cursor.spaces();
    cursor.expect(b'(')?;
    let mut items = Vec::new();
    loop {
        cursor.spaces();
        let name = name(cursor)?;
        cursor.spaces();
        match name {
            Name::Content(content) if cursor.is_at_open_literal() => return Some((items, content)),
            name => items.extend(value(cursor, name)?),
        }
    }
}

fn name<'a>(cursor: &mut Cursor<'a>) -> Option<Name<'a>> {
    let word = cursor.word()?;
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    let brackets = cursor.peek() == Some(b'[');
    Some(if is("BODY") && brackets {
        let section = section(cursor)?;
        Name::Content(ContentName::Section { section, offset: offset(cursor)? })
    } else if is("BINARY") && brackets {
        let path = bracketed_path(cursor)?;
        Name::Content(ContentName::Binary { path, offset: offset(cursor)? })
    } else if is("BINARY.SIZE") && brackets {
        Name::BinarySize(bracketed_path(cursor)?)
    } else if is("RFC822") {
        Name::Content(ContentName::Rfc822)
    } else if is("RFC822.HEADER") {
        Name::Content(ContentName::Rfc822Header)
    } else if is("RFC822.TEXT") {
        Name::Content(ContentName::Rfc822Text)
    } else {
        Name::Other(word)
    })
}

/// Within `None`: passed over.
fn value(cursor: &mut Cursor<'_>, name: Name<'_>) -> Option<Option<FetchData>> {
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    let word = match name {
        Name::Content(name) => {
            return Some(match cursor.text()? {
                Text::Nil => Some(FetchData::Content { name, value: None }),
                Text::Octets(octets) => Some(FetchData::Content { name, value: Some(Bytes::from(octets)) }),
                Text::Streamed => None,
            });
        }
        Name::BinarySize(path) => return Some(Some(FetchData::BinarySize { path, size: cursor.number()? })),
        Name::Other(word) => word.to_ascii_uppercase(),
    };
    Some(Some(match word.as_str() {
        "UID" => FetchData::Uid(cursor.number()?),
        "FLAGS" => {
            let (flags, recent) = cursor.flags_of_message()?;
            FetchData::Flags { flags, recent }
        }
        "INTERNALDATE" => FetchData::InternalDate(date::date_time(&cursor.string()?)?),
        "RFC822.SIZE" => FetchData::Rfc822Size(cursor.number()?),
        "MODSEQ" => FetchData::ModSeq(cursor.list(Cursor::number)?.pop()?),
        "ENVELOPE" => FetchData::Envelope(Arc::new(structure::envelope(cursor)?)),
        "BODY" => FetchData::Structure { part: Arc::new(structure::part(cursor)?), extended: false },
        "BODYSTRUCTURE" => FetchData::Structure { part: Arc::new(structure::part(cursor)?), extended: true },
        "SAVEDATE" => match cursor.nstring()? {
            Some(text) => FetchData::SaveDate(Some(date::date_time(&text)?.timestamp())),
            None => FetchData::SaveDate(None),
        },
        "EMAILID" => FetchData::EmailId(cursor.list(Cursor::astring_text)?.pop()?),
        "THREADID" if cursor.nil() => FetchData::ThreadId(None),
        "THREADID" => FetchData::ThreadId(cursor.list(Cursor::astring_text)?.pop()),
        "PREVIEW" => FetchData::Preview(cursor.nstring()?.map(text)),
        _ => {
            cursor.skip_value()?;
            return Some(None);
        }
    }))
}

/// `[1.2.HEADER.FIELDS (Date)]`.
fn section(cursor: &mut Cursor<'_>) -> Option<Section> {
    cursor.expect(b'[')?;
    let mut section = Section { path: path(cursor)?, text: None };
    if let Some(word) = cursor.word() {
        section.text = Some(match word.to_ascii_uppercase().as_str() {
            "HEADER" => SectionText::Header,
            "TEXT" => SectionText::Text,
            "MIME" => SectionText::Mime,
            "HEADER.FIELDS" => header_fields(cursor, false)?,
            "HEADER.FIELDS.NOT" => header_fields(cursor, true)?,
            _ => return None,
        });
    }
    cursor.expect(b']')?;
    Some(section)
}

fn header_fields(cursor: &mut Cursor<'_>, not: bool) -> Option<SectionText> {
    cursor.spaces();
    let names = cursor.list(Cursor::astring_text)?;
    (names.len() <= MAX_FIELDS).then_some(SectionText::HeaderFields { names, not })
}

/// With the period behind it, when there is more.
fn path(cursor: &mut Cursor<'_>) -> Option<Vec<u32>> {
    let mut path = Vec::new();
    while cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) && path.len() < MAX_PATH {
        path.push(cursor.number()?);
        if !cursor.take(b'.') {
            break;
        }
    }
    Some(path)
}

fn bracketed_path(cursor: &mut Cursor<'_>) -> Option<Vec<u32>> {
    cursor.expect(b'[')?;
    let path = path(cursor)?;
    cursor.expect(b']')?;
    Some(path)
}

/// `<5>`, or nothing.
fn offset(cursor: &mut Cursor<'_>) -> Option<Option<u64>> {
    if !cursor.take(b'<') {
        return Some(None);
    }
    let offset = cursor.number()?;
    cursor.expect(b'>')?;
    Some(Some(offset))
}
