//! DNSSEC (RFC 4033, RFC 4034 and RFC 4035), validated here: a resolver elsewhere may say that it has, but who is between us and it?

use crate::denials::Denials;
use crate::probe::{Found, probe};
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
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// After this, servers that take signatures out are tried again.
const RETRY: Duration = Duration::from_secs(10 * 60);
/// After this, servers in trouble are tried again: mail waits for them.
const RETRY_SOON: Duration = Duration::from_secs(5);
/// Longest chain of aliases that is followed.
const MAX_ALIASES: usize = 8;

/// Whether answers can be validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dnssec {
    On,
    /// The servers do not hand the root's signatures through: some forwarders. Mail flows without DANE.
    Off {
        reason: String,
    },
    /// It cannot be told now: the servers do not answer, or signatures come and none is valid. What needs it waits.
    Unknown {
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
    /// Nobody has asked yet.
    Unasked,
    /// It stays so: servers that validated once and do not any more are under attack, or broken.
    On {
        resolver: Arc<TokioResolver>,
        through: Vec<NameServerConfig>,
    },
    Off {
        reason: String,
        until: Instant,
    },
    Unknown {
        reason: String,
        until: Instant,
    },
}

/// What a state comes to for whoever asks.
enum Known {
    On(Arc<TokioResolver>),
    Off(String),
    Unknown(String),
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
            state: RwLock::new(State::Unasked),
            probing: Mutex::default(),
            denials: Denials::default(),
        })
    }

    /// What was found out holds on where the same servers are asked as `before`: who has to start anew can be led astray anew.
    pub(crate) fn inherit(&self, before: &Self) {
        if places(&self.servers) != places(&before.servers) {
            return;
        }
        let through = match &*before.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::On { through, .. } => through.clone(),
            State::Unasked | State::Off { .. } | State::Unknown { .. } => return,
        };
        if let Ok(resolver) = self.build(through.clone()) {
            self.set(State::On { resolver: Arc::new(resolver), through });
        }
    }

    /// A validated answer; `None` where nothing can be validated.
    pub(crate) async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: &impl Fn(&RData) -> Option<T>,
        most: usize,
    ) -> Option<Result<Validated<T>, DnsError>> {
        match self.known_now().await {
            Known::On(resolver) => Some(self.ask(&resolver, name, kind, pick, most).await),
            Known::Off(_) => None,
            Known::Unknown(reason) => {
                let reason = format!("whether DNSSEC can be validated is not known yet: {reason}");
                Some(Err(DnsError::Temporary { name: name.to_owned(), kind: type_name(kind), reason }))
            }
        }
    }

    pub(crate) async fn state(&self) -> Dnssec {
        match self.known_now().await {
            Known::On(_) => Dnssec::On,
            Known::Off(reason) => Dnssec::Off { reason },
            Known::Unknown(reason) => Dnssec::Unknown { reason },
        }
    }

    pub(crate) fn clear_cache(&self) {
        self.denials.clear();
        if let Some(Known::On(resolver)) = self.known() {
            resolver.clear_cache();
        }
    }

    async fn known_now(&self) -> Known {
        if let Some(known) = self.known() {
            return known;
        }
        let _turn = self.probing.lock().await;
        if let Some(known) = self.known() {
            return known;
        }
        let found = self.find_out().await;
        let known = found.known();
        self.set(found);
        known
    }

    fn known(&self) -> Option<Known> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.holds().then(|| state.known())
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Finds the servers that hand the root's signatures through: only they are asked from now on. One that does not answer
    /// counts only where no other does.
    async fn find_out(&self) -> State {
        let (mut good, mut takes_out, mut disturbed, mut silent) = (Vec::new(), None, None, None);
        for server in &self.servers {
            let say = |why: String| Some(format!("{}: {why}", server.ip));
            match self.probe(server).await {
                Found::HandsThrough => good.push(server.clone()),
                Found::TakesOut(why) => takes_out = say(why),
                Found::Disturbed(why) => disturbed = say(why),
                Found::Silent(why) => silent = say(why),
            }
        }
        let wait = |reason: String| {
            tracing::warn!(%reason, "mail that DANE may be for waits: DNSSEC cannot be validated now");
            State::Unknown { reason, until: Instant::now() + RETRY_SOON }
        };
        if !good.is_empty() {
            return match self.build(good.clone()) {
                Ok(resolver) => State::On { resolver: Arc::new(resolver), through: good },
                Err(error) => wait(error.to_string()),
            };
        }
        match (disturbed, takes_out, silent) {
            (None, Some(reason), _) => {
                tracing::error!(alert = "dane-off", %reason, "DANE is off: the name servers do not hand signatures through");
                State::Off { reason, until: Instant::now() + RETRY }
            }
            (Some(reason), ..) | (None, None, Some(reason)) => wait(reason),
            (None, None, None) => wait("there is no name server".to_owned()),
        }
    }

    async fn probe(&self, server: &NameServerConfig) -> Found {
        match self.build(vec![server.clone()]) {
            Ok(resolver) => probe(&resolver, server, &self.settings, self.patience / 2).await,
            Err(error) => Found::Disturbed(error.to_string()),
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

impl State {
    /// Whether it need not be found out anew.
    fn holds(&self) -> bool {
        match self {
            Self::Unasked => false,
            Self::On { .. } => true,
            Self::Off { until, .. } | Self::Unknown { until, .. } => *until > Instant::now(),
        }
    }

    fn known(&self) -> Known {
        match self {
            Self::On { resolver, .. } => Known::On(Arc::clone(resolver)),
            Self::Off { reason, .. } => Known::Off(reason.clone()),
            Self::Unknown { reason, .. } => Known::Unknown(reason.clone()),
            Self::Unasked => Known::Unknown("nobody has asked".to_owned()),
        }
    }
}

/// Where servers are, by which they are told apart.
fn places(servers: &[NameServerConfig]) -> Vec<(IpAddr, u16)> {
    let ports = |server: &NameServerConfig| server.connections.iter().map(|by| by.port).collect::<Vec<_>>();
    let places = |server: &NameServerConfig| {
        ports(server).into_iter().map(|port| (server.ip, port)).collect::<Vec<_>>()
    };
    servers.iter().flat_map(places).collect()
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
