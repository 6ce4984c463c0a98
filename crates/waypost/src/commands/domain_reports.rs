//! `waypost domain reports`: what other servers report about a domain, as tables.

use crate::exit::{Exit, Failure};
use crate::output::{self, moment};
use reports::view::{FailedMessages, Overview, Source, Summary, TlsFailure};
use store::report::ReportKind;

pub(super) fn print(overview: &Overview, json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(overview)?;
        return Ok(Exit::Done);
    }
    if overview.reports.is_empty() {
        output::line("no reports came in this time")?;
        return Ok(Exit::Done);
    }
    output::table(["report", "from", "day", "total", "failed"], overview.reports.iter().map(report))?;
    if !overview.sources.is_empty() {
        output::line(
            "\nWho sends in the domain's name (messages that DKIM and SPF vouch for, and that neither does):",
        )?;
        let head = ["address", "messages", "DKIM", "SPF", "neither", "put aside", "rejected"];
        output::table(head, overview.sources.iter().map(source))?;
    }
    if !overview.tls_failures.is_empty() {
        output::line("\nWhat was wrong with the TLS of connections to the domain's hosts:")?;
        output::table(["fault", "host", "sessions"], overview.tls_failures.iter().map(failure))?;
    }
    if !overview.failures.is_empty() {
        output::line(
            "\nSingle messages that failed (whether an aligned DKIM signature and SPF vouched for them):",
        )?;
        let head = ["address", "domain", "failed", "DKIM", "SPF", "what became of it", "messages"];
        output::table(head, overview.failures.iter().map(failed))?;
    }
    Ok(Exit::Done)
}

fn failed(messages: &FailedMessages) -> [String; 7] {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    [
        messages.ip.map_or_else(|| "?".to_owned(), |ip| ip.to_string()),
        output::printable(&messages.domain),
        output::printable(&messages.failure),
        yes(messages.dkim),
        yes(messages.spf),
        output::printable(messages.delivery.as_deref().unwrap_or("?")),
        messages.messages.to_string(),
    ]
}

fn report(report: &Summary) -> [String; 5] {
    let kind = match report.kind {
        ReportKind::Dmarc => "DMARC",
        ReportKind::Tls => "TLS",
        ReportKind::Failure => "failure",
    };
    let begin = i64::try_from(report.begin).unwrap_or(0).saturating_mul(1000);
    let day = moment(begin).chars().take(10).collect();
    let organization = output::printable(&report.organization);
    [kind.to_owned(), organization, day, report.total.to_string(), report.failed.to_string()]
}

fn source(source: &Source) -> [String; 7] {
    let numbers =
        [source.messages, source.dkim, source.spf, source.failed, source.quarantined, source.rejected];
    let [messages, dkim, spf, failed, quarantined, rejected] = numbers.map(|number| number.to_string());
    [source.ip.to_string(), messages, dkim, spf, failed, quarantined, rejected]
}

fn failure(failure: &TlsFailure) -> [String; 3] {
    [failure.result.clone(), output::printable(&failure.mx), failure.sessions.to_string()]
}
