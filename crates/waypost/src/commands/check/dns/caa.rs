//! CAA (RFC 8659): who may issue certificates for the hosts of mail.

use super::finding::{Finding, Subject, or_none};
use super::tlsa::Issued;
use super::{Asked, each};
use address::Domain;
use dns::{Caa, DnsError};

const CHECK: Subject = Subject {
    name: "caa",
    why: "CAA says who may issue certificates for the host; others, asked by mistake or malice, then refuse",
};

/// What stands in a record where nothing is known of the authority.
const PLACEHOLDER: &str = "your-authority.example";
/// Authorities by the organization that their certificates name, and the name that they look for in CAA records.
const AUTHORITIES: [(&str, &str); 12] = [
    ("Let's Encrypt", "letsencrypt.org"),
    ("Google Trust Services", "pki.goog"),
    ("ZeroSSL", "sectigo.com"),
    ("Sectigo", "sectigo.com"),
    ("DigiCert", "digicert.com"),
    ("GlobalSign", "globalsign.com"),
    ("Amazon", "amazon.com"),
    ("GoDaddy", "godaddy.com"),
    ("SSL Corp", "ssl.com"),
    ("Buypass", "buypass.com"),
    ("Actalis", "actalis.it"),
    ("Hellenic Academic", "harica.gr"),
];

pub(super) async fn check(asked: &Asked<'_>, issued: &[Issued]) -> Vec<Finding> {
    let mut names: Vec<&Domain> = asked.exchanges.iter().map(|exchange| &exchange.host).collect();
    names.push(asked.domain);
    names.dedup();
    each(names, |name| host(asked, name, issued)).await
}

async fn host(asked: &Asked<'_>, name: &Domain, issued: &[Issued]) -> Finding {
    match relevant(asked, name).await {
        Ok((at, records)) => judge(name, &at, &records, issued),
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

fn judge(name: &Domain, at: &str, records: &[Caa], issued: &[Issued]) -> Finding {
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
            let found = format!("{name}: no CAA record that names an authority");
            publish(Finding::warn(CHECK, found, why), name, issued)
        }
        issuers
            if issuers
                .iter()
                .all(|issuer| issuer.split(';').next().is_none_or(|name| name.trim().is_empty())) =>
        {
            let why = "nobody may issue a certificate for it, so the next renewal will fail";
            let found = format!("{name}: {at} forbids every authority");
            publish(Finding::warn(CHECK, found, why), name, issued)
        }
        issuers => Finding::pass(CHECK, format!("{name}: {}", issuers.join(", "))),
    }
}

/// The authority of the certificate that the host shows, or that of another host of the domain.
fn publish(finding: Finding, name: &Domain, issued: &[Issued]) -> Finding {
    let by =
        issued.iter().find(|issued| issued.host == *name).or_else(|| issued.first()).map(|issued| &issued.by);
    let authority = |by: &String| {
        AUTHORITIES.iter().find(|(organization, _)| by.starts_with(organization)).map(|(_, known)| *known)
    };
    match (by.and_then(authority), by) {
        (Some(known), _) => finding.publish(name, "CAA", format!("0 issue \"{known}\"")),
        (None, by) => {
            let who = by.map(|by| format!(" ({by} issued the one that is shown)")).unwrap_or_default();
            let hint = format!(
                "in the place of {PLACEHOLDER} goes the name that your certificates' authority gives for CAA{who}"
            );
            finding.publish(name, "CAA", format!("0 issue \"{PLACEHOLDER}\"")).hint(hint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_to_name_is_the_one_that_issued() {
        let name = Domain::parse("mx.example.org").unwrap();
        let check = |issued: &[(&str, &str)], expected: &str, hint: &str| {
            let issued: Vec<Issued> = issued
                .iter()
                .map(|(host, by)| Issued { host: host.parse().unwrap(), by: (*by).to_owned() })
                .collect();
            let finding = judge(&name, "mx.example.org", &[], &issued);
            assert_eq!(finding.publish[0].value, format!("0 issue \"{expected}\""), "{issued:?}");
            assert!(finding.hints.concat().contains(hint) && finding.hints.is_empty() == hint.is_empty());
        };
        check(&[("mx.example.org", "Let's Encrypt")], "letsencrypt.org", "");
        let two = [("other.example.org", "Let's Encrypt"), ("mx.example.org", "DigiCert Inc")];
        check(&two, "digicert.com", "");
        check(&two[..1], "letsencrypt.org", "");
        check(&[("mx.example.org", "House CA")], PLACEHOLDER, "House CA issued");
        check(&[], PLACEHOLDER, "the name that your certificates' authority gives");
    }
}
