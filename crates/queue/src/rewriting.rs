//! When what goes on needs another From: DMARC would fail at the next host.

use mailauth::results::AuthResults;

/// Whether the next host would find that nothing vouches for the author, whose domain wants such mail put aside or refused
/// (RFC 9989 §5.3). `found` is what was found when the message came.
///
/// SPF names the hosts of the author and never ours. A signature that vouched for the author here does so there, as the
/// message itself stays as it is. (A message that failed here already has been let in by the administrator's rules, or
/// because a trusted sealer vouched for it.)
pub(crate) fn is_needed(found: &AuthResults) -> bool {
    let Some(dmarc) = found.of("dmarc").next() else { return false };
    let asks = matches!(dmarc.property("policy", "dmarc"), Some("quarantine" | "reject"));
    let fails = match dmarc.result.as_str() {
        "pass" => dmarc.is_aligned_by("spf") && !dmarc.is_aligned_by("dkim"),
        "fail" => true,
        _ => false,
    };
    asks && fails
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(results: &str, expected: bool) {
        let found = AuthResults::parse(&format!("mx.example.org; {results}")).unwrap();
        assert_eq!(is_needed(&found), expected, "{results}");
    }

    #[test]
    fn only_what_would_fail_at_the_next_host_needs_it() {
        for (policy, needed) in [("reject", true), ("quarantine", true), ("none", false)] {
            let dmarc = format!("header.from=far.example policy.dmarc={policy}");
            check(&format!("dmarc=pass {dmarc} policy.aligned=spf"), needed);
            check(&format!("dmarc=fail {dmarc}"), needed);
            check(&format!("dmarc=pass {dmarc} policy.aligned=dkim"), false);
            check(&format!("dmarc=pass {dmarc} policy.aligned=dkim policy.aligned=spf"), false);
            check(&format!("dmarc=temperror {dmarc}"), false);
            // Nobody noted what vouched: no message is changed on a guess.
            check(&format!("dmarc=pass {dmarc}"), false);
        }
        check("dmarc=none header.from=far.example", false);
        check("dmarc=pass header.from=far.example policy.aligned=spf", false);
        check("spf=pass smtp.mailfrom=far.example", false);
        check("none", false);
    }
}
