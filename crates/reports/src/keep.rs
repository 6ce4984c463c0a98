//! A report that came is read and kept.

use crate::ReportError;
use crate::run::Reports;
use address::Domain;
use bytes::Bytes;
use mailauth::report::aggregate::Aggregate;
use mailauth::report::failure::FailureReport;
use mailauth::report::{Incoming, gzip, tls};
use mailauth::{Dns as _, LookupError, Txt, dkim, dmarc};
use message::Header;
use store::Id;
use store::report::{ReportKind, StoredReport};

/// Keeps the report in a message, if there is one and it is about a domain of ours. `prefix` is what stands above the body
/// in this copy.
pub(crate) async fn keep(
    reports: &Reports,
    prefix: &[u8],
    body: &Bytes,
    received: i64,
) -> Result<(), ReportError> {
    let message = body.clone();
    // Unpacking and reading may take a while.
    let read = tokio::task::spawn_blocking(move || mailauth::report::read(&message)).await;
    let incoming = match read.ok().flatten() {
        None => return Ok(()),
        Some(Err(error)) => {
            tracing::info!(%error, "a report that came cannot be read");
            return Ok(());
        }
        Some(Ok(incoming)) => incoming,
    };
    let header = Header::parse(body);
    if matches!(incoming, Incoming::Tls(_)) && !is_signed(reports, prefix, body).await {
        // RFC 8460 §3: it must be ignored.
        tracing::info!("a TLS report without a valid signature of who reports, over all of it, is ignored");
        return Ok(());
    }
    let Some(report) = stored(incoming, &header, received) else { return Ok(()) };
    let Some(domain) = ours(reports, &report.domain)? else {
        tracing::info!(domain = %report.domain, "a report about a domain that is not ours is ignored");
        return Ok(());
    };
    let (from, about) = (report.organization.clone(), report.domain.clone());
    if reports.store().add_report(StoredReport { domain, ..report }).await? {
        tracing::info!(organization = from, domain = %about, "a report came");
    }
    Ok(())
}

/// As it is kept. Content can be read again by [`view`](crate::view).
fn stored(incoming: Incoming, header: &Header<'_>, received: i64) -> Option<StoredReport> {
    match incoming {
        Incoming::Aggregate(report) => Some(of_aggregate(report, received)),
        Incoming::Tls(report) => of_tls(report, header, received),
        Incoming::Failure(report) => of_failure(&report, header, received),
    }
}

fn of_aggregate(report: Aggregate, received: i64) -> StoredReport {
    let sum = |wanted: fn(&mailauth::report::aggregate::Record) -> bool| {
        let counts = report.records.iter().filter(|record| wanted(record)).map(|record| record.count);
        counts.fold(0, u64::saturating_add)
    };
    StoredReport {
        id: Id::generate(),
        kind: ReportKind::Dmarc,
        total: sum(|_| true),
        failed: sum(|record| !record.dkim_aligned && !record.spf_aligned),
        content: gzip(report.to_xml().as_bytes()),
        domain: report.published.domain,
        organization: report.organization,
        name: report.report_id,
        start: report.begin,
        stop: report.end,
        received,
    }
}

fn of_tls(report: tls::Report, header: &Header<'_>, received: i64) -> Option<StoredReport> {
    let named = header.get("TLS-Report-Domain").and_then(|field| Domain::parse(field.value().trim()).ok());
    let domain = named.or_else(|| Some(report.policies.first()?.domain().clone()))?;
    let sum =
        |count: fn(&tls::PolicyReport) -> u64| report.policies.iter().map(count).fold(0, u64::saturating_add);
    let (good, failed) = (sum(|policy| policy.successful), sum(|policy| policy.failed));
    Some(StoredReport {
        id: Id::generate(),
        kind: ReportKind::Tls,
        domain,
        total: good.saturating_add(failed),
        failed,
        content: gzip(report.to_json().as_bytes()),
        organization: report.organization,
        name: report.report_id,
        start: report.begin,
        stop: report.end,
        received,
    })
}

fn of_failure(report: &FailureReport, header: &Header<'_>, received: i64) -> Option<StoredReport> {
    let domain = Domain::parse(report.reported_domain.as_deref()?).ok()?;
    let incidents = report.incidents.unwrap_or(1);
    let seconds = u64::try_from(received / 1000).unwrap_or(0);
    Some(StoredReport {
        id: Id::generate(),
        kind: ReportKind::Failure,
        domain,
        organization: report.user_agent.clone().unwrap_or_default(),
        name: message::MessageId::of(header).map(|id| id.as_str().to_owned()).unwrap_or_default(),
        start: seconds,
        stop: seconds,
        received,
        total: incidents,
        failed: incidents,
        content: gzip(report.to_fields().as_bytes()),
    })
}

/// The domain here that a report is about: that one or one above it.
fn ours(reports: &Reports, domain: &Domain) -> Result<Option<Domain>, ReportError> {
    let mut at = Some(domain.clone());
    while let Some(domain) = at {
        if reports.store().domain(&domain)?.is_some() {
            return Ok(Some(domain));
        }
        at = domain.parent();
    }
    Ok(None)
}

/// Whether the message has the signature that RFC 8460 §3 asks for: of who reports, with a key that may be for nothing but such
/// reports, and over the whole body.
async fn is_signed(reports: &Reports, prefix: &[u8], body: &[u8]) -> bool {
    let Some(reporter) = reporter(body) else { return false };
    let whole = [prefix, body].concat();
    let (header, rest) = whole.split_at(Header::parse(&whole).body_offset().min(whole.len()));
    let now = store::clock::seconds();
    let mut verifier = dkim::Verifier::new(header, now).for_service(dkim::Service::TlsReport);
    verifier.update(rest);
    let mut answers: Vec<(String, Txt)> = Vec::new();
    for name in verifier.key_names() {
        let answer = reports.names().txt(&name).await;
        answers.push((name, answer));
    }
    let answer = |name: &str| {
        let found = answers.iter().find(|(known, _)| known == name);
        found.map_or(Err(LookupError::Failed), |(_, answer)| answer.clone())
    };
    let signed = verifier.finish(answer).into_iter().filter(|result| result.passed() && !result.limited);
    for signer in signed.filter_map(|result| result.domain) {
        if is_of(reports, &signer, &reporter).await {
            return true;
        }
    }
    false
}

/// The domain that reports: the submitter (RFC 8460 §5.3), or the author's where none is named.
fn reporter(message: &[u8]) -> Option<Domain> {
    match Header::parse(message).get("TLS-Report-Submitter") {
        Some(field) => Domain::parse(field.value().trim()).ok(),
        None => dmarc::author_domain(message).ok(),
    }
}

/// Whether a signer speaks for who reports: it is that domain or one above it, or both are of one organization.
async fn is_of(reports: &Reports, signer: &Domain, reporter: &Domain) -> bool {
    if reporter.is_within(signer) {
        return true;
    }
    let names = reports.names();
    let (signer, reporter) = (dmarc::walk(&names, signer).await, dmarc::walk(&names, reporter).await);
    signer.organizational_domain().is_ok_and(|one| reporter.organizational_domain() == Ok(one))
}
