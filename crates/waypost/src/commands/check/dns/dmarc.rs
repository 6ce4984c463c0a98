//! DMARC (RFC 9989) and the addresses for its reports (RFC 9990 §4).

mod mended;

use super::Asked;
use super::finding::{Finding, Status, Subject, own};
use super::mx::texts;
use address::{Address, Domain};
use dns::Names;
use mailauth::dmarc::{Policy, Record, ReportTag, destinations, walk};

const CHECK: Subject = Subject {
    name: "dmarc",
    why: "DMARC says what to do with mail that is forged in the domain's name; large receivers want it of whoever sends much",
};

/// Who begins with more puts aside what others send in the domain's name and did not sign.
const FIRST_STEPS: &str = "p=none only has reports sent, to the address in rua=; when they show for some weeks that all that you and \
     others send in the domain's name passes, publish p=quarantine, and then p=reject";

pub(super) async fn check(asked: &Asked<'_>) -> Vec<Finding> {
    let name = format!("_dmarc.{}", asked.domain);
    match texts(asked, &name).await {
        Err(error) => return vec![Finding::unknown(CHECK, &error)],
        Ok(found) => {
            let records = found.iter().filter(|text| Record::parse(text).is_some()).count();
            if records > 1 {
                let why = "RFC 9989 §4.10: with several none counts; one may stay";
                let finding = Finding::fail(CHECK, format!("{records} DMARC records at {name}"), why);
                return vec![finding.publish(&name, "TXT", mended::record(&found, asked.domain))];
            }
        }
    }
    let names = Names(asked.dns);
    let walked = walk(&names, asked.domain).await;
    match walked.policy() {
        Err(error) => vec![Finding {
            is_temporary: true,
            ..Finding::fail(CHECK, format!("{name}: {error}"), "receivers cannot learn it either")
        }],
        Ok(None) => {
            // Only of our own domains we know that what they send is signed.
            let value = format!("\"v=DMARC1; p=none; rua=mailto:postmaster@{}\"", asked.domain);
            let finding = Finding::fail(CHECK, "no DMARC record", CHECK.why);
            let finding = finding.publish_own(asked, &name, "TXT", value);
            match own(asked, &name, "TXT") {
                Some(_) => vec![finding],
                None => vec![finding.hint(FIRST_STEPS)],
            }
        }
        Ok(Some((domain, record))) => {
            // A record may be one of the domain above.
            let at = format!("_dmarc.{domain}");
            let better = mended::record(&texts(asked, &at).await.unwrap_or_default(), domain);
            let publish = |finding: Finding| match finding.status {
                Status::Pass => finding,
                Status::Warn | Status::Fail => finding.publish(&at, "TXT", better.clone()),
            };
            let mut findings = vec![publish(policy(asked, domain.as_str(), record))];
            for problem in &record.problems {
                let why =
                    "receivers pass over what they cannot read, and the record may mean less than it says";
                findings.push(publish(Finding::warn(CHECK, problem.clone(), why)));
            }
            for tag in [ReportTag::Rua, ReportTag::Ruf] {
                for destination in destinations(&names, domain, record, tag).await {
                    findings.extend(
                        destination.verdict.err().map(|why| outside(domain, &destination.address, &why)),
                    );
                }
            }
            findings
        }
    }
}

/// An address whose domain does not say that it wants the reports.
fn outside(domain: &Domain, address: &Address, reason: &str) -> Finding {
    let host = address.domain().map(ToString::to_string).unwrap_or_default();
    let why = "RFC 9990 §4: reports go to another domain only when that says that it wants them";
    Finding::fail(CHECK, format!("reports to {address}: {reason}"), why).publish(
        format!("{domain}._report._dmarc.{host}"),
        "TXT",
        "\"v=DMARC1\"",
    )
}

fn policy(asked: &Asked<'_>, domain: &str, record: &Record) -> Finding {
    let own = domain == asked.domain.as_str();
    let inherited = !own;
    let policy = if inherited { record.sp.or(record.p) } else { record.p }.unwrap_or(Policy::None);
    let mut found = format!("p={}", policy.as_str());
    if inherited {
        found.push_str(&format!(", from {domain}"));
    }
    if record.testing {
        let why = "with t=y receivers do one step less than the policy says";
        return Finding::warn(CHECK, format!("{found}, testing (t=y)"), why);
    }
    match policy {
        Policy::None => {
            let why = "mail forged in the domain's name is delivered; when the reports show that your own passes, ask for quarantine or reject";
            Finding::warn(CHECK, found, why)
        }
        _ if record.rua.is_empty() => {
            let why = "without reports (rua=) you do not learn which of your own mail fails";
            Finding::warn(CHECK, format!("{found}, without an address for reports"), why)
        }
        _ => Finding::pass(CHECK, found),
    }
}
