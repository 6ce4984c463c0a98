//! DMARC records and From fields as peers write them.

use mailauth::dmarc::{Record, author_domain};

pub fn run(data: &[u8]) {
    let _ = author_domain(data);
    let Some(record) = Record::parse(data) else { return };
    assert!(data.len() >= "v=DMARC1".len());
    // What is told is told shortly, whatever the record has.
    assert!(record.problems.iter().all(|problem| problem.len() < 1000), "{:?}", record.problems);
    assert!(record.rua.len().max(record.ruf.len()) <= mailauth::dmarc::MAX_URIS);
}
