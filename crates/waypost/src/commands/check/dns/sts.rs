//! The record of MTA-STS (RFC 8461 §3.1).

use super::Asked;
use super::finding::Finding;
use super::mx::texts;

const CHECK: &str = "mta-sts";
/// Longest id (RFC 8461 §3.1).
const MAX_ID: usize = 32;
const WHY: &str = "without it (or DANE) whoever can interfere with a connection can keep mail for the domain from being encrypted";

pub(super) async fn check(asked: &Asked<'_>) -> Vec<Finding> {
    let name = format!("_mta-sts.{}", asked.domain);
    let found = match texts(asked, &name).await {
        Ok(found) => found,
        Err(error) => return vec![Finding::unknown(CHECK, &error)],
    };
    let records: Vec<&Vec<u8>> = found.iter().filter(|text| text.starts_with(b"v=STSv1")).collect();
    let text = match records[..] {
        [] => {
            let found = "no record: mail to the domain is encrypted only when nobody interferes";
            return vec![Finding::warn(CHECK, found, WHY)];
        }
        [text] => String::from_utf8_lossy(text).into_owned(),
        _ => {
            let why = "RFC 8461 §3.1: with several none counts";
            return vec![Finding::fail(CHECK, format!("{} records at {name}", records.len()), why)];
        }
    };
    let Some(id) = id(&text) else {
        let why = "RFC 8461 §3.1: without an id of letters and digits the record counts for nothing";
        return vec![Finding::fail(CHECK, format!("{text}: no id="), why).publish(
            &name,
            "TXT",
            "\"v=STSv1; id=1\"",
        )];
    };
    vec![Finding::pass(CHECK, format!("record with the id {id}")), host(asked).await]
}

/// The policy is fetched from a host of this name.
async fn host(asked: &Asked<'_>) -> Finding {
    let host = format!("mta-sts.{}", asked.domain);
    let found = match asked.dns.address_records(&host, false).await {
        Err(error) if !error.is_temporary() => asked.dns.address_records(&host, true).await,
        other => other,
    };
    match found {
        Ok(_) => Finding::pass(CHECK, format!("https://{host}/.well-known/mta-sts.txt has a host")),
        Err(error) if error.is_temporary() => Finding::unknown(CHECK, &error),
        Err(_) => {
            let why = "RFC 8461 §3.3: the record says that there is a policy, and nobody can fetch it";
            Finding::fail(CHECK, format!("{host} has no address"), why).publish(
                &host,
                "A",
                "the address of its web server",
            )
        }
    }
}

fn id(text: &str) -> Option<&str> {
    let mut fields = text.split(';').map(str::trim);
    if fields.next() != Some("v=STSv1") {
        return None;
    }
    let id = fields.find_map(|field| field.strip_prefix("id="))?.trim();
    let fits = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric());
    fits.then_some(id)
}
