//! Whom an address stands for.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};

/// What one customer has: an IPv4 address, or an IPv6 /64. The key to count clients by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of a client. An IPv4-mapped address is taken for what it is.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
            v4 => v4,
        })
    }
}

/// Whether the address is in one of the networks.
pub fn is_exempt(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_customer_has_a_64() {
        let check = |one: &str, other: &str, same| {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(Network::of(one) == Network::of(other), same, "{one} {other}");
        };
        check("2001:db8::1", "2001:db8::ffff:2", true);
        check("2001:db8::1", "2001:db8:0:1::1", false);
        check("192.0.2.1", "192.0.2.2", false);
        check("::ffff:192.0.2.1", "192.0.2.1", true);
        let networks = ["192.0.2.0/24".parse().unwrap()];
        assert!(is_exempt(&networks, "::ffff:192.0.2.9".parse().unwrap()));
        assert!(!is_exempt(&networks, "198.51.100.1".parse().unwrap()));
    }
}
