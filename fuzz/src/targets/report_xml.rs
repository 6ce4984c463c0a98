//! DMARC reports, packed or not, and failure reports: what is read is bounded; it can be written, and is then read as the same.

use mailauth::report::aggregate::{Aggregate, MAX_REASONS, MAX_RECORDS, MAX_SIGNATURES, MAX_TEXT};
use mailauth::report::failure::{FailureReport, MAX_VALUE};
use mailauth::report::{Incoming, MAX_UNPACKED, read, unpack};

pub fn run(data: &[u8]) {
    match read(data) {
        Some(Ok(Incoming::Aggregate(report))) => aggregate(&report),
        Some(Ok(Incoming::Failure(report))) => failure(&report),
        Some(Ok(Incoming::Tls(report))) => super::report_json::bounded(&report),
        Some(Err(_)) | None => {}
    }
    if let Some(report) = FailureReport::parse(data) {
        failure(&report);
    }
    let Ok(xml) = unpack(data) else { return };
    assert!(xml.len() <= MAX_UNPACKED);
    if let Ok(report) = Aggregate::parse(&xml) {
        aggregate(&report);
    }
}

fn aggregate(report: &Aggregate) {
    bounded(report);
    let again =
        Aggregate::parse(report.to_xml().as_bytes()).unwrap_or_else(|error| panic!("{error}: {report:?}"));
    // The schema has one element for all errors, which may have to be cut.
    assert_eq!(Aggregate { errors: report.errors.clone(), ..again.clone() }, *report);
    assert!(again.errors.len() <= 1, "{:?}", again.errors);
    assert_eq!(Aggregate::parse(again.to_xml().as_bytes()), Ok(again));
}

/// However long the report is, a table can show what is kept of it, and no terminal is told anything by it.
fn bounded(report: &Aggregate) {
    let shown = |text: &String| {
        let told = |c: char| c.is_control() && !matches!(c, '\t' | '\n');
        assert!(text.len() <= MAX_TEXT && !text.contains(told), "{text:?}");
    };
    [&report.organization, &report.email, &report.report_id].into_iter().for_each(shown);
    [&report.extra_contact, &report.generator, &report.published.fo].into_iter().flatten().for_each(shown);
    assert!(report.errors.len() <= MAX_REASONS && report.records.len() <= MAX_RECORDS);
    report.errors.iter().for_each(shown);
    for record in &report.records {
        assert!(record.count > 0);
        assert!(record.reasons.len() <= MAX_REASONS && record.dkim.len() <= MAX_SIGNATURES);
        shown(&record.header_from);
        [&record.envelope_from, &record.envelope_to].into_iter().flatten().for_each(shown);
        record.reasons.iter().for_each(|reason| shown(&reason.comment));
        for result in &record.dkim {
            [&result.domain, &result.selector].into_iter().chain(&result.human_result).for_each(shown);
        }
        if let Some(result) = &record.spf {
            [&result.domain].into_iter().chain(&result.human_result).for_each(shown);
        }
    }
}

fn failure(report: &FailureReport) {
    let texts = [
        &report.user_agent,
        &report.authentication_results,
        &report.delivery_result,
        &report.dkim_domain,
        &report.dkim_identity,
        &report.dkim_selector,
        &report.spf_dns,
        &report.original_envelope_id,
        &report.original_mail_from,
        &report.arrival_date,
        &report.reported_domain,
    ];
    let texts = || texts.into_iter().flatten().chain([&report.auth_failure]);
    for text in texts() {
        assert!(!text.is_empty() && text.len() <= MAX_VALUE, "{text:?}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\t'), "{text:?}");
    }
    let written = report.to_fields();
    assert!(written.is_ascii() && written.split_inclusive("\r\n").all(one_line), "{written:?}");
    // Of a long value, and of one that is not ASCII, only a part is written; and what looks like an encoded word is read as one.
    let plain = |text: &String| {
        text.len() < 900 && text.bytes().all(|octet| (b' '..=b'~').contains(&octet)) && !text.contains("=?")
    };
    if texts().all(plain) {
        assert_eq!(FailureReport::parse(written.as_bytes()).as_ref(), Some(report), "{written:?}");
    }
}

/// What ends with the line's end has no other in it, and is not longer than mail can carry.
fn one_line(line: &str) -> bool {
    let content = line.strip_suffix("\r\n");
    content.is_some_and(|content| content.len() <= 998 && !content.contains(['\r', '\n']))
}
