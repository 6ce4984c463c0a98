//! A day's TLS report to one domain.

use crate::post::{self, MAX_MESSAGE};
use crate::run::Reports;
use crate::{ReportError, day};
use address::{Address, Domain};
use jiff::Timestamp;
use mailauth::report::Naming;
use mailauth::report::tls::{
    Applied, Destination, Detail, MAX_DETAILS, PolicyReport, Report, Session, destinations,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use store::report::{Due, NewPost, Sent, Tally};

/// What sessions have in common that are counted together. Of good ones the policy alone is reported.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Row {
    applied: Applied,
    /// Its count is 0.
    failure: Option<Detail>,
}

impl From<Session> for Row {
    fn from(session: Session) -> Self {
        let failure = session.failure.map(|failure| Detail {
            failure,
            sending_ip: session.sending_ip,
            receiving_ip: session.receiving_ip,
            mx: session.mx.map(|mx| mx.to_string()),
            helo: session.helo,
            count: 0,
            additional: None,
        });
        Self { applied: session.applied, failure }
    }
}

/// Sends the report to each place that the domain names, and forgets what it was made of. RFC 8460 §3 would be content with one
/// of them.
pub(crate) async fn send(reports: &Reports, due: &Due, now: Timestamp) -> Result<(), ReportError> {
    let from = reports.sender()?;
    let later = |_| ReportError::Dns(due.domain.clone());
    let to = destinations(&reports.names(), &due.domain).await.map_err(later)?;
    let report = written(reports.store().tallies(due)?, due, &from)?;
    // Our reports are sessions too (RFC 8460 §3: they should not be in the next report): a day that had no others is none.
    let only_reports = sessions(&report) <= reports.store().reports_sent(due)?;
    let to = if only_reports { Vec::new() } else { to };
    let mut sent = Sent::default();
    for place in &to {
        match place {
            Destination::Mail(address) => {
                sent.mailed.extend(mail(reports, &report, due, &from, address, now).await?);
            }
            Destination::Https(uri) => {
                sent.posts.push(NewPost { uri: uri.to_string(), content: report.content() });
            }
        }
    }
    Ok(reports.store().close_report(due.clone(), reports.today(now), sent).await?)
}

/// Mails the report; the domain that it went to.
async fn mail(
    reports: &Reports,
    report: &Report,
    due: &Due,
    from: &Address,
    to: &Address,
    now: Timestamp,
) -> Result<Option<Domain>, ReportError> {
    let submitter = from.domain().ok_or(ReportError::NoSender)?;
    let (begin, end) = (report.begin, report.end);
    let naming = Naming { submitter, domain: &due.domain, begin, end, unique: "t0" };
    let message = report.build(&naming, from, to, &crate::run::zoned(now), post::random()?);
    if message.len() as u64 > MAX_MESSAGE {
        tracing::warn!(domain = %due.domain, %to, "the TLS report is too large to be sent");
        return Ok(None);
    }
    post::send(reports.store(), reports.sign(), from, to, message).await?;
    tracing::info!(domain = %due.domain, %to, "a TLS report is sent");
    Ok(to.domain().cloned())
}

fn sessions(report: &Report) -> u64 {
    let all = |policy: &PolicyReport| policy.successful.saturating_add(policy.failed);
    report.policies.iter().map(all).fold(0, u64::saturating_add)
}

fn written(tallies: Vec<Tally>, due: &Due, from: &Address) -> Result<Report, ReportError> {
    let mut policies: HashMap<Applied, PolicyReport> = HashMap::new();
    for tally in tallies {
        let Ok(Row { applied, failure }) = serde_json::from_str(&tally.key) else { continue };
        let policy = policies.entry(applied.clone()).or_insert_with(|| PolicyReport::new(applied));
        match failure {
            None => policy.successful += tally.count,
            Some(detail) => {
                policy.failed += tally.count;
                if policy.details.len() < MAX_DETAILS {
                    policy.details.push(Detail { count: tally.count, ..detail });
                }
            }
        }
    }
    let (begin, end) = day::range(due.day);
    let submitter = from.domain().ok_or(ReportError::NoSender)?;
    let naming = Naming { submitter, domain: &due.domain, begin, end, unique: "t0" };
    let mut policies: Vec<PolicyReport> = policies.into_values().collect();
    policies.sort_by(|a, b| {
        (a.applied.kind, a.domain(), &a.applied.lines).cmp(&(b.applied.kind, b.domain(), &b.applied.lines))
    });
    Ok(Report {
        organization: submitter.to_string(),
        contact: from.to_string(),
        report_id: naming.report_id(),
        begin,
        end,
        policies,
    })
}
