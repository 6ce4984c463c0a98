//! The parameters of MAIL.

use super::{
    DeliverBy, EnvelopeId, Hold, ParameterError, Priority, decode_xtext, each, encode_xtext, flag, number,
    once,
};
use address::ReversePath;
use std::fmt;
use std::str::FromStr;

/// What may follow `MAIL FROM:<…>`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// `SIZE=`, in octets (RFC 1870).
    pub size: Option<u64>,
    /// `BODY=` (RFC 6152, RFC 3030).
    pub body: Option<Body>,
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// `AUTH=`: who first submitted the message, as the client says (RFC 4954 §5). Null: nobody it trusts.
    pub auth: Option<ReversePath>,
    /// `RET=` (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// `ENVID=` (RFC 3461 §4.4).
    pub envid: Option<EnvelopeId>,
    /// `REQUIRETLS` (RFC 8689).
    pub requiretls: bool,
    /// `BY=` (RFC 2852).
    pub by: Option<DeliverBy>,
    /// `HOLDFOR=` or `HOLDUNTIL=` (RFC 4865).
    pub hold: Option<Hold>,
    /// `MT-PRIORITY=` (RFC 6710).
    pub priority: Option<Priority>,
}

/// What octets and lines the message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    SevenBit,
    EightBitMime,
    BinaryMime,
}

/// How much of the message a failure notification returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    Full,
    Headers,
}

impl MailParameters {
    /// Reads what follows the path.
    ///
    /// # Errors
    /// An unknown parameter, one given twice, or a value that its RFC forbids.
    pub fn parse(text: &str) -> Result<Self, ParameterError> {
        let mut found = Self::default();
        each(text, |name, value| found.take(name, value))?;
        Ok(found)
    }

    fn take(&mut self, name: &str, value: Option<&str>) -> Result<(), ParameterError> {
        let given = value.unwrap_or_default();
        match name {
            "SIZE" => {
                let size =
                    number(given, 20).ok_or_else(|| ParameterError::value("SIZE", "a number of octets"))?;
                once(&mut self.size, "SIZE", size)
            }
            "BODY" => once(&mut self.body, "BODY", given.parse()?),
            "SMTPUTF8" => flag(&mut self.smtputf8, "SMTPUTF8", value),
            "AUTH" => once(&mut self.auth, "AUTH", auth(given)?),
            "RET" => once(&mut self.ret, "RET", given.parse()?),
            "ENVID" => once(&mut self.envid, "ENVID", EnvelopeId::parse(given)?),
            "REQUIRETLS" => flag(&mut self.requiretls, "REQUIRETLS", value),
            "BY" => once(&mut self.by, "BY", given.parse()?),
            "HOLDFOR" => once(&mut self.hold, "HOLDFOR or HOLDUNTIL", Hold::parse_for(given)?),
            "HOLDUNTIL" => once(&mut self.hold, "HOLDFOR or HOLDUNTIL", Hold::parse_until(given)?),
            "MT-PRIORITY" => once(&mut self.priority, "MT-PRIORITY", given.parse()?),
            _ => Err(ParameterError::Unknown(name.to_owned())),
        }
    }
}

/// `xtext` of an address, or of `<>`; angle brackets around an address are common and tolerated.
fn auth(text: &str) -> Result<ReversePath, ParameterError> {
    let refused = || ParameterError::value("AUTH", "<> or an address in xtext");
    let value =
        if text.is_ascii() { decode_xtext(text) } else { Some(text.to_owned()) }.ok_or_else(refused)?;
    if value == "<>" {
        return Ok(ReversePath::Null);
    }
    let inner = value.strip_prefix('<').and_then(|v| v.strip_suffix('>')).unwrap_or(&value);
    inner.parse().map(ReversePath::Address).map_err(|_| refused())
}

impl fmt::Display for MailParameters {
    /// Each parameter with the space before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if let Some(body) = self.body {
            write!(f, " BODY={body}")?;
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        match &self.auth {
            Some(ReversePath::Null) => f.write_str(" AUTH=<>")?,
            Some(ReversePath::Address(address)) => write!(f, " AUTH={}", encode_xtext(&address.to_string()))?,
            None => {}
        }
        if let Some(ret) = self.ret {
            write!(f, " RET={ret}")?;
        }
        if let Some(envid) = &self.envid {
            write!(f, " ENVID={envid}")?;
        }
        if self.requiretls {
            f.write_str(" REQUIRETLS")?;
        }
        if let Some(by) = self.by {
            write!(f, " BY={by}")?;
        }
        if let Some(hold) = self.hold {
            write!(f, " {hold}")?;
        }
        if let Some(priority) = self.priority {
            write!(f, " MT-PRIORITY={priority}")?;
        }
        Ok(())
    }
}

impl FromStr for Body {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        match text.to_ascii_uppercase().as_str() {
            "7BIT" => Ok(Self::SevenBit),
            "8BITMIME" => Ok(Self::EightBitMime),
            "BINARYMIME" => Ok(Self::BinaryMime),
            _ => Err(ParameterError::value("BODY", "7BIT, 8BITMIME or BINARYMIME")),
        }
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        })
    }
}

impl FromStr for Ret {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        match text.to_ascii_uppercase().as_str() {
            "FULL" => Ok(Self::Full),
            "HDRS" => Ok(Self::Headers),
            _ => Err(ParameterError::value("RET", "FULL or HDRS")),
        }
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}
