//! LOGIN, AUTHENTICATE. What a refusal finds is not repeated.

use super::cursor::{Cursor, Parsed};
use crate::command::Command;
use address::Secret;
use data_encoding::BASE64;

/// Longest name of a mechanism (RFC 4422 §3.1).
const MAX_MECHANISM: usize = 20;

/// `login = "LOGIN" SP userid SP password`, both `astring`.
pub(super) fn login(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.keep_secret();
    let user = cursor.text("a user's name")?;
    cursor.space()?;
    let password = Secret::new(cursor.text("a password")?);
    Ok(Command::Login { user, password })
}

/// `authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]`
/// `initial-resp = (base64 / "=")` (RFC 4959)
pub(super) fn authenticate(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.keep_secret();
    let at = cursor.mark();
    let mechanism = cursor.atom("the name of a mechanism")?.to_ascii_uppercase();
    if mechanism.len() > MAX_MECHANISM {
        return Err(cursor.expected_at(at, "the name of a mechanism"));
    }
    let mut initial = None;
    if cursor.take(b' ') && !cursor.is_end() {
        let at = cursor.mark();
        let octets = match cursor.atom("base64")? {
            "=" => Some(Vec::new()),
            text => BASE64.decode(text.as_bytes()).ok(),
        };
        initial = Some(Secret::new(octets.ok_or_else(|| cursor.expected_at(at, "base64"))?));
    }
    Ok(Command::Authenticate { mechanism, initial })
}
