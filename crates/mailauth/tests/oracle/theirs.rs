//! mail-auth, asked what our library is asked. Both read the same [`Zone`].
//!
//! Its feature `test` makes it answer every question that its cache does not with NXDOMAIN, and those about names with
//! `_dns_error.` in them with a failure: nothing goes to the network.

#![allow(unreachable_pub, dead_code, reason = "shared with a bench that uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use crate::zone::{Zone, ready};
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dmarc::Dmarc;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::TokioResolver;
use mail_auth::hickory_resolver::config::ResolverConfig;
use mail_auth::hickory_resolver::net::runtime::TokioRuntimeProvider;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::spf::{Macro, Spf};
use mail_auth::{
    ArcOutput, AuthenticatedMessage, DkimOutput, DkimResult, DmarcOutput, DnsError, Error, MX,
    MessageAuthenticator, Parameters, RecordSet, ResolverCache, SpfOutput, Txt,
};
use rustls::{ClientConfig, RootCertStore};
use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

/// One kind of records, as mail-auth's cache.
pub struct Table<K, V>(HashMap<K, V>);

impl<K: Hash + Eq, V: Clone> ResolverCache<K, V> for Table<K, V> {
    fn get<Q: Hash + Eq + ?Sized>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.get(name).cloned()
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: K, _: V, _: Instant) {}
}

type Names<T> = Table<Box<str>, RecordSet<T>>;
type Cached<'t, P> = Parameters<
    't,
    P,
    Table<Box<str>, Txt>,
    Names<MX>,
    Names<Ipv4Addr>,
    Names<Ipv6Addr>,
    Table<IpAddr, RecordSet<Box<str>>>,
>;

/// mail-auth with a zone as its DNS.
pub struct Theirs {
    authenticator: MessageAuthenticator,
    txt: Table<Box<str>, Txt>,
    mx: Names<MX>,
    a: Names<Ipv4Addr>,
    aaaa: Names<Ipv6Addr>,
    ptr: Table<IpAddr, RecordSet<Box<str>>>,
}

impl Theirs {
    pub fn new(zone: &Zone) -> Self {
        let of = |wanted: &str| {
            let mut names: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
            for (name, _, data) in zone.records().filter(|(_, kind, _)| *kind == wanted) {
                names.entry(name.to_owned()).or_default().push(data.to_vec());
            }
            names
        };
        assert!(
            of("FAIL").keys().all(|name| name.contains("_dns_error.")),
            "the only names it takes to fail"
        );
        Self {
            authenticator: authenticator(),
            txt: Table(of("TXT").iter().map(|(name, texts)| (fqdn(name), txt(name, texts))).collect()),
            mx: Table(of("MX").iter().map(|(name, records)| (fqdn(name), exchanges(records))).collect()),
            a: addresses(&of("A")),
            aaaa: addresses(&of("AAAA")),
            ptr: Table(of("PTR").iter().map(|(ip, names)| (ip.parse().unwrap(), hosts(names))).collect()),
        }
    }

    fn cached<P>(&self, params: P) -> Cached<'_, P> {
        Parameters::new(params)
            .with_txt_cache(&self.txt)
            .with_mx_cache(&self.mx)
            .with_ipv4_cache(&self.a)
            .with_ipv6_cache(&self.aaaa)
            .with_ptr_cache(&self.ptr)
    }

    pub fn dkim<'m>(&'m self, message: &'m AuthenticatedMessage<'m>) -> Vec<DkimOutput<'m>> {
        ready(self.authenticator.verify_dkim(self.cached(message)))
    }

    pub fn arc<'m>(&'m self, message: &'m AuthenticatedMessage<'m>) -> ArcOutput<'m> {
        ready(self.authenticator.verify_arc(self.cached(message)))
    }

    /// Of MAIL FROM; an empty one is `postmaster` at the name in HELO.
    pub fn spf(&self, ip: IpAddr, helo: &str, from: &str, receiver: &str) -> SpfOutput {
        let query = if from.is_empty() {
            SpfParameters::verify_ehlo(ip, helo, receiver)
        } else {
            SpfParameters::verify_mail_from(ip, helo, receiver, from)
        };
        ready(self.authenticator.verify_spf(self.cached(query)))
    }

    pub fn dmarc(
        &self,
        message: &AuthenticatedMessage<'_>,
        dkim: &[DkimOutput<'_>],
        mail_from_domain: &str,
        spf: &SpfOutput,
    ) -> DmarcOutput {
        let query = DmarcParameters::new(message, dkim, mail_from_domain, spf);
        ready(self.authenticator.verify_dmarc(self.cached(query)))
    }
}

/// Whether each signature passes, in the order of their fields. Signatures with `l=` are read too, which mail-auth by
/// itself refuses.
pub fn dkim_passes(theirs: &Theirs, message: &[u8]) -> Vec<bool> {
    let message = AuthenticatedMessage::parse_with_opts(message, None, false).unwrap();
    theirs.dkim(&message).iter().map(|output| *output.result() == DkimResult::Pass).collect()
}

/// A resolver that knows no server and trusts nobody.
fn authenticator() -> MessageAuthenticator {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let servers = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
    let builder = TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default());
    MessageAuthenticator(builder.with_tls_config(tls).build().unwrap())
}

fn fqdn(name: &str) -> Box<str> {
    format!("{name}.").into()
}

fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap().trim()
}

/// What mail-auth keeps of a TXT answer: the first record that it can read as what the name is for.
fn txt(name: &str, texts: &[Vec<u8>]) -> Txt {
    fn first<T: TxtRecordParser + Into<Txt>>(texts: &[Vec<u8>]) -> Txt {
        let mut read = texts.iter().map(|text| T::parse(text));
        let last = Err(Error::Dns(DnsError::InvalidRecordType));
        read.by_ref()
            .find(Result::is_ok)
            .or_else(|| texts.last().map(|text| T::parse(text)))
            .unwrap_or(last)
            .into()
    }
    if texts.iter().any(|text| text == b"FAIL") {
        return Txt::Error(Error::Dns(DnsError::Resolver(String::new())));
    }
    match name {
        _ if name.contains("._domainkey.") => first::<DomainKey>(texts),
        _ if name.starts_with("_dmarc.") => first::<Dmarc>(texts),
        _ if name.starts_with("exp.") => first::<Macro>(texts),
        _ => first::<Spf>(texts),
    }
}

fn exchanges(records: &[Vec<u8>]) -> RecordSet<MX> {
    let mut by_preference: BTreeMap<u16, Vec<Box<str>>> = BTreeMap::new();
    for (preference, name) in records.iter().filter_map(|data| text(data).split_once(' ')) {
        by_preference.entry(preference.parse().unwrap()).or_default().push(fqdn(name.trim_end_matches('.')));
    }
    let mx = |(preference, names): (u16, Vec<_>)| MX { exchanges: names.into(), preference };
    record_set(by_preference.into_iter().map(mx))
}

fn hosts(names: &[Vec<u8>]) -> RecordSet<Box<str>> {
    record_set(names.iter().map(|name| fqdn(&text(name).trim_end_matches('.').to_ascii_lowercase())))
}

fn addresses<T: std::str::FromStr>(names: &BTreeMap<String, Vec<Vec<u8>>>) -> Names<T> {
    let set = |records: &Vec<Vec<u8>>| record_set(records.iter().filter_map(|data| text(data).parse().ok()));
    Table(names.iter().map(|(name, records)| (fqdn(name), set(records))).collect())
}

fn record_set<T>(records: impl Iterator<Item = T>) -> RecordSet<T> {
    RecordSet { rrset: records.collect(), dnssec_status: Default::default() }
}
