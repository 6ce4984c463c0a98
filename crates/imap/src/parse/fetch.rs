//! FETCH (RFC 9051 §6.4.5).

use super::Problem;
use super::cursor::{Cursor, Parsed};
use crate::command::Command;
use crate::fetch::{FetchItem, FetchModifiers, PartialRange};
use crate::section::{MAX_FIELDS, MAX_PATH, Partial, Section, SectionText};

/// Items in one FETCH. Clients ask for about ten.
const MAX_ITEMS: usize = 256;
const MAX_MODIFIERS: usize = 8;

/// `fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
/// [fetch-modifiers]`
pub(super) fn fetch(cursor: &mut Cursor<'_>, uid: bool, _: &str) -> Parsed<Command> {
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let items = match cursor.peek() {
        Some(b'(') => items(cursor)?,
        _ => one_or_macro(cursor)?,
    };
    let mut modifiers = FetchModifiers::default();
    if cursor.take(b' ') && !cursor.is_end() {
        cursor.list("modifiers", MAX_MODIFIERS, |cursor| modifier(cursor, uid, &mut modifiers))?;
    }
    if modifiers.vanished && modifiers.changed_since.is_none() {
        return Err(Problem::Senseless("VANISHED needs CHANGEDSINCE beside it"));
    }
    Ok(Command::Fetch { uid, set, items, modifiers })
}

/// `"(" fetch-att *(SP fetch-att) ")"`
pub(super) fn items(cursor: &mut Cursor<'_>) -> Parsed<Vec<FetchItem>> {
    cursor.list("items", MAX_ITEMS, |cursor| item(cursor, "an item"))
}

fn one_or_macro(cursor: &mut Cursor<'_>) -> Parsed<Vec<FetchItem>> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Rfc822Size};
    let items = match cursor.peek_word().as_str() {
        "ALL" => vec![Flags, InternalDate, Rfc822Size, Envelope],
        "FAST" => vec![Flags, InternalDate, Rfc822Size],
        "FULL" => vec![Flags, InternalDate, Rfc822Size, Envelope, Body],
        _ => return Ok(vec![item(cursor, "`(` or an item")?]),
    };
    cursor.word();
    Ok(items)
}

/// `fetch-att = "ENVELOPE" / "FLAGS" / …`
fn item(cursor: &mut Cursor<'_>, expected: &'static str) -> Parsed<FetchItem> {
    let at = cursor.mark();
    let word = cursor.word();
    if cursor.peek() == Some(b'[') {
        return bracketed(cursor, &word).unwrap_or_else(|| Err(cursor.expected_at(at, expected)));
    }
    Ok(match word.as_str() {
        "UID" => FetchItem::Uid,
        "FLAGS" => FetchItem::Flags,
        "INTERNALDATE" => FetchItem::InternalDate,
        "ENVELOPE" => FetchItem::Envelope,
        "BODYSTRUCTURE" => FetchItem::BodyStructure,
        "BODY" => FetchItem::Body,
        "RFC822" => FetchItem::Rfc822,
        "RFC822.SIZE" => FetchItem::Rfc822Size,
        "RFC822.HEADER" => FetchItem::Rfc822Header,
        "RFC822.TEXT" => FetchItem::Rfc822Text,
        "MODSEQ" => FetchItem::ModSeq,
        "SAVEDATE" => FetchItem::SaveDate,
        "EMAILID" => FetchItem::EmailId,
        "THREADID" => FetchItem::ThreadId,
        "PREVIEW" => FetchItem::Preview { lazy: lazy(cursor)? },
        _ => return Err(cursor.expected_at(at, expected)),
    })
}

/// `fetch-att =/ "PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]` (RFC 8970 §6). FETCH's own modifiers may follow
/// in its place.
fn lazy(cursor: &mut Cursor<'_>) -> Parsed<bool> {
    let mut ahead = cursor.clone();
    if !(ahead.take(b' ') && ahead.take(b'(') && ahead.peek_word() == "LAZY") {
        return Ok(false);
    }
    cursor.space()?;
    cursor.list("modifiers of PREVIEW", MAX_MODIFIERS, |cursor| {
        let at = cursor.mark();
        if cursor.word() == "LAZY" { Ok(()) } else { Err(cursor.expected_at(at, "LAZY")) }
    })?;
    Ok(true)
}

/// `"BODY" section [partial] / "BODY.PEEK" section [partial] / "BINARY" [".PEEK"] section-binary [partial] /
/// "BINARY.SIZE" section-binary`
fn bracketed(cursor: &mut Cursor<'_>, word: &str) -> Option<Parsed<FetchItem>> {
    let peek = word.ends_with(".PEEK");
    Some(match word {
        "BODY" | "BODY.PEEK" => section(cursor)
            .and_then(|section| Ok(FetchItem::Section { section, partial: partial(cursor)?, peek })),
        "BINARY" | "BINARY.PEEK" => section_binary(cursor)
            .and_then(|path| Ok(FetchItem::Binary { path, partial: partial(cursor)?, peek })),
        "BINARY.SIZE" => section_binary(cursor).map(FetchItem::BinarySize),
        _ => return None,
    })
}

/// `section = "[" [section-spec] "]"`
/// `section-spec = section-msgtext / (section-part ["." section-text])`
fn section(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    cursor.expect(b'[', "`[`")?;
    let (path, more) = section_part(cursor)?;
    let text = match cursor.peek() {
        Some(b']') if !more => None,
        _ => Some(section_text(cursor, !path.is_empty())?),
    };
    cursor.expect(b']', "`]`")?;
    Ok(Section { path, text })
}

/// `section-binary = "[" [section-part] "]"`
fn section_binary(cursor: &mut Cursor<'_>) -> Parsed<Vec<u32>> {
    cursor.expect(b'[', "`[`")?;
    let (path, more) = section_part(cursor)?;
    if more {
        return Err(cursor.expected("a part's number"));
    }
    cursor.expect(b']', "`]`")?;
    Ok(path)
}

/// `section-part = nz-number *("." nz-number)`, and whether a dot follows it. Empty when there is none.
fn section_part(cursor: &mut Cursor<'_>) -> Parsed<(Vec<u32>, bool)> {
    let mut path = Vec::new();
    let mut more = false;
    while cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        if path.len() == MAX_PATH {
            return Err(Problem::TooMany { what: "levels of parts", limit: MAX_PATH });
        }
        path.push(cursor.nz_number("a part's number")?);
        more = cursor.take(b'.');
        if !more {
            break;
        }
    }
    Ok((path, more))
}

/// `section-text = section-msgtext / "MIME"`
/// `section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"`
fn section_text(cursor: &mut Cursor<'_>, of_part: bool) -> Parsed<SectionText> {
    let at = cursor.mark();
    let word = cursor.word();
    Ok(match word.as_str() {
        "HEADER" => SectionText::Header,
        "TEXT" => SectionText::Text,
        "MIME" if of_part => SectionText::Mime,
        "HEADER.FIELDS" | "HEADER.FIELDS.NOT" => {
            cursor.space()?;
            SectionText::HeaderFields { names: header_list(cursor)?, not: word.ends_with("NOT") }
        }
        _ => return Err(cursor.expected_at(at, "a part's number, HEADER, HEADER.FIELDS, TEXT or `]`")),
    })
}

/// `header-list = "(" header-fld-name *(SP header-fld-name) ")"`, `header-fld-name = astring`
fn header_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    cursor.list("header fields", MAX_FIELDS, |cursor| cursor.text("the name of a header field"))
}

/// `partial = "<" number64 "." nz-number64 ">"`
fn partial(cursor: &mut Cursor<'_>) -> Parsed<Option<Partial>> {
    if !cursor.take(b'<') {
        return Ok(None);
    }
    let offset = cursor.number64("an octet's number")?;
    cursor.expect(b'.', "`.`")?;
    let length = cursor.nz_number64("a number of octets")?;
    cursor.expect(b'>', "`>`")?;
    Ok(Some(Partial { offset, length }))
}

/// `fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value / "VANISHED"` (RFC 7162 §7) `/ "PARTIAL" SP partial-range`
/// (RFC 9394 §4)
fn modifier(cursor: &mut Cursor<'_>, uid: bool, modifiers: &mut FetchModifiers) -> Parsed<()> {
    let at = cursor.mark();
    match cursor.word().as_str() {
        "CHANGEDSINCE" => {
            cursor.space()?;
            modifiers.changed_since = Some(cursor.number64("a mod-sequence")?);
        }
        "VANISHED" if uid => modifiers.vanished = true,
        "PARTIAL" if uid => {
            cursor.space()?;
            modifiers.partial = Some(partial_range(cursor)?);
        }
        "VANISHED" | "PARTIAL" => return Err(Problem::Senseless("VANISHED and PARTIAL are for UID FETCH")),
        _ => return Err(cursor.expected_at(at, "CHANGEDSINCE, VANISHED or PARTIAL")),
    }
    Ok(())
}

/// `partial-range-first = nz-number ":" nz-number`
/// `partial-range-last = MINUS nz-number ":" MINUS nz-number` (RFC 9394 §4)
pub(super) fn partial_range(cursor: &mut Cursor<'_>) -> Parsed<PartialRange> {
    let from_end = cursor.take(b'-');
    let from = cursor.nz_number("a range like 1:500 or -1:-500")?;
    cursor.expect(b':', "`:`")?;
    if from_end {
        cursor.expect(b'-', "`-`")?;
    }
    let to = cursor.nz_number("a position")?;
    Ok(PartialRange { from: from.min(to), to: from.max(to), from_end })
}
