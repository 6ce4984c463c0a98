//! Strangers who write in the name of our own domains.

use super::finding::{Check, Finding, Weight};
use address::Domain;
use mailauth::dkim::{ResultWord as DkimWord, SignatureResult};
use mailauth::dmarc::{Evaluation, OverrideKind};
use mailauth::spf::{ResultWord as SpfWord, SpfResult};

/// The domains of ours that a message claims to be from.
#[derive(Debug)]
pub(super) struct Claims(Vec<Domain>);

impl Claims {
    /// `author` is of the From field, `sender` of the envelope.
    pub(super) fn new(
        author: Option<&Domain>,
        sender: Option<&Domain>,
        is_ours: impl Fn(&Domain) -> bool,
    ) -> Self {
        let mut ours: Vec<Domain> =
            [author, sender].into_iter().flatten().filter(|d| is_ours(d)).cloned().collect();
        ours.dedup();
        Self(ours)
    }

    /// What is thought of them; nothing when there are none.
    pub(super) fn finding(
        &self,
        spf: Option<&SpfResult>,
        dkim: &[SignatureResult],
        dmarc: Option<&Evaluation>,
    ) -> Option<Finding> {
        let sealed = dmarc.is_some_and(|dmarc| {
            dmarc.overrides.iter().any(|one| one.kind == OverrideKind::TrustedForwarder)
        });
        let claim =
            self.0.iter().find(|claim| sealed || !vouches(claim, spf, dkim, DkimWord::Pass, SpfWord::Pass));
        let finding = |weight, word: &str, reason: &str| Finding::new(Check::OwnDomain, weight, word, reason);
        let Some(claim) = claim else {
            let first = self.0.first()?;
            return Some(finding(
                Weight::Fine,
                "pass",
                &format!("{first} is ours, and SPF or DKIM vouch for the message"),
            ));
        };
        if sealed {
            return Some(finding(
                Weight::Fine,
                "pass",
                &format!("{claim} is ours, and a trusted sealer vouches"),
            ));
        }
        let unknown = vouches(claim, spf, dkim, DkimWord::TempError, SpfWord::TempError);
        let (weight, word) = if unknown { (Weight::Unknown, "temperror") } else { (Weight::Bad, "fail") };
        let reason = format!("{claim} is ours, and neither SPF nor DKIM says that the message is from it");
        Some(finding(weight, word, &reason))
    }
}

/// Whether SPF or a signature says so of the domain, or of one below or above it.
fn vouches(
    claim: &Domain,
    spf: Option<&SpfResult>,
    dkim: &[SignatureResult],
    dkim_word: DkimWord,
    spf_word: SpfWord,
) -> bool {
    let same = |domain: &Domain| domain.is_within(claim) || claim.is_within(domain);
    let by_spf = spf.is_some_and(|spf| spf.word == spf_word && spf.domain.as_ref().is_some_and(same));
    by_spf || dkim.iter().any(|one| one.word() == dkim_word && one.domain.as_ref().is_some_and(same))
}
