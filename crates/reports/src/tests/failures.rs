//! Reports of single messages: which are asked for, where they go, and what is shown of those that come.

use super::*;
use crate::failure::{Cause, causes};
use mailauth::dkim::{self, SignatureResult};
use mailauth::report::failure::FailureReport;
use mailauth::spf::{self, SpfResult};

fn signature(signer: &str, outcome: Result<(), dkim::Failure>) -> SignatureResult {
    SignatureResult {
        domain: Some(domain(signer)),
        selector: Some("s1".to_owned()),
        algorithm: None,
        identity: Some(format!("@{signer}")),
        signature_start: None,
        testing: false,
        unsigned_octets: 0,
        limited: false,
        outcome,
    }
}

fn envelope(word: spf::ResultWord) -> SpfResult {
    SpfResult {
        word,
        domain: Some(domain("list.example")),
        explanation: None,
        mechanism: None,
        reason: String::new(),
        lookups: 0,
        void_lookups: 0,
        steps: Vec::new(),
    }
}

fn arrived<'a>(
    evaluation: &'a Evaluation,
    dkim: &'a [SignatureResult],
    spf: Option<&'a SpfResult>,
) -> Arrived<'a> {
    Arrived {
        ip: "192.0.2.7".parse().unwrap(),
        evaluation,
        spf,
        dkim,
        mail_from: None,
        done: evaluation.disposition,
        is_report: false,
        now: NOW,
    }
}

/// RFC 9989 §4.7.
#[tokio::test]
async fn what_is_reported_is_what_fo_asks_for() {
    let good = [signature("sender.example", Ok(()))];
    let broken =
        [signature("sender.example", Ok(())), signature("list.example", Err(dkim::Failure::BodyHash))];
    let (pass, fail) = (envelope(spf::ResultWord::Pass), envelope(spf::ResultWord::SoftFail));
    for (fo, passes, dkim, spf, expected) in [
        ("", false, &good[..0], None, &[Cause::Dmarc][..]),
        ("", true, &broken[..], Some(&fail), &[]),
        ("fo=0:d;", true, &broken, Some(&fail), &[Cause::Dkim]),
        ("fo=0:d;", false, &broken[1..], Some(&fail), &[Cause::Dmarc]),
        ("fo=1;", true, &good, Some(&pass), &[Cause::Dmarc]),
        ("fo=d;", true, &broken, Some(&fail), &[Cause::Dkim]),
        ("fo=d;", true, &good, Some(&fail), &[]),
        ("fo=d;", false, &good[..0], Some(&fail), &[]),
        ("fo=s;", true, &broken, Some(&fail), &[Cause::Spf]),
        ("fo=s;", true, &broken, Some(&pass), &[]),
        ("fo=d:s;", true, &broken, Some(&fail), &[Cause::Dkim, Cause::Spf]),
    ] {
        let record = format!("v=DMARC1; p=reject; {fo} ruf=mailto:ruf@sender.example");
        let world = World::new(Fixed::new().with_txt("_dmarc.sender.example", &record)).await;
        let evaluation = world.evaluation("sender.example", passes).await;
        let options = evaluation.published.as_ref().unwrap().record.fo;
        assert_eq!(causes(&arrived(&evaluation, dkim, spf), options), expected, "{fo} {passes}");
    }
}

/// The mechanism's own report (RFC 6591), at the address that the third party has for such reports alone.
#[tokio::test]
async fn a_report_of_one_mechanism_says_what_failed() {
    let dns = Fixed::new()
        .with_txt("_dmarc.sender.example", "v=DMARC1; p=reject; fo=d:s; ruf=mailto:ruf@third.example")
        .with_txt(
            "sender.example._report._dmarc.third.example",
            "v=DMARC1; rua=mailto:statistics@third.example; ruf=mailto:failures@third.example",
        )
        .with_txt("list.example", "v=spf1 -all");
    let world = World::new(dns).await;
    world.reports.set_settings(Settings { failure: true, ..Settings::default() });
    let evaluation = world.evaluation("sender.example", true).await;
    let dkim = [signature("list.example", Err(dkim::Failure::BodyHash))];
    let spf = envelope(spf::ResultWord::Fail);
    let mut feed = world.store.queue_feed().unwrap();
    let results = "Authentication-Results: mx.here.example; spf=fail\r\n";
    let header = b"From: a@sender.example\r\n\r\n";
    world.reports.report_failure(&arrived(&evaluation, &dkim, Some(&spf)), header, results);
    let mut told = Vec::new();
    for _ in 0..2 {
        let fresh = feed.recv().await.unwrap();
        assert_eq!(fresh.recipients[0].address.to_string(), "failures@third.example");
        let message = fresh.message.body.as_ref().unwrap().read(usize::MAX).await.unwrap();
        let Some(Ok(Incoming::Failure(read))) = report::read(&message) else { panic!() };
        told.push(read);
    }
    told.sort_by_key(|report| report.auth_failure.clone());
    let [bodyhash, spf] = &told[..] else { panic!() };
    assert_eq!(bodyhash.auth_failure, "bodyhash");
    assert_eq!(bodyhash.dkim_domain.as_deref(), Some("list.example"));
    assert_eq!(bodyhash.dkim_selector.as_deref(), Some("s1"));
    let results = bodyhash.authentication_results.as_deref();
    assert_eq!(results, Some("mx.here.example; dkim=fail header.d=list.example"));
    assert_eq!(spf.auth_failure, "spf");
    assert_eq!(spf.spf_dns.as_deref(), Some("txt : list.example : \"v=spf1 -all\""));
    let results = spf.authentication_results.as_deref();
    assert_eq!(results, Some("mx.here.example; spf=fail smtp.mailfrom=list.example"));
}

#[tokio::test]
async fn single_failures_that_come_are_shown() {
    let world = World::new(zone()).await;
    let (from, to) = ("r@other.example".parse().unwrap(), "dmarc@here.example".parse().unwrap());
    let now = Timestamp::from_second(NOW as i64).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
    for (number, ip, incidents) in
        [(1, "192.0.2.7", Some(2)), (2, "192.0.2.7", None), (3, "2001:db8::7", None)]
    {
        let report = FailureReport {
            auth_failure: "dmarc".to_owned(),
            unaligned: report::failure::Unaligned { dkim: true, spf: false },
            delivery_result: Some("reject".to_owned()),
            source_ip: Some(ip.parse().unwrap()),
            reported_domain: Some("news.here.example".to_owned()),
            incidents,
            ..FailureReport::default()
        };
        let message = report.build(
            &from,
            &to,
            b"From: a@here.example\r\n",
            &now,
            [number; 16],
            &domain("other.example"),
        );
        world.deliver("dmarc@here.example", &message).await;
    }
    let overview = world.read().await;
    assert_eq!(overview.reports.len(), 3);
    let [four, six] = &overview.failures[..] else { panic!("{overview:?}") };
    assert_eq!((four.ip, four.messages), (Some("192.0.2.7".parse().unwrap()), 3));
    assert_eq!((six.ip, six.messages), (Some("2001:db8::7".parse().unwrap()), 1));
    assert_eq!((four.domain.as_str(), four.failure.as_str()), ("news.here.example", "dmarc"));
    assert_eq!((four.dkim, four.spf, four.delivery.as_deref()), (false, true, Some("reject")));
}
