//! From a message to a report in the queue, and from a report in a mailbox to a table.

mod failures;
mod https;

use crate::run::Reports;
use crate::{Arrived, Settings, Sign, day, inbox};
use address::{Address, Domain, ReversePath};
use bytes::Bytes;
use directory::Directory;
use dns::{Fixed, Names};
use jiff::Timestamp;
use mailauth::dkim::{BodyHasher, Signer, SigningKey};
use mailauth::dmarc::{self, Evaluation, Identifier, Outcome};
use mailauth::report::aggregate::Disposition;
use mailauth::report::tls::{Applied, Failure, PolicyType, ResultType, Session};
use mailauth::report::{self, Incoming};
use net::Shutdown;
use net::tls::TlsClient;
use std::sync::Arc;
use store::directory::{AccountRecord, DomainKind, DomainRecord};
use store::mailbox::INBOX;
use store::queue::{LocalCopy, NewMessage};
use store::report::{ReportKind, Sent};
use store::trail::Origin;
use store::{Body, Id, Options, Store};

/// A moment of 2024, and noon of the day after.
const NOW: u64 = 1_720_000_000;
const NEXT_NOON: i64 = 1_720_094_400;

struct World {
    reports: Reports,
    store: Store,
    account: AccountRecord,
    dns: Arc<Fixed>,
    _folder: tempfile::TempDir,
}

fn zone() -> Fixed {
    Fixed::new()
        .with_txt(
            "_dmarc.sender.example",
            "v=DMARC1; p=reject; rua=mailto:rua@sender.example,mailto:x@outside.example",
        )
        .with_txt("_dmarc.silent.example", "v=DMARC1; p=reject")
        .with_txt("_smtp._tls.sender.example", "v=TLSRPTv1; rua=mailto:tls@sender.example")
}

impl World {
    async fn new(dns: Fixed) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let record = DomainRecord {
            name: domain("here.example"),
            kind: DomainKind::Local,
            catch_all: None,
            language: None,
            quota: None,
        };
        store.add_domain(record, Vec::new()).await.unwrap();
        let account = AccountRecord::new("dmarc@here.example".parse().unwrap());
        store.add_account(account.clone(), None).await.unwrap();
        let directory = Directory::open(store.clone(), domain("mx.here.example")).await.unwrap();
        let sign: Sign = Arc::new(|domain, _| Some(format!("DKIM-Signature: d={domain}\r\n").into_bytes()));
        let dns = Arc::new(dns);
        let reports = Reports::new(directory, dns.clone(), TlsClient::new(), sign, Settings::default());
        Self { reports, store, account, dns, _folder: folder }
    }

    async fn evaluation(&self, author: &str, passes: bool) -> Evaluation {
        let author = domain(author);
        let outcome = if passes { Outcome::Pass } else { Outcome::Fail };
        let signed = [Identifier { domain: &author, outcome }];
        dmarc::evaluate(&Names(&*self.dns), &author, None, &signed).await
    }

    async fn count(&self, author: &str, passes: bool, is_report: bool) {
        let evaluation = self.evaluation(author, passes).await;
        let ip = "192.0.2.7".parse().unwrap();
        let (spf, dkim, mail_from) = (None, &[][..], None);
        let (done, evaluation) = (evaluation.disposition, &evaluation);
        self.reports.count_message(&Arrived {
            ip,
            evaluation,
            spf,
            dkim,
            mail_from,
            done,
            is_report,
            now: NOW,
        });
    }

    /// What is in the queue after the reports of the day were due: recipient and message.
    async fn sent(&self) -> Vec<(String, Vec<u8>)> {
        let mut feed = self.store.queue_feed().unwrap();
        self.reports.flush().await;
        let noon = Timestamp::from_second(NEXT_NOON).unwrap();
        self.reports.send_due(noon, &Shutdown::new()).await;
        let mut sent = Vec::new();
        while let Ok(fresh) = feed.try_recv() {
            let body = fresh.message.body.as_ref().unwrap().read(usize::MAX).await.unwrap();
            let to = fresh.recipients[0].address.to_string();
            sent.push((to, [&fresh.message.trace[..], &body].concat()));
        }
        sent
    }

    /// Puts a message into the mailbox, as delivery does for `to`.
    async fn deliver(&self, to: &str, message: &[u8]) {
        let recipient: Address = to.parse().unwrap();
        let prefix = message::delivered_to(&recipient).to_string();
        let copy = LocalCopy {
            recipient,
            account: self.account.id,
            mailbox: INBOX.into(),
            prefix: prefix.into(),
            flags: 0,
        };
        let new = NewMessage {
            id: Id::generate(),
            reverse_path: ReversePath::Null,
            parameters: String::new(),
            body: Body::from_bytes(message.to_vec()),
            trace: Bytes::new(),
            origin: Origin::default(),
            local: vec![copy],
            remote: Vec::new(),
        };
        self.store.accept(new).await.unwrap();
    }

    async fn read(&self) -> crate::view::Overview {
        for folder in inbox::folders(&self.reports).unwrap() {
            while inbox::read_page(&self.reports, folder).await.unwrap() {}
        }
        crate::view::Overview::of(&self.store.reports(&domain("here.example"), 0, 100).unwrap())
    }
}

fn domain(name: &str) -> Domain {
    name.parse().unwrap()
}

fn session(failure: Option<ResultType>) -> Session {
    let applied = Applied {
        kind: PolicyType::Sts,
        domain: domain("sender.example"),
        lines: vec!["version: STSv1".into()],
        mx_patterns: vec!["mx.sender.example".into()],
    };
    Session {
        recipient_domain: domain("sender.example"),
        applied,
        mx: Some(domain("mx.sender.example")),
        helo: None,
        sending_ip: None,
        receiving_ip: Some("192.0.2.25".parse().unwrap()),
        failure: failure.map(|kind| Failure { kind, reason: None }),
    }
}

#[tokio::test]
async fn a_day_of_messages_is_one_report() {
    let world = World::new(zone()).await;
    for _ in 0..3 {
        world.count("sender.example", true, false).await;
    }
    world.count("sender.example", false, false).await;
    // Who does not ask hears nothing, and reports are not reported on.
    world.count("silent.example", false, false).await;
    world.count("sender.example", true, true).await;
    let sent = world.sent().await;
    // outside.example does not say that it wants them.
    assert_eq!(sent.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), ["rua@sender.example"]);
    let text = String::from_utf8_lossy(&sent[0].1).into_owned();
    assert!(
        text.starts_with("DKIM-Signature: d=here.example\r\nFrom: postmaster@here.example\r\n"),
        "{text}"
    );
    assert!(report::is_report(&sent[0].1));
    let Some(Ok(Incoming::Aggregate(report))) = report::read(&sent[0].1) else { panic!("{text}") };
    assert_eq!((report.begin, report.end), day::range(day::of(NOW)));
    let mut rows: Vec<_> = report.records.iter().map(|record| (record.count, record.disposition)).collect();
    rows.sort();
    assert_eq!(rows, [(1, Disposition::Reject), (3, Disposition::Pass)]);
    assert_eq!(report.published.domain, domain("sender.example"));
}

#[tokio::test]
async fn nothing_is_sent_twice_or_before_its_time() {
    let world = World::new(zone()).await;
    world.count("sender.example", false, false).await;
    world.reports.flush().await;
    let mut feed = world.store.queue_feed().unwrap();
    for (time, expected) in [(NOW as i64, 0), (NEXT_NOON, 1), (NEXT_NOON + 60, 0)] {
        world.reports.send_due(Timestamp::from_second(time).unwrap(), &Shutdown::new()).await;
        let mut sent = 0;
        while feed.try_recv().is_ok() {
            sent += 1;
        }
        assert_eq!(sent, expected, "at {time}");
    }
}

#[tokio::test]
async fn what_the_dns_does_not_tell_now_waits() {
    let world = World::new(zone()).await;
    world.count("sender.example", false, false).await;
    world.reports.flush().await;
    let failing = Reports::new(
        world.reports.directory().clone(),
        Arc::new(Fixed::new().with_failure("_dmarc.sender.example", "silence")),
        TlsClient::new(),
        world.reports.sign().clone(),
        Settings::default(),
    );
    failing.send_due(Timestamp::from_second(NEXT_NOON).unwrap(), &Shutdown::new()).await;
    assert_eq!(world.sent().await.len(), 1);
}

#[tokio::test]
async fn sessions_are_a_tls_report() {
    let world = World::new(zone()).await;
    for failure in [None, None, Some(ResultType::CertificateExpired), Some(ResultType::CertificateExpired)] {
        world.reports.count_session(session(failure), NOW);
    }
    let sent = world.sent().await;
    let text = String::from_utf8_lossy(&sent[0].1).into_owned();
    assert!(
        text.contains("TLS-Report-Domain: sender.example\r\nTLS-Report-Submitter: here.example\r\n"),
        "{text}"
    );
    let Some(Ok(Incoming::Tls(report))) = report::read(&sent[0].1) else { panic!("{text}") };
    let policy = &report.policies[0];
    assert_eq!((policy.successful, policy.failed, policy.details.len()), (2, 2, 1));
    assert_eq!(policy.details[0].count, 2);
}

#[tokio::test]
async fn a_day_of_nothing_but_our_reports_is_no_tls_report() {
    let world = World::new(zone()).await;
    let before = store::report::Due { kind: ReportKind::Tls, day: 0, domain: domain("sender.example") };
    let sent = Sent { mailed: vec![domain("sender.example")], ..Sent::default() };
    world.store.close_report(before, day::of(NOW), sent).await.unwrap();
    world.reports.count_session(session(None), NOW);
    assert_eq!(world.sent().await, []);
}

#[tokio::test]
async fn settings_switch_it_off() {
    let world = World::new(zone()).await;
    world.reports.set_settings(Settings { dmarc: false, tls: false, ..Settings::default() });
    world.count("sender.example", false, false).await;
    world.reports.count_session(session(None), NOW);
    assert_eq!(world.sent().await, []);
}

#[tokio::test]
async fn reports_that_come_are_a_table() {
    // A report about here.example, as the world of another server writes it.
    let dns = Fixed::new().with_txt("_dmarc.here.example", "v=DMARC1; p=none; rua=mailto:dmarc@here.example");
    let other = World::new(dns).await;
    other.count("here.example", false, false).await;
    other.count("here.example", false, false).await;
    other.count("here.example", true, false).await;
    let report = other.sent().await.remove(0).1;

    let world = World::new(zone()).await;
    world.deliver("dmarc@here.example", &report).await;
    world.deliver("dmarc@here.example", &report).await;
    world.deliver("dmarc@here.example", b"Subject: hello\r\n\r\nno report\r\n").await;
    // The same person, and another address.
    let elsewhere = String::from_utf8(report).unwrap().replace("here.example", "elsewhere.example");
    world.deliver("joe@here.example", elsewhere.as_bytes()).await;
    let overview = world.read().await;
    assert_eq!(overview.reports.len(), 1, "{overview:?}");
    assert_eq!((overview.reports[0].total, overview.reports[0].failed), (3, 2));
    let source = &overview.sources[0];
    assert_eq!(
        (source.ip.to_string().as_str(), source.messages, source.dkim, source.failed),
        ("192.0.2.7", 3, 1, 2)
    );
    assert_eq!(world.read().await.reports.len(), 1);
}

#[tokio::test]
async fn an_unsigned_tls_report_is_ignored() {
    let other = World::new(zone()).await;
    other.reports.count_session(session(None), NOW);
    let report = other.sent().await.remove(0).1;
    let world = World::new(zone()).await;
    let about_us = String::from_utf8(report).unwrap().replace("sender.example", "here.example");
    world.deliver("dmarc@here.example", about_us.as_bytes()).await;
    assert_eq!(world.read().await.reports, []);
}

/// RFC 8460 §3: by who reports, over all of it, with a key that may be for reports alone.
#[tokio::test]
async fn a_tls_report_counts_that_its_reporter_signed() {
    let other = World::new(zone()).await;
    other.reports.count_session(session(None), NOW);
    let report = String::from_utf8(other.sent().await.remove(0).1).unwrap();
    let (_, report) = report.split_once("\r\n").unwrap();
    let check = async |signer: &str, reporter: &str, services: &str, limited: bool, kept: usize| {
        let report = report.replace("here.example", reporter).replace("sender.example", "here.example");
        let (header, body) = report.split_once("\r\n\r\n").unwrap();
        let key = SigningKey::generate_ed25519().unwrap();
        let record = key.dns_record().replace("p=", &format!("s={services}; p="));
        let mut signed = Signer::new(domain(signer), "s1".parse().unwrap(), key);
        signed.body_length = limited;
        let mut hasher = BodyHasher::new(signed.canonicalization.body);
        hasher.update(body.as_bytes());
        let field = signed.sign(format!("{header}\r\n").as_bytes(), &hasher.finish(), NOW).unwrap();
        let zone = zone().with_txt("_dmarc.outside.example", "v=DMARC1; p=none");
        let world = World::new(zone.with_txt(&format!("s1._domainkey.{signer}"), &record)).await;
        world.deliver("dmarc@here.example", &[&field, report.as_bytes()].concat()).await;
        let found = world.read().await.reports.len();
        assert_eq!(found, kept, "{signer} for {reporter}, s={services}, l={limited}");
    };
    check("reporter.example", "reporter.example", "*", false, 1).await;
    check("reporter.example", "reporter.example", "tlsrpt", false, 1).await;
    check("reporter.example", "mail.reporter.example", "email", false, 1).await;
    // One below the other is of the same organization only if the DNS says so (RFC 9989 §4.10.2).
    check("mail.reporter.example", "reporter.example", "*", false, 0).await;
    check("mail.outside.example", "outside.example", "*", false, 1).await;
    check("stranger.example", "reporter.example", "*", false, 0).await;
    check("reporter.example", "reporter.example", "web", false, 0).await;
    check("reporter.example", "reporter.example", "*", true, 0).await;
}

/// An RSA signature would keep a connection waiting.
#[tokio::test]
async fn reports_are_signed_beside_the_threads_that_serve() {
    let world = World::new(zone()).await;
    let serving = std::thread::current().id();
    let sign: Sign = Arc::new(move |_, _| {
        assert_ne!(std::thread::current().id(), serving);
        None
    });
    let (from, to) = ("postmaster@here.example".parse().unwrap(), "rua@sender.example".parse().unwrap());
    crate::post::send(&world.store, &sign, &from, &to, b"Subject: x\r\n\r\n".to_vec()).await.unwrap();
}

/// RFC 9990 §3.1.5: the owner hears what is wrong with the record.
#[tokio::test]
async fn problems_of_a_record_are_in_the_report() {
    let record = "v=DMARC1; p=reject; adkim=q; aspf=x; rua=mailto:rua@sender.example";
    let world = World::new(Fixed::new().with_txt("_dmarc.sender.example", record)).await;
    world.count("sender.example", true, false).await;
    world.count("sender.example", false, false).await;
    let sent = world.sent().await;
    let Some(Ok(Incoming::Aggregate(report))) = report::read(&sent[0].1) else { panic!() };
    assert_eq!(report.records.len(), 2);
    let [errors] = report.errors.as_slice() else { panic!("{:?}", report.errors) };
    let told: Vec<&str> = errors.split("; ").collect();
    assert!(told.len() == 2 && told[0].contains("adkim") && told[1].contains("aspf"), "{errors}");
}

#[tokio::test]
async fn single_failures_are_told_where_that_is_wanted() {
    let dns = Fixed::new()
        .with_txt("_dmarc.sender.example", "v=DMARC1; p=reject; ruf=mailto:ruf@sender.example")
        .with_txt("sender.example", "v=spf1 -all");
    let world = World::new(dns).await;
    let evaluation = world.evaluation("sender.example", false).await;
    let arrived = Arrived {
        ip: "192.0.2.7".parse().unwrap(),
        evaluation: &evaluation,
        spf: None,
        dkim: &[],
        mail_from: None,
        done: evaluation.disposition,
        is_report: false,
        now: NOW,
    };
    let mut feed = world.store.queue_feed().unwrap();
    let results =
        "Authentication-Results: mx.here.example; spf=none;\r\n\tdmarc=fail header.from=sender.example\r\n";
    let report = || world.reports.report_failure(&arrived, b"From: a@sender.example\r\n\r\n", results);
    report();
    world.reports.set_settings(Settings { failure: true, ..Settings::default() });
    report();
    let fresh = feed.recv().await.unwrap();
    let message = fresh.message.body.as_ref().unwrap().read(usize::MAX).await.unwrap();
    assert_eq!(fresh.recipients[0].address.to_string(), "ruf@sender.example");
    let Some(Ok(Incoming::Failure(read))) = report::read(&message) else { panic!() };
    assert_eq!(read.reported_domain.as_deref(), Some("sender.example"));
    assert_eq!(read.delivery_result.as_deref(), Some("reject"));
    let results = read.authentication_results.unwrap();
    assert_eq!(results, "mx.here.example; dmarc=fail header.from=sender.example");
    assert!(feed.try_recv().is_err());
}
