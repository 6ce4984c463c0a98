//! Validated answers, from a DNS of our own with signed zones, and from one under attack (RFC 7672 §2.1 and §2.2).

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

use address::Domain;
use dns::test_server::{Running, TestServer, Trouble};
use dns::{Alias, DnsError, Dnssec, Family, Lookup, MxLookup, Resolver, Settings};
use std::io::Write as _;
use std::time::Duration;

const TLSA: &str = "_25._tcp.mx.signed.test";

async fn server() -> Running {
    TestServer::new()
        .signed(
            "signed.test",
            "@ MX 10 mx
             @ A 127.0.0.2
             mx A 127.0.0.1
             _25._tcp.mx TLSA 3 1 1 0011223344556677889900112233445566778899001122334455667788990011
             none A 127.0.0.1
             alias CNAME mx
             out CNAME host.plain.test.
             loop1 CNAME loop2
             loop2 CNAME loop1
             _25._tcp.shared CNAME _25._tcp.mx",
        )
        .unsigned(
            "plain.test",
            "@ MX 10 mx.signed.test.
             host A 127.0.0.1
             in CNAME mx.signed.test.
             _25._tcp.host TLSA 3 1 1 00",
        )
        .unsigned("hidden.internal", "mx A 127.0.0.1")
        .start()
        .await
}

fn anchor(server: &Running) -> tempfile::NamedTempFile {
    let mut anchor = tempfile::NamedTempFile::new().unwrap();
    anchor.write_all(server.trust_anchor().as_bytes()).unwrap();
    anchor
}

fn settings(server: &Running, anchor: &tempfile::NamedTempFile) -> Settings {
    Settings {
        servers: vec![server.address()],
        timeout: Duration::from_millis(500),
        tries: 2,
        trust_anchor: Some(anchor.path().to_owned()),
    }
}

fn resolver(server: &Running) -> Resolver {
    Resolver::new(&settings(server, &anchor(server))).unwrap()
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

#[tokio::test]
async fn records_of_signed_zones_are_secure_and_others_are_not() {
    let server = server().await;
    let dns = resolver(&server);
    assert_eq!(dns.dnssec().await, Dnssec::On);
    for (name, secure) in [("signed.test", true), ("plain.test", false)] {
        let mx = dns.validated_mx(&domain(name), 1).await.unwrap();
        assert_eq!((mx.secure, mx.alias), (secure, None), "{name}");
        assert!(matches!(mx.lookup, MxLookup::Hosts { .. }), "{name}");
    }
    for (name, secure) in [("mx.signed.test", true), ("host.plain.test", false)] {
        let found = dns.validated_addresses(&domain(name), Family::Both).await.unwrap();
        assert_eq!((found.secure, found.records.len()), (secure, 1), "{name}");
    }
    let found = dns.tlsa(TLSA).await.unwrap();
    assert!(found.secure);
    assert!(found.records[0].to_string().starts_with("3 1 1 00112233"), "{found:?}");
    assert!(!dns.tlsa("_25._tcp.host.plain.test").await.unwrap().secure);
}

#[tokio::test]
async fn that_there_is_none_is_proven_and_remembered_for_a_moment() {
    let server = server().await;
    let dns = resolver(&server);
    let none = "_25._tcp.none.signed.test";
    for _ in 0..3 {
        assert_eq!(dns.tlsa(none).await, Err(DnsError::NoSuchName(none.into())));
    }
    assert_eq!(server.asked(none, "TLSA"), 1);
    let error = dns.tlsa("mx.signed.test").await.unwrap_err();
    assert!(matches!(error, DnsError::NoRecords { kind: "TLSA", .. }), "{error}");
    let implicit = dns.validated_mx(&domain("mx.signed.test"), 1).await.unwrap();
    assert_eq!(implicit.lookup, MxLookup::Implicit(domain("mx.signed.test")));
}

#[tokio::test]
async fn aliases_are_followed_and_each_counts() {
    let server = server().await;
    let dns = resolver(&server);
    let alias = |target: &str, first_secure| Some(Alias { target: target.into(), first_secure });
    let cases = [
        ("alias.signed.test", true, alias("mx.signed.test", true)),
        ("out.signed.test", false, alias("host.plain.test", true)),
        ("in.plain.test", false, alias("mx.signed.test", false)),
    ];
    for (name, secure, alias) in cases {
        let found = dns.validated_addresses(&domain(name), Family::V4).await.unwrap();
        assert_eq!((found.secure, found.alias), (secure, alias), "{name}");
    }
    let found = dns.tlsa("_25._tcp.shared.signed.test").await.unwrap();
    assert!(found.secure && found.alias.is_some());
    let error = dns.validated_addresses(&domain("loop1.signed.test"), Family::V4).await.unwrap_err();
    assert!(!matches!(error, DnsError::Bogus { .. }), "{error}");
}

/// What an attacker between us and the zone can do is refused or waited out, never taken for "there is none".
#[tokio::test]
async fn no_trouble_passes_for_a_zone_without_signatures() {
    let bogus = |error: &DnsError| matches!(error, DnsError::Bogus { .. });
    let later = |error: &DnsError| matches!(error, DnsError::Temporary { .. });
    type Expected = fn(&DnsError) -> bool;
    let cases: [(&str, &str, Trouble, Expected); 9] = [
        (TLSA, "TLSA", Trouble::ServFail, later),
        (TLSA, "TLSA", Trouble::Silence, later),
        (TLSA, "TLSA", Trouble::Truncated, later),
        (TLSA, "TLSA", Trouble::Forged, bogus),
        (TLSA, "TLSA", Trouble::Stripped, bogus),
        (TLSA, "TLSA", Trouble::Denied, bogus),
        ("signed.test", "DS", Trouble::Denied, bogus),
        ("signed.test", "DS", Trouble::Stripped, bogus),
        ("signed.test", "DNSKEY", Trouble::Denied, bogus),
    ];
    for (name, kind, trouble, expected) in cases {
        let server = server().await;
        let dns = resolver(&server);
        assert_eq!(dns.dnssec().await, Dnssec::On);
        server.trouble(name, kind, trouble);
        let Err(error) = dns.tlsa(TLSA).await else { panic!("{name} {kind} {trouble:?} goes unseen") };
        assert!(expected(&error) && error.is_temporary(), "{name} {kind} {trouble:?}: {error:?}");
        assert_eq!(
            dns.address_records("mx.signed.test", false).await.unwrap().len(),
            1,
            "unsigned answers do"
        );
    }
}

/// A server that takes out all signatures cannot be told from somebody before it who does: that way has to be trusted.
#[tokio::test]
async fn servers_that_take_all_signatures_out_turn_it_off_and_mail_flows() {
    let server = server().await;
    for kind in ROOT {
        server.trouble(".", kind, Trouble::Stripped);
    }
    let dns = resolver(&server);
    let state = dns.dnssec().await;
    assert!(matches!(&state, Dnssec::Off { reason } if reason.contains("127.0.0.1")), "{state:?}");
    let mx = dns.validated_mx(&domain("signed.test"), 1).await.unwrap();
    assert!(!mx.secure);
    assert!(!dns.tlsa(TLSA).await.unwrap().secure);
    let asked = server.asked(".", "SOA");
    assert!(dns.validated_addresses(&domain("mx.signed.test"), Family::V4).await.is_ok());
    assert_eq!(server.asked(".", "SOA"), asked, "it is found out once");
}

/// Of the root, what is looked at to learn whether signatures come through.
const ROOT: [&str; 3] = ["SOA", "DNSKEY", "NS"];

/// Trouble with the first question of all is no reason to do without DANE: what needs it waits, and nothing else does.
#[tokio::test]
async fn what_cannot_be_told_of_the_root_is_waited_out() {
    let cases: [(&[&str], Trouble, &str); 7] = [
        (&["SOA"], Trouble::ServFail, "cannot be validated"),
        (&["SOA"], Trouble::Forged, "cannot be validated"),
        (&["SOA"], Trouble::Stripped, "cannot be validated"),
        (&["SOA"], Trouble::Denied, "cannot be validated"),
        (&["SOA"], Trouble::Silence, "cannot be validated"),
        (&ROOT, Trouble::ServFail, "Server Failure"),
        (&ROOT, Trouble::Silence, "answer"),
    ];
    for (kinds, trouble, why) in cases {
        let server = server().await;
        kinds.iter().for_each(|kind| server.trouble(".", kind, trouble));
        let dns = resolver(&server);
        let state = dns.dnssec().await;
        assert!(
            matches!(&state, Dnssec::Unknown { reason } if reason.contains(why)),
            "{kinds:?} {trouble:?}: {state:?}"
        );
        for error in [
            dns.tlsa(TLSA).await.unwrap_err(),
            dns.validated_mx(&domain("signed.test"), 1).await.unwrap_err(),
            dns.validated_addresses(&domain("host.plain.test"), Family::V4).await.unwrap_err(),
        ] {
            assert!(error.is_temporary(), "{kinds:?} {trouble:?}: {error:?}");
        }
        assert!(dns.address_records("mx.signed.test", false).await.is_ok(), "unsigned answers do");
        assert!(
            dns.validated_addresses(&domain("mx.hidden.internal"), Family::V4).await.is_ok(),
            "private names too"
        );
    }
}

/// One that does not answer may not be there at all; one in trouble may be the one that would hand signatures through.
#[tokio::test]
async fn of_several_servers_one_in_trouble_counts_and_a_silent_one_does_not() {
    for (trouble, off) in [(Trouble::Silence, true), (Trouble::ServFail, false), (Trouble::Forged, false)] {
        let (strips, other) = (server().await, server().await);
        ROOT.iter().for_each(|kind| strips.trouble(".", kind, Trouble::Stripped));
        ROOT.iter().for_each(|kind| other.trouble(".", kind, trouble));
        let anchor = anchor(&strips);
        let both =
            Settings { servers: vec![strips.address(), other.address()], ..settings(&strips, &anchor) };
        let state = Resolver::new(&both).unwrap().dnssec().await;
        assert_eq!(matches!(state, Dnssec::Off { .. }), off, "{trouble:?}: {state:?}");
    }
}

#[tokio::test]
async fn trouble_that_has_passed_is_forgotten_soon() {
    let server = server().await;
    server.trouble(".", "SOA", Trouble::ServFail);
    let dns = resolver(&server);
    assert!(matches!(dns.dnssec().await, Dnssec::Unknown { .. }));
    server.no_trouble(".", "SOA");
    let on = async {
        while dns.dnssec().await != Dnssec::On {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), on).await.unwrap();
    assert!(dns.tlsa(TLSA).await.unwrap().secure);
}

/// Servers that validated once and do not any more are under attack, or broken; other servers are looked at afresh.
#[tokio::test]
async fn what_was_on_stays_on_when_the_configuration_is_read_again() {
    let (first, second) = (server().await, server().await);
    let (dns, anchor) = (resolver(&first), anchor(&first));
    assert_eq!(dns.dnssec().await, Dnssec::On);
    for server in [&first, &second] {
        ROOT.iter().for_each(|kind| server.trouble(".", kind, Trouble::Stripped));
    }
    dns.set(&settings(&first, &anchor)).unwrap();
    assert_eq!(dns.dnssec().await, Dnssec::On);
    dns.set(&settings(&second, &anchor)).unwrap();
    assert!(matches!(dns.dnssec().await, Dnssec::Off { .. }));
}

#[tokio::test]
async fn unsigned_questions_cost_what_they_did() {
    let server = server().await;
    let dns = resolver(&server);
    assert!(dns.mx(&domain("signed.test"), 1).await.is_ok());
    assert_eq!((server.asked(".", "DNSKEY"), server.asked("signed.test", "DS")), (0, 0));
    assert!(dns.validated_mx(&domain("signed.test"), 1).await.is_ok());
    assert!(dns.validated_mx(&domain("signed.test"), 1).await.is_ok());
    assert_eq!(server.asked("signed.test", "MX"), 2, "one for each of the two kinds");
}

/// The root says that there are no such names, and servers of such a network say otherwise.
#[tokio::test]
async fn names_of_private_networks_are_not_measured_by_the_public_dns() {
    let server = server().await;
    let dns = resolver(&server);
    server.trouble("hidden.internal", "DS", Trouble::Denied);
    let found = dns.validated_addresses(&domain("mx.hidden.internal"), Family::V4).await.unwrap();
    assert!(!found.secure);
    assert_eq!(server.asked("hidden.internal", "DS"), 0);
}

#[test]
fn a_trust_anchor_that_is_none_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "nonsense").unwrap();
    let settings = Settings { trust_anchor: Some(file.path().to_owned()), ..Settings::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let error = Resolver::new(&settings).unwrap_err();
    assert!(error.to_string().contains("DNSKEY"), "{error}");
}
