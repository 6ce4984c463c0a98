//! Names that are never asked about: localhost and what is below it (RFC 6761 §6.3).

use crate::Family;
use address::Domain;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
