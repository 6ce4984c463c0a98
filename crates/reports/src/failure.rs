//! Reports of single messages that fail (RFC 9991), for domains that ask for them (`ruf`), when the settings allow it: they show
//! a message's header to whom its author's domain names.

use crate::arrived::Arrived;
use crate::post;
use crate::run::{Reports, zoned};
use crate::{ReportError, day};
use address::Domain;
use jiff::Timestamp;
use mailauth::Dns as _;
use mailauth::dkim::{self, SignatureResult};
use mailauth::dmarc::{FailureOptions, Policy, Psd, Published, ReportTag, Word, destinations};
use mailauth::report::failure::{FailureReport, Unaligned};
use mailauth::spf;
use std::collections::HashMap;

/// Most reports to one domain in a day, and to all: who forges a domain a million times must not make us flood it
/// (RFC 9991 §3).
const PER_DOMAIN: u32 = 20;
const IN_ALL: u32 = 1000;

/// What was sent today.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    day: u32,
    all: u32,
    domains: HashMap<Domain, u32>,
}

impl Sent {
    /// Whether one more may be sent, which then counts.
    fn admit(&mut self, today: u32, domain: &Domain) -> bool {
        if self.day != today {
            *self = Self { day: today, ..Self::default() };
        }
        let count = self.domains.entry(domain.clone()).or_default();
        if self.all >= IN_ALL || *count >= PER_DOMAIN {
            return false;
        }
        self.all += 1;
        *count += 1;
        true
    }
}

impl Reports {
    /// Sends a report of a message, if its author's domain asks for one and there is room for it today. `header` is the
    /// message's, `results` the Authentication-Results that we gave it. Must be called within a tokio runtime.
    pub fn report_failure(&self, arrived: &Arrived<'_>, header: &[u8], results: &str) {
        let Some(published) = self.asks_for_failures(arrived) else { return };
        for cause in causes(arrived, published.record.fo) {
            if !self.failures_sent().admit(day::of(arrived.now), &published.domain) {
                return;
            }
            let (reports, published, header) = (self.clone(), published.clone(), header.to_vec());
            let report = written(arrived, cause, results);
            let spf_domain = cause.spf_domain(arrived);
            tokio::spawn(async move {
                let sent = reports.send_failure(report, spf_domain, &published, &header).await;
                if let Err(error) = sent {
                    tracing::info!(domain = %published.domain, %error, "a failure report is not sent");
                }
            });
        }
    }

    /// Where the settings let them be sent. RFC 9991 §3: not those of a public suffix.
    fn asks_for_failures<'a>(&self, arrived: &Arrived<'a>) -> Option<&'a Published> {
        let evaluation = arrived.evaluation;
        let published = evaluation.published.as_ref()?;
        let record = &published.record;
        let wanted =
            self.settings().failure && !arrived.is_report && record.psd != Psd::Yes && !record.ruf.is_empty();
        let decided = matches!(evaluation.word, Word::Pass | Word::Fail);
        (wanted && decided).then_some(published)
    }

    async fn send_failure(
        &self,
        mut report: FailureReport,
        spf_domain: Option<Domain>,
        published: &Published,
        header: &[u8],
    ) -> Result<(), ReportError> {
        if let Some(domain) = spf_domain {
            report.spf_dns = self.spf_record(&domain).await;
        }
        let from = self.sender()?;
        let submitter = from.domain().ok_or(ReportError::NoSender)?;
        for to in destinations(&self.names(), &published.domain, &published.record, ReportTag::Ruf).await {
            if to.verdict.is_err() {
                continue;
            }
            let message = report.build(
                &from,
                &to.address,
                header,
                &zoned(Timestamp::now()),
                post::random()?,
                submitter,
            );
            post::send(self.store(), self.sign(), &from, &to.address, message).await?;
            tracing::info!(domain = %published.domain, to = %to.address, "a failure report is sent");
        }
        Ok(())
    }

    /// The record as `SPF-DNS` has it (RFC 6591 §4).
    async fn spf_record(&self, domain: &Domain) -> Option<String> {
        let texts = self.names().txt(domain.as_str()).await.ok()?;
        let record = texts.iter().find(|text| spf::is_record(text))?;
        Some(format!("txt : {domain} : \"{}\"", String::from_utf8_lossy(record)))
    }
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// DMARC: it says what the others would.
    Dmarc,
    /// A signature, aligned or not (RFC 6591 §3.2.3).
    Dkim,
    /// SPF, aligned or not.
    Spf,
}

/// What the domain asks to be told of (RFC 9989 §4.7, `fo`). One report of DMARC stands for those of its mechanisms
/// (RFC 9991, "Other Failure Reports").
pub(crate) fn causes(arrived: &Arrived<'_>, fo: FailureOptions) -> Vec<Cause> {
    let evaluation = arrived.evaluation;
    let any = evaluation.dkim.is_none() || evaluation.spf.is_none();
    if fo.all && evaluation.word == Word::Fail || fo.any && any {
        return vec![Cause::Dmarc];
    }
    let signature = fo.dkim && arrived.dkim.iter().any(failed);
    let envelope = fo.spf && arrived.spf.is_some_and(failed_spf);
    [(signature, Cause::Dkim), (envelope, Cause::Spf)]
        .into_iter()
        .filter_map(|(is, cause)| is.then_some(cause))
        .collect()
}

impl Cause {
    fn signature<'a>(self, arrived: &Arrived<'a>) -> Option<&'a SignatureResult> {
        match self {
            Self::Dmarc => aligned_bad_signature(arrived),
            Self::Dkim => arrived.dkim.iter().find(|signature| failed(signature)),
            Self::Spf => None,
        }
    }

    /// The domain whose SPF record is shown.
    fn spf_domain(self, arrived: &Arrived<'_>) -> Option<Domain> {
        match self {
            Self::Dmarc => aligned_spf_failure(arrived),
            Self::Dkim => None,
            Self::Spf => arrived.spf?.domain.clone(),
        }
    }
}

fn written(arrived: &Arrived<'_>, cause: Cause, results: &str) -> FailureReport {
    let evaluation = arrived.evaluation;
    let signature = cause.signature(arrived);
    // RFC 6591 §3.1: of one method alone.
    let host = results.split([':', ';']).nth(1).unwrap_or_default().trim();
    let result = match cause {
        Cause::Dmarc => format!("dmarc={} header.from={}", evaluation.word, evaluation.author),
        Cause::Dkim => {
            let word = signature.map_or("fail", |signature| signature.word().as_str());
            let domain = signature.and_then(|signature| signature.domain.as_ref());
            format!("dkim={word}{}", domain.map(|domain| format!(" header.d={domain}")).unwrap_or_default())
        }
        Cause::Spf => {
            let word = arrived.spf.map_or("fail", |result| result.word.as_str());
            let domain = arrived.spf.and_then(|result| result.domain.as_ref());
            format!("spf={word}{}", domain.map(|name| format!(" smtp.mailfrom={name}")).unwrap_or_default())
        }
    };
    FailureReport {
        auth_failure: auth_failure(cause, signature).to_owned(),
        user_agent: Some(concat!("Waypost/", env!("CARGO_PKG_VERSION")).to_owned()),
        authentication_results: Some(format!("{host}; {result}")),
        unaligned: Unaligned { dkim: evaluation.dkim.is_none(), spf: evaluation.spf.is_none() },
        delivery_result: Some(delivery_result(arrived.done).to_owned()),
        dkim_domain: signature.and_then(|signature| signature.domain.as_ref()).map(ToString::to_string),
        dkim_identity: signature.and_then(|signature| signature.identity.clone()),
        dkim_selector: signature.and_then(|signature| signature.selector.clone()),
        arrival_date: Timestamp::from_second(arrived.now as i64)
            .ok()
            .map(|now| message::rfc5322_date(&zoned(now))),
        source_ip: Some(arrived.ip),
        reported_domain: Some(evaluation.author.to_string()),
        incidents: Some(1),
        ..FailureReport::default()
    }
}

/// RFC 6591 §3.1, and `dmarc` of RFC 9991 §4.
fn auth_failure(cause: Cause, signature: Option<&SignatureResult>) -> &'static str {
    match (cause, signature.and_then(|signature| signature.outcome.as_ref().err())) {
        (Cause::Dmarc, _) => "dmarc",
        (Cause::Spf, _) => "spf",
        (Cause::Dkim, Some(dkim::Failure::BodyHash)) => "bodyhash",
        (Cause::Dkim, Some(dkim::Failure::KeyRevoked)) => "revoked",
        (Cause::Dkim, _) => "signature",
    }
}

/// Evaluated, with a bad end.
fn failed(signature: &SignatureResult) -> bool {
    use dkim::ResultWord as Dkim;
    matches!(signature.word(), Dkim::Fail | Dkim::Policy | Dkim::PermError)
}

fn failed_spf(result: &spf::SpfResult) -> bool {
    matches!(result.word, spf::ResultWord::Fail | spf::ResultWord::SoftFail)
}

/// A bad signature that would have been aligned: RFC 9991 §4 asks who made it.
fn aligned_bad_signature<'a>(arrived: &Arrived<'a>) -> Option<&'a SignatureResult> {
    let organization = arrived.evaluation.organizational_domain.as_ref()?;
    let ours = |signature: &&SignatureResult| {
        signature.domain.as_ref().is_some_and(|domain| domain.is_within(organization))
    };
    arrived.dkim.iter().filter(|signature| !signature.passed()).find(ours)
}

/// The domain of an SPF check that failed and would have been aligned.
fn aligned_spf_failure(arrived: &Arrived<'_>) -> Option<Domain> {
    let organization = arrived.evaluation.organizational_domain.as_ref()?;
    let result = arrived.spf.filter(|result| result.word != spf::ResultWord::Pass)?;
    result.domain.clone().filter(|domain| domain.is_within(organization))
}

/// RFC 6591 §3.2.2.
fn delivery_result(done: Policy) -> &'static str {
    match done {
        Policy::None => "delivered",
        Policy::Quarantine => "spam",
        Policy::Reject => "reject",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_flooded() {
        let mut sent = Sent::default();
        let (one, two): (Domain, Domain) = ("example.org".parse().unwrap(), "example.net".parse().unwrap());
        assert_eq!((0..100).filter(|_| sent.admit(1, &one)).count() as u32, PER_DOMAIN);
        assert!(sent.admit(1, &two));
        assert!(sent.admit(2, &one));
        let others = (0..5000).filter(|n| sent.admit(2, &format!("{n}.example").parse().unwrap()));
        assert_eq!(others.count() as u32, IN_ALL - 1);
    }
}
