//! DKIM keys (RFC 6376 §3.6.1). They cannot be listed, so names are tried.

use super::finding::{Finding, Subject, kind_name};
use super::mx::texts;
use super::{Asked, each};
use mailauth::dkim::{KeyRecord, MIN_RSA_BITS, Selector, key_name};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

const CHECK: Subject = Subject {
    name: "dkim",
    why: "with its key in the DNS receivers can tell that a message is the domain's and was not changed",
};
/// RSA keys shorter than this are no longer thought strong (RFC 8301 §3.2 asks signers for it).
const GOOD_RSA_BITS: usize = 2048;
/// Octets of an Ed25519 key (RFC 8463 §4.2).
const ED25519: usize = 32;
/// What large providers and common programs call their keys.
const COMMON: [&str; 24] = [
    "default",
    "dkim",
    "mail",
    "google",
    "selector1",
    "selector2",
    "k1",
    "k2",
    "k3",
    "s1",
    "s2",
    "fm1",
    "fm2",
    "fm3",
    "protonmail",
    "protonmail2",
    "protonmail3",
    "zoho",
    "zmail",
    "sig1",
    "mxvault",
    "smtp",
    "key1",
    "mandrill",
];
const WHY: &str =
    "the domain's mail is then signed with nothing that a receiver can check, and may be refused";

pub(super) async fn check(asked: &Asked<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = asked
        .own
        .iter()
        .filter(|record| kind_name(record.kind) == "TXT" && record.name.contains("._domainkey."));
    for record in own {
        findings.extend(key(asked, &record.name, Some(&record.value), true).await);
    }
    for selector in asked.selectors {
        findings.extend(key(asked, &key_name(selector, asked.domain), None, true).await);
    }
    let guessed = COMMON.iter().filter_map(|name| name.parse::<Selector>().ok());
    let guessed = guessed.filter(|selector| !asked.selectors.contains(selector));
    let names: Vec<String> = guessed.map(|selector| key_name(&selector, asked.domain)).collect();
    findings.extend(each(&names, |name| key(asked, name, None, false)).await.into_iter().flatten());
    if findings.is_empty() && !asked.takes_no_mail {
        let found = "no key under the common names; name yours with --selector (the s= of a DKIM-Signature)";
        findings.push(Finding::warn(
            CHECK,
            found,
            "without DKIM, mail that is forwarded loses its origin, and large receivers refuse bulk mail",
        ));
    }
    findings
}

/// One key; nothing where it was only guessed and is not there. `wanted`: as it should be published.
async fn key(asked: &Asked<'_>, name: &str, wanted: Option<&str>, must_be: bool) -> Option<Finding> {
    let found = match texts(asked, name).await {
        Ok(found) => found,
        Err(error) => return must_be.then(|| Finding::unknown(CHECK, &error)),
    };
    let publish = |finding: Finding| match wanted {
        Some(value) => finding.publish(name, "TXT", value),
        None => finding,
    };
    match &found[..] {
        [] => must_be.then(|| publish(Finding::fail(CHECK, format!("{name}: no key"), WHY))),
        [text] => match KeyRecord::parse(text) {
            // An answer for every name ("wildcard") is no key.
            Err(_) if !must_be => None,
            Err(error) => Some(publish(Finding::fail(CHECK, format!("{name}: {error}"), WHY))),
            Ok(record) => Some(match wanted.is_some_and(|wanted| !says(wanted, text)) {
                true => publish(Finding::fail(
                    CHECK,
                    format!("{name}: not the key that mail is signed with here"),
                    WHY,
                )),
                false => judge(name, &record),
            }),
        },
        _ => {
            let why = "RFC 6376 §3.6.2.2: which of them is meant is not defined";
            must_be.then(|| Finding::fail(CHECK, format!("{name}: {} records", found.len()), why))
        }
    }
}

/// Whether a zone file's text has the same key.
fn says(wanted: &str, published: &[u8]) -> bool {
    let text: String = wanted.split('"').skip(1).step_by(2).collect();
    let key = |text: &[u8]| KeyRecord::parse(text).map(|record| record.key).ok();
    key(text.as_bytes()) == key(published)
}

fn judge(name: &str, record: &KeyRecord) -> Finding {
    if record.key.is_empty() {
        return Finding::pass(CHECK, format!("{name}: revoked"));
    }
    let kind = record.key_type.to_ascii_lowercase();
    let bits = if kind == "rsa" { rsa_bits(&record.key) } else { None };
    match (kind.as_str(), bits) {
        ("rsa", Some(bits)) if bits < MIN_RSA_BITS => {
            let why = "RFC 8301 §3.2: signatures with so short a key do not count";
            Finding::fail(CHECK, format!("{name}: RSA with {bits} bits"), why)
        }
        ("rsa", Some(bits)) if bits < GOOD_RSA_BITS => {
            let why = "RFC 8301 §3.2: 2048 bits are what signers should use; shorter keys can be broken with effort";
            Finding::warn(CHECK, format!("{name}: RSA with {bits} bits"), why)
        }
        ("rsa", None) => Finding::fail(CHECK, format!("{name}: its p= is no RSA key"), WHY),
        ("ed25519", _) if record.key.len() != ED25519 => {
            Finding::fail(CHECK, format!("{name}: its p= is no Ed25519 key"), WHY)
        }
        _ if record.testing => {
            let why = "RFC 6376 §3.6.1: with t=y receivers treat signed mail as if it were not";
            Finding::warn(CHECK, format!("{name}: says that it is being tested (t=y)"), why)
        }
        ("rsa", Some(bits)) => Finding::pass(CHECK, format!("{name}: RSA with {bits} bits")),
        ("ed25519", _) => Finding::pass(CHECK, format!("{name}: Ed25519")),
        (other, _) => {
            Finding::warn(CHECK, format!("{name}: a key of type {other}"), "nobody knows this type")
        }
    }
}

/// A SubjectPublicKeyInfo, as RFC 6376 has it by errata and everybody in practice.
fn rsa_bits(key: &[u8]) -> Option<usize> {
    let (_, info) = SubjectPublicKeyInfo::from_der(key).ok()?;
    match info.parsed().ok()? {
        PublicKey::RSA(rsa) => Some(rsa.key_size()),
        _ => None,
    }
}
