//! TLS reports: what is read can be written, and is then read as the same.

use mailauth::report::tls::Report;

pub fn run(data: &[u8]) {
    if let Ok(report) = Report::parse(data) {
        let again = Report::parse(report.to_json().as_bytes());
        assert_eq!(again.map(|again| again.policies.len()), Ok(report.policies.len()));
    }
}
