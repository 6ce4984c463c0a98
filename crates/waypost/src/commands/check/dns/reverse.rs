//! Reverse DNS of the hosts: a name for each address, which leads back to it (RFC 1912 §2.1, "forward-confirmed").

use super::finding::{Finding, Subject, or_none};
use super::{Asked, each};
use address::Domain;
use dns::Family;
use std::net::IpAddr;

const CHECK: Subject = Subject {
    name: "reverse",
    why: "many servers refuse mail from an address without a name that leads back to it",
};
/// Most addresses that are looked at.
const MAX_ADDRESSES: usize = 16;
/// Most names of one address that are followed back, as in receiving servers (RFC 7208 §4.6.4).
const MAX_NAMES: usize = 10;
const WHY: &str = "many servers refuse mail from an address without; it is set by whoever gave you the address, not in your zone";

pub(super) async fn check(asked: &Asked<'_>) -> Vec<Finding> {
    let all = asked
        .exchanges
        .iter()
        .flat_map(|exchange| exchange.addresses.iter().map(move |ip| (&exchange.host, *ip)));
    each(all.take(MAX_ADDRESSES), |(host, ip)| address(asked, host, ip)).await
}

async fn address(asked: &Asked<'_>, host: &Domain, ip: IpAddr) -> Finding {
    let names = match or_none(asked.dns.ptr(ip).await) {
        Ok(names) => names,
        Err(error) => return Finding::unknown(CHECK, &error),
    };
    for name in names.iter().take(MAX_NAMES) {
        let back = asked.dns.addresses(name, Family::Both).await;
        if back.is_ok_and(|addresses| addresses.contains(&ip)) {
            return Finding::pass(CHECK, format!("{ip} is {name}, which is {ip}"));
        }
    }
    let found = match names.first() {
        None => format!("{ip} ({host}) has no name"),
        Some(name) => format!("{ip} ({host}) is {name}, which is not {ip}"),
    };
    Finding::warn(CHECK, found, WHY).publish(reverse_name(ip), "PTR", format!("{host}."))
}

/// `1.2.0.192.in-addr.arpa`, or the nibbles below `ip6.arpa` (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let nibbles =
                ip.octets().into_iter().rev().map(|octet| format!("{:x}.{:x}.", octet & 15, octet >> 4));
            nibbles.collect::<String>() + "ip6.arpa"
        }
    }
}
