//! ENVELOPE, BODY and BODYSTRUCTURE. Parts say their size, not where they are: their ranges begin at 0.

use super::cursor::Cursor;
use message::structure::{Address, Disposition, Envelope, Kind, MAX_DEPTH, Octets, Parameters, Part};

pub(super) fn envelope(cursor: &mut Cursor<'_>) -> Option<Envelope> {
    cursor.expect(b'(')?;
    let envelope = Envelope {
        date: nstring(cursor)?,
        subject: nstring(cursor)?,
        from: addresses(cursor)?,
        sender: addresses(cursor)?,
        reply_to: addresses(cursor)?,
        to: addresses(cursor)?,
        cc: addresses(cursor)?,
        bcc: addresses(cursor)?,
        in_reply_to: nstring(cursor)?,
        message_id: nstring(cursor)?,
    };
    close(cursor)?;
    Some(envelope)
}

fn nstring(cursor: &mut Cursor<'_>) -> Option<Option<Octets>> {
    cursor.spaces();
    cursor.nstring()
}

fn string(cursor: &mut Cursor<'_>) -> Option<Octets> {
    nstring(cursor).map(Option::unwrap_or_default)
}

fn addresses(cursor: &mut Cursor<'_>) -> Option<Vec<Address>> {
    cursor.spaces();
    if cursor.nil() {
        return Some(Vec::new());
    }
    cursor.list(|cursor| {
        cursor.expect(b'(')?;
        let (name, adl) = (nstring(cursor)?, nstring(cursor)?);
        let (mailbox, host) = (nstring(cursor)?, nstring(cursor)?);
        close(cursor)?;
        Some(Address { name, adl, mailbox, host })
    })
}

fn close(cursor: &mut Cursor<'_>) -> Option<()> {
    cursor.spaces();
    cursor.expect(b')')
}

/// Parts nested deeper than twice [`MAX_DEPTH`] are refused: a message takes two levels there.
pub(super) fn part(cursor: &mut Cursor<'_>) -> Option<Part> {
    nested(cursor, 2 * MAX_DEPTH)
}

fn nested(cursor: &mut Cursor<'_>, depth: usize) -> Option<Part> {
    let depth = depth.checked_sub(1)?;
    cursor.spaces();
    cursor.expect(b'(')?;
    cursor.spaces();
    let part = if cursor.peek()? == b'(' { multipart(cursor, depth)? } else { single(cursor, depth)? };
    // Extensions that are not known.
    loop {
        cursor.spaces();
        if cursor.take(b')') {
            return Some(part);
        }
        cursor.skip_value()?;
    }
}

fn empty(media_type: String, subtype: String, kind: Kind) -> Part {
    Part {
        media_type,
        subtype,
        parameters: Vec::new(),
        id: None,
        description: None,
        encoding: b"7bit".to_vec(),
        md5: None,
        disposition: None,
        language: Vec::new(),
        location: None,
        header: 0..0,
        body: 0..0,
        lines: 0,
        kind,
    }
}

fn lower(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).to_ascii_lowercase()
}

fn at_end(cursor: &mut Cursor<'_>) -> bool {
    cursor.spaces();
    cursor.peek() == Some(b')')
}

fn multipart(cursor: &mut Cursor<'_>, depth: usize) -> Option<Part> {
    let mut parts = Vec::new();
    while cursor.peek()? == b'(' {
        parts.push(nested(cursor, depth)?);
        cursor.spaces();
    }
    let mut part = empty("multipart".into(), lower(&string(cursor)?), Kind::Multipart(parts));
    if !at_end(cursor) {
        part.parameters = parameters(cursor)?;
        extension(cursor, &mut part)?;
    }
    Some(part)
}

fn single(cursor: &mut Cursor<'_>, depth: usize) -> Option<Part> {
    let (media_type, subtype) = (lower(&string(cursor)?), lower(&string(cursor)?));
    let mut part = empty(media_type, subtype, Kind::Leaf);
    part.parameters = parameters(cursor)?;
    (part.id, part.description) = (nstring(cursor)?, nstring(cursor)?);
    if let Some(encoding) = nstring(cursor)? {
        part.encoding = encoding;
    }
    cursor.spaces();
    part.body = 0..cursor.number()?;
    // Some servers give base64-encoded messages no structure.
    let mut ahead = *cursor;
    ahead.spaces();
    if part.media_type == "message"
        && matches!(&*part.subtype, "rfc822" | "global")
        && ahead.peek() == Some(b'(')
    {
        cursor.spaces();
        let envelope = envelope(cursor)?;
        part.kind = Kind::Message(Box::new(envelope), Box::new(nested(cursor, depth)?));
    }
    if part.media_type == "text" || matches!(part.kind, Kind::Message(..)) {
        cursor.spaces();
        part.lines = cursor.number()?;
    }
    if !at_end(cursor) {
        part.md5 = nstring(cursor)?;
        extension(cursor, &mut part)?;
    }
    Some(part)
}

/// `body-fld-dsp`, `body-fld-lang`, `body-fld-loc`, as many as there are.
fn extension(cursor: &mut Cursor<'_>, part: &mut Part) -> Option<()> {
    if at_end(cursor) {
        return Some(());
    }
    if cursor.take(b'(') {
        let kind = string(cursor)?;
        part.disposition = Some(Disposition { kind, parameters: parameters(cursor)? });
        close(cursor)?;
    } else {
        cursor.nil().then_some(())?;
    }
    if at_end(cursor) {
        return Some(());
    }
    part.language = match cursor.peek()? {
        b'(' => cursor.list(Cursor::string)?,
        _ => cursor.nstring()?.into_iter().collect(),
    };
    if !at_end(cursor) {
        part.location = nstring(cursor)?;
    }
    Some(())
}

fn parameters(cursor: &mut Cursor<'_>) -> Option<Parameters> {
    cursor.spaces();
    if cursor.nil() {
        return Some(Vec::new());
    }
    cursor.list(|cursor| {
        let name = cursor.string()?;
        Some((name, string(cursor)?))
    })
}
