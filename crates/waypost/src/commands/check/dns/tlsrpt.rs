//! The record by which a domain asks for TLS reports (RFC 8460 §3).

use super::Asked;
use super::finding::{Finding, Subject};
use super::mx::texts;
use dns::Names;
use mailauth::report::tls;

const CHECK: Subject =
    Subject { name: "tls-rpt", why: "other servers tell of trouble with TLS, MTA-STS and DANE once a day" };

pub(super) async fn check(asked: &Asked<'_>) -> Vec<Finding> {
    let name = tls::query_name(asked.domain);
    let found = match texts(asked, &name).await {
        Ok(found) => found,
        Err(error) => return vec![Finding::unknown(CHECK, &error)],
    };
    let records: Vec<String> = found
        .iter()
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .filter(|text| text.starts_with("v=TLSRPTv1"))
        .collect();
    let value = format!("\"v=TLSRPTv1; rua=mailto:postmaster@{}\"", asked.domain);
    let finding = match &records[..] {
        [] => {
            let why = "other servers would tell you of trouble with TLS, MTA-STS and DANE once a day";
            Finding::warn(CHECK, "no record: nobody reports trouble with TLS", why)
                .publish_own(asked, &name, "TXT", value)
        }
        [record] => {
            let places = tls::destinations(&Names(asked.dns), asked.domain).await.unwrap_or_default();
            match places.is_empty() {
                true => {
                    let why = "RFC 8460 §3: rua= must have mailto: or https: addresses";
                    Finding::fail(CHECK, format!("{record}: no address that can be read"), why)
                        .publish_own(asked, &name, "TXT", value)
                }
                false => Finding::pass(CHECK, record.clone()),
            }
        }
        _ => Finding::fail(
            CHECK,
            format!("{} records at {name}", records.len()),
            "RFC 8460 §3: with several none counts",
        )
        .publish_own(asked, &name, "TXT", value),
    };
    vec![finding]
}
