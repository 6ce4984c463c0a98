//! What mail authentication asks, answered by any [`Lookup`].

use crate::{DnsError, Lookup};
use mailauth::{Dns, Found, LookupError, Mx};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A [`Lookup`] as `mailauth` knows the DNS.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a>(pub &'a dyn Lookup);

impl Dns for Names<'_> {
    async fn txt(&self, name: &str) -> Found<Vec<u8>> {
        self.0.txt(name).await.map_err(|error| why(&error))
    }

    async fn a(&self, name: &str) -> Found<Ipv4Addr> {
        let found = self.0.address_records(name, false).await.map_err(|error| why(&error))?;
        let v4 = |ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None };
        Ok(found.into_iter().filter_map(v4).collect())
    }

    async fn aaaa(&self, name: &str) -> Found<Ipv6Addr> {
        let found = self.0.address_records(name, true).await.map_err(|error| why(&error))?;
        let v6 = |ip| if let IpAddr::V6(ip) = ip { Some(ip) } else { None };
        Ok(found.into_iter().filter_map(v6).collect())
    }

    async fn mx(&self, name: &str) -> Found<Mx> {
        let found = self.0.mx_records(name).await.map_err(|error| why(&error))?;
        let without_dot = |name: String| name.trim_end_matches('.').to_owned();
        let mx = |record: crate::MxRecord| Mx {
            preference: record.preference,
            exchange: without_dot(record.exchange),
        };
        Ok(found.into_iter().map(mx).collect())
    }

    async fn ptr(&self, ip: IpAddr) -> Found<String> {
        let found = self.0.ptr(ip).await.map_err(|error| why(&error))?;
        Ok(found.into_iter().map(|name| name.to_string()).collect())
    }
}

fn why(error: &DnsError) -> LookupError {
    match error {
        DnsError::NoSuchName(_) => LookupError::NoName,
        DnsError::NoRecords { .. } | DnsError::NoUsableMx { .. } => LookupError::NoRecord,
        DnsError::Temporary { .. } | DnsError::Bogus { .. } => LookupError::Failed,
    }
}
