//! Which addresses are those of the public Internet.

use std::net::IpAddr;

/// Whether strangers can be at this address: it is not this machine's, nor one of a network of its own. (Addresses for
/// documentation count as public, as nothing is there.)
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            // 100.64.0.0/10: what providers share among their customers.
            let [first, second, ..] = ip.octets();
            let shared = first == 100 && second & 0xc0 == 64;
            let own = ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared;
            !(own || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast())
        }
        IpAddr::V6(ip) => {
            let own = ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
            !(own || ip.is_unspecified() || ip.is_multicast())
        }
    }
}

/// Whether the address is one for examples only: nobody is there to be called.
pub fn is_for_documentation(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_documentation(),
        IpAddr::V6(ip) => ip.segments().starts_with(&[0x2001, 0xdb8]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_at_addresses_of_examples() {
        for (ip, example) in [
            ("192.0.2.1", true),
            ("198.51.100.7", true),
            ("203.0.113.255", true),
            ("2001:db8::1", true),
            ("192.0.3.1", false),
            ("2001:db9::1", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(is_for_documentation(ip.parse().unwrap()), example, "{ip}");
        }
    }

    #[test]
    fn networks_of_their_own_are_not_public() {
        for ip in ["192.0.2.1", "8.8.8.8", "100.63.0.1", "100.128.0.1", "2001:db8::1", "2000::1"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }
}
