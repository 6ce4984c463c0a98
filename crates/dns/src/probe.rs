//! What a name server makes of DNSSEC: whether it hands signatures through, takes them out, or is in trouble.
//!
//! ```text
//! the root's SOA is validated ────────────────────────────────────────────▶ HandsThrough
//! it is not: are there signatures at all, in three answers of the root?
//!     the answers came in order, and none has any ────────────────────────▶ TakesOut
//!     there are some (and they are wrong), SERVFAIL, an answer in disorder ▶ Disturbed
//!     no answer at all ───────────────────────────────────────────────────▶ Silent
//! ```
//!
//! Whoever is between us and the server can take signatures out of all answers, and cannot be told from a server that knows none.

use crate::resolver::set_options;
use crate::{Settings, resolver::temporary};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle as _, FirstAnswer as _};
use hickory_resolver::net::{DnsError as Refusal, NetError};
use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::op::{DnsRequestOptions, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use std::sync::Arc;
use std::time::Duration;

/// What the root is asked for without validation: all of it is signed.
const SIGNED: [RecordType; 3] = [RecordType::SOA, RecordType::DNSKEY, RecordType::NS];

/// What was found out about a server; the texts say why, in words.
pub(crate) enum Found {
    HandsThrough,
    TakesOut(String),
    Disturbed(String),
    Silent(String),
}

/// Asks `server`, with `resolver`, which validates and asks this server alone.
pub(crate) async fn probe(
    resolver: &TokioResolver,
    server: &NameServerConfig,
    settings: &Settings,
    patience: Duration,
) -> Found {
    let asked = tokio::time::timeout(patience, resolver.lookup(Name::root(), RecordType::SOA)).await;
    let why = match asked.unwrap_or(Err(NetError::Timeout)) {
        Ok(answers) if answers.answers().iter().any(is_proven) => return Found::HandsThrough,
        Ok(_) | Err(NetError::Dns(Refusal::DnssecBogus | Refusal::Nsec { .. })) => {
            "they are wrong, or those of another root".to_owned()
        }
        Err(error) => told(RecordType::SOA, &error),
    };
    let plain = match Plain::new(server, settings) {
        Ok(plain) => plain,
        Err(error) => return Found::Disturbed(error.to_string()),
    };
    let ask = async |kind| {
        tokio::time::timeout(patience, plain.records(kind)).await.unwrap_or(Err(NetError::Timeout))
    };
    let [soa, keys, servers] = SIGNED;
    let (soa, keys, servers) = tokio::join!(ask(soa), ask(keys), ask(servers));
    judge(SIGNED.into_iter().zip([soa, keys, servers]), &why)
}

/// What the answers without validation come to; `why` that with it failed.
fn judge(answers: impl Iterator<Item = (RecordType, Result<Vec<Record>, NetError>)>, why: &str) -> Found {
    let mut worst = Found::TakesOut("the records of the root come without signatures".to_owned());
    for (kind, answer) in answers {
        worst = match (answer, worst) {
            (Ok(records), _) if records.iter().any(|record| record.record_type() == RecordType::RRSIG) => {
                return Found::Disturbed(format!(
                    "signatures of the root come, and cannot be validated: {why}"
                ));
            }
            (Ok(_), worst) => worst,
            (Err(error), Found::TakesOut(_)) if is_silence(&error) => Found::Silent(told(kind, &error)),
            (Err(error), Found::Silent(why)) if is_silence(&error) => Found::Silent(why),
            (Err(error), _) => Found::Disturbed(told(kind, &error)),
        };
    }
    worst
}

fn is_proven(record: &Record) -> bool {
    record.record_type() == RecordType::SOA && record.proof == Proof::Secure
}

fn is_silence(error: &NetError) -> bool {
    matches!(error, NetError::Timeout | NetError::Io(_) | NetError::NoConnections)
}

fn told(kind: RecordType, error: &NetError) -> String {
    temporary(".", kind.into(), error).to_string()
}

/// Asks one server for answers with their signatures, and takes them as they come.
struct Plain(NameServerPool<TokioRuntimeProvider>);

impl Plain {
    fn new(server: &NameServerConfig, settings: &Settings) -> Result<Self, NetError> {
        let mut options = ResolverOpts::default();
        set_options(&mut options, settings);
        let context = Arc::new(PoolContext::new(options, TlsConfig::new()?));
        let servers = [server.clone()];
        Ok(Self(NameServerPool::from_config(servers, context, TokioRuntimeProvider::default())))
    }

    /// All records of the answer, whatever their section: signatures of a "there is none" count too.
    ///
    /// # Errors
    /// It did not come in order. REFUSED, "not implemented" and the like are in order: so answers who knows no root, or no DNSSEC.
    async fn records(&self, kind: RecordType) -> Result<Vec<Record>, NetError> {
        let mut options = DnsRequestOptions::default();
        options.edns_set_dnssec_ok = true;
        match self.0.lookup(Query::query(Name::root(), kind), options).first_answer().await {
            Ok(response) => Ok(response.all_sections().cloned().collect()),
            Err(NetError::Dns(Refusal::NoRecordsFound(none))) => {
                Ok(none.authorities.map(|records| records.to_vec()).unwrap_or_default())
            }
            Err(NetError::Dns(Refusal::ResponseCode(
                ResponseCode::Refused | ResponseCode::NotImp | ResponseCode::FormErr | ResponseCode::BADVERS,
            ))) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
