//! ID, ENABLE, COMPRESS.

use super::Problem;
use super::cursor::{Cursor, Parsed};
use crate::command::Command;

/// RFC 2971 §3.3: pairs, and octets of a name and of a value.
const MAX_ID: usize = 30;
const MAX_ID_NAME: usize = 30;
const MAX_ID_VALUE: usize = 1_024;
/// There are fewer extensions that can be enabled.
const MAX_ENABLE: usize = 64;

/// `id = "ID" SP id-params-list`
/// `id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil` (RFC 2971 §4)
pub(super) fn id(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    if cursor.peek_word() == "NIL" {
        cursor.word();
        return Ok(Command::Id(Vec::new()));
    }
    let pairs = cursor.list_or_empty("fields of ID", MAX_ID, |cursor| {
        let what = "octets in the name of a field";
        let name = cursor.within(MAX_ID_NAME, what, |cursor| cursor.text("the name of a field"))?;
        cursor.space()?;
        let at = cursor.mark();
        let value = cursor.nstring("a string or NIL", false);
        cursor.bound_wanted(MAX_ID_VALUE, "octets in a field");
        let value = value?.map(|octets| String::from_utf8(octets.into_owned()));
        let value = value.transpose().map_err(|_| cursor.expected_at(at, "UTF-8"))?;
        if value.as_ref().is_some_and(|value| value.len() > MAX_ID_VALUE) {
            return Err(Problem::TooMany { what: "octets in a field", limit: MAX_ID_VALUE });
        }
        Ok((name, value))
    })?;
    Ok(Command::Id(pairs))
}

/// `enable = "ENABLE" 1*(SP capability)` (RFC 5161 §4)
pub(super) fn enable(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mut capabilities = Vec::new();
    loop {
        capabilities.push(cursor.atom("a capability")?.to_ascii_uppercase());
        if capabilities.len() > MAX_ENABLE {
            return Err(Problem::TooMany { what: "capabilities", limit: MAX_ENABLE });
        }
        let more = cursor.clone();
        if !cursor.take(b' ') || cursor.is_end() {
            *cursor = more;
            return Ok(Command::Enable(capabilities));
        }
    }
}

/// `compress = "COMPRESS" SP algorithm`, `algorithm = "DEFLATE"` (RFC 4978 §4)
pub(super) fn compress(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let at = cursor.mark();
    match cursor.word().as_str() {
        "DEFLATE" => Ok(Command::CompressDeflate),
        _ => Err(cursor.expected_at(at, "DEFLATE")),
    }
}
