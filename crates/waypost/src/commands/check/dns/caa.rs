//! CAA (RFC 8659): who may issue certificates for the hosts of mail.

use super::finding::{Finding, Subject, or_none};
use super::{Asked, each};
use address::Domain;
use dns::{Caa, DnsError};

const CHECK: Subject = Subject {
    name: "caa",
    why: "CAA says who may issue certificates for the host; others, asked by mistake or malice, then refuse",
};

pub(super) async fn check(asked: &Asked<'_>) -> Vec<Finding> {
    let mut names: Vec<&Domain> = asked.exchanges.iter().map(|exchange| &exchange.host).collect();
    names.push(asked.domain);
    names.dedup();
    each(names, |name| host(asked, name)).await
}

async fn host(asked: &Asked<'_>, name: &Domain) -> Finding {
    match relevant(asked, name).await {
        Ok((at, records)) => judge(name, &at, &records),
        Err(error) => Finding::unknown(CHECK, &error),
    }
}

/// The records of the name, or of the closest name above that has any (RFC 8659 §3), and which that is.
async fn relevant(asked: &Asked<'_>, name: &Domain) -> Result<(String, Vec<Caa>), DnsError> {
    let mut at = name.as_str();
    loop {
        let records = or_none(asked.dns.caa(at).await)?;
        match at.split_once('.') {
            // A top-level domain has none.
            Some((_, above)) if records.is_empty() && above.contains('.') => at = above,
            _ => return Ok((at.to_owned(), records)),
        }
    }
}

fn judge(name: &Domain, at: &str, records: &[Caa]) -> Finding {
    let issuers: Vec<&str> =
        records.iter().filter(|record| record.tag == "issue").map(|record| record.value.trim()).collect();
    let unknown = |record: &&Caa| {
        record.critical
            && !["issue", "issuewild", "iodef", "issuemail", "issuevmc"].contains(&record.tag.as_str())
    };
    if let Some(record) = records.iter().find(unknown) {
        let why = "RFC 8659 §4.1: an authority that does not know a critical property must not issue";
        return Finding::fail(CHECK, format!("{at}: the critical property {:?}", record.tag), why);
    }
    match &issuers[..] {
        [] => {
            let why =
                "any authority may issue certificates for it; naming yours makes a mistaken one less likely";
            Finding::warn(CHECK, format!("{name}: no CAA record that names an authority"), why).publish(
                name,
                "CAA",
                "0 issue \"letsencrypt.org\"",
            )
        }
        issuers
            if issuers
                .iter()
                .all(|issuer| issuer.split(';').next().is_none_or(|name| name.trim().is_empty())) =>
        {
            let why = "nobody may issue a certificate for it, so the next renewal will fail";
            Finding::warn(CHECK, format!("{name}: {at} forbids every authority"), why).publish(
                name,
                "CAA",
                "0 issue \"letsencrypt.org\"",
            )
        }
        issuers => Finding::pass(CHECK, format!("{name}: {}", issuers.join(", "))),
    }
}
