//! DMARC (RFC 9989): policy and alignment of the same message over the same zone.

use crate::theirs::Theirs;
use crate::zone::{Zone, ready};
use mail_auth::dkim::Signature;
use mail_auth::dmarc::Policy as TheirPolicy;
use mail_auth::{AuthenticatedMessage, DkimOutput, DmarcResult, SpfOutput, SpfResult};
use mailauth::dmarc::{self, Identifier, Outcome, Policy, Word};
use proptest::prelude::*;

/// A message as SPF and DKIM have left it: its author, the domain of a good SPF check and of a good signature.
#[derive(Debug, Clone, Copy)]
struct Seen<'a> {
    author: &'a str,
    spf: Option<&'a str>,
    dkim: Option<&'a str>,
}

/// The word, and what is to be done with a message that fails.
type Answer = (Word, Option<Policy>);

fn ask_ours(zone: &Zone, seen: Seen<'_>) -> (Answer, String) {
    let passed = |domain: &Option<&str>| domain.map(|domain| domain.parse().unwrap());
    let (spf, dkim) = (passed(&seen.spf), passed(&seen.dkim));
    fn identifier(domain: &address::Domain) -> Identifier<'_> {
        Identifier { domain, outcome: Outcome::Pass }
    }
    let dkim: Vec<_> = dkim.iter().map(identifier).collect();
    let author = seen.author.parse().unwrap();
    let told = ready(dmarc::evaluate(zone, &author, spf.as_ref().map(identifier), &dkim));
    ((told.word, (told.word == Word::Fail).then_some(told.disposition)), told.reason)
}

fn ask_theirs(zone: &Zone, seen: Seen<'_>) -> Answer {
    let message = format!("From: joe@{}\r\n\r\nHi.\r\n", seen.author);
    let message = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
    let signature = Signature { d: seen.dkim.unwrap_or_default().to_owned(), ..Signature::default() };
    let dkim: Vec<_> = seen.dkim.iter().map(|_| DkimOutput::pass().with_signature(&signature)).collect();
    let (domain, word) =
        seen.spf.map_or(("nowhere.example", SpfResult::None), |domain| (domain, SpfResult::Pass));
    let spf = SpfOutput::new(domain.to_owned()).with_result(word);
    let told = Theirs::new(zone).dmarc(&message, &dkim, domain, &spf);
    match told.result() {
        DmarcResult::Pass => (Word::Pass, None),
        DmarcResult::Fail(_) => (Word::Fail, Some(policy(told.policy()))),
        DmarcResult::TempError(_) => (Word::TempError, None),
        DmarcResult::PermError(_) => (Word::PermError, None),
        DmarcResult::None => (Word::None, None),
    }
}

fn policy(theirs: TheirPolicy) -> Policy {
    match theirs {
        TheirPolicy::Reject => Policy::Reject,
        TheirPolicy::Quarantine => Policy::Quarantine,
        TheirPolicy::None | TheirPolicy::Unspecified => Policy::None,
    }
}

const PASS: Answer = (Word::Pass, None);
const NO_POLICY: Answer = (Word::None, None);
const REJECT: Answer = (Word::Fail, Some(Policy::Reject));
const QUARANTINE: Answer = (Word::Fail, Some(Policy::Quarantine));
const NOTHING: Answer = (Word::Fail, Some(Policy::None));

/// Each case is an author, what SPF and what a signature has vouched for (`-` for nothing), and the answer.
fn agree(lines: &str, cases: &[(&str, &str, &str, Answer)]) {
    let zone = Zone::new(lines);
    for (author, spf, dkim, expected) in cases {
        let some = |name| Some(name).filter(|name| *name != "-");
        let seen = Seen { author, spf: some(*spf), dkim: some(*dkim) };
        let (ours, reason) = ask_ours(&zone, seen);
        assert_eq!((ours, ask_theirs(&zone, seen)), (*expected, *expected), "{seen:?}: {reason}\n{lines}");
    }
}

#[test]
fn alignment() {
    let cases = |relaxed: Answer| {
        [
            ("example.org", "example.org", "-", PASS),
            ("example.org", "-", "example.org", PASS),
            ("example.org", "example.net", "example.org", PASS),
            ("example.org", "-", "-", REJECT),
            ("example.org", "example.net", "example.com", REJECT),
            ("example.org", "badexample.org", "org", REJECT),
            ("example.org", "news.example.org", "-", relaxed),
            ("example.org", "-", "a.b.example.org", relaxed),
            ("news.example.org", "example.org", "-", relaxed),
            ("news.example.org", "-", "shop.example.org", relaxed),
        ]
    };
    agree("_dmarc.example.org TXT v=DMARC1; p=reject", &cases(PASS));
    agree("_dmarc.example.org TXT v=DMARC1; p=reject; adkim=r; aspf=r", &cases(PASS));
    agree("_dmarc.example.org TXT v=DMARC1; p=reject; adkim=s; aspf=s;", &cases(REJECT));
    let mixed = "_dmarc.example.org TXT v=DMARC1;p=reject;adkim=s";
    agree(
        mixed,
        &[("example.org", "news.example.org", "-", PASS), ("example.org", "-", "news.example.org", REJECT)],
    );
}

#[test]
fn policies() {
    let own = "_dmarc.example.org TXT v=DMARC1; p=quarantine; sp=reject; np=none; rua=mailto:d@example.org\n\
               news.example.org A 192.0.2.1\n";
    agree(
        own,
        &[
            ("example.org", "-", "-", QUARANTINE),
            ("news.example.org", "-", "-", REJECT),
            ("gone.example.org", "-", "-", NOTHING),
            ("example.net", "-", "-", NO_POLICY),
        ],
    );
    agree("_dmarc.example.org TXT v=DMARC1; p=reject", &[("gone.example.org", "-", "-", REJECT)]);
    agree("_dmarc.example.org TXT v=DMARC1; p=reject; sp=none", &[("gone.example.org", "-", "-", NOTHING)]);
    agree("_dmarc.example.org TXT v=DMARC1; p=reject; t=y", &[("example.org", "-", "-", QUARANTINE)]);
    agree("_dmarc.example.org TXT v=DMARC1; p=quarantine; t=y", &[("example.org", "-", "-", NOTHING)]);
    agree("_dmarc.example.org TXT v=DMARC1; p=none", &[("example.org", "-", "-", NOTHING)]);
    agree(
        "_dmarc.example.org TXT v=DMARC1; p=REJECT ; x=y; pct=100; ri=3600",
        &[("example.org", "-", "-", REJECT)],
    );
    agree("_dmarc.example.org TXT v=DMARC1; rua=mailto:d@example.org", &[("example.org", "-", "-", NOTHING)]);
    for no_record in ["v=DMARC2; p=reject", "p=reject; v=DMARC1", "v=spf1 -all"] {
        agree(
            &format!("_dmarc.example.org TXT {no_record}"),
            &[("example.org", "example.org", "-", NO_POLICY)],
        );
    }
}

/// RFC 9989 §4.10, and the examples of its appendix B.
#[test]
fn the_walk_up_the_tree() {
    let deep = "_dmarc.a.mail.example.com TXT v=DMARC1; p=none\n_dmarc.mail.example.com TXT v=DMARC1; p=quarantine\n\
                _dmarc.example.com TXT v=DMARC1; p=reject";
    agree(
        deep,
        &[
            ("a.mail.example.com", "-", "-", NOTHING),
            ("mail.example.com", "-", "-", QUARANTINE),
            ("b.mail.example.com", "-", "-", REJECT),
            ("a.mail.example.com", "-", "example.com", PASS),
            ("example.com", "a.mail.example.com", "-", PASS),
        ],
    );
    let suffix = "_dmarc.bank.example TXT v=DMARC1; p=reject; psd=y; np=reject\n_dmarc.giant.bank.example TXT v=DMARC1; p=none";
    agree(
        suffix,
        &[
            ("giant.bank.example", "-", "mail.giant.bank.example", PASS),
            ("giant.bank.example", "-", "mega.bank.example", NOTHING),
            ("mega.bank.example", "-", "-", REJECT),
            ("mega.bank.example", "-", "giant.bank.example", REJECT),
            ("bank.example", "-", "bank.example", PASS),
        ],
    );
    let alone =
        "_dmarc.example.com TXT v=DMARC1; p=reject\n_dmarc.uni.example.com TXT v=DMARC1; p=quarantine; psd=n";
    agree(
        alone,
        &[
            ("uni.example.com", "-", "example.com", QUARANTINE),
            ("cs.uni.example.com", "-", "uni.example.com", PASS),
            ("cs.uni.example.com", "-", "-", QUARANTINE),
        ],
    );
    let many = "a.b.c.d.e.f.g.h.i.j.mail.example.com";
    agree(
        "_dmarc.example.com TXT v=DMARC1; p=reject",
        &[(many, "-", "-", REJECT), (many, "-", "example.com", PASS)],
    );
    agree("_dmarc.d.e.f.g.h.i.j.mail.example.com TXT v=DMARC1; p=reject", &[(many, "-", "-", NO_POLICY)]);
    agree("_dmarc.example.com TXT FAIL", &[("example.com", "example.com", "-", (Word::TempError, None))]);
}

/// Where mail-auth differs, and the RFC has ours or leaves it open.
#[test]
fn where_they_differ() {
    let differ =
        |rfc: &str, lines: &str, (author, spf): (&str, Option<&str>), ours: Answer, theirs: Answer| {
            let (zone, seen) = (Zone::new(lines), Seen { author, spf, dkim: None });
            let (told, reason) = ask_ours(&zone, seen);
            assert_eq!(told, ours, "{rfc}: {reason}");
            assert_eq!(ask_theirs(&zone, seen), theirs, "{rfc}: mail-auth says something else now");
        };
    // What cannot be read of a record is as if it were not there.
    let odd = "_dmarc.example.org TXT v=DMARC1; p=reject; adkim=x";
    differ("9989 §4.8", odd, ("example.org", None), REJECT, (Word::PermError, None));
}

fn record() -> impl Strategy<Value = String> {
    let tag = |name: &'static str, values: Vec<&'static str>| {
        prop::option::weighted(0.4, prop::sample::select(values))
            .prop_map(move |value| value.map(|value| format!("; {name}={value}")).unwrap_or_default())
    };
    let policies = || vec!["none", "quarantine", "reject"];
    let record = (
        prop::sample::select(policies()),
        [tag("sp", policies()), tag("np", policies())],
        [tag("adkim", vec!["r", "s"]), tag("aspf", vec!["r", "s"])],
        [tag("psd", vec!["y", "n", "u"]), tag("t", vec!["y", "n"])],
    );
    record.prop_map(|(p, policies, modes, flags)| {
        format!("v=DMARC1; p={p}{}{}{}", policies.concat(), modes.concat(), flags.concat())
    })
}

fn domain() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a.b.example.org",
        "c.b.example.org",
        "b.example.org",
        "d.example.org",
        "example.org",
        "other.org",
        "org",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_records(
        records in prop::collection::vec((domain(), record()), 0..4),
        existing in domain(),
        author in domain().prop_filter("an address has a domain of two labels", |domain| domain.contains('.')),
        spf in prop::option::of(domain()),
        dkim in prop::option::of(domain()),
    ) {
        let mut lines = format!("{existing} A 192.0.2.1\n");
        for (at, (domain, record)) in records.iter().enumerate() {
            // Of one name there is one record: of several there would be none, which a cache of parsed ones cannot hold.
            if records[..at].iter().all(|(other, _)| other != domain) {
                lines += &format!("_dmarc.{domain} TXT {record}\n");
            }
        }
        let zone = Zone::new(&lines);
        let seen = Seen { author, spf, dkim };
        let (ours, reason) = ask_ours(&zone, seen);
        prop_assert_eq!(ours, ask_theirs(&zone, seen), "{:?}: {}\n{}", seen, reason, lines);
    }
}
