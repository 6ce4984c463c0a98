//! DNSSEC (RFC 4033, RFC 4034 and RFC 4035), validated here: a resolver elsewhere may say that it has, but who is between us and it?

use crate::denials::Denials;
use crate::resolver::{absolute, classify, set_options, temporary, type_name};
use crate::{Alias, DnsError, Settings, Validated};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup as Answers;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as Refusal, NetError};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// After this, servers through which nothing could be validated are tried again.
const RETRY: Duration = Duration::from_secs(10 * 60);
/// Longest chain of aliases that is followed.
const MAX_ALIASES: usize = 8;

/// Whether answers can be validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dnssec {
    On,
    /// The servers do not hand the root's signed keys through: most forwarders. Mail flows without DANE.
    Off {
        reason: String,
    },
}

/// A resolver that validates, once it is known that it can.
pub(crate) struct Validator {
    settings: Settings,
    servers: Vec<NameServerConfig>,
    anchors: Arc<TrustAnchors>,
    patience: Duration,
    state: RwLock<State>,
    /// One finds out; the others wait for what it found.
    probing: Mutex<()>,
    denials: Denials,
}

enum State {
    Unknown,
    /// It stays so: servers that validated once and do not any more are under attack, or broken.
    On(Arc<TokioResolver>),
    Off {
        reason: String,
        until: Instant,
    },
}

impl Validator {
    pub(crate) fn new(
        settings: &Settings,
        servers: &[NameServerConfig],
        patience: Duration,
    ) -> Result<Self, DnsError> {
        let anchors =
            settings.trust_anchor.as_deref().map_or_else(|| Ok(TrustAnchors::default()), read_anchors);
        Ok(Self {
            settings: settings.clone(),
            servers: servers.to_vec(),
            anchors: Arc::new(anchors?),
            // Keys and their hashes have to be fetched up to the root, one after the other.
            patience: 2 * patience,
            state: RwLock::new(State::Unknown),
            probing: Mutex::default(),
            denials: Denials::default(),
        })
    }

    /// A validated answer; `None` where nothing can be validated.
    pub(crate) async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: &impl Fn(&RData) -> Option<T>,
        most: usize,
    ) -> Option<Result<Validated<T>, DnsError>> {
        let resolver = self.resolver().await.ok()?;
        Some(self.ask(&resolver, name, kind, pick, most).await)
    }

    pub(crate) async fn state(&self) -> Dnssec {
        match self.resolver().await {
            Ok(_) => Dnssec::On,
            Err(reason) => Dnssec::Off { reason },
        }
    }

    pub(crate) fn clear_cache(&self) {
        self.denials.clear();
        if let Some(Ok(resolver)) = self.known() {
            resolver.clear_cache();
        }
    }

    async fn resolver(&self) -> Result<Arc<TokioResolver>, String> {
        if let Some(known) = self.known() {
            return known;
        }
        let _turn = self.probing.lock().await;
        if let Some(known) = self.known() {
            return known;
        }
        let found = self.probe().await;
        let state = match &found {
            Ok(resolver) => State::On(Arc::clone(resolver)),
            Err(reason) => {
                tracing::warn!(%reason, "DANE is off: DNSSEC cannot be validated through the name servers");
                State::Off { reason: reason.clone(), until: Instant::now() + RETRY }
            }
        };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        found
    }

    fn known(&self) -> Option<Result<Arc<TokioResolver>, String>> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Unknown => None,
            State::On(resolver) => Some(Ok(Arc::clone(resolver))),
            State::Off { reason, until } => (*until > Instant::now()).then(|| Err(reason.clone())),
        }
    }

    /// Finds the servers that hand the root's keys through with their signatures: only they are asked from now on.
    async fn probe(&self) -> Result<Arc<TokioResolver>, String> {
        let mut good = Vec::new();
        let mut reason = "there is no name server".to_owned();
        for server in &self.servers {
            match self.probe_one(server).await {
                Ok(()) => good.push(server.clone()),
                Err(why) => reason = format!("{}: {why}", server.ip),
            }
        }
        if good.is_empty() {
            return Err(reason);
        }
        self.build(good).map(Arc::new).map_err(|error| error.to_string())
    }

    /// The root's SOA record is signed with a key that the trust anchor vouches for.
    async fn probe_one(&self, server: &NameServerConfig) -> Result<(), String> {
        let resolver = self.build(vec![server.clone()]).map_err(|error| error.to_string())?;
        let asked =
            tokio::time::timeout(self.patience / 2, resolver.lookup(Name::root(), RecordType::SOA)).await;
        let answers = asked.map_err(|_| "it does not answer")?.map_err(|error| error.to_string())?;
        let soa = answers.answers().iter().find(|record| record.record_type() == RecordType::SOA);
        match soa {
            Some(soa) if soa.proof == Proof::Secure => Ok(()),
            _ => Err("the records of the root come without a valid signature".to_owned()),
        }
    }

    fn build(&self, servers: Vec<NameServerConfig>) -> Result<TokioResolver, NetError> {
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_trust_anchor(Arc::clone(&self.anchors));
        set_options(builder.options_mut(), &self.settings);
        // Each alias has its own signature, and all of them count.
        builder.options_mut().preserve_intermediates = true;
        builder.build()
    }

    async fn ask<T>(
        &self,
        resolver: &TokioResolver,
        name: &str,
        kind: RecordType,
        pick: &impl Fn(&RData) -> Option<T>,
        most: usize,
    ) -> Result<Validated<T>, DnsError> {
        let query = absolute(name)?;
        if let Some(denied) = self.denials.get(name, kind) {
            return Err(denied);
        }
        let answer = tokio::time::timeout(self.patience, resolver.lookup(query.clone(), kind)).await;
        let result = match answer {
            Ok(Ok(answers)) => collect(&query, kind, &answers, pick, most),
            Ok(Err(error)) => Err(judge(name, kind, &error)),
            Err(_) => Err(temporary(name, type_name(kind), &NetError::Timeout)),
        };
        if let Err(error) = &result {
            self.denials.put(name, kind, error);
        }
        result
    }
}

fn read_anchors(file: &Path) -> Result<TrustAnchors, DnsError> {
    let bad = |why: String| DnsError::Temporary {
        name: file.display().to_string(),
        kind: "trust anchor",
        reason: format!("it is no file with a DNSKEY record of the root: {why}"),
    };
    let anchors = TrustAnchors::from_file(file).map_err(|error| bad(error.to_string()))?;
    if anchors.is_empty() { Err(bad("there is none in it".to_owned())) } else { Ok(anchors) }
}

/// The records at the end of the aliases, if nothing on the way is bogus.
fn collect<T>(
    query: &Name,
    kind: RecordType,
    answers: &Answers,
    pick: &impl Fn(&RData) -> Option<T>,
    most: usize,
) -> Result<Validated<T>, DnsError> {
    let (mut at, mut secure, mut alias) = (query.clone(), true, None::<Alias>);
    let bogus = || DnsError::Bogus { name: bare(query), kind: type_name(kind) };
    for _ in 0..=MAX_ALIASES {
        let here = |wanted: RecordType| {
            let at = &at;
            answers
                .answers()
                .iter()
                .filter(move |record| record.name == *at && record.record_type() == wanted)
        };
        for record in here(kind).chain(here(RecordType::CNAME)) {
            secure &= proven(record.proof).ok_or_else(bogus)?;
        }
        let records: Vec<T> = here(kind).filter_map(|record| pick(&record.data)).take(most).collect();
        if !records.is_empty() {
            return Ok(Validated { records, secure, alias });
        }
        let next = here(RecordType::CNAME).find_map(|record| match &record.data {
            RData::CNAME(target) => Some(target.0.clone()),
            _ => None,
        });
        let Some(next) = next else {
            return Err(DnsError::NoRecords { name: bare(query), kind: type_name(kind) });
        };
        let first_secure = alias.as_ref().map_or(secure, |alias| alias.first_secure);
        alias = Some(Alias { target: bare(&next), first_secure });
        at = next;
    }
    let reason = "the aliases go in a circle, or on for ever".to_owned();
    Err(DnsError::Temporary { name: bare(query), kind: type_name(kind), reason })
}

/// Whether it is secure; `None` when it is bogus, or nobody can tell (RFC 7672 §2.1.1 has both treated alike).
fn proven(proof: Proof) -> Option<bool> {
    match proof {
        Proof::Secure => Some(true),
        Proof::Insecure => Some(false),
        Proof::Bogus | Proof::Indeterminate => None,
    }
}

/// What a failure means: "there is none" is believed only when that is proven, or the zone unsigned.
fn judge(name: &str, kind: RecordType, error: &NetError) -> DnsError {
    let bogus = || DnsError::Bogus { name: name.to_owned(), kind: type_name(kind) };
    match error {
        NetError::Dns(Refusal::DnssecBogus) => bogus(),
        NetError::Dns(Refusal::Nsec { proof, .. }) if proven(*proof).is_none() => bogus(),
        NetError::Dns(Refusal::Nsec { response, .. }) if response.response_code == ResponseCode::NXDomain => {
            DnsError::NoSuchName(name.to_owned())
        }
        NetError::Dns(Refusal::Nsec { .. }) => {
            DnsError::NoRecords { name: name.to_owned(), kind: type_name(kind) }
        }
        other => classify(name, kind, other),
    }
}

/// Without the final dot.
fn bare(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
