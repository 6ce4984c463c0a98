//! MTA-STS (RFC 8461): the record, and the policy that it announces.

use super::Asked;
use super::finding::{FILE, Finding, Publish, Subject, own};
use super::mx::texts;
use transport::{Sts, StsMode, StsPolicy, sts_record_id};

const CHECK: Subject = Subject {
    name: "mta-sts",
    why: "with a policy nobody who interferes with a connection can keep mail for the domain from being encrypted",
};
/// A policy that holds for less, in seconds, protects little: RFC 8461 §3.2 speaks of weeks.
const SHORT: u64 = 24 * 3600;
const WEEK: u64 = 7 * 24 * 3600;

pub(super) async fn check(asked: &Asked<'_>) -> Vec<Finding> {
    let name = format!("_mta-sts.{}", asked.domain);
    let found = match texts(asked, &name).await {
        Ok(found) => found,
        Err(error) => return vec![Finding::unknown(CHECK, &error)],
    };
    let value = "\"v=STSv1; id=1\"";
    let Some(id) = sts_record_id(&found) else {
        let records = found.iter().filter(|text| text.starts_with(b"v=STSv1")).count();
        return vec![match records {
            0 => Finding::warn(
                CHECK,
                "no record: mail to the domain is encrypted only when nobody interferes",
                CHECK.why,
            )
            .publish_own(asked, &name, "TXT", value)
            .publish(
                format!("mta-sts.{}", asked.domain),
                "A",
                "the address of a web server that has the policy",
            ),
            1 => {
                let why = "RFC 8461 §3.1: without an id of letters and digits the record counts for nothing";
                Finding::fail(CHECK, format!("the record at {name} has no id"), why)
                    .publish_own(asked, &name, "TXT", value)
            }
            several => {
                let why = "RFC 8461 §3.1: with several none counts";
                Finding::fail(CHECK, format!("{several} records at {name}"), why)
                    .publish_own(asked, &name, "TXT", value)
            }
        }];
    };
    let mut findings = match asked.transport.sts_policy(asked.domain).await {
        Sts::Policy(found) => policy(asked, &id, &found),
        Sts::Absent => {
            let why = "the policy says mode none: it is being taken back, and protects nothing";
            vec![Finding::warn(CHECK, "a policy of mode none", why)]
        }
        Sts::Unavailable(trouble) => {
            let why =
                "the record says that there is a policy; who cannot fetch it sends as if there were none";
            let text = whole(asked);
            vec![Finding::fail(CHECK, trouble.reason, why).publish(file(asked), FILE, text)]
        }
    };
    findings.extend(outdated(asked, &name, &id));
    findings
}

/// The policy of this server is another than the record announces: its mode was set anew, or this machine has another name.
fn outdated(asked: &Asked<'_>, name: &str, id: &str) -> Option<Finding> {
    let record = own(asked, name, "TXT")?;
    let announced = sts_record_id(&[record.value.trim_matches('"').as_bytes().to_vec()])?;
    let why = "RFC 8461 §3.1: who keeps an earlier policy looks for another only when the id is another";
    (announced != id).then(|| {
        Finding::fail(CHECK, format!("the id {id} is not that of this server's policy, {announced}"), why)
            .publish(name, "TXT", record.value.clone())
    })
}

fn policy(asked: &Asked<'_>, id: &str, policy: &StsPolicy) -> Vec<Finding> {
    let mode = policy.mode.as_str();
    let text = format!("mode {mode}, for {} days, id {id}", policy.max_age / (24 * 3600));
    let mut findings = vec![match policy.mode {
        _ if policy.max_age < SHORT => {
            let why = "whoever interferes needs to do so only until the policy is forgotten; weeks are usual";
            Finding::warn(CHECK, format!("{text}: it holds for {} seconds only", policy.max_age), why)
                .publish(file(asked), FILE, format!("max_age: {WEEK}"))
        }
        StsMode::Enforce => Finding::pass(CHECK, text),
        StsMode::Testing | StsMode::None => {
            let why = "trouble is only reported; when the reports show none, take mode enforce";
            Finding::warn(CHECK, text, why).publish(file(asked), FILE, "mode: enforce")
        }
    }];
    for exchange in asked.exchanges.iter().filter(|exchange| !policy.permits(&exchange.host)) {
        let why = "servers that know MTA-STS bring no mail to a host that the policy does not name";
        let found = format!("{} is no mx of the policy", exchange.host);
        findings.push(
            match policy.mode {
                StsMode::Enforce => Finding::fail(CHECK, found, why),
                StsMode::Testing | StsMode::None => Finding::warn(CHECK, found, why),
            }
            .publish(file(asked), FILE, format!("mx: {}", exchange.host)),
        );
    }
    // RFC 8461 §3.1: who has the old policy sees a new one by its id only. (`domain mta-sts` tells that of a policy of ours.)
    let name = format!("_mta-sts.{}", asked.domain);
    if own(asked, &name, "TXT").is_none()
        && let Some(changed) = findings.iter_mut().rev().find(|finding| !finding.publish.is_empty())
    {
        let record = Publish { name, kind: "TXT".to_owned(), value: format!("\"v=STSv1; id={}\"", next(id)) };
        changed.publish.push(record);
    }
    findings
}

/// Where the policy is (RFC 8461 §3.2).
fn file(asked: &Asked<'_>) -> String {
    format!("https://mta-sts.{}/.well-known/mta-sts.txt", asked.domain)
}

/// A policy to begin with: trouble is only reported.
fn whole(asked: &Asked<'_>) -> String {
    let mut lines = vec!["version: STSv1".to_owned(), "mode: testing".to_owned()];
    lines.extend(asked.exchanges.iter().map(|exchange| format!("mx: {}", exchange.host)));
    lines.push(format!("max_age: {WEEK}"));
    lines.join("\n")
}

/// An id unlike this one: the next number, or where it is none, the shortest that it is not (RFC 8461 §3.1: at most 32
/// letters and digits).
pub(super) fn next(id: &str) -> String {
    id.parse::<u64>().ok().and_then(|number| number.checked_add(1)).unwrap_or(1).to_string()
}
