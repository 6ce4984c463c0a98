//! Access control lists (RFC 4314).

use super::cursor::{Cursor, Parsed};
use crate::MailboxName;
use crate::command::{Command, RightsChange};

/// Longest identifier: a user's name, an address, a group.
const MAX_IDENTIFIER: usize = 512;

/// `setacl = "SETACL" SP mailbox SP identifier SP mod-rights`
/// `mod-rights = astring` with `+` or `-` in front, or neither.
pub(super) fn set_acl(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let (mailbox, identifier) = mailbox_and_identifier(cursor)?;
    cursor.space()?;
    let at = cursor.mark();
    let text = cursor.text("rights")?;
    let (change, rights): (fn(String) -> RightsChange, &str) = match text.as_bytes().first() {
        Some(b'+') => (RightsChange::Add, &text[1..]),
        Some(b'-') => (RightsChange::Remove, &text[1..]),
        _ => (RightsChange::Replace, &text),
    };
    if !rights.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Err(cursor.expected_at(at, "rights, which are lower-case letters and digits"));
    }
    Ok(Command::SetAcl { mailbox, identifier, change: change(rights.to_owned()) })
}

/// `deleteacl = "DELETEACL" SP mailbox SP identifier`
pub(super) fn delete_acl(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let (mailbox, identifier) = mailbox_and_identifier(cursor)?;
    Ok(Command::DeleteAcl { mailbox, identifier })
}

/// `getacl = "GETACL" SP mailbox`
pub(super) fn get_acl(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.mailbox().map(Command::GetAcl)
}

/// `listrights = "LISTRIGHTS" SP mailbox SP identifier`
pub(super) fn list_rights(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let (mailbox, identifier) = mailbox_and_identifier(cursor)?;
    Ok(Command::ListRights { mailbox, identifier })
}

/// `myrights = "MYRIGHTS" SP mailbox`
pub(super) fn my_rights(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.mailbox().map(Command::MyRights)
}

/// `identifier = astring`
fn mailbox_and_identifier(cursor: &mut Cursor<'_>) -> Parsed<(MailboxName, String)> {
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    let at = cursor.mark();
    let what = "octets in an identifier";
    let identifier = cursor.within(MAX_IDENTIFIER, what, |cursor| cursor.text("an identifier"))?;
    if identifier.is_empty() || identifier.contains(char::is_control) {
        return Err(cursor.expected_at(at, "an identifier"));
    }
    Ok((mailbox, identifier))
}
