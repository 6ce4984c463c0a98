//! SMTP TLS Reporting (RFC 8460): what whoever delivers to a domain met on the way to its hosts.
//!
//! [`Session`] is the fact of one connection, which whoever makes connections records. [`Report`] is a day of them,
//! counted; [`destinations`] says where a domain wants it: by mail ([`Report::build`]) or posted to a web server
//! ([`Report::content`]).

mod json;
mod request;
mod session;

#[cfg(test)]
mod tests;

pub use json::{MAX_DETAILS, MAX_LINES, MAX_POLICIES, MAX_TEXT, ParseError};
pub use request::{Destination, HttpsUri, destinations, query_name};
pub use session::{Applied, Failure, MAX_REASON, PolicyType, ResultType, Session};

use super::{Naming, gzip};
use address::{Address, Domain};
use message::{Attach, NewField, Notice, NoticePart};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Of a report that is compressed (RFC 8460 §6.5).
pub const MEDIA_TYPE: &str = "application/tlsrpt+gzip";

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Who reports.
    pub organization: String,
    /// Whom to ask about it.
    pub contact: String,
    pub report_id: String,
    /// The time it covers, in seconds since 1970.
    pub begin: u64,
    pub end: u64,
    pub policies: Vec<PolicyReport>,
}

/// What came of the sessions under one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyReport {
    pub applied: Applied,
    /// Sessions as the policy asks for.
    pub successful: u64,
    /// Those that were not.
    pub failed: u64,
    pub details: Vec<Detail>,
}

/// Failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Detail {
    pub failure: Failure,
    pub sending_ip: Option<IpAddr>,
    pub receiving_ip: Option<IpAddr>,
    pub mx: Option<String>,
    pub helo: Option<String>,
    pub count: u64,
    /// A URI that says more.
    pub additional: Option<String>,
}

impl Report {
    /// What the report is as a file of [`MEDIA_TYPE`], by mail or HTTPS (RFC 8460 §5.2).
    pub fn content(&self) -> Vec<u8> {
        gzip(self.to_json().as_bytes())
    }

    /// The mail that carries the report to `to` (RFC 8460 §5.3). It must be signed with DKIM, and be sent whatever TLS its
    /// way has (§3).
    pub fn build(
        &self,
        naming: &Naming<'_>,
        from: &Address,
        to: &Address,
        now: &jiff::Zoned,
        random: [u8; 16],
    ) -> Vec<u8> {
        let sum =
            |count: fn(&PolicyReport) -> u64| self.policies.iter().map(count).fold(0, u64::saturating_add);
        let text = format!(
            "This is a TLS report of {} about the mail servers of {}:\n\
             {} sessions had the TLS that was to be had, {} had not.\n\n\
             The attached file is for programs (RFC 8460). Reports come to this address\n\
             because the TXT record {} names it.\n",
            naming.submitter,
            naming.domain,
            sum(|policy| policy.successful),
            sum(|policy| policy.failed),
            query_name(naming.domain),
        );
        let notice = Notice {
            from: from.clone().into(),
            to,
            subject: naming.subject(),
            fields: vec![
                NewField::new("TLS-Report-Domain", naming.domain.as_str()),
                NewField::new("TLS-Report-Submitter", naming.submitter.as_str()),
                // What is told of must not keep the telling from arriving (RFC 8460 §3; RFC 8689 §2 has the field).
                NewField::new("TLS-Required", "No"),
            ],
            report_type: Some("tlsrpt"),
            text,
            parts: vec![NoticePart::File(Attach {
                name: naming.file_name("json.gz"),
                media_type: MEDIA_TYPE.to_owned(),
                content: self.content(),
            })],
        };
        notice.build(now, random, naming.submitter)
    }
}

impl PolicyReport {
    /// Of no session yet.
    pub fn new(applied: Applied) -> Self {
        Self { applied, successful: 0, failed: 0, details: Vec::new() }
    }

    /// The host's domain, as tables show it.
    pub fn domain(&self) -> &Domain {
        &self.applied.domain
    }
}
