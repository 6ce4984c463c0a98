//! QUOTA (RFC 9208).

use super::cursor::{Cursor, Parsed};
use super::mailbox::MAX_OPTIONS;
use crate::command::Command;

/// `getquota = "GETQUOTA" SP quota-root-name`, `quota-root-name = astring`
pub(super) fn get_quota(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.text("a quota root").map(Command::GetQuota)
}

/// `getquotaroot = "GETQUOTAROOT" SP mailbox`
pub(super) fn get_quota_root(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.mailbox().map(Command::GetQuotaRoot)
}

/// `setquota = "SETQUOTA" SP quota-root-name SP setquota-list`
/// `setquota-list = "(" [setquota-resource *(SP setquota-resource)] ")"`
/// `setquota-resource = resource-name SP resource-limit`, `resource-limit = number64`
pub(super) fn set_quota(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let root = cursor.text("a quota root")?;
    cursor.space()?;
    let limits = cursor.list_or_empty("resources", MAX_OPTIONS, |cursor| {
        let name = cursor.atom("a resource")?.to_ascii_uppercase();
        cursor.space()?;
        Ok((name, cursor.number64("a limit")?))
    })?;
    Ok(Command::SetQuota { root, limits })
}
