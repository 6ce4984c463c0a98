//! From what was found to what is done.

use super::finding::{Check, Finding, Weight};
use super::settings::{Action, Rules, Thresholds};
use crate::Verdict;
use smtp::reply::Reply;

/// The verdict of the rules on these findings: rejecting before deferring before quarantine. What could not be
/// learnt defers only where it could have had consequences.
pub(super) fn judge(findings: &[Finding], rules: &Rules) -> Verdict {
    let verdict =
        findings.iter().map(|finding| of_one(finding, rules)).fold(Verdict::Accept, Verdict::or_graver);
    several(findings, rules).unwrap_or(verdict).or_graver(of_lists(findings, rules.thresholds))
}

fn of_one(finding: &Finding, rules: &Rules) -> Verdict {
    let action = match (&finding.weight, rules.of(finding.check)) {
        (Weight::Fine | Weight::Points(_), _) => return Verdict::Accept,
        (Weight::AtMostQuarantine, action) => action.min(Action::Quarantine),
        (Weight::Bad | Weight::Unknown, action) => action,
    };
    match action {
        Action::Nothing | Action::Mark => Verdict::Accept,
        Action::Quarantine | Action::Reject if finding.weight == Weight::Unknown => {
            Verdict::refuse(finding.deferral(), &*finding.words)
        }
        Action::Quarantine => Verdict::quarantine(&*finding.words),
        Action::Reject => Verdict::refuse(finding.rejection(&finding.words), &*finding.words),
    }
}

/// More than one of the checks of who vouches for a message reject it: RFC 7372 §3.4 has a code of its own.
fn several(findings: &[Finding], rules: &Rules) -> Option<Verdict> {
    let vouching = |check| matches!(check, Check::Spf | Check::Dkim | Check::Dmarc | Check::Arc);
    let rejecting = findings.iter().filter(|finding| {
        vouching(finding.check) && finding.weight == Weight::Bad && rules.of(finding.check) == Action::Reject
    });
    let words: Vec<&str> = rejecting.map(|finding| finding.words.as_str()).collect();
    (words.len() > 1).then(|| {
        let words = words.join("; ");
        Verdict::refuse(Reply::new(550, (5, 7, 26), &words), words)
    })
}

fn of_lists(findings: &[Finding], thresholds: Thresholds) -> Verdict {
    let (mut sum, mut words) = (0_i32, Vec::new());
    for finding in findings {
        if let Weight::Points(points) = finding.weight {
            sum = sum.saturating_add(points);
            words.push(finding.words.as_str());
        }
    }
    let words = words.join("; ");
    let reason = |limit| format!("{sum} points of lists, {limit} are too many: {words}");
    if sum >= thresholds.reject {
        let reason = reason(thresholds.reject);
        return Verdict::refuse(Reply::new(550, (5, 7, 1), &reason), reason);
    }
    if sum >= thresholds.quarantine {
        Verdict::quarantine(reason(thresholds.quarantine))
    } else {
        Verdict::Accept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice::from_ref;

    fn found(check: Check, weight: Weight) -> Finding {
        Finding::new(check, weight, "word", "why")
    }

    fn check(findings: &[Finding], rules: &Rules, expected: &str) {
        let shown = match judge(findings, rules) {
            Verdict::Accept => "accept".to_owned(),
            Verdict::Quarantine { reason } => format!("quarantine {reason}"),
            Verdict::Defer { reply, .. } | Verdict::Reject { reply, .. } => {
                reply.to_string().trim().to_owned()
            }
        };
        assert_eq!(shown, expected, "{findings:?}");
    }

    #[test]
    fn each_check_has_its_code() {
        let all = |action| Rules {
            iprev: action,
            helo: action,
            helo_sends: action,
            sender_domain: action,
            spf: action,
            dkim: action,
            dmarc: action,
            own_domain: action,
            ..Rules::default()
        };
        for (kind, no, later) in [
            (Check::Iprev, "550 5.7.25 iprev=word: why", "451 4.7.25 iprev"),
            (Check::Helo, "550 5.7.1 helo=word: why", "451 4.4.3 helo"),
            (Check::HeloSends, "550 5.7.23 helo-sends=word: why", "451 4.7.24 helo-sends"),
            (Check::SenderDomain, "550 5.1.8 sender-domain=word: why", "451 4.4.3 sender-domain"),
            (Check::Spf, "550 5.7.23 spf=word: why", "451 4.7.24 spf"),
            (Check::Dkim, "550 5.7.20 dkim=word: why", "451 4.7.5 dkim"),
            (Check::Dmarc, "550 5.7.1 dmarc=word: why", "451 4.4.3 dmarc"),
            (Check::OwnDomain, "550 5.7.1 own-domain=word: why", "451 4.4.3 own-domain"),
        ] {
            let (bad, unknown) = (found(kind, Weight::Bad), found(kind, Weight::Unknown));
            let later = format!("{later} cannot be checked now, try again later");
            check(from_ref(&bad), &all(Action::Reject), no);
            check(from_ref(&unknown), &all(Action::Reject), &later);
            check(from_ref(&unknown), &all(Action::Quarantine), &later);
            check(from_ref(&bad), &all(Action::Quarantine), &format!("quarantine {}", bad.words));
            check(from_ref(&bad), &all(Action::Mark), "accept");
            check(from_ref(&unknown), &all(Action::Mark), "accept");
            check(&[found(kind, Weight::Fine)], &all(Action::Reject), "accept");
            check(&[unknown, bad], &all(Action::Reject), no);
        }
        let both = [found(Check::Spf, Weight::Bad), found(Check::Dkim, Weight::Bad)];
        check(&both, &all(Action::Reject), "550 5.7.26 spf=word: why; dkim=word: why");
        check(&both, &Rules { spf: Action::Mark, ..all(Action::Reject) }, "550 5.7.20 dkim=word: why");
    }

    #[test]
    fn with_the_defaults_only_what_a_domain_says_of_itself_has_consequences() {
        let rules = Rules::default();
        for kind in
            [Check::Iprev, Check::Helo, Check::SenderDomain, Check::Spf, Check::Dkim, Check::OwnDomain]
        {
            check(&[found(kind, Weight::Bad), found(kind, Weight::Unknown)], &rules, "accept");
        }
        check(&[found(Check::Dmarc, Weight::Bad)], &rules, "550 5.7.1 dmarc=word: why");
        check(&[found(Check::Dmarc, Weight::AtMostQuarantine)], &rules, "quarantine dmarc=word: why");
        check(&[found(Check::HeloSends, Weight::Bad)], &rules, "550 5.7.23 helo-sends=word: why");
    }

    #[test]
    fn points_of_lists_are_added_up() {
        let listed = |points: &[i32]| -> Vec<Finding> {
            points.iter().map(|points| found(Check::List, Weight::Points(*points))).collect()
        };
        let rules = Rules::default();
        let strict = Rules { thresholds: Thresholds { quarantine: 1, reject: 4 }, ..Rules::default() };
        check(&listed(&[1]), &strict, "quarantine 1 points of lists, 1 are too many: list=word: why");
        check(&listed(&[4]), &strict, "550 5.7.1 4 points of lists, 4 are too many: list=word: why");
        check(&listed(&[4]), &rules, "accept");
        check(&listed(&[5, 4, -5]), &rules, "accept");
        check(&listed(&[5]), &rules, "quarantine 5 points of lists, 5 are too many: list=word: why");
        check(
            &listed(&[6, 4]),
            &rules,
            "550 5.7.1 10 points of lists, 10 are too many: list=word: why; list=word: why",
        );
        check(
            &listed(&[i32::MAX, i32::MAX, -3]),
            &rules,
            "550 5.7.1 2147483644 points of lists, 10 are too many: list=word: why; list=word: why; list=word: why",
        );
    }
}
