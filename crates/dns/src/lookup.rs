//! The questions mail asks, and the ways they fail.

use crate::validated::both_families;
use crate::{Caa, MxLookup, Srv, Tlsa, Validated, local, mx};
use address::{Domain, Host};
use std::net::IpAddr;
use std::pin::Pin;

/// Most addresses of one name that are used, half of them of each family when both are wanted: a name with
/// more is a mistake or an attack (RFC 5321 §5.1 asks for at least two).
pub const MAX_ADDRESSES: usize = 64;
/// Most records of another type that are used.
pub const MAX_RECORDS: usize = 64;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// NXDOMAIN: neither this nor any other record.
    #[error("the name {0} does not exist in the DNS")]
    NoSuchName(String),
    /// The name exists, but has no record of this type.
    #[error("the name {name} has no {kind} record in the DNS")]
    NoRecords { name: String, kind: &'static str },
    /// All MX records are unusable (RFC 5321 §5.1: then there is no falling back to the domain's address).
    #[error("no MX record of {domain} can be used: {reasons}")]
    NoUsableMx { domain: Domain, reasons: String },
    /// Silence, SERVFAIL, REFUSED, garbage: ask again later.
    #[error("the DNS look-up of {name} {kind} failed: {reason}")]
    Temporary { name: String, kind: &'static str, reason: String },
    /// The zone is signed, and the answer is not what was signed, or cannot be told from it (RFC 4033 §5, "bogus").
    #[error(
        "the DNS answer about {name} {kind} contradicts the zone's signatures (DNSSEC): it is forged, or the zone is signed wrongly"
    )]
    Bogus { name: String, kind: &'static str },
}

impl DnsError {
    /// Whether asking again later can help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary { .. } | Self::Bogus { .. })
    }
}

/// Which addresses are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    V4,
    V6,
    /// IPv6 first in the answer.
    #[default]
    Both,
}

/// One MX record as published: nothing about it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxRecord {
    pub preference: u16,
    /// The exchange in presentation form, with or without its final dot; `.` is the null MX.
    pub exchange: String,
}

/// Where mail for a domain goes, and how far that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedMx {
    pub lookup: MxLookup,
    /// DNSSEC vouches for the MX records. Of an implicit MX it is false: the host is the domain itself.
    pub secure: bool,
    /// The name that has the MX records, where the domain is only an alias.
    pub alias: Option<Domain>,
}

/// A pending answer (boxed, so that `Arc<dyn Lookup>` is possible).
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, DnsError>> + Send + 'a>>;

/// What mail asks the DNS. Aliases (CNAME) are followed in every answer; lists are never empty.
///
/// Implementors answer the `…_records` questions; callers use [`mx`](Self::mx), [`addresses`](Self::addresses),
/// [`host_addresses`](Self::host_addresses), [`ptr`](Self::ptr) and [`txt`](Self::txt).
pub trait Lookup: Send + Sync + std::fmt::Debug {
    /// The MX records of `name` as they are published. Here and below, `name` is any DNS name in ASCII, not only a
    /// host name.
    fn mx_records<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<MxRecord>>;

    /// The addresses of `name` in one family: A if `v6` is false, else AAAA.
    fn address_records<'a>(&'a self, name: &'a str, v6: bool) -> Answer<'a, Vec<IpAddr>>;

    /// The names of an address. Names that are no domains are left out.
    fn ptr(&self, ip: IpAddr) -> Answer<'_, Vec<Domain>>;

    /// The TXT records of `name`, each with its strings joined (RFC 7208 §3.3).
    fn txt<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Vec<u8>>>;

    /// As [`mx_records`](Self::mx_records), with what DNSSEC says of them. Here and in the next two, nothing is secure where
    /// this system cannot validate; only what needs to know asks so.
    fn validated_mx_records<'a>(&'a self, name: &'a str) -> Answer<'a, Validated<MxRecord>> {
        Box::pin(async move { Ok(Validated::insecure(self.mx_records(name).await?)) })
    }

    /// As [`address_records`](Self::address_records), with what DNSSEC says of them.
    fn validated_address_records<'a>(&'a self, name: &'a str, v6: bool) -> Answer<'a, Validated<IpAddr>> {
        Box::pin(async move { Ok(Validated::insecure(self.address_records(name, v6).await?)) })
    }

    /// The TLSA records of `name` (`_25._tcp.mx.example.org`), which are worth nothing unless secure.
    fn tlsa<'a>(&'a self, name: &'a str) -> Answer<'a, Validated<Tlsa>> {
        Box::pin(std::future::ready(Err(DnsError::NoRecords { name: name.to_owned(), kind: "TLSA" })))
    }

    /// The SRV records of `name` (`_imaps._tcp.example.org`).
    fn srv<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Srv>> {
        Box::pin(std::future::ready(Err(DnsError::NoRecords { name: name.to_owned(), kind: "SRV" })))
    }

    /// The CAA records of `name` itself, not those above it that hold where it has none.
    fn caa<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Caa>> {
        Box::pin(std::future::ready(Err(DnsError::NoRecords { name: name.to_owned(), kind: "CAA" })))
    }

    /// As [`mx`](Self::mx), and whether DNSSEC vouches for the names of the hosts.
    fn validated_mx<'a>(&'a self, domain: &'a Domain, seed: u64) -> Answer<'a, ValidatedMx> {
        Box::pin(async move {
            if local::is_localhost(domain) {
                let lookup = MxLookup::Implicit(domain.clone());
                return Ok(ValidatedMx { lookup, secure: false, alias: None });
            }
            let (records, secure, alias) = match self.validated_mx_records(domain.as_str()).await {
                Ok(found) => (Ok(found.records), found.secure, found.alias),
                Err(error) => (Err(error), false, None),
            };
            let alias = alias.and_then(|alias| Domain::parse(&alias.target).ok());
            Ok(ValidatedMx { lookup: mx::select(domain, records, seed)?, secure, alias })
        })
    }

    /// As [`addresses`](Self::addresses), with what DNSSEC says of them.
    fn validated_addresses<'a>(&'a self, name: &'a Domain, family: Family) -> Answer<'a, Validated<IpAddr>> {
        Box::pin(async move {
            if local::is_localhost(name) {
                return Ok(Validated::insecure(local::loopback(family)));
            }
            let of = |v6| self.validated_address_records(name.as_str(), v6);
            let mut found = match family {
                Family::V4 => of(false).await?,
                Family::V6 => of(true).await?,
                Family::Both => both_families(of(true), of(false)).await?,
            };
            found.records.truncate(MAX_ADDRESSES);
            Ok(found)
        })
    }

    /// Where mail for `domain` goes (RFC 5321 §5.1, RFC 7505). `seed` orders hosts of equal preference.
    fn mx<'a>(&'a self, domain: &'a Domain, seed: u64) -> Answer<'a, MxLookup> {
        Box::pin(async move {
            if local::is_localhost(domain) {
                return Ok(MxLookup::Implicit(domain.clone()));
            }
            mx::select(domain, self.mx_records(domain.as_str()).await, seed)
        })
    }

    /// The addresses of `name`: at most [`MAX_ADDRESSES`], IPv6 first. localhost and names below it are answered
    /// here (RFC 6761 §6.3). When one family fails and the other answers, its answer stands.
    fn addresses<'a>(&'a self, name: &'a Domain, family: Family) -> Answer<'a, Vec<IpAddr>> {
        Box::pin(async move {
            if local::is_localhost(name) {
                return Ok(local::loopback(family));
            }
            let mut found = match family {
                Family::V4 => self.address_records(name.as_str(), false).await?,
                Family::V6 => self.address_records(name.as_str(), true).await?,
                Family::Both => {
                    let (v6, v4) = tokio::join!(
                        self.address_records(name.as_str(), true),
                        self.address_records(name.as_str(), false)
                    );
                    both(v6, v4)?
                }
            };
            found.truncate(MAX_ADDRESSES);
            Ok(found)
        })
    }

    /// Like [`addresses`](Self::addresses); an address literal is its own answer, whatever the family.
    fn host_addresses<'a>(&'a self, host: &'a Host, family: Family) -> Answer<'a, Vec<IpAddr>> {
        match host {
            Host::Domain(name) => self.addresses(name, family),
            Host::Literal(literal) => Box::pin(std::future::ready(Ok(vec![literal.ip()]))),
        }
    }
}

/// Joins the answers of both families: what there is beats what failed, and "later" beats "never".
fn both(
    v6: Result<Vec<IpAddr>, DnsError>,
    v4: Result<Vec<IpAddr>, DnsError>,
) -> Result<Vec<IpAddr>, DnsError> {
    match (v6, v4) {
        (Ok(mut v6), Ok(mut v4)) => {
            v6.truncate(MAX_ADDRESSES / 2);
            v4.truncate(MAX_ADDRESSES / 2);
            v6.append(&mut v4);
            Ok(v6)
        }
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
        (Err(v6), Err(v4)) => Err(worse(v6, v4)),
    }
}

/// Of the failures of both families, the one that says what to do.
pub(crate) fn worse(v6: DnsError, v4: DnsError) -> DnsError {
    match (v6, v4) {
        (DnsError::NoRecords { name, .. }, DnsError::NoRecords { .. }) => {
            DnsError::NoRecords { name, kind: "A or AAAA" }
        }
        (v6, v4) if v6.is_temporary() || !v4.is_temporary() => v6,
        (_, v4) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(kind: &'static str) -> DnsError {
        DnsError::NoRecords { name: "a".into(), kind }
    }

    fn later() -> DnsError {
        DnsError::Temporary { name: "a".into(), kind: "A", reason: "silence".into() }
    }

    #[test]
    fn a_family_that_answers_beats_one_that_fails_and_later_beats_never() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(both(Ok(vec![v6]), Ok(vec![v4])), Ok(vec![v6, v4]));
        assert_eq!(both(Err(later()), Ok(vec![v4])), Ok(vec![v4]));
        assert_eq!(both(Ok(vec![v6]), Err(none("A"))), Ok(vec![v6]));
        assert_eq!(both(Err(none("AAAA")), Err(later())), Err(later()));
        assert_eq!(both(Err(later()), Err(none("A"))), Err(later()));
        assert_eq!(both(Err(none("AAAA")), Err(none("A"))), Err(none("A or AAAA")));
    }

    #[test]
    fn neither_family_crowds_out_the_other() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        let found = both(Ok(vec![v6; 500]), Ok(vec![v4; 500])).unwrap();
        assert_eq!(
            (found.len(), found.iter().filter(|ip| ip.is_ipv4()).count()),
            (MAX_ADDRESSES, MAX_ADDRESSES / 2)
        );
    }
}
