//! Records about a domain that no message needs on its way, and whoever checks the domain does.

use std::fmt;

/// An SRV record (RFC 2782): where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    /// Without its final dot; empty where the service is decidedly not there.
    pub target: String,
}

impl fmt::Display for Srv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}.", self.priority, self.weight, self.port, self.target)
    }
}

/// A CAA record (RFC 8659): who may issue certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caa {
    pub critical: bool,
    /// `issue`, `issuewild`, `iodef`, ….
    pub tag: String,
    pub value: String,
}
