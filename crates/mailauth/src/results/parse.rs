//! Reading a field (RFC 8601 §2.2), as it is written in the wild: values need not be tokens, words that fit nowhere
//! are passed over. What is read is never trusted more for it: trust is in who wrote the field.

use super::{AuthResults, MethodResult, Property};
use crate::arc::MAX_SETS;
use crate::tags::shortened;

/// Most results read of one field.
pub const MAX_RESULTS: usize = 64;
/// Most properties read of one result.
pub const MAX_PROPERTIES: usize = 32;
/// How deep comments may nest.
pub const MAX_COMMENT_DEPTH: usize = 16;

/// Why a field could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("the field names no server (authserv-id)")]
    NoServer,
    #[error("version {0} of the field is not known; only 1 is")]
    Version(String),
    #[error("a comment does not end, or comments nest deeper than {MAX_COMMENT_DEPTH}")]
    Comment,
    #[error("a quoted string does not end")]
    Quote,
    #[error("{0:?} is no result (method=result)")]
    Result(String),
    #[error(
        "the field has more than {MAX_RESULTS} results, or a result more than {MAX_PROPERTIES} properties"
    )]
    TooMany,
    #[error("the field has no readable instance (i=1 to i={MAX_SETS})")]
    Instance,
}

impl AuthResults {
    /// Reads the value of an Authentication-Results field, its folds in it or not.
    pub fn parse(value: &str) -> Result<Self, ParseError> {
        let mut input = Input { rest: value };
        let authserv_id = input.authserv_id()?;
        let version = input.value()?;
        if !version.is_empty() && version != "1" {
            return Err(ParseError::Version(shortened(&version)));
        }
        let mut read = Self { authserv_id, results: Vec::new() };
        while input.next_result()? {
            if let Some(result) = input.result()? {
                if read.results.len() == MAX_RESULTS {
                    return Err(ParseError::TooMany);
                }
                read.results.push(result);
            }
        }
        Ok(read)
    }

    /// Reads the value of an ARC-Authentication-Results: its instance, and its results.
    pub fn parse_arc(value: &str) -> Result<(u32, Self), ParseError> {
        let (instance, payload) = instance(value).ok_or(ParseError::Instance)?;
        Ok((instance, Self::parse(payload)?))
    }
}

/// `arc-info = instance [CFWS] ";" authres-payload` (RFC 8617 §4.1.1): the instance, and the payload.
pub(crate) fn instance(value: &str) -> Option<(u32, &str)> {
    let mut input = Input { rest: value };
    input.skip_space().ok()?;
    if input.word(&['=']) != "i" || !input.take('=').ok()? {
        return None;
    }
    input.skip_space().ok()?;
    let number = crate::arc::number(input.word(&[]))?;
    input.take(';').ok()?.then_some((number, input.rest))
}

/// Whether a field has the number of a version that is not known here; words that are no number are no version.
pub(super) fn is_of_other_version(value: &str) -> bool {
    let mut input = Input { rest: value };
    let (Ok(_), Ok(version)) = (input.value(), input.value()) else { return false };
    !version.is_empty() && version != "1" && version.bytes().all(|octet| octet.is_ascii_digit())
}

/// Who a field claims to be of; `None` when that cannot be read.
pub(super) fn authserv_id(value: &str) -> Option<String> {
    Input { rest: value }.authserv_id().ok()
}

/// What is left of the field.
struct Input<'a> {
    rest: &'a str,
}

impl<'a> Input<'a> {
    fn authserv_id(&mut self) -> Result<String, ParseError> {
        let id = self.value()?;
        if id.is_empty() { Err(ParseError::NoServer) } else { Ok(id) }
    }

    /// Goes to the next `;`, past what was not understood; false at the end.
    fn next_result(&mut self) -> Result<bool, ParseError> {
        loop {
            if self.take(';')? {
                return Ok(true);
            }
            if self.rest.is_empty() {
                return Ok(false);
            }
            if self.value()?.is_empty() {
                self.skip_char();
            }
        }
    }

    /// `methodspec [reasonspec] *propspec`, up to the next `;`. `none`, and nothing at all, is no result.
    fn result(&mut self) -> Result<Option<MethodResult>, ParseError> {
        self.skip_space()?;
        let method = self.word(&['=', '/']);
        if self.take('/')? {
            // The version of the method: only 1 is registered, and others would still be of this form.
            self.skip_space()?;
            self.word(&['=']);
        }
        if !self.take('=')? {
            let nothing = method.is_empty() || method.eq_ignore_ascii_case("none");
            return if nothing { Ok(None) } else { Err(ParseError::Result(shortened(method))) };
        }
        self.skip_space()?;
        let word = self.word(&[]);
        if method.is_empty() || word.is_empty() {
            return Err(ParseError::Result(shortened(&format!("{method}={word}"))));
        }
        let mut result = MethodResult::new(method, word);
        while let Some((name, value)) = self.pair()? {
            match name.split_once('.') {
                Some((ptype, name)) if result.properties.len() < MAX_PROPERTIES => {
                    let (ptype, name) = (ptype.to_ascii_lowercase(), name.to_ascii_lowercase());
                    result.properties.push(Property { ptype, name, value });
                }
                Some(_) => return Err(ParseError::TooMany),
                None if name.eq_ignore_ascii_case("reason") => result.reason = Some(value),
                // As "action=none" that some write: of no method that is registered.
                None => {}
            }
        }
        Ok(Some(result))
    }

    /// `name=value`, where white space and comments may stand around `.` and `=`; `None` before `;` and at the end.
    fn pair(&mut self) -> Result<Option<(String, String)>, ParseError> {
        loop {
            self.skip_space()?;
            if self.rest.is_empty() || self.rest.starts_with(';') {
                return Ok(None);
            }
            let mut name = self.word(&['=', '.']).to_owned();
            while self.take('.')? {
                self.skip_space()?;
                name = format!("{name}.{}", self.word(&['=', '.']));
            }
            if !self.take('=')? {
                // A word alone says nothing.
                if name.is_empty() {
                    self.skip_char();
                }
                continue;
            }
            return Ok(Some((name, self.value()?)));
        }
    }

    /// A quoted string, or what stands up to white space, a comment or `;`; with a quoted local part inside an address.
    fn value(&mut self) -> Result<String, ParseError> {
        self.skip_space()?;
        let start = self.rest;
        let quoted = start.starts_with('"');
        let mut value = if quoted { self.quoted()? } else { String::new() };
        let taken = start.len() - self.rest.len();
        let tail = self.word(&[]);
        if quoted && tail.starts_with('@') {
            // The quotes are the local part's, and what they escape stays so.
            value = start[..taken].replace(['\r', '\n'], "");
        }
        value.push_str(tail);
        Ok(value)
    }

    /// What stands at the front up to white space, a comment, `;` or one of `ends`.
    fn word(&mut self, ends: &[char]) -> &'a str {
        let end =
            self.rest.find(|c: char| matches!(c, ' ' | '\t' | '\r' | '\n' | '(' | ';') || ends.contains(&c));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// The text of the quoted string at the front.
    fn quoted(&mut self) -> Result<String, ParseError> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => text.extend(chars.next().map(|(_, c)| c)),
                '\r' | '\n' => {}
                c => text.push(c),
            }
        }
        Err(ParseError::Quote)
    }

    /// Takes one character, and the white space and comments before it, if it is next.
    fn take(&mut self, wanted: char) -> Result<bool, ParseError> {
        self.skip_space()?;
        let after = self.rest.strip_prefix(wanted);
        self.rest = after.unwrap_or(self.rest);
        Ok(after.is_some())
    }

    fn skip_char(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    /// CFWS (RFC 5322 §3.2.2).
    fn skip_space(&mut self) -> Result<(), ParseError> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if !self.rest.starts_with('(') {
                return Ok(());
            }
            self.rest = after_comment(self.rest).ok_or(ParseError::Comment)?;
        }
    }
}

/// What follows the comment at the front.
fn after_comment(text: &str) -> Option<&str> {
    let mut depth = 0;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' if depth == MAX_COMMENT_DEPTH => return None,
            '(' => depth += 1,
            ')' if depth == 1 => return text.get(at + 1..),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}
