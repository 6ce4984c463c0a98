//! `waypost check spf`, `blocklist` and `dns`, against a name server on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use support::names::name_server;
use support::{Program, Ran};

/// `waypost check spf` about 192.0.2.1.
fn spf(records: &[&str], words: &[&str]) -> Ran {
    let server = name_server(records);
    let fixed = ["check", "spf", "--ip", "192.0.2.1", "--dns", &server];
    Program::new().run(&[&fixed[..], words].concat())
}

const RECORDS: [&str; 7] = [
    "good.test TXT v=spf1 ip4:192.0.2.0/24 -all",
    "bad.test TXT v=spf1 include:good.test redirect=worse.test",
    "worse.test TXT v=spf1 -include:good.test -all exp=why.test",
    "why.test TXT %{i} is not ours: ask %{d}",
    "wrong.test TXT v=spf1 a:192.0.2.1 -all",
    "lame.test FAIL",
    "-odd.test TXT v=spf1 ?all",
];

#[test]
fn the_result_decides_the_status() {
    for (words, result, code) in [
        (&["--from", "joe@good.test", "--helo", "mail.test"][..], "pass", 0),
        (&["--from", "joe@worse.test"], "fail", 1),
        (&["--from", "<joe@worse.test>"], "fail", 1),
        (&["--from", "joe@none.test"], "none", 1),
        (&["--from", "joe@wrong.test"], "permerror", 1),
        (&["--from", "joe@lame.test"], "temperror", 75),
        // Without a sender it is the name in EHLO.
        (&["--from", "", "--helo", "good.test"], "pass", 0),
        (&["--from", "<>", "--helo", "good.test"], "pass", 0),
        (&["--helo", "good.test"], "pass", 0),
        // Whatever MAIL FROM could carry.
        (&["--from", ""], "none", 1),
        (&["--from", "joe"], "none", 1),
        (&["--from", "-"], "none", 1),
        (&["--from", "--json@good.test"], "pass", 0),
        (&["--from", "joe@[192.0.2.1]", "--helo", "-x"], "none", 1),
        (&["--from", " @ @..", "--helo", "[192.0.2.1]"], "none", 1),
    ] {
        let ran = spf(&RECORDS, &[words, &["--json"]].concat());
        assert_eq!(
            (ran.code, ran.json()["result"].as_str()),
            (Some(code), Some(result)),
            "{words:?} {ran:?}"
        );
    }
    assert_eq!(Program::new().run(&["check", "spf", "--ip", "nonsense"]).code, Some(2));
}

#[test]
fn the_document_has_the_keys_of_the_contract() {
    let json = spf(&RECORDS, &["--from", "joe@worse.test", "--json"]).json();
    assert_eq!(json["explanation"], "192.0.2.1 is not ours: ask worse.test");
    assert_eq!((&json["lookups"], &json["mechanism"]), (&1.into(), &"-include:good.test".into()));
    let steps = json["steps"].as_array().unwrap();
    assert!(
        steps.len() == 5 && steps[1]["term"] == "-include:good.test" && steps[1]["result"] == "match",
        "{json}"
    );
    assert!(spf(&RECORDS, &["--from", "joe@good.test", "--json"]).json()["explanation"].is_null());
}

#[test]
fn people_read_each_step_and_what_it_means() {
    let ran = spf(
        &["a.test TXT v=spf1 mx -all", "a.test MX 10 mx.a.test", "mx.a.test A 192.0.2.9"],
        &["--from", "joe@a.test"],
    );
    for part in [
        "a.test publishes \"v=spf1 mx -all\"",
        "no match",
        "does not allow 192.0.2.1",
        "1 of at most 10",
        "fail: the domain says",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
}

/// `waypost check blocklist` of 192.0.2.1 in two lists.
fn blocklist(records: &[&str], words: &[&str]) -> Ran {
    let server = name_server(records);
    let fixed =
        ["check", "blocklist", "192.0.2.1", "--list", "bl.test", "--list", "other.test", "--dns", &server];
    Program::new().run(&[&fixed[..], words].concat())
}

#[test]
fn lists_are_tested_before_they_are_believed() {
    let (alive, other) = ("2.0.0.127.bl.test A 127.0.0.2", "2.0.0.127.other.test A 127.0.0.2");
    let entry = "1.2.0.192.bl.test A 127.0.0.4";
    for (records, results, code) in [
        (&[alive, other][..], ["not_listed", "not_listed"], 0),
        (&[alive, other, entry, "1.2.0.192.bl.test TXT caught in a trap"], ["listed", "not_listed"], 1),
        // It lacks its test entry, or has everybody.
        (&[other, entry], ["unusable", "not_listed"], 0),
        (&[alive, other, entry, "1.0.0.127.bl.test A 127.0.0.2"], ["unusable", "not_listed"], 0),
        // What is outside 127/8 is no answer.
        (&[alive, other, "1.2.0.192.bl.test A 203.0.113.1"], ["not_listed", "not_listed"], 0),
        (&[alive, other, "1.2.0.192.bl.test FAIL"], ["failed", "not_listed"], 0),
        (&[], ["unusable", "unusable"], 75),
    ] {
        let ran = blocklist(records, &["--json"]);
        let json = ran.json();
        let result = |list: usize| json["lists"][list]["result"].as_str().unwrap();
        assert_eq!(([result(0), result(1)], ran.code), (results, Some(code)), "{json}");
        assert_eq!(json["listed"], code == 1);
    }
    let shown = blocklist(&[alive, other, entry, "1.2.0.192.bl.test TXT caught in a trap"], &[]);
    assert!(shown.out.contains("LISTED     bl.test") && shown.out.contains("caught in a trap"), "{shown:?}");
}

#[test]
fn the_lists_are_in_the_help() {
    let help = Program::new().run(&["check", "blocklist", "--help"]).done().out;
    assert!(help.contains("zen.spamhaus.org") && help.contains("+ list.dnswl.org"), "{help}");
}

/// `waypost check dns example.test`.
fn dns(records: &[&str], words: &[&str]) -> Ran {
    let server = name_server(records);
    Program::new().run(&[&["check", "dns", "example.test", "--dns", &server][..], words].concat())
}

#[test]
fn a_domain_is_told_what_is_wrong_and_what_to_publish() {
    let records = [
        "example.test MX 10 mx.example.test",
        "mx.example.test A 192.0.2.1",
        "example.test TXT v=spf1 mx -all",
        "_smtp._tls.example.test TXT v=TLSRPTv1; rua=mailto:postmaster@example.test",
    ];
    let ran = dns(&records, &["--selector", "gone", "--json"]);
    let json = ran.json();
    assert_eq!((ran.code, &json["ok"], &json["domain"]), (Some(1), &false.into(), &"example.test".into()));
    let checks = json["checks"].as_array().unwrap();
    let status = |check: &str| {
        let found = checks.iter().find(|finding| finding["check"] == check);
        found.unwrap_or_else(|| panic!("no {check} in {json}"))["status"].as_str().unwrap().to_owned()
    };
    for (check, expected) in [
        ("mx", "pass"),
        ("reverse", "warn"),
        ("spf", "pass"),
        ("dkim", "fail"),
        ("dmarc", "fail"),
        ("mta-sts", "warn"),
        ("dane", "warn"),
        ("tls-rpt", "pass"),
        ("services", "warn"),
        ("caa", "warn"),
    ] {
        assert_eq!(status(check), expected, "{check}: {json}");
    }
    let reasoned = checks.iter().all(|finding| finding["why"].as_str().is_some_and(|why| !why.is_empty()));
    assert!(reasoned && checks.iter().all(|finding| finding["publish"].is_array()), "{json}");

    let told = dns(&records, &[]).out;
    for part in [
        "pass spf          v=spf1 mx -all: 1 of at most 10 look-ups",
        "FAIL dmarc        no DMARC record",
        "hint: p=none only has reports sent",
        "publish: _dmarc.example.test. TXT \"v=DMARC1; p=none; rua=mailto:postmaster@example.test\"",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[test]
fn a_domain_that_cannot_be_asked_about_is_for_later() {
    assert_eq!(dns(&["example.test FAIL"], &["--json"]).code, Some(75));
    assert_eq!(dns(&[], &[]).code, Some(1));
}

/// What arrival does with it: readers show one of several authors, and nobody knows which (RFC 9989 §11.5).
#[test]
fn a_message_without_one_author_has_the_disposition_that_arrival_gives_it() {
    let program = Program::new();
    for (header, result, disposition) in [
        ("From: a@good.test\r\nFrom: b@good.test\r\n", "permerror", "reject"),
        ("From: a@good.test, b@other.test\r\n", "permerror", "reject"),
        ("From: nobody\r\n", "permerror", "quarantine"),
        ("To: a@good.test\r\n", "none", "none"),
    ] {
        let file = program.write("message.eml", format!("{header}Subject: x\r\n\r\nHi!\r\n"));
        let words = ["check", "dmarc", &file, "--dns", &name_server(&[]), "--json"];
        let ran = program.run(&words);
        let json = ran.json();
        assert_eq!(
            (&json["result"], &json["disposition"]),
            (&result.into(), &disposition.into()),
            "{header}"
        );
        assert!(json["domain"].is_null() && json["policy"].is_null() && ran.code == Some(1), "{json}");
    }
}
