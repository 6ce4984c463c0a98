//! METADATA (RFC 5464).

use super::cursor::{Cursor, Parsed};
use crate::MailboxName;
use crate::command::{Command, GetMetadata};

/// Entries in one command.
const MAX_ENTRIES: usize = 256;
/// Longest name of an entry.
const MAX_ENTRY: usize = 1_024;
const MAX_OPTIONS: usize = 8;

/// `getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries`
/// `entries = entry / "(" entry *(SP entry) ")"`
///
/// The options are read after the mailbox too, where RFC 5464's first draft had them and clients still write them.
pub(super) fn get_metadata(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mut command = GetMetadata { mailbox: None, entries: Vec::new(), max_size: None, depth: Some(0) };
    if cursor.peek() == Some(b'(') {
        options(cursor, &mut command)?;
        cursor.space()?;
    }
    command.mailbox = mailbox_or_server(cursor)?;
    cursor.space()?;
    let mut ahead = cursor.clone();
    if ahead.take(b'(') && ["MAXSIZE", "DEPTH"].contains(&ahead.word().as_str()) {
        options(cursor, &mut command)?;
        cursor.space()?;
    }
    command.entries = match cursor.peek() {
        Some(b'(') => cursor.list("entries", MAX_ENTRIES, entry)?,
        _ => vec![entry(cursor)?],
    };
    Ok(Command::GetMetadata(command))
}

/// `getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")"`
/// `maxsize-opt = "MAXSIZE" SP number`, `scope-opt = "DEPTH" SP ("0" / "1" / "infinity")`
fn options(cursor: &mut Cursor<'_>, command: &mut GetMetadata) -> Parsed<()> {
    cursor.list("options", MAX_OPTIONS, |cursor| {
        let at = cursor.mark();
        let option = cursor.word();
        cursor.space()?;
        match option.as_str() {
            "MAXSIZE" => command.max_size = Some(cursor.number64("a number of octets")?),
            "DEPTH" => {
                let at = cursor.mark();
                command.depth = match cursor.word().as_str() {
                    "0" => Some(0),
                    "1" => Some(1),
                    "INFINITY" => None,
                    _ => return Err(cursor.expected_at(at, "0, 1 or infinity")),
                };
            }
            _ => return Err(cursor.expected_at(at, "MAXSIZE or DEPTH")),
        }
        Ok(())
    })?;
    Ok(())
}

/// `setmetadata = "SETMETADATA" SP mailbox SP entry-values`
/// `entry-values = "(" entry-value *(SP entry-value) ")"`, `entry-value = entry SP value`,
/// `value = nstring / literal8`
pub(super) fn set_metadata(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mailbox = mailbox_or_server(cursor)?;
    cursor.space()?;
    let entries = cursor.list("entries", MAX_ENTRIES, |cursor| {
        let name = entry(cursor)?;
        cursor.space()?;
        let value = cursor.nstring("a value or NIL", true)?;
        Ok((name, value.map(std::borrow::Cow::into_owned)))
    })?;
    Ok(Command::SetMetadata { mailbox, entries })
}

/// `""` is the server (RFC 5464 §4.2).
fn mailbox_or_server(cursor: &mut Cursor<'_>) -> Parsed<Option<MailboxName>> {
    let name = cursor.mailbox_or_empty()?;
    Ok(Some(name).filter(|name| !name.is_empty()).map(|name| MailboxName::new(&name)))
}

/// `entry = astring`: levels of printable characters, without `*` and `%`, after slashes (RFC 5464 §3.2).
fn entry(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let at = cursor.mark();
    let expected = "an entry like /private/comment";
    let name = cursor.within(MAX_ENTRY, "octets in the name of an entry", |cursor| cursor.text(expected))?;
    let levels = name.strip_prefix('/').filter(|levels| levels.split('/').all(|level| !level.is_empty()));
    let printable = name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b"*%".contains(&byte));
    match levels.is_some() && printable {
        true => Ok(name),
        false => Err(cursor.expected_at(at, expected)),
    }
}
