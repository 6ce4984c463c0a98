//! What a message comes to: verdicts, words for the trail, and the field that says it to whoever reads on.

use super::finding::{Check, Finding};
use super::judge::judge;
use super::lists::Listing;
use super::name::ReverseName;
use super::sender::Identity;
use super::settings::{Action, Settings};
use super::visit::is_office;
use crate::Verdict;
use address::Address;
use mailauth::Signed;
use mailauth::arc::ChainStatus;
use mailauth::dmarc::Evaluation;
use mailauth::results::{self, AuthResults, MethodResult, SpfIdentity};
use mailauth::spf::{ResultWord as SpfWord, SpfResult};
use std::net::IpAddr;

/// What was found of one message; reports are made of it.
#[derive(Debug)]
pub struct Facts {
    pub ip: IpAddr,
    pub reverse: ReverseName,
    pub(super) spf: Option<(SpfResult, Identity)>,
    /// Of the name in HELO, where that is something else.
    pub(super) helo_spf: Option<(SpfResult, Identity)>,
    pub signed: Signed,
    /// `None` when From names no single author.
    pub dmarc: Option<Evaluation>,
    pub(super) listings: Vec<Listing>,
}

impl Facts {
    pub fn spf(&self) -> Option<&SpfResult> {
        self.spf.as_ref().map(|(result, _)| result)
    }
}

/// What is done with a message.
#[derive(Debug)]
pub struct Conclusion {
    /// For each recipient.
    pub verdicts: Vec<Verdict>,
    /// Each check and what it found, for the trail.
    pub words: Vec<String>,
    /// `Authentication-Results` with its CRLF.
    pub field: String,
    pub facts: Facts,
}

impl Conclusion {
    pub(super) fn new(
        settings: &Settings,
        findings: Vec<Finding>,
        facts: Facts,
        recipients: &[Address],
    ) -> Self {
        let verdicts =
            recipients.iter().map(|recipient| of_recipient(settings, &findings, recipient)).collect();
        let tells =
            |check| recipients.iter().any(|r| settings.rules_for(r.domain()).of(check) > Action::Nothing);
        let told = findings.iter().filter(|finding| tells(finding.check));
        let words = told.map(|finding| finding.words.clone()).collect();
        let field = field(settings, &facts, tells);
        Self { verdicts: agree(verdicts), words, field, facts }
    }

    /// The refusal, if there is one: it is the same for all recipients.
    pub fn refusal(&self) -> Option<&Verdict> {
        self.verdicts.first().filter(|verdict| !verdict.is_taken())
    }
}

fn of_recipient(settings: &Settings, findings: &[Finding], recipient: &Address) -> Verdict {
    let verdict = judge(findings, settings.rules_for(recipient.domain()));
    match verdict {
        Verdict::Reject { reason, .. } if is_office(recipient) => Verdict::Quarantine { reason },
        Verdict::Defer { .. } if is_office(recipient) => Verdict::Accept,
        other => other,
    }
}

/// SMTP has one reply for all recipients. It refuses when all do, and asks to come back when one must; where only some
/// reject, these have the message put aside: nothing is lost in silence.
fn agree(verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let count = verdicts.len();
    let all_reject = verdicts.iter().all(|verdict| matches!(verdict, Verdict::Reject { .. }));
    if let (true, Some(first)) = (all_reject, verdicts.first()) {
        return vec![first.clone(); count];
    }
    if let Some(later) = verdicts.iter().find(|verdict| matches!(verdict, Verdict::Defer { .. })) {
        return vec![later.clone(); count];
    }
    let put_aside = |verdict| match verdict {
        Verdict::Reject { reason, .. } => Verdict::Quarantine { reason },
        other => other,
    };
    verdicts.into_iter().map(put_aside).collect()
}

/// RFC 8601, with what was asked for only.
fn field(settings: &Settings, facts: &Facts, tells: impl Fn(Check) -> bool) -> String {
    let mut all = AuthResults::new(settings.hostname.as_str());
    let mut add = |check, result: MethodResult| {
        // Whoever seals the message later must say what its chain was (RFC 8617 §5.1): a sound one that nobody vouches for
        // would be sealed as broken.
        if check == Check::Arc || tells(check) {
            all.push(result);
        }
    };
    let (word, reason) = facts.reverse.result(facts.ip);
    let iprev = results::iprev(word, facts.ip);
    add(Check::Iprev, if word == "pass" { iprev } else { iprev.because(reason) });
    if let Some((result, identity)) = &facts.spf {
        add(Check::Spf, spf(result, identity));
    }
    // After the sender's: who reads one alone wants that.
    if let Some((result, identity)) = &facts.helo_spf {
        add(Check::SpfHelo, spf(result, identity));
    }
    for signature in results::dkim(&facts.signed.dkim) {
        add(Check::Dkim, signature);
    }
    if facts.signed.arc.status() != ChainStatus::None {
        add(Check::Arc, results::arc(&facts.signed.arc, Some(facts.ip)));
    }
    if let Some(dmarc) = &facts.dmarc {
        let policy = dmarc.published.as_ref().map(|published| published.applied().as_str());
        let mut result = results::dmarc(dmarc.word.as_str(), dmarc.author.as_str(), policy);
        for (mechanism, aligned) in [("dkim", dmarc.dkim), ("spf", dmarc.spf)] {
            if aligned.is_some() {
                result = result.aligned_by(mechanism);
            }
        }
        let overridden = !dmarc.overrides.is_empty();
        add(Check::Dmarc, if overridden { result.because(&*dmarc.reason) } else { result });
    }
    for listing in facts.listings.iter().filter(|listing| listing.points < 0) {
        add(Check::List, dnswl(listing));
    }
    all.to_field()
}

fn spf(result: &SpfResult, identity: &Identity) -> MethodResult {
    let word = result.word.as_str();
    let method = match identity {
        Identity::MailFrom(address) => results::spf(word, SpfIdentity::MailFrom(&address.to_string())),
        Identity::Helo(name) => results::spf(word, SpfIdentity::Helo(name)),
    };
    if matches!(result.word, SpfWord::Pass | SpfWord::None) {
        method
    } else {
        method.because(&*result.reason)
    }
}

/// RFC 8904.
fn dnswl(listing: &Listing) -> MethodResult {
    let answers: Vec<String> = listing.answers.iter().map(ToString::to_string).collect();
    let method = MethodResult::new("dnswl", "pass").with("dns", "zone", listing.zone.as_str()).with(
        "policy",
        "ip",
        answers.join(","),
    );
    let method = method.with("dns", "sec", "na");
    match &listing.text {
        Some(text) => method.with("policy", "txt", &**text),
        None => method,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp::reply::Reply;

    fn verdict(kind: &str) -> Verdict {
        match kind {
            "accept" => Verdict::Accept,
            "aside" => Verdict::quarantine("odd"),
            "later" => Verdict::refuse(Reply::new(451, (4, 4, 3), "later"), "dns"),
            _ => Verdict::refuse(Reply::new(550, (5, 7, 1), "no"), "forged"),
        }
    }

    /// Of each recipient, and what becomes of it.
    fn check(verdicts: &[&str], expected: &[&str]) {
        let found = agree(verdicts.iter().map(|kind| verdict(kind)).collect());
        let shown: Vec<&str> = found
            .iter()
            .map(|verdict| match verdict {
                Verdict::Accept => "accept",
                Verdict::Quarantine { .. } => "aside",
                Verdict::Defer { .. } => "later",
                Verdict::Reject { .. } => "no",
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn one_reply_holds_for_all() {
        check(&["no", "no"], &["no", "no"]);
        check(&["no", "accept"], &["aside", "accept"]);
        check(&["no", "aside"], &["aside", "aside"]);
        check(&["no", "later"], &["later", "later"]);
        check(&["accept", "later"], &["later", "later"]);
        check(&["accept", "accept"], &["accept", "accept"]);
        check(&[], &[]);
    }
}
