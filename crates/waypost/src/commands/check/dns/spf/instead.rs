//! The DNS as it would be with another SPF record.

use dns::Names;
use mailauth::{Dns, Found, Mx, Txt};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The DNS, but for the record of one domain.
pub(super) struct Instead<'a> {
    pub(super) dns: Names<'a>,
    pub(super) domain: &'a str,
    pub(super) record: &'a str,
}

impl Dns for Instead<'_> {
    async fn txt(&self, name: &str) -> Txt {
        if name.eq_ignore_ascii_case(self.domain) {
            return Ok(vec![self.record.as_bytes().to_vec()]);
        }
        self.dns.txt(name).await
    }

    async fn a(&self, name: &str) -> Found<Ipv4Addr> {
        self.dns.a(name).await
    }

    async fn aaaa(&self, name: &str) -> Found<Ipv6Addr> {
        self.dns.aaaa(name).await
    }

    async fn mx(&self, name: &str) -> Found<Mx> {
        self.dns.mx(name).await
    }

    async fn ptr(&self, ip: IpAddr) -> Found<String> {
        self.dns.ptr(ip).await
    }
}
