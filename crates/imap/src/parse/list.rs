//! LIST in all its forms (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8440), LSUB (RFC 3501 §6.3.9).

use super::Problem;
use super::cursor::{Cursor, Parsed};
use super::mailbox::{MAX_OPTIONS, status_items};
use crate::command::{Command, List, ListReturn, ListSelect};

/// Patterns in one LIST.
const MAX_PATTERNS: usize = 100;

/// `list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`
/// `mbox-or-pat = list-mailbox / patterns`, `patterns = "(" list-mailbox *(SP list-mailbox) ")"`
pub(super) fn list(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mut extended = false;
    let mut select = ListSelect::default();
    if cursor.peek() == Some(b'(') {
        extended = true;
        select = select_options(cursor)?;
        cursor.space()?;
    }
    let reference = cursor.mailbox_or_empty()?;
    cursor.space()?;
    let patterns = if cursor.peek() == Some(b'(') {
        extended = true;
        cursor.list("patterns", MAX_PATTERNS, Cursor::list_mailbox)?
    } else {
        vec![cursor.list_mailbox()?]
    };
    let mut returns = ListReturn::default();
    if cursor.take(b' ') && !cursor.is_end() {
        extended = true;
        returns = return_options(cursor)?;
    }
    Ok(Command::List(List { reference, patterns, select, returns, extended }))
}

/// `lsub = "LSUB" SP mailbox SP list-mailbox` (RFC 3501 §9)
pub(super) fn lsub(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let reference = cursor.mailbox_or_empty()?;
    cursor.space()?;
    let pattern = cursor.list_mailbox()?;
    Ok(Command::Lsub { reference, pattern })
}

/// `list-select-opts = "(" [list-select-opt *(SP list-select-opt)] ")"`; RECURSIVEMATCH needs an option that it can
/// modify, which SUBSCRIBED is (RFC 9051 §6.3.9.1).
fn select_options(cursor: &mut Cursor<'_>) -> Parsed<ListSelect> {
    let mut select = ListSelect::default();
    cursor.list_or_empty("options", MAX_OPTIONS, |cursor| {
        let at = cursor.mark();
        match cursor.word().as_str() {
            "SUBSCRIBED" => select.subscribed = true,
            "REMOTE" => select.remote = true,
            "RECURSIVEMATCH" => select.recursive_match = true,
            "SPECIAL-USE" => select.special_use = true,
            _ => return Err(cursor.expected_at(at, "SUBSCRIBED, REMOTE, RECURSIVEMATCH or SPECIAL-USE")),
        }
        Ok(())
    })?;
    match select.recursive_match && !select.subscribed {
        true => Err(Problem::Senseless("RECURSIVEMATCH needs SUBSCRIBED beside it")),
        false => Ok(select),
    }
}

/// `list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"`
/// `return-option = "SUBSCRIBED" / "CHILDREN" / "STATUS" SP "(" … ")" / "SPECIAL-USE" / "MYRIGHTS"`
fn return_options(cursor: &mut Cursor<'_>) -> Parsed<ListReturn> {
    let mut returns = ListReturn::default();
    let at = cursor.mark();
    if cursor.word() != "RETURN" {
        return Err(cursor.expected_at(at, "RETURN"));
    }
    cursor.space()?;
    cursor.list_or_empty("options", MAX_OPTIONS, |cursor| {
        let at = cursor.mark();
        match cursor.word().as_str() {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" => returns.children = true,
            "SPECIAL-USE" => returns.special_use = true,
            "MYRIGHTS" => returns.my_rights = true,
            "STATUS" => {
                cursor.space()?;
                returns.status = Some(status_items(cursor)?);
            }
            _ => {
                let expected = "SUBSCRIBED, CHILDREN, SPECIAL-USE, STATUS or MYRIGHTS";
                return Err(cursor.expected_at(at, expected));
            }
        }
        Ok(())
    })?;
    Ok(returns)
}
