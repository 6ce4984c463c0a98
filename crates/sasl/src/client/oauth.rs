//! OAUTHBEARER (RFC 7628) and XOAUTH2: a token instead of a password.

use address::Secret;

use super::check_name;
use crate::scram::escape_name;
use crate::{Error, MAX_MESSAGE};

/// The answer to the server's refusal, which lets it end the exchange (RFC 7628 §3.2.3).
pub(super) const BEARER_DUMMY: &[u8] = b"\x01";
/// XOAUTH2's.
pub(super) const XOAUTH2_DUMMY: &[u8] = b"";

/// `client-resp = gs2-header kvsep *kvpair kvsep` (RFC 7628 §3.1).
pub(super) fn bearer(
    user: &str,
    token: &Secret<String>,
    server: Option<&(String, u16)>,
) -> Result<Secret<Vec<u8>>, Error> {
    let user = escape_name(check_name(user)?);
    let server = match server {
        Some((host, port)) => format!("host={}\x01port={port}\x01", check_name(host)?),
        None => String::new(),
    };
    Ok(Secret::new(
        format!("n,a={user},\x01{server}auth=Bearer {}\x01\x01", check_token(token)?).into_bytes(),
    ))
}

/// `user=… ^A auth=Bearer … ^A ^A`.
pub(super) fn xoauth2(user: &str, token: &Secret<String>) -> Result<Secret<Vec<u8>>, Error> {
    let (user, token) = (check_name(user)?, check_token(token)?);
    Ok(Secret::new(format!("user={user}\x01auth=Bearer {token}\x01\x01").into_bytes()))
}

/// A token is printable (RFC 6750 §2.1), and leaves room for the rest of the message.
fn check_token(token: &Secret<String>) -> Result<&str, Error> {
    const MAX_TOKEN: usize = MAX_MESSAGE - 1024;
    let token = token.reveal();
    if token.len() > MAX_TOKEN {
        return Err(Error::TooLong { what: "token", max: MAX_TOKEN });
    }
    let sound = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    if sound { Ok(token) } else { Err(Error::Token) }
}
