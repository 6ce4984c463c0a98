//! A day's report to one DMARC Policy Domain.

use crate::arrived::{MAX_ERRORS, Row};
use crate::post::{self, MAX_MESSAGE};
use crate::run::Reports;
use crate::{ReportError, day};
use address::{Address, Domain};
use jiff::Timestamp;
use mailauth::dmarc::{Destination, ReportTag, destinations, walk};
use mailauth::report::Naming;
use mailauth::report::aggregate::{Aggregate, PolicyPublished, Record};
use std::collections::BTreeMap;
use store::report::{Due, Sent, Tally};

/// Most reports to one domain about one day: one for each policy that it had (RFC 9990 §3.1).
const MAX_CONFIGURATIONS: usize = 4;

/// Sends the report to each address that may have it, and forgets what it was made of.
pub(crate) async fn send(reports: &Reports, due: &Due, now: Timestamp) -> Result<(), ReportError> {
    let from = reports.sender()?;
    let to = wanted(reports, &due.domain).await?;
    let mut sent = Sent::default();
    if !to.is_empty() {
        let tallies = reports.store().tallies(due)?;
        for (number, report) in written(tallies, due, &from).into_iter().enumerate() {
            sent.mailed.extend(send_one(reports, &report, number, &from, &to, now).await?);
        }
    }
    Ok(reports.store().close_report(due.clone(), reports.today(now), sent).await?)
}

/// Where the domain wants reports now.
async fn wanted(reports: &Reports, domain: &Domain) -> Result<Vec<Destination>, ReportError> {
    let dns = reports.names();
    let walk = walk(&dns, domain).await;
    let found = walk.policy().map_err(|_| ReportError::Dns(domain.clone()))?;
    let Some((_, record)) = found.filter(|(at, _)| *at == domain) else { return Ok(Vec::new()) };
    let mut all = destinations(&dns, domain, record, ReportTag::Rua).await;
    for destination in &all {
        if let Err(why) = &destination.verdict {
            tracing::info!(%domain, to = %destination.address, why, "no DMARC report is sent there");
        }
    }
    all.retain(|destination| destination.verdict.is_ok());
    Ok(all)
}

async fn send_one(
    reports: &Reports,
    report: &Aggregate,
    number: usize,
    from: &Address,
    to: &[Destination],
    now: Timestamp,
) -> Result<Vec<Domain>, ReportError> {
    let submitter = from.domain().ok_or(ReportError::NoSender)?;
    let unique = format!("d{number}");
    let domain = &report.published.domain;
    let naming = Naming { submitter, domain, begin: report.begin, end: report.end, unique: &unique };
    let mut sent = Vec::new();
    for destination in to {
        let address = &destination.address;
        let message = report.build(&naming, from, address, &crate::run::zoned(now), post::random()?);
        let bound = destination.max_size.unwrap_or(MAX_MESSAGE).min(MAX_MESSAGE);
        if message.len() as u64 > bound {
            tracing::warn!(%domain, to = %address, octets = message.len(), bound, "the DMARC report is too large to be sent");
            continue;
        }
        post::send(reports.store(), reports.sign(), from, address, message).await?;
        tracing::info!(%domain, to = %address, rows = report.records.len(), "a DMARC report is sent");
        sent.extend(address.domain().cloned());
    }
    Ok(sent)
}

/// What is reported of one policy.
struct OfPolicy {
    published: PolicyPublished,
    /// Of all records that had it on the day, each once.
    errors: Vec<String>,
    records: Vec<Record>,
}

impl OfPolicy {
    fn add(&mut self, errors: Vec<String>, record: Record) {
        for error in errors {
            if self.errors.len() < MAX_ERRORS && !self.errors.contains(&error) {
                self.errors.push(error);
            }
        }
        self.records.push(record);
    }
}

/// One report for each policy that the domain had on the day.
fn written(tallies: Vec<Tally>, due: &Due, from: &Address) -> Vec<Aggregate> {
    let mut by_policy: BTreeMap<String, OfPolicy> = BTreeMap::new();
    for tally in tallies {
        let Ok(Row { published, errors, record }) = serde_json::from_str(&tally.key) else { continue };
        let key = serde_json::to_string(&published).unwrap_or_default();
        let new = || OfPolicy { published, errors: Vec::new(), records: Vec::new() };
        by_policy.entry(key).or_insert_with(new).add(errors, Record { count: tally.count, ..record });
    }
    let (begin, end) = day::range(due.day);
    let submitter = from.domain().cloned();
    let reports = by_policy.into_values().take(MAX_CONFIGURATIONS).enumerate();
    let report = |(number, OfPolicy { published, errors, records })| {
        let unique = format!("d{number}");
        let submitter = submitter.as_ref()?;
        let naming = Naming { submitter, domain: &due.domain, begin, end, unique: &unique };
        Some(Aggregate {
            organization: submitter.to_string(),
            email: from.to_string(),
            extra_contact: None,
            report_id: naming.report_id(),
            begin,
            end,
            errors,
            generator: Some(concat!("Waypost ", env!("CARGO_PKG_VERSION")).to_owned()),
            published,
            records,
        })
    };
    reports.filter_map(report).collect()
}
