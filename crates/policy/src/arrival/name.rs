//! The name of a client's address, and whether it leads back (RFC 8601 §3).

use super::finding::{Check, Finding, Weight};
use address::Domain;
use dns::{DnsError, Family, Lookup};
use std::net::IpAddr;

/// Names of an address that are looked up: hosts with more are rare, and each is a look-up (RFC 8601 §3 wants a bound).
pub const MAX_NAMES: usize = 5;

/// What the DNS says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReverseName {
    /// It has this name, which leads back to it.
    Confirmed(Domain),
    /// It has a name, and none leads back.
    Unconfirmed(Domain),
    /// It has none.
    None,
    /// It could not be learnt; the words say why.
    Unknown(String),
}

impl ReverseName {
    /// Looks up the names of an address and the addresses of those.
    pub async fn look_up(dns: &dyn Lookup, ip: IpAddr) -> Self {
        let names = match dns.ptr(ip).await {
            Ok(names) => names,
            Err(DnsError::Temporary { reason, .. }) => return Self::Unknown(reason),
            Err(_) => return Self::None,
        };
        let mut trouble = None;
        for name in names.iter().take(MAX_NAMES) {
            let family = if ip.is_ipv4() { Family::V4 } else { Family::V6 };
            match dns.addresses(name, family).await {
                Ok(addresses) if addresses.contains(&ip) => return Self::Confirmed(name.clone()),
                Err(DnsError::Temporary { reason, .. }) => trouble = Some(reason),
                Ok(_) | Err(_) => {}
            }
        }
        match (trouble, names.into_iter().next()) {
            (Some(reason), _) => Self::Unknown(reason),
            (None, Some(name)) => Self::Unconfirmed(name),
            (None, None) => Self::None,
        }
    }

    pub fn confirmed(&self) -> Option<&Domain> {
        if let Self::Confirmed(name) = self { Some(name) } else { None }
    }

    /// The result word of `iprev` and why.
    pub fn result(&self, ip: IpAddr) -> (&'static str, String) {
        match self {
            Self::Confirmed(name) => ("pass", format!("{ip} is {name}")),
            Self::Unconfirmed(name) => {
                ("fail", format!("{ip} has the name {name}, which does not lead back to it"))
            }
            Self::None => ("permerror", format!("{ip} has no name in the DNS")),
            Self::Unknown(reason) => {
                ("temperror", format!("the name of {ip} could not be looked up: {reason}"))
            }
        }
    }

    pub(super) fn finding(&self, ip: IpAddr) -> Finding {
        let (word, reason) = self.result(ip);
        let weight = match self {
            Self::Confirmed(_) => Weight::Fine,
            Self::Unconfirmed(_) | Self::None => Weight::Bad,
            Self::Unknown(_) => Weight::Unknown,
        };
        Finding::new(Check::Iprev, weight, word, &reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_must_lead_back() {
        let dns = dns::Fixed::new()
            .with_ptr("192.0.2.1", "mx.example.net")
            .with_a("mx.example.net", "192.0.2.1")
            .with_ptr("192.0.2.2", "mx.example.net")
            .with_ptr("192.0.2.3", "gone.example.net")
            .with_ptr("192.0.2.4", "slow.example.net")
            .with_failure("slow.example.net", "silence")
            .with_ptr("192.0.2.5", "gone.example.net")
            .with_ptr("192.0.2.5", "mx.example.com")
            .with_a("mx.example.com", "192.0.2.5")
            .with_ptr("2001:db8::1", "six.example.net")
            .with_a("six.example.net", "2001:db8::1");
        let check = async |ip: &str, expected: &str| {
            let ip = ip.parse().unwrap();
            let finding = ReverseName::look_up(&dns, ip).await.finding(ip);
            assert_eq!(finding.words, expected);
        };
        check("192.0.2.1", "iprev=pass: 192.0.2.1 is mx.example.net").await;
        check(
            "192.0.2.2",
            "iprev=fail: 192.0.2.2 has the name mx.example.net, which does not lead back to it",
        )
        .await;
        check(
            "192.0.2.3",
            "iprev=fail: 192.0.2.3 has the name gone.example.net, which does not lead back to it",
        )
        .await;
        check("192.0.2.4", "iprev=temperror: the name of 192.0.2.4 could not be looked up: silence").await;
        check("192.0.2.5", "iprev=pass: 192.0.2.5 is mx.example.com").await;
        check("192.0.2.9", "iprev=permerror: 192.0.2.9 has no name in the DNS").await;
        check("2001:db8::1", "iprev=pass: 2001:db8::1 is six.example.net").await;
    }
}
