//! The parameters of MAIL and RCPT, and `xtext` (RFC 5321 §4.1.2, RFC 3461 §4).
//!
//! A value is read by its own type, which cannot hold what its RFC forbids, and `Display` writes it as it
//! stands in the command. Whether an extension was offered is the server's business, not the grammar's.

mod future;
mod mail;
mod notification;
mod xtext;

pub use future::{ByMode, DeliverBy, Hold, MAX_SECONDS, Priority};
pub use mail::{Body, MailParameters, Ret};
pub use notification::{EnvelopeId, MAX_ENVID, MAX_ORCPT, Notify, OriginalRecipient, RcptParameters};
pub use xtext::{decode_xtext, encode_xtext};

/// What is wrong with a parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    #[error("the parameter {0:?} is not known here")]
    Unknown(String),
    #[error("the parameter {0} is given twice")]
    Twice(&'static str),
    #[error("{name} must be {expected}")]
    Value { name: &'static str, expected: &'static str },
}

impl ParameterError {
    fn value(name: &'static str, expected: &'static str) -> Self {
        Self::Value { name, expected }
    }
}

/// Reads `NAME[=VALUE] NAME[=VALUE] …`, handing each to `take`.
fn each(
    text: &str,
    mut take: impl FnMut(&str, Option<&str>) -> Result<(), ParameterError>,
) -> Result<(), ParameterError> {
    for word in text.split_ascii_whitespace() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        take(&name.to_ascii_uppercase(), value)?;
    }
    Ok(())
}

/// Fills a place that may be filled once only.
fn once<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), ParameterError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParameterError::Twice(name)),
    }
}

/// Sets a parameter that has no value.
fn flag(place: &mut bool, name: &'static str, value: Option<&str>) -> Result<(), ParameterError> {
    if value.is_some() {
        return Err(ParameterError::value(name, "given without a value"));
    }
    match std::mem::replace(place, true) {
        false => Ok(()),
        true => Err(ParameterError::Twice(name)),
    }
}

/// At most `digits` decimal digits and nothing else.
fn number(text: &str, digits: usize) -> Option<u64> {
    let fits = (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    // Twenty digits can be more than 64 bits hold; such a size is too large for anybody.
    fits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
