//! STORE, COPY, MOVE, UID EXPUNGE.

use super::cursor::{Cursor, Parsed};
use crate::command::{Command, FlagChange, Store};

/// `store = "STORE" SP sequence-set [store-modifiers] SP store-att-flags`
/// `store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))`
/// `store-modifier =/ "UNCHANGEDSINCE" SP mod-sequence-valzer` (RFC 7162 §7)
pub(super) fn store(cursor: &mut Cursor<'_>, uid: bool, _: &str) -> Parsed<Command> {
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.take(b'(') {
        let at = cursor.mark();
        if cursor.word() != "UNCHANGEDSINCE" {
            return Err(cursor.expected_at(at, "UNCHANGEDSINCE"));
        }
        cursor.space()?;
        unchanged_since = Some(cursor.number64("a mod-sequence")?);
        cursor.expect(b')', "`)`")?;
        cursor.space()?;
    }
    let at = cursor.mark();
    let change = if cursor.take(b'+') {
        FlagChange::Add
    } else if cursor.take(b'-') {
        FlagChange::Remove
    } else {
        FlagChange::Replace
    };
    let silent = match cursor.word().as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(cursor.expected_at(at, "FLAGS, +FLAGS or -FLAGS")),
    };
    cursor.space()?;
    let flags = match cursor.peek() {
        Some(b'(') => cursor.flag_list()?,
        _ => cursor.bare_flags()?,
    };
    Ok(Command::Store(Store { uid, set, change, silent, flags, unchanged_since }))
}

/// `copy = "COPY" SP sequence-set SP mailbox`, `move = "MOVE" SP sequence-set SP mailbox`
pub(super) fn copy_or_move(cursor: &mut Cursor<'_>, uid: bool, name: &str) -> Parsed<Command> {
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let to = cursor.mailbox()?;
    Ok(match name {
        "COPY" => Command::Copy { uid, set, to },
        _ => Command::Move { uid, set, to },
    })
}

/// `uid-expunge = "EXPUNGE" SP sequence-set`
pub(super) fn uid_expunge(cursor: &mut Cursor<'_>, _: bool, _: &str) -> Parsed<Command> {
    cursor.sequence_set().map(|set| Command::Expunge(Some(set)))
}
