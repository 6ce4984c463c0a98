//! MTA-STS (RFC 8461): policies fetched from a server of our own, and who gets mail by them; the facts for TLS reports (RFC 8460).

use crate::server::{Script, Server, certificate};
use crate::{DELIVERED, Letter, SLOW, check, route, send_one, settings, terms};
use address::{Domain, Host};
use dns::{Fixed, Tlsa};
use mailauth::report::tls::{PolicyType, ResultType, Session};
use net::tls::{TlsClient, TlsServer};
use net::{Endpoint, Listener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use store::{Options, Store, StsPolicyRecord};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::{Carried, Carrier, NextHop, Outcome, Terms, TlsLevel, TlsLog, Transport};

const OFFERED: Script = &[("EHLO", "250-mx\r\n250 STARTTLS"), ("EHLO", "250-mx\r\n250 REQUIRETLS")];
const STRIPPED: Script = &[("EHLO", "250 mx")];
const DOMAIN: &str = "d.example";
const ENFORCE: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.d.example\r\nmax_age: 86400\r\n";
const TESTING: &str = "version: STSv1\r\nmode: testing\r\nmx: mx.d.example\r\nmax_age: 86400\r\n";
const OTHERS: &str = "version: STSv1\r\nmode: enforce\r\nmx: *.other.example\r\nmax_age: 86400\r\n";

/// What the policy's host serves.
struct PolicyHost {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl PolicyHost {
    async fn start(answer: String, tls: TlsServer) -> Self {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
        let Endpoint::Tcp(address) = listener.local() else { panic!() };
        let port = address.port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let stream = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = stream.start_tls(&tls).await else { continue };
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.unwrap_or(0) > 0
                {
                }
                let asked =
                    format!("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.d.example:{port}\r\n");
                assert!(request.starts_with(asked.as_bytes()));
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, asked }
    }
}

fn ok(policy: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{policy}", policy.len())
}

#[derive(Default)]
struct Log(Mutex<Vec<Session>>);

impl TlsLog for Log {
    fn record(&self, session: Session) {
        self.0.lock().unwrap().push(session);
    }
}

/// mx.d.example with a certificate for `name`, and the policy's host with one for `policy_name`; both issuers are trusted.
struct Scene {
    server: Server,
    policies: PolicyHost,
    client: TlsClient,
    log: Arc<Log>,
    letter: Letter,
    level: TlsLevel,
    store: Option<Store>,
}

impl Scene {
    async fn new(script: Script, policy: &str) -> Self {
        Self::with(script, "mx.d.example", ok(policy), "mta-sts.d.example").await
    }

    async fn with(script: Script, name: &str, answer: String, policy_name: &str) -> Self {
        let (root, tls) = certificate(name);
        let (policy_root, policy_tls) = certificate(policy_name);
        Self {
            server: Server::start_at("127.0.0.1:0", script, Some(tls)).await,
            policies: PolicyHost::start(answer, policy_tls).await,
            client: TlsClient::with_roots([root, policy_root]).unwrap(),
            log: Arc::default(),
            letter: Letter::default(),
            level: TlsLevel::Opportunistic,
            store: None,
        }
    }

    fn dns(&self) -> Fixed {
        let mx = "mx.d.example";
        let zone = Fixed::new().with_mx(DOMAIN, 10, mx).with_a(mx, "127.0.0.1");
        zone.with_a("mta-sts.d.example", "127.0.0.1")
    }

    fn announced(&self) -> Fixed {
        self.dns().with_txt("_mta-sts.d.example", "v=STSv1; id=1;")
    }

    fn transport(&self, dns: Fixed) -> Transport {
        let settings = transport::Settings { sts_port: self.policies.port, ..settings() };
        let transport = Transport::new(Arc::new(dns), self.client.clone(), settings);
        let transport = transport.with_tls_log(Arc::clone(&self.log) as Arc<dyn TlsLog>);
        match &self.store {
            Some(store) => transport.with_store(store.clone()),
            None => transport,
        }
    }

    async fn send(&self, dns: Fixed) -> Carried {
        self.send_by(&self.transport(dns)).await
    }

    async fn send_by(&self, transport: &Transport) -> Carried {
        let next = NextHop::Mx(DOMAIN.parse::<Host>().unwrap());
        let terms = Terms { tls: self.level, ..terms(self.server.address.port()) };
        send_one(transport, &route(next, terms), &self.letter).await
    }

    /// The last fact: the policy it was measured by, and what failed.
    fn fact(&self) -> (PolicyType, Option<ResultType>) {
        let log = self.log.0.lock().unwrap();
        let session = log.last().unwrap();
        let mx = session.mx.as_ref().map(Domain::as_str);
        assert_eq!((session.recipient_domain.as_str(), mx), (DOMAIN, Some("mx.d.example")));
        (session.applied.kind, session.failure.as_ref().map(|failure| failure.kind))
    }
}

/// RFC 8461 §3.4.
#[tokio::test]
async fn a_smart_host_is_called_by_its_own_policy() {
    let policy = "version: STSv1\r\nmode: enforce\r\nmx: d.example\r\nmax_age: 86400\r\n";
    for (certificate, delivered) in [(DOMAIN, true), ("mx.d.example", false)] {
        let scene = Scene::with(OFFERED, certificate, ok(policy), "mta-sts.d.example").await;
        let port = scene.server.address.port();
        let next = NextHop::Smtp { host: DOMAIN.parse::<Host>().unwrap(), port, implicit_tls: false };
        let transport = scene.transport(scene.announced().with_a(DOMAIN, "127.0.0.1"));
        let carried = send_one(&transport, &route(next, terms(port)), &scene.letter).await;
        assert_eq!(carried.outcome == DELIVERED, delivered, "{certificate}: {carried:?}");
    }
}

#[tokio::test]
async fn a_host_that_complies_gets_mail_over_verified_tls() {
    let scene = Scene::new(OFFERED, ENFORCE).await;
    let transport = scene.transport(scene.announced());
    for _ in 0..3 {
        let carried = scene.send_by(&transport).await;
        check(&carried, DELIVERED, "250 ");
        assert!(carried.tls.is_some() && carried.notes[0].contains("by MTA-STS"), "{carried:?}");
    }
    assert_eq!(scene.policies.asked.load(Ordering::SeqCst), 1, "it is fetched once");
    assert_eq!(scene.fact(), (PolicyType::Sts, None));
}

#[tokio::test]
async fn who_does_not_comply_gets_none_and_the_domain_is_told() {
    let cases = [
        (STRIPPED, "mx.d.example", ENFORCE, "451 4.7.4 ", ResultType::StarttlsNotSupported),
        (OFFERED, "else.example", ENFORCE, "451 4.7.5 ", ResultType::CertificateHostMismatch),
        (OFFERED, "mx.d.example", OTHERS, "451 4.7.5 ", ResultType::ValidationFailure),
    ];
    for (script, name, policy, reply, result) in cases {
        let scene = Scene::with(script, name, ok(policy), "mta-sts.d.example").await;
        check(&scene.send(scene.announced()).await, SLOW, reply);
        assert_eq!((scene.server.count("MAIL"), scene.fact()), (0, (PolicyType::Sts, Some(result))));
    }
}

#[tokio::test]
async fn a_policy_being_tested_keeps_no_mail_and_is_reported() {
    let cases = [
        (STRIPPED, "mx.d.example", Some(ResultType::StarttlsNotSupported)),
        (OFFERED, "else.example", Some(ResultType::CertificateHostMismatch)),
        (OFFERED, "mx.d.example", None),
    ];
    for (script, name, result) in cases {
        let scene = Scene::with(script, name, ok(TESTING), "mta-sts.d.example").await;
        check(&scene.send(scene.announced()).await, DELIVERED, "250 ");
        assert_eq!(scene.fact(), (PolicyType::Sts, result));
    }
}

/// RFC 8461 §3.3: mail goes as if there were none, and the domain is told why.
#[tokio::test]
async fn a_policy_that_cannot_be_had_is_none() {
    let redirect =
        "HTTP/1.1 302 Found\r\nLocation: https://d.example/\r\nContent-Length: 0\r\n\r\n".to_owned();
    let cases = [
        (ok(ENFORCE), "attacker.example", ResultType::StsWebpkiInvalid),
        (redirect, "mta-sts.d.example", ResultType::StsPolicyFetchError),
        (ok("<html>"), "mta-sts.d.example", ResultType::StsPolicyInvalid),
        (
            ok(&format!("{ENFORCE}{}", "x:y\r\n".repeat(20_000))),
            "mta-sts.d.example",
            ResultType::StsPolicyFetchError,
        ),
    ];
    for (answer, policy_name, result) in cases {
        let scene = Scene::with(OFFERED, "else.example", answer, policy_name).await;
        let transport = scene.transport(scene.announced());
        for _ in 0..2 {
            check(&scene.send_by(&transport).await, DELIVERED, "250 ");
            assert_eq!(scene.fact(), (PolicyType::Sts, Some(result)));
        }
        assert_eq!(scene.policies.asked.load(Ordering::SeqCst), 1, "and its host left in peace");
    }
    let scene = Scene::with(STRIPPED, "else.example", ok(ENFORCE), "mta-sts.d.example").await;
    check(&scene.send(scene.dns()).await, DELIVERED, "250 ");
    assert_eq!(scene.fact(), (PolicyType::NoPolicyFound, Some(ResultType::StarttlsNotSupported)));
}

fn record(text: &str, age: i64, max_age: i64) -> StsPolicyRecord {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let fetched = i64::try_from(now.as_secs()).unwrap() - age;
    let text = text.replace("86400", &max_age.to_string());
    StsPolicyRecord { id: "1".to_owned(), text, fetched, until: fetched + max_age }
}

#[tokio::test]
async fn a_policy_holds_across_restarts_whatever_the_dns_says_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let domain = Domain::parse(DOMAIN).unwrap();
    let mut scene = Scene::with(OFFERED, "else.example", ok(ENFORCE), "attacker.example").await;
    scene.store = Some(store.clone());
    // The record is taken out of the DNS, and the policy's host has another's certificate: an attack, and no use.
    store.keep_sts_policy(domain.clone(), record(ENFORCE, 10, 86_400)).await.unwrap();
    check(&scene.send(scene.dns()).await, SLOW, "451 4.7.5 ");
    store.keep_sts_policy(domain.clone(), record(ENFORCE, 50_000, 86_400)).await.unwrap();
    check(&scene.send(scene.announced()).await, SLOW, "451 4.7.5 ");
    assert_eq!(scene.policies.asked.load(Ordering::SeqCst), 1, "it is old enough to be fetched anew");
    // Ended.
    store.keep_sts_policy(domain.clone(), record(ENFORCE, 86_400, 86_400)).await.unwrap();
    check(&scene.send(scene.dns()).await, DELIVERED, "250 ");
}

#[tokio::test]
async fn what_was_fetched_is_kept_and_refreshed_before_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let domain = Domain::parse(DOMAIN).unwrap();
    let mut scene = Scene::new(OFFERED, ENFORCE).await;
    scene.store = Some(store.clone());
    check(&scene.send(scene.announced()).await, DELIVERED, "250 ");
    assert_eq!(store.sts_policy(&domain).unwrap().unwrap().text, ENFORCE);
    let old = record(ENFORCE, 100_000, 1_000_000);
    store.keep_sts_policy(domain.clone(), old.clone()).await.unwrap();
    scene.transport(scene.announced()).refresh_policies().await;
    assert!(store.sts_policy(&domain).unwrap().unwrap().fetched > old.fetched);
}

/// RFC 8461 §10.2: whoever holds the record back until the policy ends would be rid of it.
#[tokio::test]
async fn a_policy_is_refreshed_also_while_its_record_is_held_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let domain = Domain::parse(DOMAIN).unwrap();
    let mut scene = Scene::new(OFFERED, ENFORCE).await;
    scene.store = Some(store.clone());
    let record_name = "_mta-sts.d.example";
    let held_back = [
        scene.dns(),
        scene.dns().with_failure(record_name, "silence"),
        scene.dns().with_txt(record_name, "v=spf1 -all"),
    ];
    for (number, dns) in held_back.into_iter().enumerate() {
        let old = record(ENFORCE, 100_000, 1_000_000);
        store.keep_sts_policy(domain.clone(), old.clone()).await.unwrap();
        scene.transport(dns).refresh_policies().await;
        let kept = store.sts_policy(&domain).unwrap().unwrap();
        assert!(kept.fetched > old.fetched && kept.id == old.id, "{number}: {kept:?}");
    }
    // Without a policy of its own nothing is fetched.
    store.keep_sts_policy(domain.clone(), record(ENFORCE, 100_000, 100_000)).await.unwrap();
    let asked = scene.policies.asked.load(Ordering::SeqCst);
    scene.transport(scene.dns()).refresh_policies().await;
    assert_eq!(scene.policies.asked.load(Ordering::SeqCst), asked);
    assert_eq!(store.sts_policy(&domain).unwrap(), None);
}

/// RFC 8460 §4.3.2.1: a domain is told that its MX or address records are bogus, as of its TLSA records.
#[tokio::test]
async fn bogus_records_of_the_domain_itself_defer_and_are_told() {
    let scene = Scene::new(OFFERED, ENFORCE).await;
    let implicit = || Fixed::new().with_a(DOMAIN, "127.0.0.1");
    for dns in [scene.dns().with_bogus(DOMAIN, "MX"), implicit().with_bogus(DOMAIN, "A")] {
        let transport = scene.transport(dns);
        let next = NextHop::Mx(DOMAIN.parse::<Host>().unwrap());
        let lost = transport.locate(&route(next, terms(25))).await.unwrap_err();
        assert!(!lost.permanent && lost.reply.starts_with("451 4.4.3 "), "{lost:?}");
        let told = scene.log.0.lock().unwrap().pop().unwrap();
        let failed = told.failure.map(|failure| failure.kind);
        assert_eq!((told.recipient_domain.as_str(), told.mx), (DOMAIN, None));
        assert_eq!((told.applied.kind, failed), (PolicyType::Tlsa, Some(ResultType::DnssecInvalid)));
    }
}

/// RFC 8461 §2: MTA-STS must not override a failing DANE validation; where DANE is satisfied, it decides.
#[tokio::test]
async fn dane_comes_before_mta_sts() {
    let scene = Scene::new(OFFERED, ENFORCE).await;
    let name = format!("_{}._tcp.mx.d.example", scene.server.address.port());
    let stranger = Tlsa { usage: 3, selector: 0, matching: 1, data: vec![7; 32] };
    let dns = scene.announced().with_signed(DOMAIN).with_tlsa(&name, stranger);
    check(&scene.send(dns).await, SLOW, "451 4.7.5 ");
    assert_eq!(scene.fact(), (PolicyType::Tlsa, Some(ResultType::CertificateHostMismatch)));
    let bogus = scene.announced().with_signed(DOMAIN).with_bogus(&name, "TLSA");
    check(&scene.send(bogus).await, SLOW, "451 4.4.3 ");
    assert_eq!(scene.fact(), (PolicyType::Tlsa, Some(ResultType::DnssecInvalid)));
}

/// RFC 8689 §4.2.1.
#[tokio::test]
async fn requiretls_is_satisfied_by_mta_sts() {
    let mut scene = Scene::new(OFFERED, ENFORCE).await;
    scene.letter.parameters = " REQUIRETLS";
    check(&scene.send(scene.announced()).await, DELIVERED, "250 ");
    let mut scene = Scene::new(OFFERED, TESTING).await;
    scene.letter.parameters = " REQUIRETLS";
    check(&scene.send(scene.announced()).await, Outcome::Failed, "550 5.7.30 ");
}

/// RFC 8689 §4.2.2.
#[tokio::test]
async fn a_sender_may_prefer_delivery_to_the_others_policies() {
    for script in [OFFERED, STRIPPED] {
        let mut scene = Scene::with(script, "else.example", ok(ENFORCE), "mta-sts.d.example").await;
        scene.letter.body = b"Subject: hello\r\nTLS-Required: No\r\n\r\nbody\r\n";
        let carried = scene.send(scene.announced()).await;
        check(&carried, DELIVERED, "250 ");
        assert!(carried.notes[0].contains("TLS-Required: No"), "{carried:?}");
        // What the configuration asks for stays.
        scene.level = TlsLevel::Verified;
        let kept = scene.send(scene.announced()).await;
        assert_eq!(kept.outcome, SLOW, "{kept:?}");
    }
}

#[tokio::test]
async fn starttls_seen_before_and_missing_now_is_told() {
    let script: Script = &[("EHLO", "250-mx\r\n250 STARTTLS"), ("EHLO", "250 mx"), (".", "250 queued close")];
    let scene = Scene::with(script, "mx.d.example", ok(TESTING), "mta-sts.d.example").await;
    let transport = scene.transport(scene.dns());
    check(&scene.send_by(&transport).await, DELIVERED, "250 ");
    let stripped = Server::start_at("127.0.0.1:0", STRIPPED, None).await;
    let next = NextHop::Mx(DOMAIN.parse::<Host>().unwrap());
    let to = route(next, terms(stripped.address.port()));
    let carried = send_one(&transport, &to, &Letter::default()).await;
    check(&carried, DELIVERED, "250 ");
    assert!(carried.notes.iter().any(|note| note.contains("offered STARTTLS before")), "{carried:?}");
    assert_eq!(scene.fact(), (PolicyType::NoPolicyFound, Some(ResultType::StarttlsNotSupported)));
}
