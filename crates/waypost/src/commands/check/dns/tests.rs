//! Domains as they are published, and what is told of them.

use super::*;
use dns::{Fixed, Tlsa};
use net::tls::TlsClient;

/// A domain with all there is, but the certificate of DANE and an MTA-STS policy.
fn good() -> Fixed {
    Fixed::new()
        .with_mx("example.org", 10, "mx.example.org.")
        .with_a("mx.example.org", "192.0.2.1")
        .with_a("mx.example.org", "2001:db8::1")
        .with_ptr("192.0.2.1", "mx.example.org")
        .with_ptr("2001:db8::1", "mx.example.org")
        .with_txt("example.org", "v=spf1 mx -all")
        .with_txt("example.org", "something else")
        .with_txt(
            "w1._domainkey.example.org",
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        )
        .with_txt("_dmarc.example.org", "v=DMARC1; p=reject; rua=mailto:postmaster@example.org")
        .with_txt("_smtp._tls.example.org", "v=TLSRPTv1; rua=mailto:postmaster@example.org")
        .with_srv("_submissions._tcp.example.org", 465, "mx.example.org")
        .with_srv("_imaps._tcp.example.org", 993, "mx.example.org")
        .with_a("autoconfig.example.org", "192.0.2.1")
        .with_caa("example.org", "issue", "ca.example")
}

async fn findings(fixed: Fixed) -> Vec<Finding> {
    let domain = Domain::parse("example.org").unwrap();
    let selectors = ["w1".parse().unwrap()];
    let here = Here::new(None);
    // Nobody listens on this port.
    let settings = transport::Settings { sts_port: 1, ..transport::Settings::new(domain.clone()) };
    let transport = Transport::new(Arc::new(fixed.clone()), TlsClient::new(), settings);
    check_all(Asked {
        domain: &domain,
        dns: &fixed,
        exchanges: &[],
        takes_no_mail: false,
        selectors: &selectors,
        own: &[],
        port: 1,
        here: &here,
        transport: &transport,
        servers: vec!["127.0.0.1:1".parse().unwrap()],
    })
    .await
}

/// `check status: found`, where `found` has these words.
async fn check(fixed: Fixed, expected: &[(&str, Status, &str)]) {
    let found = findings(fixed).await;
    for (check, status, words) in expected {
        let has = |finding: &&Finding| {
            finding.check == *check && finding.status == *status && finding.found.contains(words)
        };
        let bad = || format!("no {status:?} of {check} with {words:?} in {found:#?}");
        assert!(found.iter().find(has).is_some(), "{}", bad());
    }
}

use Status::{Fail, Pass, Warn};

#[tokio::test]
async fn a_good_domain_fails_nowhere() {
    let found = findings(good()).await;
    assert!(found.iter().all(|finding| finding.status != Fail), "{found:#?}");
    assert!(found.iter().all(|finding| (finding.status == Pass) == finding.why.is_none()), "{found:#?}");
    let warned: Vec<&str> =
        found.iter().filter(|finding| finding.status == Warn).map(|finding| finding.check).collect();
    assert_eq!(warned, ["mta-sts", "dane"], "{found:#?}");
    check(
        good(),
        &[
            ("mx", Pass, "10 mx.example.org, 2001:db8::1 192.0.2.1"),
            ("reverse", Pass, "192.0.2.1 is mx.example.org, which is 192.0.2.1"),
            ("spf", Pass, "v=spf1 mx -all: 1 of at most 10 look-ups"),
            ("dkim", Pass, "w1._domainkey.example.org: Ed25519"),
            ("dmarc", Pass, "p=reject"),
            ("tls-rpt", Pass, "v=TLSRPTv1"),
            ("services", Pass, "_imaps._tcp.example.org 0 1 993 mx.example.org."),
            ("autoconfig", Pass, "autoconfig.example.org"),
            ("caa", Pass, "mx.example.org: ca.example"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_bare_domain_is_told_what_to_publish() {
    let bare = Fixed::new().with_a("example.org", "192.0.2.1");
    let found = findings(bare.clone()).await;
    check(
        bare,
        &[
            ("mx", Warn, "no MX record"),
            ("reverse", Warn, "192.0.2.1 (example.org) has no name"),
            ("spf", Fail, "no SPF record"),
            ("dkim", Fail, "w1._domainkey.example.org: no key"),
            ("dmarc", Fail, "no DMARC record"),
            ("mta-sts", Warn, "no record"),
            ("dane", Warn, "no TLSA record"),
            ("tls-rpt", Warn, "no record"),
            ("services", Warn, "no SRV records"),
            ("caa", Warn, "no CAA record"),
        ],
    )
    .await;
    let publishes: Vec<String> = found
        .iter()
        .flat_map(|finding| &finding.publish)
        .map(|record| format!("{} {} {}", record.name, record.kind, record.value))
        .collect();
    for record in [
        "example.org MX 10 mail.example.org.",
        "1.2.0.192.in-addr.arpa PTR example.org.",
        "example.org TXT \"v=spf1 mx ~all\"",
        "_dmarc.example.org TXT \"v=DMARC1; p=quarantine; rua=mailto:postmaster@example.org\"",
        "_imaps._tcp.example.org SRV 0 1 993 example.org.",
    ] {
        assert!(publishes.iter().any(|published| published == record), "{record}: {publishes:#?}");
    }
}

#[tokio::test]
async fn names_and_answers_that_are_not_there() {
    check(Fixed::new(), &[("mx", Fail, "does not exist")]).await;
    assert_eq!(findings(Fixed::new()).await.len(), 1);
    let found = findings(Fixed::new().with_failure("example.org", "silence")).await;
    assert!(found[0].is_temporary && found[0].status == Fail, "{found:#?}");
}

#[tokio::test]
async fn mx_records_must_name_hosts() {
    let with = |exchange: &str| Fixed::new().with_mx("example.org", 10, exchange);
    check(with("."), &[("mx", Pass, "takes no mail"), ("spf", Fail, "no SPF record")]).await;
    check(with(".").with_mx("example.org", 20, "mx.example.org"), &[("mx", Fail, "a null MX beside others")])
        .await;
    check(with("192.0.2.1"), &[("mx", Fail, "must name a host")]).await;
    check(with("mx.example.org"), &[("mx", Fail, "does not exist")]).await;
    check(with("mx.example.org").with_a("mx.example.org", "10.0.0.1"), &[("mx", Fail, "no public address")])
        .await;
    check(with("mx.example.org").with_a("mx.example.org", "2001:db8::1"), &[("mx", Warn, "only IPv6")]).await;
    let alias = with("mx.example.org")
        .with_cname("mx.example.org", "host.example.net")
        .with_a("host.example.net", "192.0.2.1");
    check(alias, &[("mx", Warn, "an alias (CNAME) of host.example.net")]).await;
}

#[tokio::test]
async fn a_name_must_lead_back_to_its_address() {
    let wrong = Fixed::new()
        .with_mx("example.org", 10, "mx.example.org")
        .with_a("mx.example.org", "192.0.2.1")
        .with_ptr("192.0.2.1", "dialup.example.net")
        .with_a("dialup.example.net", "192.0.2.9");
    check(wrong, &[("reverse", Warn, "is dialup.example.net, which is not 192.0.2.1")]).await;
}

#[tokio::test]
async fn spf_records_are_weighed() {
    let with = |record: &str| Fixed::new().with_a("example.org", "192.0.2.1").with_txt("example.org", record);
    check(with("v=spf1 ip4:192.0.2.1 -all"), &[("spf", Pass, "0 of at most 10 look-ups")]).await;
    check(with("v=spf1 +all"), &[("spf", Fail, "any address passes")]).await;
    check(with("v=spf1 a ?all"), &[("spf", Warn, "ends with ?all")]).await;
    check(with("v=spf1 a"), &[("spf", Warn, "has no all")]).await;
    check(with("v=spf1 ptr -all"), &[("spf", Warn, "has ptr")]).await;
    check(with("v=spf1 ip5:1 -all"), &[("spf", Fail, "ip5:1")]).await;
    check(with("v=spf1 -all").with_txt("example.org", "v=spf1 a -all"), &[("spf", Fail, "2 SPF records")])
        .await;
    let include = with("v=spf1 a include:many.example -all")
        .with_txt("many.example", "v=spf1 a a a a a a a -all")
        .with_a("many.example", "192.0.2.1");
    check(
        include,
        &[(
            "spf",
            Warn,
            "9 of at most 10 look-ups (include:many.example costs 8, a costs 1; ip4: and ip6: cost nothing)",
        )],
    )
    .await;
    let too_many = with("v=spf1 include:many.example -all")
        .with_txt("many.example", "v=spf1 a a a a a a a a a a -all")
        .with_a("many.example", "192.0.2.1");
    check(too_many, &[("spf", Fail, "include:many.example costs")]).await;
}

#[tokio::test]
async fn dkim_keys_are_weighed() {
    let with = |key: &str| {
        Fixed::new()
            .with_a("example.org", "192.0.2.1")
            .with_txt("w1._domainkey.example.org", &format!("v=DKIM1; {key}"))
    };
    check(with("p="), &[("dkim", Pass, "revoked")]).await;
    check(with("k=ed25519; p=AAAA"), &[("dkim", Fail, "no Ed25519 key")]).await;
    check(with("p=AAAA"), &[("dkim", Fail, "no RSA key")]).await;
    let test = "k=ed25519; t=y; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    check(with(test), &[("dkim", Warn, "being tested")]).await;
    // 1024 bits: of RFC 6376's appendix C.
    let rsa = "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";
    check(with(rsa), &[("dkim", Warn, "RSA with 1024 bits")]).await;
}

#[tokio::test]
async fn dmarc_records_and_their_addresses_are_weighed() {
    let with =
        |record: &str| Fixed::new().with_a("example.org", "192.0.2.1").with_txt("_dmarc.example.org", record);
    check(with("v=DMARC1; p=none"), &[("dmarc", Warn, "p=none")]).await;
    check(with("v=DMARC1; p=reject"), &[("dmarc", Warn, "without an address for reports")]).await;
    check(with("v=DMARC1; p=reject; t=y"), &[("dmarc", Warn, "testing")]).await;
    check(
        with("v=DMARC1; p=none").with_txt("_dmarc.example.org", "v=DMARC1; p=reject"),
        &[("dmarc", Fail, "2 DMARC records")],
    )
    .await;
    let outside = with("v=DMARC1; p=reject; rua=mailto:a@reports.example.net");
    check(outside.clone(), &[("dmarc", Fail, "reports to a@reports.example.net")]).await;
    let found = findings(outside.clone()).await;
    let record =
        found.iter().flat_map(|finding| &finding.publish).find(|record| record.name.contains("_report"));
    assert_eq!(record.unwrap().name, "example.org._report._dmarc.reports.example.net");
    let found =
        findings(outside.with_txt("example.org._report._dmarc.reports.example.net", "v=DMARC1")).await;
    assert!(!found.iter().any(|finding| finding.check == "dmarc" && finding.status == Fail), "{found:#?}");
}

#[tokio::test]
async fn transport_security_is_weighed() {
    let tlsa = || Tlsa { usage: 3, selector: 1, matching: 1, data: vec![7; 32] };
    let name = "_1._tcp.mx.example.org";
    check(good().with_tlsa(name, tlsa()), &[("dane", Warn, "not signed")]).await;
    let signed = good().with_signed("example.org");
    // The host is not to be called: its address is one for documentation, and the name server is not there.
    check(signed.clone().with_tlsa(name, tlsa()), &[("dane", Warn, "could not be compared")]).await;
    check(signed.with_tlsa(name, Tlsa { usage: 1, ..tlsa() }), &[("dane", Fail, "1 1 1")]).await;
    check(good().with_bogus(name, "TLSA"), &[("dane", Fail, "DNSSEC")]).await;
    let sts = |record: &str| good().with_txt("_mta-sts.example.org", record);
    check(sts("v=STSv1; id=1;"), &[("mta-sts", Fail, "mta-sts.example.org")]).await;
    check(sts("v=STSv1;"), &[("mta-sts", Fail, "has no id")]).await;
    check(good().with_txt("_smtp._tls.example.org", "v=TLSRPTv1; rua=x"), &[("tls-rpt", Fail, "2 records")])
        .await;
}

#[tokio::test]
async fn services_and_authorities_are_weighed() {
    let base =
        || Fixed::new().with_mx("example.org", 10, "mx.example.org").with_a("mx.example.org", "192.0.2.1");
    check(
        base().with_srv("_imap._tcp.example.org", 143, "mx.example.org").with_srv(
            "_pop3._tcp.example.org",
            0,
            ".",
        ),
        &[("services", Pass, "_imap._tcp.example.org"), ("services", Warn, "_imap without _imaps")],
    )
    .await;
    check(
        base().with_srv("_imaps._tcp.example.org", 993, "gone.example.org"),
        &[("services", Fail, "gone.example.org")],
    )
    .await;
    check(base().with_caa("example.org", "issue", ";"), &[("caa", Warn, "forbids every authority")]).await;
    check(base().with_caa("mx.example.org", "issue", "ca.example; x=1"), &[("caa", Pass, "ca.example")])
        .await;
}
