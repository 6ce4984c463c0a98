//! Aggregate reports: what became of a day's messages that say to come from a domain (RFC 9990).

mod parse;
mod tree;
mod words;
mod write;

#[cfg(test)]
mod tests;

pub use parse::{MAX_REASONS, MAX_RECORDS, MAX_SIGNATURES, ParseError};
pub use tree::MAX_TEXT;
pub use words::{Disposition, Verdict};

use crate::dmarc::{Mode, Override, Policy};
use crate::report::{Naming, gzip};
use address::{Address, Domain};
use message::{Attach, Notice, NoticePart};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The namespace of a report (RFC 9990 §3.1.1).
pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:dmarc-2.0";

/// A report. Texts of others are kept to [`MAX_TEXT`] octets each.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// Who reports.
    pub organization: String,
    /// Whom to ask about it.
    pub email: String,
    pub extra_contact: Option<String>,
    /// Unique among the reports to one domain.
    pub report_id: String,
    /// The time it covers, in seconds since 1970.
    pub begin: u64,
    pub end: u64,
    /// What was wrong with the record.
    pub errors: Vec<String>,
    /// The program that wrote it.
    pub generator: Option<String>,
    pub published: PolicyPublished,
    pub records: Vec<Record>,
}

/// The policy as the reporter found it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyPublished {
    pub domain: Domain,
    pub p: Policy,
    pub sp: Option<Policy>,
    pub np: Option<Policy>,
    pub adkim: Mode,
    pub aspf: Mode,
    pub fo: Option<String>,
    pub testing: bool,
    /// Found by a tree walk; otherwise by a list of public suffixes, or it is not said.
    pub tree_walk: bool,
}

/// Messages of one source with one result, and how many they were.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    pub source_ip: IpAddr,
    pub count: u64,
    pub disposition: Disposition,
    /// Whether a signature of an aligned domain was good.
    pub dkim_aligned: bool,
    /// Whether SPF passed for an aligned domain.
    pub spf_aligned: bool,
    pub reasons: Vec<Override>,
    pub header_from: String,
    /// The domain of MAIL FROM; empty for the null one.
    pub envelope_from: Option<String>,
    /// The domain of the recipient.
    pub envelope_to: Option<String>,
    pub dkim: Vec<DkimResult>,
    pub spf: Option<SpfResult>,
}

/// What came of one signature.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DkimResult {
    pub domain: String,
    pub selector: String,
    pub verdict: Verdict,
    pub human_result: Option<String>,
}

/// What came of SPF.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SpfResult {
    pub domain: String,
    pub verdict: Verdict,
    pub human_result: Option<String>,
}

impl Aggregate {
    /// The mail that carries the report to `to`, from the address in `email` (RFC 9990 §3.5.2).
    pub fn build(
        &self,
        naming: &Naming<'_>,
        from: &Address,
        to: &Address,
        now: &jiff::Zoned,
        random: [u8; 16],
    ) -> Vec<u8> {
        let messages: u64 = self.records.iter().map(|record| record.count).fold(0, u64::saturating_add);
        let text = format!(
            "This is a DMARC aggregate report of {} about {}: {messages} messages that\n\
             were received in the day that it covers, counted by where they came from.\n\n\
             The attached file is for programs (RFC 9990). Reports come to this address\n\
             because the DMARC record of {} names it in its tag rua.\n",
            naming.submitter, naming.domain, naming.domain
        );
        let notice = Notice {
            from: from.clone().into(),
            to,
            subject: naming.subject(),
            fields: Vec::new(),
            report_type: None,
            text,
            parts: vec![NoticePart::File(Attach {
                name: naming.file_name("xml.gz"),
                media_type: "application/gzip".to_owned(),
                content: gzip(self.to_xml().as_bytes()),
            })],
        };
        notice.build(now, random, naming.submitter)
    }
}
