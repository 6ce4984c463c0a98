//! SPF (RFC 7208): the same question about the same zone.

use crate::theirs::Theirs;
use crate::zone::{Zone, ready};
use mail_auth::SpfResult as TheirWord;
use mailauth::spf::ResultWord::{
    self, Fail, Neutral, None as NoRecord, Pass, PermError, SoftFail, TempError,
};
use mailauth::spf::{self, Identity, MAX_VOID_LOOKUPS, Query};
use proptest::prelude::*;

/// Names that records refer to. Of what `none.example.net` stands for there is nothing.
const ZONE: &str = "\
exp.example.net TXT Not from here.
a.example.net A 192.0.2.1
a.example.net AAAA 2001:db8::1
b.example.net A 192.0.2.2
b.example.net A 192.0.2.3
b.example.net AAAA 2001:db8::2
m.example.net MX 10 a.example.net
m.example.net MX 20 b.example.net
m.example.net A 192.0.2.9
m.example.net AAAA 2001:db8::9
example.org A 192.0.2.4
example.org AAAA 2001:db8::4
example.org MX 10 b.example.net
pass.example.net TXT v=spf1 +all
fail.example.net TXT v=spf1 -all
some.example.net TXT v=spf1 ip4:192.0.2.0/30 ip6:2001:db8::/126 ~all
wrong.example.net TXT v=spf1 moo:x
text.example.net TXT no record
2.0.192.in-addr.e.example.net A 127.0.0.2
1.2.0.192.in-addr.e.example.net A 127.0.0.2
joe.l.example.net A 127.0.0.2
192.0.2.1 PTR a.example.net
192.0.2.4 PTR example.org
192.0.2.5 PTR forged.example.org
192.0.2.6 PTR mail.example.org
mail.example.org A 192.0.2.6
x._dns_error.example.net FAIL
";
const HELO: &str = "mail.example.com";
const RECEIVER: &str = "mx.example.net";

/// A word and an explanation.
type Answer = (ResultWord, Option<String>);

fn ask_ours(zone: &Zone, ip: &str, from: &str) -> spf::SpfResult {
    let identity = Identity::MailFrom(from);
    ready(spf::check(
        zone,
        &Query { ip: ip.parse().unwrap(), helo: HELO, identity, receiver: RECEIVER, now: 0 },
    ))
}

fn ask_theirs(zone: &Zone, ip: &str, from: &str) -> Answer {
    let output = Theirs::new(zone).spf(ip.parse().unwrap(), HELO, from, RECEIVER);
    let word = match output.result() {
        TheirWord::Pass => Pass,
        TheirWord::Fail => Fail,
        TheirWord::SoftFail => SoftFail,
        TheirWord::Neutral => Neutral,
        TheirWord::TempError => TempError,
        TheirWord::PermError => PermError,
        TheirWord::None => NoRecord,
    };
    (word, output.explanation().map(str::to_owned))
}

fn zone(record: &str) -> Zone {
    Zone::new(&format!("example.org TXT {record}\n{ZONE}"))
}

/// Each address and what both say of it.
fn agree(record: &str, cases: &[(&str, ResultWord)]) {
    let zone = zone(record);
    for (ip, expected) in cases {
        let ours = ask_ours(&zone, ip, "joe@example.org");
        let theirs = ask_theirs(&zone, ip, "joe@example.org");
        assert_eq!((ours.word, theirs.0), (*expected, *expected), "{record}, {ip}: {}", ours.reason);
        assert_eq!(ours.explanation, theirs.1, "{record}, {ip}");
    }
}

/// RFC 7208 has ours.
fn differ(rfc: &str, zone: &Zone, ip: &str, ours: ResultWord, theirs: ResultWord) {
    let told = ask_ours(zone, ip, "joe@example.org");
    assert_eq!(told.word, ours, "{rfc}: {}", told.reason);
    assert_eq!(ask_theirs(zone, ip, "joe@example.org").0, theirs, "{rfc}: mail-auth says something else now");
}

#[test]
fn mechanisms() {
    agree("v=spf1", &[("192.0.2.1", Neutral)]);
    agree("v=spf1 all", &[("192.0.2.1", Pass), ("2001:db8::1", Pass)]);
    agree("v=spf1 ?all", &[("192.0.2.1", Neutral)]);
    agree("v=spf1 ip4:192.0.2.1 -all", &[("192.0.2.1", Pass), ("192.0.2.2", Fail), ("2001:db8::1", Fail)]);
    agree("v=spf1 ip4:192.0.2.0/30 ~all", &[("192.0.2.3", Pass), ("192.0.2.4", SoftFail)]);
    agree(
        "v=spf1 ip6:2001:db8::/126 -all",
        &[("2001:db8::3", Pass), ("2001:db8::4", Fail), ("192.0.2.1", Fail)],
    );
    agree("v=spf1 ip4:192.0.2.1 -all", &[("::ffff:192.0.2.1", Pass)]);
    agree("v=spf1 a -all", &[("192.0.2.4", Pass), ("2001:db8::4", Pass), ("192.0.2.5", Fail)]);
    agree("v=spf1 a:b.example.net/31 -all", &[("192.0.2.2", Pass), ("192.0.2.3", Pass), ("192.0.2.1", Fail)]);
    agree("v=spf1 a:b.example.net//127 -all", &[("2001:db8::3", Pass), ("2001:db8::4", Fail)]);
    agree("v=spf1 mx -all", &[("192.0.2.3", Pass), ("2001:db8::2", Pass), ("192.0.2.4", Fail)]);
    agree(
        "v=spf1 mx:m.example.net/32//128 -all",
        &[("192.0.2.1", Pass), ("192.0.2.2", Pass), ("192.0.2.9", Fail)],
    );
    agree("v=spf1 exists:a.example.net -all", &[("203.0.113.1", Pass)]);
    agree("v=spf1 exists:none.example.net -all", &[("203.0.113.1", Fail)]);
    agree("v=spf1 ptr:example.org -all", &[("192.0.2.6", Pass), ("192.0.2.5", Fail), ("192.0.2.1", Fail)]);
    agree("v=spf1 A:A.Example.NET IP4:192.0.2.9 -ALL", &[("192.0.2.1", Pass), ("192.0.2.9", Pass)]);
}

#[test]
fn includes_and_redirects() {
    agree("v=spf1 include:pass.example.net -all", &[("192.0.2.1", Pass)]);
    agree("v=spf1 -include:pass.example.net +all", &[("192.0.2.1", Fail)]);
    agree("v=spf1 include:fail.example.net ?all", &[("192.0.2.1", Neutral)]);
    agree(
        "v=spf1 include:some.example.net -all",
        &[("192.0.2.1", Pass), ("192.0.2.4", Fail), ("2001:db8::1", Pass)],
    );
    agree("v=spf1 include:none.example.net +all", &[("192.0.2.1", PermError)]);
    agree("v=spf1 include:x._dns_error.example.net +all", &[("192.0.2.1", TempError)]);
    agree("v=spf1 redirect=some.example.net", &[("192.0.2.1", Pass), ("192.0.2.9", SoftFail)]);
    agree("v=spf1 redirect=none.example.net", &[("192.0.2.1", PermError)]);
    agree("v=spf1 redirect=some.example.net ?all", &[("192.0.2.9", Neutral)]);
    agree("v=spf1 a:x._dns_error.example.net +all", &[("192.0.2.1", TempError)]);
    agree("v=spf1 mx:x._dns_error.example.net +all", &[("192.0.2.1", TempError)]);
    agree("v=spf1 ip4:192.0.2.1 a:x._dns_error.example.net", &[("192.0.2.1", Pass)]);
    agree("v=spf1 include:example.org -all", &[("192.0.2.1", PermError)]);
    agree("v=spf1 redirect=example.org", &[("192.0.2.1", PermError)]);
}

#[test]
fn limits_and_syntax() {
    let terms = |count: usize| format!("v=spf1 {}-all", "a:a.example.net ".repeat(count));
    agree(&terms(10), &[("192.0.2.9", Fail)]);
    agree(&terms(11), &[("192.0.2.9", PermError), ("192.0.2.1", Pass)]);
    for wrong in [
        "v=spf1 ip4:192.0.2 -all",
        "v=spf1 ip4 -all",
        "v=spf1 a: -all",
        "v=spf1 include -all",
        "v=spf1 exists -all",
        "v=spf1 all:x",
        "v=spf1 a:%{x}.example.net -all",
        "v=spf1 redirect=a.example.net redirect=b.example.net",
        "v=spf1 exp=exp.example.net exp=exp.example.net -all",
    ] {
        agree(wrong, &[("192.0.2.1", PermError)]);
    }
    for no_record in ["v=spf10 -all", "v=spf2.0/pra -all", "spf1 -all"] {
        agree(no_record, &[("192.0.2.1", NoRecord)]);
    }
}

#[test]
fn macros_and_explanations() {
    agree("v=spf1 exists:%{ir}.%{v}.e.example.net -all", &[("192.0.2.1", Pass), ("192.0.2.2", Fail)]);
    agree("v=spf1 exists:%{l}.l.example.net -all", &[("192.0.2.1", Pass)]);
    agree("v=spf1 exists:%{l1r-}.%{d2} a:%{o} -all", &[("192.0.2.4", Pass)]);
    agree("v=spf1 -all exp=exp.example.net", &[("192.0.2.1", Fail)]);
    agree("v=spf1 ~all exp=exp.example.net", &[("192.0.2.1", SoftFail)]);
    agree("v=spf1 -all exp=none.example.net", &[("192.0.2.1", Fail)]);
    agree("v=spf1 x-unknown=%{d} -all", &[("192.0.2.1", Fail)]);
    let told = ask_ours(&zone("v=spf1 -all exp=exp.example.net"), "192.0.2.1", "joe@example.org");
    assert_eq!(told.explanation.as_deref(), Some("Not from here."));
}

#[test]
fn identities() {
    let zone = Zone::new(&format!("example.org TXT v=spf1 -all\n{HELO} TXT v=spf1 +all\n"));
    for (from, expected) in
        [("", Pass), ("joe@example.org", Fail), ("@example.org", Fail), ("joe@none.example.net", NoRecord)]
    {
        let told = (ask_ours(&zone, "192.0.2.1", from).word, ask_theirs(&zone, "192.0.2.1", from).0);
        assert_eq!(told, (expected, expected), "{from:?}");
    }
}

/// Where mail-auth is wrong.
#[test]
fn where_they_differ() {
    let here = |rfc: &str, record: &str, ip: &str, ours, theirs| differ(rfc, &zone(record), ip, ours, theirs);
    // More than two questions that nothing answers.
    let voids = "v=spf1 exists:n1.example.net exists:n2.example.net exists:n3.example.net +all";
    here("7208 §4.6.4", voids, "192.0.2.1", PermError, Pass);
    // What is neither mechanism nor modifier.
    here("7208 §4.6", "v=spf1 moo -all", "192.0.2.1", PermError, Neutral);
    here("7208 §4.6", "v=spf1 include:wrong.example.net +all", "192.0.2.1", PermError, Pass);
    // Prefixes that no address has.
    here("7208 §5.6", "v=spf1 ip4:192.0.2.1/33 -all", "192.0.2.1", PermError, Pass);
    // An IPv4 address is in no network of IPv6.
    here("7208 §5", "v=spf1 ip6:::/0 -all", "192.0.2.1", Fail, Pass);
    here("7208 §5.6", "v=spf1 ip6:192.0.2.1 -all", "192.0.2.9", PermError, Fail);
    // A name is also within itself.
    here("7208 §5.5", "v=spf1 ptr:example.org -all", "192.0.2.4", Pass, Fail);
    // Two qualifiers.
    here("7208 §4.6.1", "v=spf1 -+all", "192.0.2.1", PermError, Pass);
    // What an include of an include comes to is the inner one's affair.
    let nested = "i.example.net TXT v=spf1 ?include:pass.example.net -all";
    let nested = Zone::new(&format!("example.org TXT v=spf1 include:i.example.net ~all\n{nested}\n{ZONE}"));
    differ("7208 §5.2", &nested, "192.0.2.1", SoftFail, Neutral);
    // Eleven MX hosts are too many even if the first matches.
    let hosts: String = (0..11)
        .map(|n| format!("example.org MX {n} m{n}.example.net\nm{n}.example.net A 192.0.2.1\n"))
        .collect();
    let many = Zone::new(&format!("example.org TXT v=spf1 mx -all\n{hosts}"));
    differ("7208 §4.6.4", &many, "192.0.2.1", PermError, Pass);
}

fn host() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", ":a.example.net", ":b.example.net", ":m.example.net", ":%{d}", ":%{o}"])
}

/// An `ip6` prefix shorter than 16 bits could have an IPv4 address in it for mail-auth; see above.
fn term() -> impl Strategy<Value = String> {
    let cidr = prop_oneof![
        Just(String::new()),
        (0..=32_u8).prop_map(|n| format!("/{n}")),
        (0..=128_u8).prop_map(|n| format!("//{n}")),
        (0..=32_u8, 0..=128_u8).prop_map(|(n, m)| format!("/{n}//{m}")),
    ];
    let mechanism = prop_oneof![
        1 => Just("all".to_owned()),
        3 => (0..10_u8, 24..=32_u8).prop_map(|(host, prefix)| format!("ip4:192.0.2.{host}/{prefix}")),
        3 => (0..10_u8, 16..=128_u8).prop_map(|(host, prefix)| format!("ip6:2001:db8::{host}/{prefix}")),
        3 => (prop::sample::select(vec!["a", "A"]), host(), cidr.clone()).prop_map(|(a, host, cidr)| format!("{a}{host}{cidr}")),
        3 => (prop::sample::select(vec!["", ":m.example.net"]), cidr).prop_map(|(host, cidr)| format!("mx{host}{cidr}")),
        2 => prop::sample::select(vec!["exists:a.example.net", "exists:none.example.net", "exists:%{ir}.%{v}.e.example.net"]).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["include:some.example.net", "include:fail.example.net", "include:text.example.net"]).prop_map(str::to_owned),
    ];
    (prop::sample::select(vec!["", "+", "-", "~", "?"]), mechanism)
        .prop_map(|(qualifier, mechanism)| qualifier.to_owned() + &mechanism)
}

fn record() -> impl Strategy<Value = String> {
    let modifiers = prop::sample::select(vec![
        "",
        " exp=exp.example.net",
        " redirect=some.example.net",
        " redirect=none.example.net",
        " x-y=z",
    ]);
    (prop::collection::vec(term(), 0..14), modifiers, any::<prop::sample::Index>()).prop_map(
        |(mut terms, modifier, place)| {
            terms.insert(place.index(terms.len() + 1), modifier.to_owned());
            format!("v=spf1 {}", terms.join(" "))
        },
    )
}

fn client() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..12_u8).prop_map(|n| format!("192.0.2.{n}")),
        (0..12_u8).prop_map(|n| format!("2001:db8::{n}"))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_record(record in record(), ip in client()) {
        let zone = zone(&record);
        let ours = ask_ours(&zone, &ip, "joe@example.org");
        // Of these mail-auth knows no bound; see above.
        if ours.void_lookups <= MAX_VOID_LOOKUPS {
            let theirs = ask_theirs(&zone, &ip, "joe@example.org");
            prop_assert_eq!((ours.word, ours.explanation), theirs, "{}, {}: {}", record, ip, ours.reason);
        }
    }
}
