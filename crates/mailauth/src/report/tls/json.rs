//! The JSON of a report (RFC 8460 §4.4). What arrives is read with patience: numbers as texts, one text where a list is due,
//! fields that are missing.

use super::{Applied, Detail, Failure, MAX_REASON, PolicyReport, PolicyType, Report, ResultType};
use address::Domain;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Most policies of a report that are read: a domain has one or a few at a time.
pub const MAX_POLICIES: usize = 1000;
/// Most failure details of one policy that are kept.
pub const MAX_DETAILS: usize = 1000;
/// Most lines of one policy, and most MX patterns, that are kept.
pub const MAX_LINES: usize = 100;
/// Longest text that is kept, in octets.
pub const MAX_TEXT: usize = 1024;

/// Why a report is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("it is not the JSON of a report: {0}")]
    Json(String),
    #[error("it has more than {MAX_POLICIES} policies")]
    TooManyPolicies,
    #[error("the policy domain {0:?} is no domain")]
    Domain(String),
}

impl Report {
    /// The report as JSON.
    pub fn to_json(&self) -> String {
        let json = Json {
            organization_name: self.organization.clone(),
            date_range: DateRange { start: date_time(self.begin), end: date_time(self.end) },
            contact_info: self.contact.clone(),
            report_id: self.report_id.clone(),
            policies: self.policies.iter().map(policy_to_json).collect(),
        };
        // Maps of texts and numbers can always be written.
        serde_json::to_string(&json).unwrap_or_default()
    }

    /// Reads a report, unpacked.
    pub fn parse(json: &[u8]) -> Result<Self, ParseError> {
        let json: Json = serde_json::from_slice(json).map_err(|error| ParseError::Json(error.to_string()))?;
        if json.policies.len() > MAX_POLICIES {
            return Err(ParseError::TooManyPolicies);
        }
        Ok(Self {
            organization: short(json.organization_name),
            contact: short(json.contact_info),
            report_id: short(json.report_id),
            begin: seconds(&json.date_range.start),
            end: seconds(&json.date_range.end),
            policies: json.policies.into_iter().map(policy_from_json).collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Json {
    #[serde(default)]
    organization_name: String,
    date_range: DateRange,
    #[serde(default)]
    contact_info: String,
    report_id: String,
    policies: Vec<JsonPolicyReport>,
}

#[derive(Serialize, Deserialize)]
struct DateRange {
    #[serde(rename = "start-datetime")]
    start: String,
    #[serde(rename = "end-datetime")]
    end: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct JsonPolicyReport {
    policy: JsonPolicy,
    summary: Summary,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failure_details: Vec<JsonDetail>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct JsonPolicy {
    policy_type: String,
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    policy_string: Texts,
    policy_domain: String,
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    mx_host: Texts,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    #[serde(default)]
    total_successful_session_count: Count,
    #[serde(default)]
    total_failure_session_count: Count,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct JsonDetail {
    result_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sending_mta_ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receiving_mx_hostname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receiving_mx_helo: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receiving_ip: Option<String>,
    #[serde(default)]
    failed_session_count: Count,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    additional_information: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure_reason_code: Option<String>,
}

/// A list of texts; some write one text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Texts {
    Many(Vec<String>),
    One(String),
    Null(()),
}

/// A number; some write it as a text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u64),
    Text(String),
}

impl Texts {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Many(texts) if texts.is_empty())
    }

    fn into_lines(self) -> Vec<String> {
        let lines = match self {
            Self::Many(lines) => lines,
            Self::One(line) => vec![line],
            Self::Null(()) => Vec::new(),
        };
        lines.into_iter().filter(|line| !line.is_empty()).take(MAX_LINES).map(short).collect()
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Count {
    fn number(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().unwrap_or(0),
        }
    }
}

impl Default for Count {
    fn default() -> Self {
        Self::Number(0)
    }
}

fn policy_to_json(report: &PolicyReport) -> JsonPolicyReport {
    JsonPolicyReport {
        policy: JsonPolicy {
            policy_type: report.applied.kind.as_str().to_owned(),
            policy_string: Texts::Many(report.applied.lines.clone()),
            policy_domain: report.applied.domain.to_string(),
            mx_host: Texts::Many(report.applied.mx_patterns.clone()),
        },
        summary: Summary {
            total_successful_session_count: Count::Number(report.successful),
            total_failure_session_count: Count::Number(report.failed),
        },
        failure_details: report.details.iter().map(detail_to_json).collect(),
    }
}

fn detail_to_json(detail: &Detail) -> JsonDetail {
    let text = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string());
    JsonDetail {
        result_type: detail.failure.kind.as_str().to_owned(),
        sending_mta_ip: text(detail.sending_ip),
        receiving_mx_hostname: detail.mx.clone(),
        receiving_mx_helo: detail.helo.clone(),
        receiving_ip: text(detail.receiving_ip),
        failed_session_count: Count::Number(detail.count),
        additional_information: detail.additional.clone(),
        failure_reason_code: detail.failure.reason.clone().map(|reason| cut(reason, MAX_REASON)),
    }
}

fn policy_from_json(json: JsonPolicyReport) -> Result<PolicyReport, ParseError> {
    let domain = Domain::parse(&json.policy.policy_domain)
        .map_err(|_| ParseError::Domain(short(json.policy.policy_domain)))?;
    Ok(PolicyReport {
        applied: Applied {
            kind: PolicyType::parse(&json.policy.policy_type).unwrap_or(PolicyType::NoPolicyFound),
            domain,
            lines: json.policy.policy_string.into_lines(),
            mx_patterns: json.policy.mx_host.into_lines(),
        },
        successful: json.summary.total_successful_session_count.number(),
        failed: json.summary.total_failure_session_count.number(),
        details: json.failure_details.into_iter().take(MAX_DETAILS).map(detail_from_json).collect(),
    })
}

fn detail_from_json(json: JsonDetail) -> Detail {
    let ip = |text: Option<String>| text.and_then(|text| text.trim_matches(['[', ']']).parse().ok());
    // The list of types grows (RFC 8460 §4.3): one that is not known is a failure by that name.
    let (kind, unknown) = match ResultType::parse(&json.result_type) {
        Some(kind) => (kind, None),
        None => (ResultType::ValidationFailure, Some(json.result_type)),
    };
    Detail {
        failure: Failure {
            kind,
            reason: json.failure_reason_code.or(unknown).map(|reason| cut(reason, MAX_REASON)),
        },
        sending_ip: ip(json.sending_mta_ip),
        receiving_ip: ip(json.receiving_ip),
        mx: json.receiving_mx_hostname.map(short),
        helo: json.receiving_mx_helo.map(short),
        count: json.failed_session_count.number(),
        additional: json.additional_information.map(short),
    }
}

fn short(text: String) -> String {
    cut(text, MAX_TEXT)
}

fn cut(mut text: String, len: usize) -> String {
    text.truncate(text.floor_char_boundary(len));
    text
}

/// RFC 3339 §5.6, in UTC.
fn date_time(seconds: u64) -> String {
    let timestamp = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    timestamp.unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// 0 for what is no time.
fn seconds(text: &str) -> u64 {
    text.trim().parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok()).unwrap_or(0)
}
