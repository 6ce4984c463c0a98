//! Reports that came, as tables show them.

use mailauth::report::aggregate::{Aggregate, Disposition};
use mailauth::report::failure::FailureReport;
use mailauth::report::{tls, unpack};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use store::report::{ReportKind, StoredReport};

/// Most sources, and most kinds of failure, that a table has: those with the most messages.
pub const MAX_ROWS: usize = 200;

/// All that was reported about a domain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Overview {
    /// Newest first.
    pub reports: Vec<Summary>,
    /// Who sends in the domain's name, most messages first.
    pub sources: Vec<Source>,
    /// What was wrong with connections to the domain's hosts, most sessions first.
    pub tls_failures: Vec<TlsFailure>,
    /// Single messages that failed, those with the most first.
    #[serde(default)]
    pub failures: Vec<FailedMessages>,
}

/// One report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub kind: ReportKind,
    pub organization: String,
    pub report_id: String,
    /// Seconds since 1970.
    pub begin: u64,
    pub end: u64,
    /// Messages or sessions, and those of them that failed.
    pub total: u64,
    pub failed: u64,
}

/// An address that sends in the domain's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub ip: IpAddr,
    pub messages: u64,
    /// Those that an aligned signature vouched for, and SPF.
    pub dkim: u64,
    pub spf: u64,
    /// Those that neither vouched for.
    pub failed: u64,
    pub quarantined: u64,
    pub rejected: u64,
}

/// Sessions that failed in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFailure {
    pub result: String,
    pub mx: String,
    pub sessions: u64,
}

/// Single messages that others reported, alike in all of this.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailedMessages {
    /// Who sent them, where that was told.
    pub ip: Option<IpAddr>,
    /// The domain in From.
    pub domain: String,
    /// `dmarc`, or what failed below it: `spf`, `signature`, `bodyhash`, `revoked`.
    pub failure: String,
    /// Whether an aligned signature vouched for them, and SPF.
    pub dkim: bool,
    pub spf: bool,
    /// `delivered`, `spam`, `policy`, `reject` or `other`, where that was told.
    pub delivery: Option<String>,
    pub messages: u64,
}

impl Overview {
    /// Of reports, newest first.
    pub fn of(reports: &[StoredReport]) -> Self {
        let (mut sources, mut failures, mut messages) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for report in reports {
            let Ok(content) = unpack(&report.content) else { continue };
            match report.kind {
                ReportKind::Dmarc => {
                    Aggregate::parse(&content).iter().for_each(|report| add_sources(&mut sources, report))
                }
                ReportKind::Tls => {
                    tls::Report::parse(&content).iter().for_each(|report| add_failures(&mut failures, report))
                }
                ReportKind::Failure => {
                    FailureReport::parse(&content)
                        .iter()
                        .for_each(|report| add_messages(&mut messages, report));
                }
            }
        }
        let mut sources: Vec<Source> = sources.into_values().collect();
        sources.sort_by_key(|source| std::cmp::Reverse(source.messages));
        sources.truncate(MAX_ROWS);
        let failure = |((result, mx), sessions)| TlsFailure { result, mx, sessions };
        let mut tls_failures: Vec<TlsFailure> = failures.into_iter().map(failure).collect();
        tls_failures.sort_by_key(|failure| std::cmp::Reverse(failure.sessions));
        tls_failures.truncate(MAX_ROWS);
        let alike = |(alike, messages)| FailedMessages { messages, ..alike };
        let mut failures: Vec<FailedMessages> = messages.into_iter().map(alike).collect();
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.messages));
        failures.truncate(MAX_ROWS);
        Self { reports: reports.iter().map(summary).collect(), sources, tls_failures, failures }
    }
}

fn summary(report: &StoredReport) -> Summary {
    Summary {
        kind: report.kind,
        organization: report.organization.clone(),
        report_id: report.name.clone(),
        begin: report.start,
        end: report.stop,
        total: report.total,
        failed: report.failed,
    }
}

fn add_sources(sources: &mut BTreeMap<IpAddr, Source>, report: &Aggregate) {
    for record in &report.records {
        let ip = record.source_ip;
        let nothing = Source { ip, messages: 0, dkim: 0, spf: 0, failed: 0, quarantined: 0, rejected: 0 };
        let source = sources.entry(ip).or_insert(nothing);
        let add = |number: &mut u64, counts: bool| {
            *number = number.saturating_add(if counts { record.count } else { 0 });
        };
        add(&mut source.messages, true);
        add(&mut source.dkim, record.dkim_aligned);
        add(&mut source.spf, record.spf_aligned);
        add(&mut source.failed, !record.dkim_aligned && !record.spf_aligned);
        add(&mut source.quarantined, record.disposition == Disposition::Quarantine);
        add(&mut source.rejected, record.disposition == Disposition::Reject);
    }
}

/// Under what they have in common, with no messages of its own.
fn add_messages(messages: &mut BTreeMap<FailedMessages, u64>, report: &FailureReport) {
    let alike = FailedMessages {
        ip: report.source_ip,
        domain: report.reported_domain.clone().unwrap_or_default().to_ascii_lowercase(),
        failure: report.auth_failure.clone(),
        dkim: !report.unaligned.dkim,
        spf: !report.unaligned.spf,
        delivery: report.delivery_result.clone(),
        messages: 0,
    };
    let count = messages.entry(alike).or_default();
    *count = count.saturating_add(report.incidents.unwrap_or(1));
}

fn add_failures(failures: &mut BTreeMap<(String, String), u64>, report: &tls::Report) {
    for detail in report.policies.iter().flat_map(|policy| &policy.details) {
        let mx = detail.mx.clone().unwrap_or_default();
        let sessions = failures.entry((detail.failure.kind.to_string(), mx)).or_default();
        *sessions = sessions.saturating_add(detail.count);
    }
}
