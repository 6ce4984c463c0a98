//! TLS reports: what is read is bounded; it can be written, and is then read as the same.

use mailauth::report::tls::{MAX_DETAILS, MAX_LINES, MAX_POLICIES, MAX_REASON, MAX_TEXT, Report};

pub fn run(data: &[u8]) {
    let Ok(report) = Report::parse(data) else { return };
    bounded(&report);
    assert_eq!(Report::parse(report.to_json().as_bytes()), Ok(report));
}

/// However long the report is, a table can show what is kept of it.
pub(super) fn bounded(report: &Report) {
    let short = |text: &String| assert!(text.len() <= MAX_TEXT, "{text:?}");
    [&report.organization, &report.contact, &report.report_id].into_iter().for_each(short);
    assert!(report.policies.len() <= MAX_POLICIES);
    for policy in &report.policies {
        for lines in [&policy.applied.lines, &policy.applied.mx_patterns] {
            assert!(lines.len() <= MAX_LINES && lines.iter().all(|line| !line.is_empty()), "{lines:?}");
            lines.iter().for_each(short);
        }
        assert!(policy.details.len() <= MAX_DETAILS);
        for detail in &policy.details {
            [&detail.mx, &detail.helo, &detail.additional].into_iter().flatten().for_each(short);
            assert!(detail.failure.reason.iter().all(|reason| reason.len() <= MAX_REASON), "{detail:?}");
        }
    }
}
