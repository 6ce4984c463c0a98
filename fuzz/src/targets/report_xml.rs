//! DMARC reports, packed or not, and failure reports: what is read can be written, and is then read as the same.

use mailauth::report::aggregate::Aggregate;
use mailauth::report::failure::FailureReport;
use mailauth::report::{read, unpack};

pub fn run(data: &[u8]) {
    let _ = read(data);
    let _ = FailureReport::parse(data);
    let Ok(xml) = unpack(data) else { return };
    if let Ok(report) = Aggregate::parse(&xml) {
        let again = Aggregate::parse(report.to_xml().as_bytes());
        assert_eq!(again.map(|again| again.records.len()), Ok(report.records.len()));
    }
}
