//! Whom an address stands for.

use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// The key to count clients by: what one customer has, or what its neighbours have too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// What one customer has: an IPv4 address, or an IPv6 /64. An IPv4-mapped address is taken for what it is.
    pub fn of(address: IpAddr) -> Self {
        Self::around(address, 32, 64)
    }

    /// With the neighbours, of whom several may belong to one sender: an IPv4 /24, or an IPv6 /56.
    pub fn neighbours(address: IpAddr) -> Self {
        Self::around(address, 24, 56)
    }

    fn around(address: IpAddr, v4: u8, v6: u8) -> Self {
        let address = address.to_canonical();
        let prefix = if address.is_ipv4() { v4 } else { v6 };
        Self(IpNet::new(address, prefix).unwrap_or_else(|_| IpNet::from(address)).trunc())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
        let neighbours = |text: &str| Network::neighbours(text.parse().unwrap()).to_string();
        assert_eq!(neighbours("192.0.2.9"), "192.0.2.0/24");
        assert_eq!(neighbours("2001:db8:1:2ff::1"), "2001:db8:1:200::/56");
        let networks = ["192.0.2.0/24".parse().unwrap()];
        assert!(is_exempt(&networks, "::ffff:192.0.2.9".parse().unwrap()));
        assert!(!is_exempt(&networks, "198.51.100.1".parse().unwrap()));
    }
}
