//! Domains as they are published, and what is told of them.

use super::finding::Publish;
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
    findings_at(fixed, 1).await
}

/// Hosts take mail at this port.
async fn findings_at(fixed: Fixed, port: u16) -> Vec<Finding> {
    findings_with(fixed, port, &[]).await
}

/// This installation would publish these records.
async fn findings_with(fixed: Fixed, port: u16, own: &[admin::domain::Record]) -> Vec<Finding> {
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
        own,
        port,
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

/// The records to publish of what is told, as lines of a zone file.
async fn published(fixed: Fixed, port: u16) -> Vec<String> {
    let found = findings_at(fixed, port).await;
    found.iter().flat_map(|finding| &finding.publish).map(Publish::line).collect()
}

#[tokio::test]
async fn a_good_domain_fails_nowhere() {
    let found = findings(good()).await;
    assert!(found.iter().all(|finding| finding.status != Fail), "{found:#?}");
    assert!(found.iter().all(|finding| !finding.why.is_empty()), "{found:#?}");
    // Of each subject one reason, wherever all is well.
    for one in found.iter().filter(|finding| finding.status == Pass) {
        assert!(found.iter().all(|other| other.check != one.check || other.why == one.why), "{found:#?}");
    }
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
    let publishes: Vec<String> =
        found.iter().flat_map(|finding| &finding.publish).map(Publish::line).collect();
    for record in [
        "example.org. MX 10 mail.example.org.",
        "1.2.0.192.in-addr.arpa. PTR example.org.",
        "example.org. TXT \"v=spf1 mx ~all\"",
        "_dmarc.example.org. TXT \"v=DMARC1; p=none; rua=mailto:postmaster@example.org\"",
        "_imaps._tcp.example.org. SRV 0 1 993 example.org.",
        "autoconfig.example.org. CNAME example.org.",
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
    check(with("mx.example.org").with_a("mx.example.org", "127.0.0.1"), &[("mx", Fail, "no public address")])
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

/// What the look-ups are spent on is told to the last term, with what could stand in its place; and no record is published that
/// is as bad.
#[tokio::test]
async fn spf_records_that_ask_too_much_are_flattened_by_hint() {
    let record = |terms: &[String]| format!("v=spf1 {} -all", terms.join(" "));
    let spf = async |fixed: Fixed| {
        let found = findings(fixed).await;
        let one = found.into_iter().find(|finding| finding.check == "spf");
        one.unwrap()
    };
    let terms: Vec<String> = (1..=12).map(|n| format!("include:s{n}.example")).collect();
    let mut fixed = Fixed::new().with_txt("example.org", &record(&terms));
    for n in 1..=12 {
        fixed = fixed
            .with_txt(&format!("s{n}.example"), &format!("v=spf1 ip4:192.0.2.{n} ip6:2001:db8::{n} -all"));
    }
    let finding = spf(fixed).await;
    assert_eq!((finding.status, &finding.publish[..]), (Fail, &[][..]), "{finding:#?}");
    assert!(terms.iter().all(|term| finding.found.contains(&format!("{term} costs 1"))), "{finding:#?}");
    assert_eq!(finding.hints.len(), 12);
    let twelfth = "in place of include:s12.example could stand today: ip4:192.0.2.12 ip6:2001:db8::12;";
    assert!(finding.hints.iter().any(|hint| hint.starts_with(twelfth)), "{finding:#?}");

    // Terms that name nothing are the ones to leave out.
    let fixed = Fixed::new()
        .with_txt(
            "example.org",
            "v=spf1 a:one.example mx:two.example a include:three.example a:four.example ~all",
        )
        .with_a("example.org", "192.0.2.1");
    let finding = spf(fixed).await;
    assert_eq!(finding.status, Fail);
    let published: Vec<String> = finding.publish.iter().map(Publish::line).collect();
    assert_eq!(published, ["example.org. TXT \"v=spf1 a ~all\""], "{finding:#?}");
    assert!(finding.hints.contains(&"a:four.example names nothing: leave it out".to_owned()), "{finding:#?}");
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

/// What is wrong with a record of SPF or DMARC comes with the record to publish in its place.
#[tokio::test]
async fn records_are_mended() {
    let spf = [
        // What cannot be read goes, and the rest stays.
        (&["v=spf1 mx ip5:1 ip4:192.0.2.7 -all"][..], "v=spf1 mx ip4:192.0.2.7 -all"),
        (&["v=spf1 -all", "v=spf1 a -all"], "v=spf1 a -all"),
        (&["v=spf1 mx a -all", "v=spf1 mx ~all exp=why.example.org"], "v=spf1 mx a ~all exp=why.example.org"),
        (&["v=spf1 a -all", "v=spf1 redirect=other.example"], "v=spf1 a include:other.example -all"),
        (&["v=spf1 a ?all"], "v=spf1 a ~all"),
        (&["v=spf1 +all"], "v=spf1 ~all"),
        (&["v=spf1 a"], "v=spf1 a ~all"),
        (&["v=spf1 ptr a -all"], "v=spf1 a -all"),
    ];
    for (records, expected) in spf {
        let bare = Fixed::new().with_a("example.org", "192.0.2.1").with_txt("other.example", "v=spf1 -all");
        let fixed = records.iter().fold(bare, |fixed, record| fixed.with_txt("example.org", record));
        let expected = format!("example.org. TXT \"{expected}\"");
        let published = published(fixed, 1).await;
        assert!(published.contains(&expected), "{records:?}: {published:#?}");
    }
    let dmarc = [
        (
            &["v=DMARC1; p=none; rua=mailto:a@example.org"][..],
            "v=DMARC1; p=quarantine; rua=mailto:a@example.org",
        ),
        (
            &["v=DMARC1; p=reject; t=y; adkim=s; rua=mailto:a@example.org"],
            "v=DMARC1; p=reject; adkim=s; rua=mailto:a@example.org",
        ),
        (&["v=DMARC1; p=reject"], "v=DMARC1; p=reject; rua=mailto:postmaster@example.org"),
        (
            &["v=DMARC1; p=none", "v=DMARC1; p=reject; rua=mailto:a@example.org"],
            "v=DMARC1; p=reject; rua=mailto:a@example.org",
        ),
    ];
    for (records, expected) in dmarc {
        let bare = Fixed::new().with_a("example.org", "192.0.2.1");
        let fixed = records.iter().fold(bare, |fixed, record| fixed.with_txt("_dmarc.example.org", record));
        let expected = format!("_dmarc.example.org. TXT \"{expected}\"");
        let published = published(fixed, 1).await;
        assert!(published.contains(&expected), "{records:?}: {published:#?}");
    }
}

/// RFC 8461 §3.1: a policy of ours that changed, be it for another name of this machine, is announced by another id.
#[tokio::test]
async fn the_id_published_is_that_of_our_policy() {
    let name = "_mta-sts.example.org";
    let own = admin::domain::Record {
        name: name.to_owned(),
        kind: admin::domain::RecordKind::Txt,
        value: "\"v=STSv1; id=2abc\"".to_owned(),
        purpose: String::new(),
    };
    let told = async |id: &str| {
        let fixed = good().with_txt(name, &format!("v=STSv1; id={id}"));
        let found = findings_with(fixed, 1, std::slice::from_ref(&own)).await;
        let of_id = found.into_iter().find(|finding| finding.found.contains("is not that of"));
        of_id.map(|finding| (finding.status, finding.publish.iter().map(Publish::line).collect::<Vec<_>>()))
    };
    assert_eq!(told("2abc").await, None);
    let wanted = format!("{name}. TXT \"v=STSv1; id=2abc\"");
    assert_eq!(told("1").await, Some((Fail, vec![wanted])));
}

/// Hosts are called together: one that does not answer costs no other its time.
#[tokio::test]
async fn silent_hosts_are_called_at_once() {
    let listener = net::Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
    let port = listener.local().port().unwrap();
    // The first call is dropped only when the second is there: one after the other, it would last until nobody has patience.
    tokio::spawn(async move {
        let _both = (listener.accept().await.unwrap(), listener.accept().await.unwrap());
    });
    let hosts = ["b.example.org", "a.example.org"];
    let silent = hosts.iter().zip([10, 20]).fold(Fixed::new(), |fixed, (host, preference)| {
        let tlsa = Tlsa { usage: 3, selector: 1, matching: 1, data: vec![7; 32] };
        fixed
            .with_mx("example.org", preference, host)
            .with_a(host, "127.0.0.1")
            .with_tlsa(&format!("_{port}._tcp.{host}"), tlsa)
    });
    let found = findings_at(silent.with_signed("example.org"), port).await;
    let dane: Vec<&Finding> = found.iter().filter(|finding| finding.check == "dane").collect();
    assert_eq!(dane.len(), 2, "{dane:#?}");
    for (finding, host) in dane.iter().zip(hosts) {
        assert!(finding.found.starts_with(&format!("_{port}._tcp.{host}: ")), "{dane:#?}");
        assert!(finding.found.contains("could not be compared"), "{dane:#?}");
        assert!(!finding.found.contains("did not answer"), "{dane:#?}");
    }
}

#[test]
fn a_changed_sts_policy_comes_with_another_id() {
    let next = |id: &str| sts::next(id);
    assert_eq!([next("20260101"), next("abc"), next("1")], ["20260102", "1", "2"]);
}

/// A host that speaks STARTTLS for as many as call, and shows this certificate; its port.
fn host_with(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> u16 {
    use net::tls::{KeyPair, TlsServer, TlsServerSettings};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let pair = KeyPair::Pem {
        certificate: key.cert.pem().into_bytes(),
        key: address::Secret::new(key.signing_key.serialize_pem().into_bytes()),
    };
    let settings = TlsServerSettings { certificates: vec![pair], ..Default::default() };
    let tls = TlsServer::new(settings).unwrap();
    let listener = net::Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
    let port = listener.local().port().unwrap();
    tokio::spawn(async move {
        while let Ok(mut stream) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let mut input = [0; 512];
                for words in ["220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go on\r\n"] {
                    stream.write_all(words.as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                    if !words.ends_with("go on\r\n") {
                        let _ = stream.read(&mut input).await;
                    }
                }
                let _ = stream.start_tls(&tls).await;
            });
        }
    });
    port
}

/// Whatever stands in the DNS, the record to publish is that of the certificate that the host shows.
#[tokio::test]
async fn the_tlsa_record_to_publish_is_of_the_certificate_shown() {
    let key = rcgen::generate_simple_self_signed(["mx.example.org".to_owned()]).unwrap();
    let port = host_with(&key);
    let digest = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        &rcgen::PublicKeyData::subject_public_key_info(&key.signing_key),
    );
    let name = format!("_{port}._tcp.mx.example.org");
    let record = |data: &[u8]| Tlsa { usage: 3, selector: 1, matching: 1, data: data.to_vec() };
    let wanted = format!("{name}. TLSA {}", record(digest.as_ref()));
    let base = || {
        Fixed::new()
            .with_mx("example.org", 10, "mx.example.org.")
            .with_a("mx.example.org", "127.0.0.1")
            .with_signed("example.org")
    };
    let old = || base().with_tlsa(&name, record(&[7; 32]));
    let unusable = || base().with_tlsa(&name, Tlsa { usage: 1, ..record(digest.as_ref()) });
    for (fixed, status) in [(base(), Warn), (old(), Fail), (unusable(), Fail)] {
        let found = findings_at(fixed.clone(), port).await;
        let dane = found.iter().find(|finding| finding.check == "dane").unwrap();
        assert_eq!(dane.status, status, "{dane:#?}");
        let published: Vec<String> = dane.publish.iter().map(Publish::line).collect();
        assert_eq!(published, std::slice::from_ref(&wanted), "{dane:#?}");
    }
    let found = findings_at(base().with_tlsa(&name, record(digest.as_ref())), port).await;
    let dane = found.iter().find(|finding| finding.check == "dane").unwrap();
    assert!(dane.status == Pass && dane.publish.is_empty(), "{dane:#?}");
}
