//! Names that are never asked about: localhost and what is below it (RFC 6761 §6.3).

use crate::Family;
use address::Domain;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Endings that no zone of the public DNS has, and that many networks use for themselves. Their own servers answer for them, and the
/// root's proof that there are no such names must not count.
const PRIVATE: [&str; 7] = ["local", "internal", "lan", "home", "corp", "localdomain", "localhost"];

/// Whether DNSSEC can say nothing of a name: a private one, or one of a single label.
pub(crate) fn is_private(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    !name.contains('.') || PRIVATE.contains(&last) || name.ends_with(".home.arpa")
}

pub(crate) fn is_localhost(name: &Domain) -> bool {
    name.labels().next_back() == Some("localhost")
}

pub(crate) fn loopback(family: Family) -> Vec<IpAddr> {
    let (v6, v4) = (IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST));
    match family {
        Family::V4 => vec![v4],
        Family::V6 => vec![v6],
        Family::Both => vec![v6, v4],
    }
}
