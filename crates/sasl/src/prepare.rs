//! SASLprep (RFC 4013): different ways to type a name or password become one.

use std::borrow::Cow;

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;

use crate::{Error, MAX_NAME, MAX_PASSWORD};

/// What to do with characters that Unicode 3.2 had not assigned, emoji among them (RFC 3454 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unassigned {
    /// A "query" string: user names (RFC 5802 §5.1) and PLAIN passwords presented for verification (RFC 4616 §2).
    Allowed,
    /// A "stored" string: passwords that go into SCRAM keys, at both ends (RFC 5802 §2.2).
    Prohibited,
}

/// The prepared form of `text`, or `None` when it has characters that are not allowed or nothing remains of it.
///
/// The `stringprep` crate's own `saslprep` knows stored strings only, so its tables are used here.
pub fn saslprep(text: &str, unassigned: Unassigned) -> Option<Cow<'_, str>> {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return (!text.is_empty()).then_some(Cow::Borrowed(text));
    }
    let prepared: String = text
        .chars()
        .map(|c| if tables::non_ascii_space_character(c) { ' ' } else { c })
        .filter(|&c| !tables::commonly_mapped_to_nothing(c))
        .nfkc()
        .collect();
    let refused =
        |c| is_prohibited(c) || (unassigned == Unassigned::Prohibited && tables::unassigned_code_point(c));
    let allowed = !prepared.is_empty() && !prepared.chars().any(refused) && is_bidi_sound(&prepared);
    allowed.then_some(Cow::Owned(prepared))
}

/// RFC 4013 §2.3; surrogates cannot be in a `str`.
fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// RFC 3454 §6: right-to-left text begins and ends so, and has no left-to-right character in it.
fn is_bidi_sound(text: &str) -> bool {
    if !text.contains(tables::bidi_r_or_al) {
        return true;
    }
    !text.contains(tables::bidi_l)
        && text.starts_with(tables::bidi_r_or_al)
        && text.ends_with(tables::bidi_r_or_al)
}

/// A name within its bound, prepared.
pub(crate) fn name(text: &str) -> Result<String, Error> {
    if text.len() > MAX_NAME {
        return Err(Error::TooLong { what: "user name", max: MAX_NAME });
    }
    saslprep(text, Unassigned::Allowed).map(Cow::into_owned).ok_or(Error::Name)
}

/// A password within its bound, prepared for SCRAM.
pub(crate) fn scram_password(text: &str) -> Result<Cow<'_, str>, Error> {
    if text.len() > MAX_PASSWORD {
        return Err(Error::TooLong { what: "password", max: MAX_PASSWORD });
    }
    saslprep(text, Unassigned::Prohibited).ok_or(Error::Password)
}
