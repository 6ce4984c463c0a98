//! A message: its signatures while it comes in, and at its end all that was found, as verdicts and in words.

use super::answers::Answers;
use super::conclusion::{Conclusion, Facts};
use super::finding::{Check, Finding, Weight};
use super::name::ReverseName;
use super::pending::Pending;
use super::sender;
use super::settings::Settings;
use super::visit::{Visit, WAIT};
use super::{lists, own, sealed};
use address::{Address, Domain};
use mailauth::dkim::{ResultWord as DkimWord, SignatureResult};
use mailauth::dmarc::{self, AuthorError, Evaluation, Identifier, Outcome, Policy, Word};
use mailauth::spf::{ResultWord as SpfWord, SpfResult};
use mailauth::{LookupError, Signatures, Signed, Txt};
use message::links::Links;
use std::sync::Arc;

/// The checks of one message, which take its body as it comes; memory does not grow with it.
#[derive(Debug)]
pub struct MessageChecks {
    signatures: Signatures,
    /// The answers for the names of keys.
    keys: Vec<(String, Pending<Txt>)>,
    author: Result<Domain, AuthorError>,
    /// The walk to the author's policy goes ahead, so that its answers are there at the end.
    walk: Pending<()>,
    answers: Arc<Answers>,
    links: Option<Links>,
}

impl MessageChecks {
    pub(super) fn new(visit: &Visit, header: &[u8], now: u64) -> Self {
        let signatures = Signatures::new(header, now);
        let arrival = &visit.arrival;
        let ask = |name: String| {
            let (dns, asked) = (Arc::clone(&arrival.dns), name.clone());
            let answer =
                Pending::begin(WAIT, async move { mailauth::Dns::txt(&dns::Names(&*dns), &asked).await });
            (name, answer)
        };
        let keys = signatures.key_names().into_iter().map(ask).collect();
        let author = dmarc::author_domain(header);
        let answers = Arc::new(Answers::new(Arc::clone(&arrival.dns)));
        let walk = match author.clone() {
            Ok(author) => {
                let answers = Arc::clone(&answers);
                Pending::begin(WAIT, async move {
                    dmarc::walk(&*answers, &author).await;
                })
            }
            Err(_) => Pending::known(()),
        };
        let reads = visit.settings.lists.iter().any(|list| list.kind == lists::Kind::Domains);
        let mut links = reads.then(Links::new);
        if let Some(links) = &mut links {
            links.feed(header);
        }
        Self { signatures, keys, author, walk, answers, links }
    }

    /// Takes the next octets of the body.
    pub fn update(&mut self, octets: &[u8]) {
        self.signatures.update(octets);
        if let Some(links) = &mut self.links {
            links.feed(octets);
        }
    }

    /// What follows, for each recipient. `is_ours` knows the domains that are served here.
    pub async fn finish(
        mut self,
        visit: &mut Visit,
        reverse: &ReverseName,
        recipients: &[Address],
        is_ours: impl Fn(&Domain) -> bool,
    ) -> Conclusion {
        let settings = Arc::clone(&visit.settings);
        let spf = visit.spf().await;
        let envelope_domain = match &spf {
            Some((_, sender::Identity::MailFrom(address))) => address.domain().cloned(),
            _ => None,
        };
        let author = self.author.as_ref().ok();
        let own = own::Claims::new(author, envelope_domain.as_ref(), is_ours);
        let mut findings = visit.findings(reverse).await;
        self.walk.get().await;
        let answers = Arc::clone(&self.answers);
        let (signed, author, links) = self.close().await;
        let spf_result = spf.as_ref().map(|(result, _)| result);
        let mut dmarc = match &author {
            Ok(author) => Some(evaluate(&answers, author, spf_result, &signed.dkim).await),
            Err(_) => None,
        };
        if let Some(evaluation) = &mut dmarc {
            sealed::override_by_seals(evaluation, &signed.arc, &settings.trusted_sealers);
        }
        findings.push(dkim_finding(&signed.dkim));
        findings.extend(arc_finding(&signed));
        findings.push(dmarc_finding(&author, dmarc.as_ref()));
        findings.extend(own.finding(spf_result, &signed.dkim, dmarc.as_ref()));
        findings.extend(linked(visit, links, author.ok()).await.iter().map(lists::Listing::finding));
        let listings = visit.all_listings().await;
        let (reverse, helo_spf) = (reverse.clone(), visit.helo_spf().await);
        let facts = Facts { ip: visit.ip, reverse, spf, helo_spf, signed, dmarc, listings };
        Conclusion::new(&settings, findings, facts, recipients)
    }

    /// Waits for the keys.
    async fn close(mut self) -> (Signed, Result<Domain, AuthorError>, Vec<Domain>) {
        let mut answers: Vec<(&str, Txt)> = Vec::with_capacity(self.keys.len());
        for (name, answer) in &mut self.keys {
            answers.push((name, answer.get().await.cloned().unwrap_or(Err(LookupError::Failed))));
        }
        let signed = self.signatures.finish(|name| {
            let found = answers.iter().find(|(known, _)| *known == name);
            found.map_or(Err(LookupError::Failed), |(_, answer)| answer.clone())
        });
        (signed, self.author, self.links.map(Links::finish).unwrap_or_default())
    }
}

async fn evaluate(
    answers: &Answers,
    author: &Domain,
    spf: Option<&SpfResult>,
    dkim: &[SignatureResult],
) -> Evaluation {
    let spf = spf.and_then(|result| {
        let outcome = match result.word {
            SpfWord::Pass => Outcome::Pass,
            SpfWord::TempError => Outcome::TempError,
            _ => Outcome::Fail,
        };
        result.domain.as_ref().map(|domain| Identifier { domain, outcome })
    });
    let identifier = |signature: &SignatureResult| {
        let outcome = match signature.word() {
            DkimWord::Pass => Outcome::Pass,
            DkimWord::TempError => Outcome::TempError,
            _ => Outcome::Fail,
        };
        (signature.domain.clone(), outcome)
    };
    let signatures: Vec<_> = dkim.iter().map(identifier).collect();
    let identifiers = signatures.iter().filter_map(|(domain, outcome)| {
        domain.as_ref().map(|domain| Identifier { domain, outcome: *outcome })
    });
    let identifiers: Vec<_> = identifiers.collect();
    dmarc::evaluate(answers, author, spf, &identifiers).await
}

/// The entries of the author's domain and of those that the text leads to.
async fn linked(visit: &Visit, mut domains: Vec<Domain>, author: Option<Domain>) -> Vec<lists::Listing> {
    domains.splice(..0, author);
    let Settings { lists, .. } = &*visit.settings;
    lists::of_domains(&visit.arrival.dns, lists, &visit.arrival.health, &domains).await
}

/// One good signature is enough (RFC 6376 §6.1); a domain that is testing is not held to its signature.
fn dkim_finding(signatures: &[SignatureResult]) -> Finding {
    let told = |signature: &SignatureResult| {
        let domain = signature.domain.as_ref().map_or("an unreadable domain", Domain::as_str);
        match &signature.outcome {
            Ok(()) => format!("signed by {domain}"),
            Err(failure) => format!("the signature of {domain} is {}: {failure}", signature.word()),
        }
    };
    let reason = signatures.iter().map(told).collect::<Vec<_>>().join("; ");
    let has = |word| signatures.iter().any(|signature| signature.word() == word);
    let (weight, word) = match signatures.first() {
        None => (Weight::Fine, "none"),
        Some(_) if has(DkimWord::Pass) => (Weight::Fine, "pass"),
        Some(_) if has(DkimWord::TempError) => (Weight::Unknown, "temperror"),
        Some(first) if signatures.iter().all(|signature| signature.testing) => {
            (Weight::Fine, first.word().as_str())
        }
        Some(first) => (Weight::Bad, first.word().as_str()),
    };
    Finding::new(Check::Dkim, weight, word, &reason)
}

fn arc_finding(signed: &Signed) -> Option<Finding> {
    let status = signed.arc.status();
    let reason = signed.arc.reason();
    // A chain that does not hold says as much as none (RFC 8617 §5.2).
    (!signed.arc.sets.is_empty() || status != mailauth::arc::ChainStatus::None)
        .then(|| Finding::new(Check::Arc, Weight::Fine, status.as_str(), &reason))
}

fn dmarc_finding(author: &Result<Domain, AuthorError>, evaluation: Option<&Evaluation>) -> Finding {
    let finding = |weight, word: &str, reason: &str| Finding::new(Check::Dmarc, weight, word, reason);
    if let Some(evaluation) = evaluation {
        let weight = match (evaluation.word, evaluation.disposition) {
            (Word::TempError, _) => Weight::Unknown,
            (Word::Fail, Policy::Reject) => Weight::Bad,
            (Word::Fail, Policy::Quarantine) => Weight::AtMostQuarantine,
            _ => Weight::Fine,
        };
        return finding(weight, evaluation.word.as_str(), &evaluation.reason);
    }
    let Err(error) = author else { return finding(Weight::Fine, "none", "") };
    let weight = match error.disposition() {
        Policy::Reject => Weight::Bad,
        Policy::Quarantine => Weight::AtMostQuarantine,
        Policy::None => Weight::Fine,
    };
    finding(weight, error.word().as_str(), &error.to_string())
}
