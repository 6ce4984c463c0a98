//! What stands right of the `@`: a domain or an address literal (RFC 5321 §4.1.3).

use crate::{Domain, DomainError};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address literal. General tags other than `IPv6` are registered by nobody and refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Literal {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl Literal {
    pub fn ip(self) -> IpAddr {
        match self {
            Self::V4(ip) => ip.into(),
            Self::V6(ip) => ip.into(),
        }
    }
}

impl From<IpAddr> for Literal {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(ip),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => write!(f, "[{ip}]"),
            Self::V6(ip) => write!(f, "[IPv6:{ip}]"),
        }
    }
}

/// A domain, or the address of a host in brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    Domain(Domain),
    Literal(Literal),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error(transparent)]
    Domain(#[from] DomainError),
    #[error("{0:?} is not an address literal like [192.0.2.1] or [IPv6:2001:db8::1]")]
    Literal(String),
}

impl Host {
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Literal(_) => None,
        }
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let Some(inner) = text.strip_prefix('[') else { return Ok(Self::Domain(Domain::parse(text)?)) };
        let refused = || HostError::Literal(text.to_owned());
        let inner = inner.strip_suffix(']').ok_or_else(refused)?;
        let literal = match inner.get(..5) {
            Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
                Literal::V6(inner[5..].parse().map_err(|_| refused())?)
            }
            _ => Literal::V4(inner.parse().map_err(|_| refused())?),
        };
        Ok(Self::Literal(literal))
    }
}

impl From<Domain> for Host {
    fn from(domain: Domain) -> Self {
        Self::Domain(domain)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_round_trip() {
        for text in ["[192.0.2.1]", "[IPv6:2001:db8::1]", "example.org"] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), text);
        }
        assert_eq!("[ipv6:::1]".parse::<Host>().unwrap().to_string(), "[IPv6:::1]");
    }

    #[test]
    fn half_literals_are_refused() {
        for text in ["[192.0.2.1", "[192.0.2]", "[2001:db8::1]", "[IPv6:192.0.2.1]", "[tag:x]", "[]", ""] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
    }
}
