//! Places to listen at or to call.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// `192.0.2.1:25`, `[::]:25` or `unix:/run/waypost/lmtp`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no place to listen at: write an address and port like \"[::]:25\" or a socket like \"unix:/run/waypost/lmtp\""
)]
pub struct EndpointError(String);

impl Endpoint {
    /// The port, unless this is a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(address) => Some(address.port()),
            Self::Unix(_) => None,
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let refused = || EndpointError(text.to_owned());
        match text.strip_prefix("unix:") {
            Some("") => Err(refused()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => Ok(Self::Tcp(text.parse().map_err(|_| refused())?)),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_round_trip() {
        for text in ["[::]:25", "127.0.0.1:0", "[2001:db8::1]:587", "unix:/run/a b", "unix:relative"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_an_example() {
        for text in ["", "25", ":25", "localhost:25", "::25", "1.2.3.4", "1.2.3.4:99999", "unix:", "/run/x"] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains("[::]:25") && error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
