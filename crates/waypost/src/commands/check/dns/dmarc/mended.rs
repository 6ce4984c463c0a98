//! The record that a domain should have, made of those it has.

use address::Domain;
use mailauth::dmarc::{Policy, Record};
use mailauth::zone_text;

/// Tags of RFC 9989 §4.7 that stay as they are; `t` goes, as do those of RFC 7489 and those that nobody knows.
const KEPT: [&str; 6] = ["adkim", "aspf", "psd", "ruf", "fo", "rua"];
/// Tags that say a policy.
const POLICIES: [&str; 3] = ["p", "sp", "np"];

/// The strictest of the records at `_dmarc.DOMAIN`, as a zone file has it: with a policy that keeps forged mail out, not as
/// a test, with an address for reports.
pub(super) fn record(texts: &[Vec<u8>], domain: &Domain) -> String {
    let policy = |text: &&Vec<u8>| Record::parse(text).map(|record| record.p.unwrap_or(Policy::None));
    let strictest = texts.iter().filter(|text| policy(text).is_some()).max_by_key(policy);
    let text = strictest.map(|text| String::from_utf8_lossy(text)).unwrap_or_default();
    let mut tags: Vec<(String, String)> = vec![("v".to_owned(), "DMARC1".to_owned())];
    let mut add = |name: &str, value: &str| {
        if !tags.iter().any(|(other, _)| other == name) {
            tags.push((name.to_owned(), value.to_owned()));
        }
    };
    let said: Vec<(String, &str)> = text
        .split(';')
        .filter_map(|tag| tag.split_once('='))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    for (name, value) in said.iter().filter(|(name, _)| POLICIES.contains(&name.as_str())) {
        add(name, if value.eq_ignore_ascii_case("reject") { "reject" } else { "quarantine" });
    }
    add("p", "quarantine");
    for (name, value) in said.iter().filter(|(name, _)| KEPT.contains(&name.as_str())) {
        add(name, value);
    }
    add("rua", &format!("mailto:postmaster@{domain}"));
    let tags: Vec<String> = tags.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    zone_text(&tags.join("; "))
}
