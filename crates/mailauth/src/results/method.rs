//! The results of the methods that we know, with the properties that their registry names (RFC 8601 §2.7, §6.4).

use super::MethodResult;
use crate::arc::{ArcResult, Outcome};
use crate::dkim::{Failure, SignatureResult};
use std::net::IpAddr;

/// What SPF looked at: the domain of MAIL FROM, or the name of HELO (RFC 7208 §2.3, §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpfIdentity<'a> {
    /// An address, or its domain alone where the local part is not to be shown.
    MailFrom(&'a str),
    Helo(&'a str),
}

/// `spf=` with a result word of RFC 7208 §2.6 and what was looked at (RFC 8601 §2.7.2).
pub fn spf(result: &str, identity: SpfIdentity<'_>) -> MethodResult {
    let method = MethodResult::new("spf", result);
    match identity {
        SpfIdentity::MailFrom(address) => method.with("smtp", "mailfrom", address),
        SpfIdentity::Helo(name) => method.with("smtp", "helo", name),
    }
}

/// `dkim=` for each signature, or `dkim=none` (RFC 8601 §2.7.1; `header.b` is RFC 6008's).
///
/// A domain that is only testing (`t=y`) gets the word all the same, and the note in the reason
/// (RFC 6376 §3.6.1).
pub fn dkim(signatures: &[SignatureResult]) -> Vec<MethodResult> {
    if signatures.is_empty() {
        return vec![MethodResult::new("dkim", "none")];
    }
    signatures.iter().map(dkim_signature).collect()
}

fn dkim_signature(signature: &SignatureResult) -> MethodResult {
    let mut method = MethodResult::new("dkim", signature.word().as_str());
    method.reason = dkim_reason(signature);
    let algorithm = match (&signature.algorithm, &signature.outcome) {
        (Some(algorithm), _) => Some(algorithm.as_str()),
        (None, Err(Failure::RsaSha1)) => Some("rsa-sha1"),
        (None, _) => None,
    };
    let properties = [
        ("d", signature.domain.as_ref().map(|domain| domain.as_str())),
        ("i", signature.identity.as_deref()),
        ("s", signature.selector.as_deref()),
        ("a", algorithm),
        ("b", signature.signature_start.as_deref()),
    ];
    for (name, value) in properties {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            method = method.with("header", name, value);
        }
    }
    method
}

fn dkim_reason(signature: &SignatureResult) -> Option<String> {
    let mut notes = Vec::new();
    if let Err(failure) = &signature.outcome {
        notes.push(failure.to_string());
    } else if signature.unsigned_octets > 0 {
        notes.push(format!("the last {} octets of the body are not signed (l=)", signature.unsigned_octets));
    }
    if signature.testing {
        notes.push("the domain is testing DKIM (t=y)".to_owned());
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// `dmarc=` with a result word of RFC 9989, the domain of From, and the policy that applies, options minded (RFC 9989 §9.1).
pub fn dmarc(result: &str, from_domain: &str, policy: Option<&str>) -> MethodResult {
    let method = MethodResult::new("dmarc", result).with("header", "from", from_domain);
    match policy {
        Some(policy) => method.with("policy", "dmarc", policy),
        None => method,
    }
}

/// `arc=` with `header.oldest-pass`, and `smtp.remote-ip` where the client is known (RFC 8617 §6).
pub fn arc(result: &ArcResult, remote_ip: Option<IpAddr>) -> MethodResult {
    let mut method = MethodResult::new("arc", result.status().as_str());
    match &result.outcome {
        Outcome::None => {}
        Outcome::Pass { oldest_pass } => {
            method = method.with("header", "oldest-pass", oldest_pass.to_string());
        }
        Outcome::Fail(failure) => method.reason = Some(failure.to_string()),
    }
    match remote_ip {
        Some(ip) => method.with("smtp", "remote-ip", ip.to_canonical().to_string()),
        None => method,
    }
}

/// `iprev=` (RFC 8601 §3): whether the client's address has a name that has the address.
pub fn iprev(result: &str, ip: IpAddr) -> MethodResult {
    MethodResult::new("iprev", result).with("policy", "iprev", ip.to_canonical().to_string())
}

/// `auth=pass` of a client that logged in as `user` (RFC 8601 §2.7.4).
pub fn auth(user: &str) -> MethodResult {
    MethodResult::new("auth", "pass").with("smtp", "auth", user)
}
