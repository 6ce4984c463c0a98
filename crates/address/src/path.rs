//! Addresses, and the paths of an envelope (RFC 5321 §4.1.2).

use crate::{Domain, Host, HostError, LocalPart, LocalPartError};
use std::fmt;
use std::str::FromStr;

/// Longest path in octets, with its angle brackets (RFC 5321 §4.5.3.1.3). Longer ones that the peer could
/// still read are taken up to the sum of their parts' limits (RFC 5321 §4.5.3.1: no objection to more).
pub const MAX_PATH: usize = 256;

/// `local-part@host`: what one writes to. (RFC 5321 calls it Mailbox; here a mailbox is a folder.)
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    local: LocalPart,
    host: Host,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("{0:?} has no @")]
    NoAt(String),
    #[error(transparent)]
    Local(#[from] LocalPartError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("a source route must be like @a.example,@b.example: before the address")]
    SourceRoute,
}

impl Address {
    pub fn new(local: LocalPart, host: impl Into<Host>) -> Self {
        Self { local, host: host.into() }
    }

    pub fn local(&self) -> &LocalPart {
        &self.local
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The domain, unless the host is an address literal.
    pub fn domain(&self) -> Option<&Domain> {
        self.host.domain()
    }

    /// Whether the address can only be sent with SMTPUTF8 (RFC 6531): its domain always has an A-label form.
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.as_str().is_ascii()
    }

    /// The form to compare and look up: local part in lower case.
    pub fn folded(&self) -> String {
        let folded = LocalPart::from_value(&self.local.folded()).unwrap_or_else(|_| self.local.clone());
        format!("{folded}@{}", self.host)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // A quoted local part may hold an `@`; no host does.
        let (local, host) = text.rsplit_once('@').ok_or_else(|| AddressError::NoAt(text.to_owned()))?;
        Ok(Self { local: local.parse()?, host: host.parse()? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.host)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where notifications go: the argument of `MAIL FROM`. Written with its angle brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: never answered with a notification (RFC 5321 §4.5.5).
    Null,
    Address(Address),
}

impl ReversePath {
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl FromStr for ReversePath {
    type Err = AddressError;

    /// Parses what stands between the angle brackets; empty is [`ReversePath::Null`].
    fn from_str(inner: &str) -> Result<Self, AddressError> {
        if inner.is_empty() { Ok(Self::Null) } else { Ok(Self::Address(skip_source_route(inner)?.parse()?)) }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

/// To whom: the argument of `RCPT TO`. Written with its angle brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    Address(Address),
    /// `<Postmaster>` or another name without a domain: somebody of this host (RFC 5321 §4.1.1.3).
    Unqualified(LocalPart),
}

impl FromStr for ForwardPath {
    type Err = AddressError;

    /// Parses what stands between the angle brackets. A source route is read and forgotten (RFC 5321 §4.1.1.3).
    fn from_str(inner: &str) -> Result<Self, AddressError> {
        let inner = skip_source_route(inner)?;
        match inner.parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(AddressError::NoAt(_)) => Ok(Self::Unqualified(inner.parse()?)),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "<{address}>"),
            Self::Unqualified(local) => write!(f, "<{local}>"),
        }
    }
}

/// `@a,@b:user@host` → `user@host` (RFC 5321 §4.1.2 A-d-l, appendix C).
fn skip_source_route(inner: &str) -> Result<&str, AddressError> {
    if !inner.starts_with('@') {
        return Ok(inner);
    }
    let (route, rest) = inner.split_once(':').ok_or(AddressError::SourceRoute)?;
    for hop in route.split(',') {
        let domain = hop.strip_prefix('@').ok_or(AddressError::SourceRoute)?;
        Domain::parse(domain).map_err(|_| AddressError::SourceRoute)?;
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_read_as_the_rfc_says() {
        assert_eq!("".parse(), Ok(ReversePath::Null));
        assert_eq!("a@b.example".parse::<ReversePath>().unwrap().to_string(), "<a@b.example>");
        let routed: ForwardPath = "@x.example,@y.example:a@b.example".parse().unwrap();
        assert_eq!(routed.to_string(), "<a@b.example>");
        let postmaster: ForwardPath = "Postmaster".parse().unwrap();
        assert!(matches!(postmaster, ForwardPath::Unqualified(ref l) if l.folded() == "postmaster"));
        let quoted: Address = "\"a@b\"@[IPv6:2001:db8::1]".parse().unwrap();
        assert_eq!(quoted.to_string(), "\"a@b\"@[IPv6:2001:db8::1]");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in
            ["@", "a@", "@b", "a b@c", "a@b@c", "@x.example", "@x.example:", "a@b c", "<a@b>", "a@[1.2.3]"]
        {
            assert!(text.parse::<ForwardPath>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_is_shown_so_that_it_parses_to_the_same(text in "[ -~é]{0,24}(@[a-z0-9.-]{1,12})?") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
            }
        }

        #[test]
        fn nothing_that_parses_holds_a_line_end(text in "\\PC{0,40}") {
            if let Ok(path) = text.parse::<ForwardPath>() {
                prop_assert!(!path.to_string().contains(['\r', '\n', '\0']));
            }
        }
    }
}
