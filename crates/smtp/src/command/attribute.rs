//! The attributes of XCLIENT and XFORWARD: what a trusted proxy says about the client behind it.
//! Postfix, XCLIENT_README and XFORWARD_README, define them.

use crate::parameter::{decode_xtext, encode_xtext};
use std::fmt;

/// Longest value in octets, decoded. The longest sensible one is a host name.
pub const MAX_ATTRIBUTE: usize = 255;

/// `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub name: AttributeName,
    pub value: AttributeValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttributeName {
    /// The client's host name.
    Name,
    /// Its address: `192.0.2.1` or `IPV6:2001:db8::1`.
    Addr,
    Port,
    /// `SMTP`, `ESMTP`.
    Proto,
    Helo,
    /// XCLIENT only: the authenticated user.
    Login,
    /// XCLIENT only.
    DestAddr,
    /// XCLIENT only.
    DestPort,
    /// XFORWARD only: the message's id at the host before.
    Ident,
    /// XFORWARD only: `LOCAL` or `REMOTE`.
    Source,
}

/// What the proxy knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Decoded; no control characters, 1 to [`MAX_ATTRIBUTE`] octets.
    Known(String),
    /// `[UNAVAILABLE]`: there is none.
    Unavailable,
    /// `[TEMPUNAVAIL]`: it could not be found out now.
    TemporarilyUnavailable,
}

impl AttributeName {
    /// What XCLIENT takes, in the order of the EHLO reply.
    pub const XCLIENT: [Self; 8] = [
        Self::Name,
        Self::Addr,
        Self::Port,
        Self::Proto,
        Self::Helo,
        Self::Login,
        Self::DestAddr,
        Self::DestPort,
    ];
    /// What XFORWARD takes, in the order of the EHLO reply.
    pub const XFORWARD: [Self; 7] =
        [Self::Name, Self::Addr, Self::Port, Self::Proto, Self::Helo, Self::Ident, Self::Source];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Addr => "ADDR",
            Self::Port => "PORT",
            Self::Proto => "PROTO",
            Self::Helo => "HELO",
            Self::Login => "LOGIN",
            Self::DestAddr => "DESTADDR",
            Self::DestPort => "DESTPORT",
            Self::Ident => "IDENT",
            Self::Source => "SOURCE",
        }
    }
}

impl Attribute {
    /// Reads `NAME=value`, the name being one of `allowed`; `None` for anything else.
    pub(super) fn parse(word: &str, allowed: &[AttributeName]) -> Option<Self> {
        let (name, value) = word.split_once('=')?;
        let name = *allowed.iter().find(|allowed| allowed.as_str().eq_ignore_ascii_case(name))?;
        let value = match value.to_ascii_uppercase().as_str() {
            "[UNAVAILABLE]" => AttributeValue::Unavailable,
            "[TEMPUNAVAIL]" => AttributeValue::TemporarilyUnavailable,
            _ => {
                let known = decode_xtext(value)?;
                let fits = (1..=MAX_ATTRIBUTE).contains(&known.len()) && name.admits(&known);
                fits.then_some(AttributeValue::Known(known))?
            }
        };
        Some(Self { name, value })
    }
}

impl AttributeName {
    fn admits(self, value: &str) -> bool {
        match self {
            Self::Addr | Self::DestAddr => ip(value).is_some(),
            Self::Port | Self::DestPort => value.parse::<u16>().is_ok(),
            Self::Proto => matches!(value.to_ascii_uppercase().as_str(), "SMTP" | "ESMTP" | "LMTP"),
            Self::Source => matches!(value.to_ascii_uppercase().as_str(), "LOCAL" | "REMOTE"),
            Self::Name | Self::Helo | Self::Login | Self::Ident => true,
        }
    }
}

impl AttributeValue {
    /// The value of ADDR or DESTADDR as an address.
    pub fn ip(&self) -> Option<std::net::IpAddr> {
        match self {
            Self::Known(value) => ip(value),
            Self::Unavailable | Self::TemporarilyUnavailable => None,
        }
    }
}

fn ip(value: &str) -> Option<std::net::IpAddr> {
    match value.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
            value.get(5..)?.parse().map(std::net::IpAddr::V6).ok()
        }
        _ => value.parse().ok(),
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.name.as_str())?;
        match &self.value {
            AttributeValue::Known(value) => f.write_str(&encode_xtext(value)),
            AttributeValue::Unavailable => f.write_str("[UNAVAILABLE]"),
            AttributeValue::TemporarilyUnavailable => f.write_str("[TEMPUNAVAIL]"),
        }
    }
}
