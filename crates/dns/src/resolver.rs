//! Answers from real servers, with a cache.

use crate::validator::{Dnssec, Validator};
use crate::{
    Answer, Caa, DnsError, Lookup, MAX_ADDRESSES, MAX_RECORDS, MxRecord, Srv, Tlsa, Validated, local,
};
use address::Domain;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::lookup::Lookup as Answers;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as Refusal, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Longest time that a "there is none" is believed, whatever the zone says (RFC 2308 §5 allows hours): whoever
/// has just published a missing record wants to see mail flow.
const MAX_NEGATIVE_AGE: Duration = Duration::from_secs(15 * 60);
/// Answers kept; a few hundred bytes each.
const CACHE_SIZE: u64 = 16_384;

/// How to ask.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The servers to ask; empty: the system's (`/etc/resolv.conf`), with the system's hosts file for addresses.
    pub servers: Vec<SocketAddr>,
    /// How long one try may take.
    pub timeout: Duration,
    /// How often a question is asked, at least once.
    pub tries: usize,
    /// A file of DNSKEY records to trust in place of the root's own keys, for tests.
    pub trust_anchor: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout: Duration::from_secs(5), tries: 2, trust_anchor: None }
    }
}

/// A resolver with a cache; clones share all of it.
#[derive(Debug, Clone)]
pub struct Resolver(Arc<RwLock<Arc<Servers>>>);

/// Those that are asked, and what they have answered.
struct Servers {
    /// All servers; it knows which of them are quick.
    pool: TokioResolver,
    /// Each server alone when there are several: the pool passes on the first SERVFAIL or REFUSED it gets,
    /// though another server may know better.
    each: Vec<TokioResolver>,
    /// The system's hosts file, where it counts.
    hosts: Option<Hosts>,
    /// For what must be validated, with a cache of its own.
    validator: Validator,
    /// The bound for one question with all its tries and aliases.
    patience: Duration,
    /// Those of the settings.
    configured: Vec<SocketAddr>,
}

impl Resolver {
    /// Reads the system's settings when `settings` names no server. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`DnsError::Temporary`] when the system's settings cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, DnsError> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(Servers::new(settings)?)))))
    }

    /// Asks others from now on, and forgets all answers; that answers can be validated is not forgotten where the servers are the same.
    /// On an error everything stays as it was.
    ///
    /// # Errors
    /// As [`Resolver::new`].
    pub fn set(&self, settings: &Settings) -> Result<(), DnsError> {
        let servers = Servers::new(settings)?;
        servers.validator.inherit(&self.servers().validator);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(servers);
        Ok(())
    }

    /// Forgets all answers.
    pub fn clear_cache(&self) {
        let servers = self.servers();
        servers.pool.clear_cache();
        servers.each.iter().for_each(TokioResolver::clear_cache);
        servers.validator.clear_cache();
    }

    /// Whether answers can be validated through these servers: asks them for the root's keys if nobody has yet.
    pub async fn dnssec(&self) -> Dnssec {
        self.servers().validator.state().await
    }

    /// The servers that the settings name.
    pub(crate) fn configured(&self) -> Vec<SocketAddr> {
        self.servers().configured.clone()
    }

    /// The NS records of a name itself, not those of what it is an alias of.
    pub(crate) async fn name_servers(&self, name: &str, most: usize) -> Result<Vec<Domain>, DnsError> {
        let owner = absolute(name)?;
        let pick = |record: &Record| match &record.data {
            RData::NS(ns) if record.name == owner => Domain::parse(&ns.0.to_ascii()).ok(),
            _ => None,
        };
        self.servers().records_as(name, RecordType::NS, pick, most).await
    }

    /// What a name is an alias of.
    pub(crate) async fn alias(&self, name: &str) -> Result<String, DnsError> {
        let pick = |data: &RData| match data {
            RData::CNAME(target) => Some(plain(&target.0).trim_end_matches('.').to_ascii_lowercase()),
            _ => None,
        };
        let mut found = self.records(name, RecordType::CNAME, pick, 1).await?;
        found.pop().ok_or_else(|| DnsError::NoSuchName(name.to_owned()))
    }

    async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
        most: usize,
    ) -> Result<Vec<T>, DnsError> {
        self.servers().records(name, kind, pick, most).await
    }

    /// Asks one of two resolvers, never both: the cost does not double.
    async fn validated<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
        most: usize,
    ) -> Result<Validated<T>, DnsError> {
        let servers = self.servers();
        let validated = match servers.is_known_here(name, kind) || local::is_private(name) {
            true => None,
            false => servers.validator.records(name, kind, &pick, most).await,
        };
        match validated {
            Some(answer) => answer,
            None => Ok(Validated::insecure(servers.records(name, kind, pick, most).await?)),
        }
    }

    fn servers(&self) -> Arc<Servers> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Servers {
    fn new(settings: &Settings) -> Result<Self, DnsError> {
        let tries = settings.tries.max(1);
        let unusable = |error| temporary("the system's servers", "configuration", &error);
        let config = if settings.servers.is_empty() {
            read_system_conf().map_err(unusable)?.0
        } else {
            let servers = settings.servers.iter().copied().map(name_server).collect();
            ResolverConfig::from_parts(None, Vec::new(), servers)
        };
        let build = |servers: Vec<NameServerConfig>| {
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            set_options(builder.options_mut(), settings);
            builder.build().map_err(unusable)
        };
        let servers = config.name_servers().to_vec();
        let alone = if servers.len() > 1 { servers.clone() } else { Vec::new() };
        let each = alone.into_iter().map(|server| build(vec![server])).collect::<Result<_, _>>()?;
        // One second more than the tries need, so that their own, more telling error comes first.
        let patience = settings.timeout * u32::try_from(tries).unwrap_or(u32::MAX) + Duration::from_secs(1);
        let validator = Validator::new(settings, &servers, patience)?;
        let configured = settings.servers.clone();
        let hosts = settings.servers.is_empty().then(Hosts::from_system).and_then(Result::ok);
        Ok(Self { pool: build(servers)?, each, hosts, validator, patience, configured })
    }

    /// Whether the hosts file answers: nobody signs that.
    fn is_known_here(&self, name: &str, kind: RecordType) -> bool {
        let (Some(hosts), Ok(name)) = (&self.hosts, absolute(name)) else { return false };
        hosts.lookup_static_host(&Query::query(name, kind)).is_some()
    }

    async fn ask(&self, query: Name, kind: RecordType) -> Result<Answers, NetError> {
        let mut answer = self.pool.lookup(query.clone(), kind).await;
        for server in &self.each {
            if !matches!(answer, Err(NetError::Dns(Refusal::ResponseCode(_)))) {
                break;
            }
            answer = server.lookup(query.clone(), kind).await;
        }
        answer
    }

    async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
        most: usize,
    ) -> Result<Vec<T>, DnsError> {
        self.records_as(name, kind, |record| pick(&record.data), most).await
    }

    async fn records_as<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&Record) -> Option<T>,
        most: usize,
    ) -> Result<Vec<T>, DnsError> {
        let query = absolute(name)?;
        let answer = tokio::time::timeout(self.patience, self.ask(query, kind)).await;
        let lookup = match answer {
            Ok(answer) => answer.map_err(|error| classify(name, kind, &error))?,
            Err(_) => return Err(temporary(name, type_name(kind), &NetError::Timeout)),
        };
        let found: Vec<T> = lookup.answers().iter().filter_map(pick).take(most).collect();
        if found.is_empty() {
            return Err(DnsError::NoRecords { name: name.to_owned(), kind: type_name(kind) });
        }
        Ok(found)
    }
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Servers").field("patience", &self.patience).finish_non_exhaustive()
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
    udp.port = address.port();
    tcp.port = address.port();
    NameServerConfig::new(address.ip(), true, vec![udp, tcp])
}

pub(crate) fn set_options(options: &mut ResolverOpts, settings: &Settings) {
    options.timeout = settings.timeout;
    // The library counts the retries after the first try.
    options.attempts = settings.tries.max(1) - 1;
    options.cache_size = CACHE_SIZE;
    options.negative_max_ttl = Some(MAX_NEGATIVE_AGE);
    options.max_active_requests = 256;
    options.use_hosts_file =
        if settings.servers.is_empty() { ResolveHosts::Always } else { ResolveHosts::Never };
    options.server_ordering_strategy = ServerOrderingStrategy::QueryStatistics;
}

/// More MX records than are used: `mx` keeps those of best preference.
const MAX_MX: usize = 4 * MAX_RECORDS;

impl Lookup for Resolver {
    fn mx_records<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<MxRecord>> {
        Box::pin(self.records(name, RecordType::MX, pick_mx, MAX_MX))
    }

    fn address_records<'a>(&'a self, name: &'a str, v6: bool) -> Answer<'a, Vec<IpAddr>> {
        Box::pin(self.records(name, address_type(v6), pick_address(v6), MAX_ADDRESSES))
    }

    fn ptr(&self, ip: IpAddr) -> Answer<'_, Vec<Domain>> {
        let pick = |data: &RData| match data {
            RData::PTR(ptr) => Domain::parse(&ptr.0.to_ascii()).ok(),
            _ => None,
        };
        Box::pin(
            async move { self.records(&Name::from(ip).to_ascii(), RecordType::PTR, pick, MAX_RECORDS).await },
        )
    }

    fn txt<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Vec<u8>>> {
        let pick = |data: &RData| match data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        };
        Box::pin(self.records(name, RecordType::TXT, pick, MAX_RECORDS))
    }

    fn validated_mx_records<'a>(&'a self, name: &'a str) -> Answer<'a, Validated<MxRecord>> {
        Box::pin(self.validated(name, RecordType::MX, pick_mx, MAX_MX))
    }

    fn validated_address_records<'a>(&'a self, name: &'a str, v6: bool) -> Answer<'a, Validated<IpAddr>> {
        Box::pin(self.validated(name, address_type(v6), pick_address(v6), MAX_ADDRESSES))
    }

    fn tlsa<'a>(&'a self, name: &'a str) -> Answer<'a, Validated<Tlsa>> {
        let pick = |data: &RData| match data {
            RData::TLSA(tlsa) => Some(Tlsa {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data.clone(),
            }),
            _ => None,
        };
        Box::pin(self.validated(name, RecordType::TLSA, pick, MAX_RECORDS))
    }

    fn srv<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Srv>> {
        let pick = |data: &RData| match data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: plain(&srv.target).trim_end_matches('.').to_ascii_lowercase(),
            }),
            _ => None,
        };
        Box::pin(self.records(name, RecordType::SRV, pick, MAX_RECORDS))
    }

    fn caa<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<Caa>> {
        let pick = |data: &RData| match data {
            RData::CAA(caa) => Some(Caa {
                critical: caa.issuer_critical,
                tag: caa.tag.to_ascii_lowercase(),
                value: String::from_utf8_lossy(&caa.value).into_owned(),
            }),
            _ => None,
        };
        Box::pin(self.records(name, RecordType::CAA, pick, MAX_RECORDS))
    }
}

fn pick_mx(data: &RData) -> Option<MxRecord> {
    let RData::MX(mx) = data else { return None };
    Some(MxRecord { preference: mx.preference, exchange: plain(&mx.exchange).to_ascii_lowercase() })
}

fn address_type(v6: bool) -> RecordType {
    if v6 { RecordType::AAAA } else { RecordType::A }
}

fn pick_address(v6: bool) -> impl Fn(&RData) -> Option<IpAddr> {
    move |data| data.ip_addr().filter(|ip| ip.is_ipv6() == v6)
}

/// A name as it is asked for: its characters stand for themselves, whatever they are, so that names of SPF macros can be
/// asked for (RFC 7208 §4.8). Mail has no relative names: the search list is never used.
pub(crate) fn absolute(name: &str) -> Result<Name, DnsError> {
    let no_name = || DnsError::NoSuchName(name.to_owned());
    let labels = name.strip_suffix('.').unwrap_or(name);
    if labels.is_empty() || !name.is_ascii() {
        return Err(no_name());
    }
    let mut query = Name::from_labels(labels.split('.').map(str::as_bytes)).map_err(|_| no_name())?;
    query.set_fqdn(true);
    Ok(query)
}

/// The text that [`absolute`] takes. A dot within a label is a mistake or a trick, and stays escaped.
fn plain(name: &Name) -> String {
    let escaped = || name.to_ascii();
    let labels: Option<Vec<&str>> =
        name.iter().map(|label| std::str::from_utf8(label).ok().filter(|text| !text.contains('.'))).collect();
    match labels {
        Some(labels) if !labels.is_empty() => labels.join("."),
        _ => escaped(),
    }
}

/// Tells "there is none" from "it could not be learnt".
pub(crate) fn classify(name: &str, kind: RecordType, error: &NetError) -> DnsError {
    match error {
        NetError::Dns(Refusal::NoRecordsFound(none)) if none.response_code == ResponseCode::NXDomain => {
            DnsError::NoSuchName(name.to_owned())
        }
        NetError::Dns(Refusal::NoRecordsFound(none)) if none.response_code == ResponseCode::NoError => {
            DnsError::NoRecords { name: name.to_owned(), kind: type_name(kind) }
        }
        other => temporary(name, type_name(kind), other),
    }
}

pub(crate) fn temporary(name: &str, kind: &'static str, error: &NetError) -> DnsError {
    let reason = match error {
        NetError::Timeout => "no server answered in time".to_owned(),
        NetError::Dns(Refusal::ResponseCode(code)) => format!("the server answered {code}"),
        other => other.to_string(),
    };
    DnsError::Temporary { name: name.to_owned(), kind, reason }
}

pub(crate) fn type_name(kind: RecordType) -> &'static str {
    kind.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_any_character() {
        for name in ["example.org", "_spf.example.org", "foo:bar/baz.example.org", "a%b  c\\d.example.org"] {
            let asked = absolute(name).unwrap();
            assert!(asked.is_fqdn() && asked.num_labels() as usize == name.split('.').count(), "{name}");
            assert_eq!(plain(&asked), name);
            assert_eq!(absolute(&format!("{name}.")).unwrap(), asked);
        }
        let long = "x".repeat(64);
        for name in ["", ".", "a..example.org", "é.example.org", &long, &"a.".repeat(200)] {
            assert!(absolute(name).is_err(), "{name:?}");
        }
        // A dot within a label is not the end of it.
        let tricky = Name::from_labels([&b"a.b"[..], b"example"]).unwrap();
        assert_eq!(plain(&tricky), "a\\.b.example.");
    }
}
