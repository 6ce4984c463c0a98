//! Chains, sealed and broken.

use super::*;
use crate::dkim::{self, BodyHasher, Signer, SigningKey};
use crate::results::{AuthResults, SpfIdentity, spf};
use crate::{LookupError, Signatures, Txt};
use std::sync::LazyLock;

const NOW: u64 = 1_700_000_000;
const HEADER: &str =
    "From: Joe <joe@example.org>\r\nTo: list@example.net\r\nSubject: Is dinner\r\n ready?\r\n";
const BODY: &str = "Hi.\r\n\r\nWe lost the  game. \r\n";

static RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_rsa().unwrap());
static ED25519: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_ed25519().unwrap());

/// The key of selector `rsa` or `ed25519`, at any domain.
fn keys(name: &str) -> Txt {
    match name.split('.').next() {
        Some("rsa") => Ok(vec![RSA.dns_record().into_bytes()]),
        Some("ed25519") => Ok(vec![ED25519.dns_record().into_bytes()]),
        _ => Err(LookupError::NoName),
    }
}

fn sealer(domain: &str, selector: &str) -> Sealer {
    let key = if selector == "rsa" { &RSA } else { &ED25519 };
    Sealer::new(domain.parse().unwrap(), selector.parse().unwrap(), (*key).clone())
}

fn verify_with(header: &str, body: &str, answer: impl FnMut(&str) -> Txt) -> ArcResult {
    let mut verifier = Verifier::new(header.as_bytes(), NOW);
    verifier.update(body.as_bytes());
    verifier.finish(answer)
}

fn verify(header: &str, body: &str) -> ArcResult {
    verify_with(header, body, keys)
}

/// The header with another set in front, after it was checked.
fn seal(sealer: &Sealer, header: &str, body: &str) -> String {
    let status = verify(header, body).status();
    seal_as(sealer, header, body, status)
}

fn seal_as(sealer: &Sealer, header: &str, body: &str, status: ChainStatus) -> String {
    let mut hasher = BodyHasher::new(sealer.body_form());
    hasher.update(body.as_bytes());
    let mut results = AuthResults::new("mx.example.net");
    results.push(spf("pass", SpfIdentity::MailFrom("joe@example.org")));
    let set = sealer.seal(header.as_bytes(), &hasher.finish(), status, &results, NOW).unwrap();
    String::from_utf8(set.unwrap_or_default()).unwrap() + header
}

/// A message with so many sets, sealed in turn by both kinds of key.
fn chain(sets: usize) -> String {
    (0..sets).fold(HEADER.to_owned(), |header, at| {
        let selector = ["rsa", "ed25519"][at % 2];
        seal(&sealer(&format!("hop{}.example", at + 1), selector), &header, BODY)
    })
}

const fn pass(oldest_pass: u32) -> Outcome {
    Outcome::Pass { oldest_pass }
}

#[test]
fn a_message_without_sets_has_no_chain() {
    let result = verify_with(HEADER, BODY, |_| unreachable!());
    assert_eq!(result, ArcResult { outcome: Outcome::None, sets: vec![] });
    assert_eq!(result.status(), ChainStatus::None);
}

#[test]
fn what_is_sealed_verifies() {
    let header = chain(3);
    let result = verify(&header, BODY);
    assert_eq!(result.outcome, pass(0));
    assert_eq!(
        result.sealers().map(|d| d.as_str()).collect::<Vec<_>>(),
        ["hop1.example", "hop2.example", "hop3.example"]
    );
    let (instance, results) = AuthResults::parse_arc(&result.sets[0].results).unwrap();
    assert_eq!((instance, results.of("spf").count()), (1, 1));
    let names = Verifier::new(header.as_bytes(), NOW).key_names();
    let hops = [(1, "rsa"), (2, "ed25519"), (3, "rsa")];
    assert_eq!(names, hops.map(|(n, s)| format!("{s}._domainkey.hop{n}.example")));
    assert!(header.starts_with("ARC-Seal: i=3; a=rsa-sha256; cv=pass; d=hop3.example;"), "{header}");
    assert!(header.contains("ARC-Seal: i=1; a=rsa-sha256; cv=none; d=hop1.example;"));
}

#[test]
fn a_chain_has_at_most_fifty_sets() {
    let sealers = [sealer("a.example", "ed25519"), sealer("b.example", "ed25519")];
    let full = (0..MAX_SETS as usize)
        .fold(HEADER.to_owned(), |header, at| seal_as(&sealers[at % 2], &header, BODY, ChainStatus::Pass));
    assert_eq!(verify(&full, BODY).outcome, pass(0));
    assert_eq!(seal_as(&sealers[0], &full, BODY, ChainStatus::Pass), full, "no set 51");
    let more = format!("{}{full}", full.split("ARC-Message").next().unwrap());
    assert_eq!(verify(&more, BODY).outcome, Outcome::Fail(Failure::TooManySets(51)));
    let beyond = full.replace("i=50;", "i=51;");
    assert_eq!(verify(&beyond, BODY).outcome, Outcome::Fail(Failure::Instance { field: FieldKind::Results }));
}

/// RFC 8617 §5.2, step 5: from where on the message is as it was.
#[test]
fn the_oldest_signature_that_passes() {
    let listed = |header: &str| header.replace("Subject: Is", "Subject: [list] Is");
    let early = listed(&chain(1));
    assert!(matches!(
        verify(&early, BODY).outcome,
        Outcome::Fail(Failure::MessageSignature { instance: 1, .. })
    ));
    let sealed = seal_as(&sealer("list.example", "rsa"), &early, BODY, ChainStatus::Pass);
    assert_eq!(verify(&sealed, BODY).outcome, pass(2));
    let sealed = seal(&sealer("hop3.example", "ed25519"), &sealed, BODY);
    assert_eq!(verify(&sealed, BODY).outcome, pass(2));
    // The body is changed, then sealed again.
    let sealed = seal_as(&sealer("hop4.example", "rsa"), &sealed, "Bye.\r\n", ChainStatus::Pass);
    assert_eq!(verify(&sealed, "Bye.\r\n").outcome, pass(4));
}

/// RFC 8617 §5.2, step 3, with one change each to a chain of two.
#[test]
fn structure() {
    let sound = chain(2);
    let check = |from: &str, to: &str, expected: Failure| {
        let changed = sound.replacen(from, to, 1);
        assert_ne!(changed, sound, "{from:?}");
        assert_eq!(
            verify_with(&changed, BODY, |_| unreachable!()).outcome,
            Outcome::Fail(expected),
            "{from:?} -> {to:?}"
        );
    };
    use FieldKind::{MessageSignature, Results, Seal};
    let missing = |instance, field| Failure::Missing { instance, field };
    check("ARC-Seal: i=2", "X-Seal: i=2", missing(2, Seal));
    check("ARC-Message-Signature: i=1", "X: i=1", missing(1, MessageSignature));
    check("ARC-Authentication-Results: i=2", "X: i=2", missing(2, Results));
    check("ARC-Seal: i=2", "ARC-Seal: i=3", missing(2, Seal));
    check("ARC-Seal: i=2", "ARC-Seal: i=1", Failure::Repeated { instance: 1, field: Seal });
    check("ARC-Seal: i=2", "ARC-Seal: i=0", Failure::Instance { field: Seal });
    check("ARC-Seal: i=2", "ARC-Seal: i=two", Failure::Instance { field: Seal });
    check("ARC-Seal: i=2;", "ARC-Seal:", Failure::Instance { field: Seal });
    check("Results: i=2;", "Results:", Failure::Instance { field: Results });
    check("cv=pass", "cv=fail", Failure::FailedBefore(2));
    check(
        "cv=none",
        "cv=fail",
        Failure::Status { instance: 1, found: ChainStatus::Fail, needed: ChainStatus::None },
    );
    check(
        "cv=pass",
        "cv=none",
        Failure::Status { instance: 2, found: ChainStatus::None, needed: ChainStatus::Pass },
    );
    check(
        "cv=none",
        "cv=pass",
        Failure::Status { instance: 1, found: ChainStatus::Pass, needed: ChainStatus::None },
    );
    check("cv=pass", "cv=yes", Failure::NoStatus(2));
    check("cv=pass;", "", Failure::NoStatus(2));
    check("cv=pass;", "cv=pass; h=from;", Failure::SealNamesFields(2));
    check("d=hop2.example;", "", Failure::Seal { instance: 2, failure: dkim::Failure::MissingTag("d") });
    let failure = dkim::Failure::RsaSha1;
    check(
        "ARC-Seal: i=2; a=ed25519-sha256",
        "ARC-Seal: i=2; a=rsa-sha1",
        Failure::Seal { instance: 2, failure },
    );
    check("h=From", "h=ARC-Seal:From", Failure::SignsArc { instance: 2, field: Seal });
    let failure = dkim::Failure::ExpiresBeforeSigned { signed: NOW, expires: NOW - 1 };
    let expired = format!("Signature: i=2; x={};", NOW - 1);
    check("Signature: i=2;", &expired, Failure::MessageSignature { instance: 2, failure });
}

#[test]
fn changes_are_found() {
    let sound = chain(3);
    let seal = |instance| Outcome::Fail(Failure::Seal { instance, failure: dkim::Failure::Signature });
    let message = |failure| Outcome::Fail(Failure::MessageSignature { instance: 3, failure });
    let check = |from: &str, to: &str, expected: Outcome| {
        let changed = sound.replacen(from, to, 1);
        assert_ne!(changed, sound, "{from:?}");
        assert_eq!(verify(&changed, BODY).outcome, expected, "{from:?} -> {to:?}");
    };
    check("Subject: Is", "Subject: What is", message(dkim::Failure::Signature));
    check("Subject: Is dinner", "SUBJECT :  Is \r\n dinner", pass(0));
    // Each set's results are under its own seal and all later ones; the newest seal is the first to be checked.
    check("i=3; mx.example.net;\r\n\tspf=pass", "i=3; mx.example.net;\r\n\tspf=fail", seal(3));
    check("i=1; mx.example.net;\r\n\tspf=pass", "i=1; mx.example.net;\r\n\tspf=fail", seal(3));
    assert_eq!(verify(&sound, "Hi.\r\n").outcome, message(dkim::Failure::BodyHash));
}

/// A set may not be taken out, nor put into another chain.
#[test]
fn seals_hold_their_sets_together() {
    let sound = chain(2);
    let other = chain(1);
    let second = &sound[..sound.find("ARC-Seal: i=1").unwrap()];
    let grafted = format!("{second}{other}");
    let again = sealer("hop1.example", "ed25519");
    let forged = format!("{second}{}", seal_as(&again, HEADER, BODY, ChainStatus::None));
    assert_eq!(verify(&grafted, BODY).outcome, pass(0), "RSA signatures are the same each time");
    let failure = dkim::Failure::Signature;
    assert_eq!(verify(&forged, BODY).outcome, Outcome::Fail(Failure::Seal { instance: 2, failure }));
}

/// RFC 8617 §5.2.1: what the DNS does not say is a failure like any other.
#[test]
fn keys_that_are_not_there() {
    let header = chain(2);
    let name = "rsa._domainkey.hop1.example";
    let without = |error| {
        verify_with(&header, BODY, move |asked| if asked == name { Err(error) } else { keys(asked) }).outcome
    };
    let failed = |failure| Outcome::Fail(Failure::Seal { instance: 1, failure });
    assert_eq!(without(LookupError::NoName), failed(dkim::Failure::NoKey(name.into(), LookupError::NoName)));
    assert_eq!(without(LookupError::Failed), failed(dkim::Failure::KeyUnavailable(name.into())));
}

/// RFC 8617 §5.1.2: the seal of a failed chain stands on its own set, and ends the chain.
#[test]
fn a_chain_that_failed_is_sealed_once() {
    let broken = chain(2).replace("Subject: Is", "Subject: What is");
    let sealed = seal(&sealer("hop3.example", "rsa"), &broken, BODY);
    assert!(sealed.contains("ARC-Seal: i=3; a=rsa-sha256; cv=fail;"), "{sealed}");
    assert_eq!(verify(&sealed, BODY).outcome, Outcome::Fail(Failure::FailedBefore(3)));
    assert_eq!(seal(&sealer("hop4.example", "rsa"), &sealed, BODY), sealed, "nothing to add");
    // Nobody checked the chain: it is not vouched for.
    let unchecked = seal_as(&sealer("hop3.example", "rsa"), &chain(2), BODY, ChainStatus::None);
    assert!(unchecked.contains("cv=fail"));
    // As if the newest set were the only one.
    let own = &sealed[..sealed.find("ARC-Seal: i=2").unwrap()];
    let alone = own.replace("i=3;", "i=1;").replace("cv=fail", "cv=none");
    assert!(verify(&format!("{alone}{broken}"), BODY).reason().contains("more than one"));
}

/// RFC 8617 §4.1.2: DKIM-Signature fields are signed, what others take away is not.
#[test]
fn what_the_message_signature_covers() {
    let signer = Signer::new("example.org".parse().unwrap(), "rsa".parse().unwrap(), RSA.clone());
    let mut hasher = BodyHasher::new(signer.canonicalization.body);
    hasher.update(BODY.as_bytes());
    let field = signer.sign(HEADER.as_bytes(), &hasher.finish(), NOW).unwrap();
    let header =
        format!("{}Authentication-Results: mx.example; none\r\n{HEADER}", String::from_utf8(field).unwrap());
    let sealed = seal(&sealer("hop1.example", "ed25519"), &header, BODY);
    let names = sealed.split("h=").nth(1).unwrap().split(';').next().unwrap();
    assert!(names.contains("DKIM-Signature") && !names.contains("Authentication-Results"), "{names}");
    let changed = sealed.replacen("DKIM-Signature: v=1", "DKIM-Signature: v=2", 1);
    assert!(!verify(&changed, BODY).passed());
    let without = sealed.replacen("Authentication-Results: mx.example; none\r\n", "", 1);
    assert_eq!(verify(&without, BODY).outcome, pass(0));

    let mut both = Signatures::new(sealed.as_bytes(), NOW);
    assert_eq!(both.key_names(), ["rsa._domainkey.example.org", "ed25519._domainkey.hop1.example"]);
    both.update(BODY.as_bytes());
    let signed = both.finish(keys);
    assert_eq!((signed.dkim[0].outcome.clone(), signed.arc.outcome), (Ok(()), pass(0)));
}

/// RFC 8617 Appendix B: its keys have 512 bits and are published nowhere, but its structure is sound.
#[test]
fn the_example_of_appendix_b() {
    let message = include_str!("../../tests/rfc8617-b.eml").replace('\n', "\r\n");
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let verifier = Verifier::new(header.as_bytes(), NOW);
    let names = [
        "dk-lists._domainkey.lists.example.org",
        "20120806._domainkey.gmail.example",
        "clochette._domainkey.clochette.example.org",
    ];
    assert_eq!(verifier.key_names(), names);
    let result = verify_with(header, body, |_| Err(LookupError::NoName));
    let failure = dkim::Failure::NoKey(names[2].into(), LookupError::NoName);
    assert_eq!(result.outcome, Outcome::Fail(Failure::MessageSignature { instance: 3, failure }));
    let found: Vec<_> = result.sets.iter().map(|set| AuthResults::parse_arc(&set.results).unwrap()).collect();
    let words = |(instance, results): &(u32, AuthResults)| {
        let words: Vec<_> = results.results.iter().map(|r| format!("{}={}", r.method, r.result)).collect();
        format!("{instance} {} {}", results.authserv_id, words.join(" "))
    };
    assert_eq!(
        found.iter().map(words).collect::<Vec<_>>(),
        [
            "1 lists.example.org spf=pass dkim=pass dmarc=pass",
            "2 gmail.example spf=fail dkim=fail dmarc=fail arc=pass",
            "3 clochette.example.org spf=fail dkim=fail dmarc=fail arc=pass",
        ]
    );
}
