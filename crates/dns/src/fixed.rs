//! A DNS in memory, for tests and simulation.

use crate::{Alias, Answer, Caa, DnsError, Lookup, MxRecord, Srv, Tlsa, Validated};
use address::Domain;
use std::collections::BTreeMap;
use std::future::ready;
use std::net::IpAddr;

/// Longest chain of aliases that is followed.
const MAX_ALIASES: usize = 8;

/// A table of records, filled when it is made. A name it does not hold does not exist.
///
/// The builder methods panic on what is no name or address: the table is written by a programmer.
#[derive(Debug, Clone, Default)]
pub struct Fixed {
    names: BTreeMap<String, Records>,
    pointers: BTreeMap<IpAddr, Vec<Domain>>,
    /// Names at and below which everything is signed.
    signed: Vec<String>,
}

#[derive(Debug, Clone, Default)]
struct Records {
    mx: Vec<MxRecord>,
    addresses: Vec<IpAddr>,
    txt: Vec<Vec<u8>>,
    tlsa: Vec<Tlsa>,
    srv: Vec<Srv>,
    caa: Vec<Caa>,
    alias: Option<String>,
    failure: Option<String>,
    /// Types whose answers contradict their signatures.
    bogus: Vec<&'static str>,
}

impl Fixed {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an MX record; `"."` as the exchange is the null MX.
    #[must_use]
    pub fn with_mx(mut self, name: &str, preference: u16, exchange: &str) -> Self {
        self.entry(name).mx.push(MxRecord { preference, exchange: exchange.to_owned() });
        self
    }

    /// Adds an A or AAAA record.
    ///
    /// # Panics
    /// When `ip` is no IP address.
    #[must_use]
    pub fn with_a(mut self, name: &str, ip: &str) -> Self {
        let ip = ip.parse().unwrap_or_else(|_| panic!("{ip:?} is no IP address"));
        self.entry(name).addresses.push(ip);
        self
    }

    #[must_use]
    pub fn with_txt(mut self, name: &str, text: &str) -> Self {
        self.entry(name).txt.push(text.as_bytes().to_vec());
        self
    }

    #[must_use]
    pub fn with_cname(mut self, name: &str, target: &str) -> Self {
        self.entry(name).alias = Some(key(target));
        self
    }

    /// Adds the name of an address.
    ///
    /// # Panics
    /// When `ip` is no IP address or `name` no domain.
    #[must_use]
    pub fn with_ptr(mut self, ip: &str, name: &str) -> Self {
        let ip = ip.parse().unwrap_or_else(|_| panic!("{ip:?} is no IP address"));
        let name = Domain::parse(name).unwrap_or_else(|error| panic!("{error}"));
        self.pointers.entry(ip).or_default().push(name);
        self
    }

    /// Adds a TLSA record.
    #[must_use]
    pub fn with_tlsa(mut self, name: &str, record: Tlsa) -> Self {
        self.entry(name).tlsa.push(record);
        self
    }

    /// Adds an SRV record of the first priority; an empty target says that the service is not there.
    #[must_use]
    pub fn with_srv(mut self, name: &str, port: u16, target: &str) -> Self {
        self.entry(name).srv.push(Srv { priority: 0, weight: 1, port, target: key(target) });
        self
    }

    /// Adds a CAA record, not critical.
    #[must_use]
    pub fn with_caa(mut self, name: &str, tag: &str, value: &str) -> Self {
        self.entry(name).caa.push(Caa { critical: false, tag: tag.to_owned(), value: value.to_owned() });
        self
    }

    /// Signs `zone`: what is at it and below is secure.
    #[must_use]
    pub fn with_signed(mut self, zone: &str) -> Self {
        self.signed.push(key(zone));
        self
    }

    /// Makes validated answers about `kind` (`MX`, `A`, `AAAA`, `TLSA`) records of `name` bogus.
    #[must_use]
    pub fn with_bogus(mut self, name: &str, kind: &'static str) -> Self {
        self.entry(name).bogus.push(kind);
        self
    }

    /// Makes every question about `name` fail for now.
    #[must_use]
    pub fn with_failure(mut self, name: &str, reason: &str) -> Self {
        self.entry(name).failure = Some(reason.to_owned());
        self
    }

    fn entry(&mut self, name: &str) -> &mut Records {
        self.names.entry(key(name)).or_default()
    }

    fn find<T>(
        &self,
        name: &str,
        kind: &'static str,
        pick: impl Fn(&Records) -> Vec<T>,
    ) -> Result<Vec<T>, DnsError> {
        let mut at = key(name);
        for _ in 0..MAX_ALIASES {
            let Some(records) = self.names.get(&at) else { return Err(DnsError::NoSuchName(at)) };
            if let Some(reason) = records.failure.clone() {
                return Err(DnsError::Temporary { name: at, kind, reason });
            }
            match &records.alias {
                Some(alias) => at.clone_from(alias),
                None => {
                    let found = pick(records);
                    return if found.is_empty() {
                        Err(DnsError::NoRecords { name: at, kind })
                    } else {
                        Ok(found)
                    };
                }
            }
        }
        Err(DnsError::Temporary { name: at, kind, reason: "the aliases go in a circle".to_owned() })
    }
}

impl Fixed {
    /// As [`find`](Self::find), keeping an eye on signatures.
    fn validate<T>(
        &self,
        name: &str,
        kind: &'static str,
        pick: impl Fn(&Records) -> Vec<T>,
    ) -> Result<Validated<T>, DnsError> {
        let start = key(name);
        let (mut at, mut secure) = (start.clone(), self.is_signed(&start));
        for _ in 0..MAX_ALIASES {
            let Some(records) = self.names.get(&at) else { break };
            if records.bogus.contains(&kind) {
                return Err(DnsError::Bogus { name: at, kind });
            }
            let Some(alias) = &records.alias else { break };
            at.clone_from(alias);
            secure &= self.is_signed(&at);
        }
        let records = self.find(name, kind, pick)?;
        let first_secure = self.is_signed(&start);
        let alias = (at != start).then_some(Alias { target: at, first_secure });
        Ok(Validated { records, secure, alias })
    }

    fn is_signed(&self, name: &str) -> bool {
        let inside = |zone: &String| {
            name.strip_suffix(zone.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.signed.iter().any(inside)
    }
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

impl Lookup for Fixed {
    fn mx_records<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<MxRecord>> {
        Box::pin(ready(self.find(name, "MX", |records| records.mx.clone())))
    }

    fn address_records<'a>(&'a self, name: &'a str, v6: bool) -> Answer<'a, Vec<IpAddr>> {
        let wanted =
            |records: &Records| records.addresses.iter().copied().filter(|ip| ip.is_ipv6() == v6).collect();
        Box::pin(ready(self.find(name, if v6 { "AAAA" } else { "A" }, wanted)))
    }

    fn ptr(&self, ip: IpAddr) -> Answer<'_, Vec<Domain>> {
        Box::pin(ready(self.pointers.get(&ip).cloned().ok_or_else(|| DnsError::NoSuchName(ip.to_string()))))
    }

    fn txt<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Vec<u8>>> {
        Box::pin(ready(self.find(name, "TXT", |records| records.txt.clone())))
    }

    fn validated_mx_records<'a>(&'a self, name: &'a str) -> Answer<'a, Validated<MxRecord>> {
        Box::pin(ready(self.validate(name, "MX", |records| records.mx.clone())))
    }

    fn validated_address_records<'a>(&'a self, name: &'a str, v6: bool) -> Answer<'a, Validated<IpAddr>> {
        let wanted =
            |records: &Records| records.addresses.iter().copied().filter(|ip| ip.is_ipv6() == v6).collect();
        Box::pin(ready(self.validate(name, if v6 { "AAAA" } else { "A" }, wanted)))
    }

    fn tlsa<'a>(&'a self, name: &'a str) -> Answer<'a, Validated<Tlsa>> {
        Box::pin(ready(self.validate(name, "TLSA", |records| records.tlsa.clone())))
    }

    fn srv<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Srv>> {
        Box::pin(ready(self.find(name, "SRV", |records| records.srv.clone())))
    }

    fn caa<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Caa>> {
        Box::pin(ready(self.find(name, "CAA", |records| records.caa.clone())))
    }
}
