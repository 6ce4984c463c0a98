//! What a sender asks of notifications: ENVID, and the parameters of RCPT (RFC 3461 §4, RFC 6533 §3).

use super::{ParameterError, decode_xtext, each, encode_xtext, once};
use address::Address;
use std::fmt;
use std::str::FromStr;

/// Longest ENVID in octets, as it stands in the command (RFC 3461 §4.4).
pub const MAX_ENVID: usize = 100;
/// Longest ORCPT in octets, as it stands in the command (RFC 3461 §4.2).
pub const MAX_ORCPT: usize = 500;

/// What may follow `RCPT TO:<…>`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RcptParameters {
    /// `NOTIFY=` (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// `ORCPT=` (RFC 3461 §4.2).
    pub orcpt: Option<OriginalRecipient>,
}

impl RcptParameters {
    /// Reads what follows the path.
    ///
    /// # Errors
    /// An unknown parameter, one given twice, or a value that its RFC forbids.
    pub fn parse(text: &str) -> Result<Self, ParameterError> {
        let mut found = Self::default();
        each(text, |name, value| match name {
            "NOTIFY" => once(&mut found.notify, "NOTIFY", value.unwrap_or_default().parse()?),
            "ORCPT" => once(&mut found.orcpt, "ORCPT", value.unwrap_or_default().parse()?),
            _ => Err(ParameterError::Unknown(name.to_owned())),
        })?;
        Ok(found)
    }
}

impl fmt::Display for RcptParameters {
    /// Each parameter with the space before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(notify) = self.notify {
            write!(f, " NOTIFY={notify}")?;
        }
        if let Some(orcpt) = &self.orcpt {
            write!(f, " ORCPT={orcpt}")?;
        }
        Ok(())
    }
}

/// When the sender wants a notification; nothing set is `NEVER`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notify {
    pub success: bool,
    pub failure: bool,
    pub delay: bool,
}

impl Notify {
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };
}

impl FromStr for Notify {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let mut notify = Self::NEVER;
        let text = text.to_ascii_uppercase();
        if text == "NEVER" {
            return Ok(notify);
        }
        for word in text.split(',') {
            match word {
                "SUCCESS" => notify.success = true,
                "FAILURE" => notify.failure = true,
                "DELAY" => notify.delay = true,
                _ => return Err(ParameterError::value("NOTIFY", "NEVER, or of SUCCESS,FAILURE,DELAY")),
            }
        }
        Ok(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let words: Vec<&str> = wanted.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
        f.write_str(if words.is_empty() { "NEVER" } else { "" })?;
        f.write_str(&words.join(","))
    }
}

/// The sender's own name for the envelope: printable ASCII, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeId(Box<str>);

impl EnvelopeId {
    const EXPECTED: &str = "xtext of at most 100 octets";

    /// # Errors
    /// Empty, not printable ASCII, or longer than [`MAX_ENVID`] as `xtext`.
    pub fn new(value: &str) -> Result<Self, ParameterError> {
        let printable = !value.is_empty() && value.bytes().all(|b| matches!(b, b' '..=b'~'));
        if printable && encode_xtext(value).len() <= MAX_ENVID {
            return Ok(Self(value.into()));
        }
        Err(ParameterError::value("ENVID", Self::EXPECTED))
    }

    /// Reads it as it stands in the command.
    pub(super) fn parse(text: &str) -> Result<Self, ParameterError> {
        // The length is checked as it came, too: `+41` for `A` is three octets.
        let value = decode_xtext(text).filter(|_| text.len() <= MAX_ENVID);
        Self::new(&value.ok_or_else(|| ParameterError::value("ENVID", Self::EXPECTED))?)
    }

    /// The value, decoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnvelopeId {
    /// As it stands in the command, in `xtext`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_xtext(&self.0))
    }
}

/// The address that the sender first wrote to: `rfc822;user@example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalRecipient {
    kind: Box<str>,
    address: Box<str>,
}

impl OriginalRecipient {
    const EXPECTED: &str = "type;address, in xtext, of at most 500 octets";

    /// # Errors
    /// A type that is no atom, an address that is empty, has control characters or (unless the type is
    /// `utf-8`) is not ASCII, or both together longer than [`MAX_ORCPT`] as they stand in the command.
    pub fn new(kind: &str, address: &str) -> Result<Self, ParameterError> {
        let new = Self { kind: kind.into(), address: address.into() };
        let atom =
            !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
        let text = !address.is_empty() && !address.chars().any(char::is_control);
        if atom && text && (new.is_utf8() || address.is_ascii()) && new.to_string().len() <= MAX_ORCPT {
            return Ok(new);
        }
        Err(ParameterError::value("ORCPT", Self::EXPECTED))
    }

    /// The address type as it was written (RFC 3461 §5.2.1: relays change no letter's case): `rfc822`, `utf-8`, …
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The address, decoded.
    pub fn address(&self) -> &str {
        &self.address
    }

    fn is_utf8(&self) -> bool {
        self.kind.eq_ignore_ascii_case("utf-8")
    }
}

impl TryFrom<&Address> for OriginalRecipient {
    type Error = ParameterError;

    fn try_from(address: &Address) -> Result<Self, ParameterError> {
        Self::new(if address.needs_smtputf8() { "utf-8" } else { "rfc822" }, &address.to_string())
    }
}

impl FromStr for OriginalRecipient {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let refused = || ParameterError::value("ORCPT", Self::EXPECTED);
        let (kind, encoded) = text.split_once(';').filter(|_| text.len() <= MAX_ORCPT).ok_or_else(refused)?;
        let utf8 = kind.eq_ignore_ascii_case("utf-8");
        let address = if utf8 { decode_unitext(encoded) } else { decode_xtext(encoded) };
        Self::new(kind, &address.ok_or_else(refused)?)
    }
}

impl fmt::Display for OriginalRecipient {
    /// As it stands in the command; ASCII whatever the address is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded =
            if self.is_utf8() { encode_unitext(&self.address) } else { encode_xtext(&self.address) };
        write!(f, "{};{encoded}", self.kind)
    }
}

/// `utf-8-addr-xtext` and `utf-8-addr-unitext`: `\x{E9}` is U+00E9 (RFC 6533 §3).
fn decode_unitext(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (plain, escaped) = rest.split_at(at);
        let (hex, after) = escaped.strip_prefix("\\x{")?.split_once('}')?;
        let fits = (2..=6).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        out.push_str(plain);
        out.push(fits.then(|| u32::from_str_radix(hex, 16).ok()).flatten().and_then(char::from_u32)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn encode_unitext(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '!'..='~' if !matches!(c, '+' | '=' | '\\') => out.push(c),
            _ => out.push_str(&format!("\\x{{{:02X}}}", u32::from(c))),
        }
    }
    out
}
