//! Trusted sealers: what they found counts, though the message was changed since (RFC 8617 §7.2.1).

use address::Domain;
use mailauth::arc::ArcResult;
use mailauth::dmarc::{Evaluation, Override, OverrideKind, Policy, Word};
use mailauth::results::AuthResults;

/// Lets a message pass that fails DMARC, if its chain holds and, in a set above which all sealers are trusted, DMARC
/// passed for the same author. Sealers below that set need not be trusted: those above saw the message as they left it.
pub(super) fn override_by_seals(evaluation: &mut Evaluation, chain: &ArcResult, trusted: &[Domain]) {
    if evaluation.word != Word::Fail || !chain.passed() {
        return;
    }
    let newest_first = chain.sets.iter().rev().take_while(|set| trusted.contains(&set.sealer));
    for set in newest_first {
        let Ok((_, results)) = AuthResults::parse_arc(&set.results) else { continue };
        let passed = results.of("dmarc").any(|one| {
            let author = one.property("header", "from").and_then(|text| Domain::parse(text).ok());
            one.result == "pass" && author.as_ref() == Some(&evaluation.author)
        });
        if passed {
            let comment =
                format!("arc=pass; {} (as[{}]) is trusted and found dmarc=pass", set.sealer, set.instance);
            let reason = Override { kind: OverrideKind::TrustedForwarder, comment };
            evaluation.override_disposition(Policy::None, reason);
            return;
        }
    }
}
