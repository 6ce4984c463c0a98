//! The examples of the RFCs, and a table of what can be wrong with a signature.

use super::*;
use crate::{LookupError, Txt};
use data_encoding::BASE64;

/// The message of RFC 6376 §A.2. The text of the RFC shows two spaces after "game.", but the hash in it is
/// of one.
const RFC6376: &str = "\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
";

/// RFC 6376 §C.
const RFC6376_KEY: &str = "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ\
KBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt\
IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v\
/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi\
tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";

/// RFC 8463 §A.3.
const RFC8463: &str = "\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
";

/// RFC 8463 §A.2.
const BRISBANE: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const TEST: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR\
iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC\
DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3\
Ip3G+2kryOTIKT+l/K4w3QIDAQAB";

/// When the message of RFC 8463 was signed.
const NOW: u64 = 1_528_637_909;

/// RFC 8463 §A.1, the seed behind the 16 octets that PKCS#8 puts before it (RFC 8410 §7).
fn football_key() -> SigningKey {
    let seed = BASE64.decode(b"nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
    let der = [&b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..], &seed].concat();
    SigningKey::from_pem(&format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        BASE64.encode(&der)
    ))
    .unwrap()
}

fn record(text: &str) -> Txt {
    Ok(vec![text.as_bytes().to_vec()])
}

fn football(name: &str) -> Txt {
    match name {
        "brisbane._domainkey.football.example.com" => record(BRISBANE),
        "test._domainkey.football.example.com" => record(TEST),
        _ => Err(LookupError::NoName),
    }
}

/// Verifies a message whose lines end with LF here and CRLF on the wire.
fn verify(message: &str, now: u64, answer: impl FnMut(&str) -> Txt) -> Vec<SignatureResult> {
    let wire = message.replace('\n', "\r\n");
    let (header, body) = wire.split_once("\r\n\r\n").unwrap();
    let mut verifier = Verifier::new(header.as_bytes(), now);
    verifier.update(body.as_bytes());
    verifier.finish(answer)
}

fn outcomes(message: &str, answer: impl FnMut(&str) -> Txt) -> Vec<Result<(), Failure>> {
    verify(message, NOW, answer).into_iter().map(|r| r.outcome).collect()
}

#[test]
fn rfc_6376_appendix_a_verifies() {
    let results = verify(RFC6376, NOW, |name| {
        assert_eq!(name, "brisbane._domainkey.example.com");
        record(RFC6376_KEY)
    });
    let expected = SignatureResult {
        domain: Some("example.com".parse().unwrap()),
        selector: Some("brisbane".into()),
        algorithm: Some(Algorithm::RsaSha256),
        identity: Some("joe@football.example.com".into()),
        signature_start: Some("AuUoFEfD".into()),
        testing: false,
        unsigned_octets: 0,
        limited: false,
        outcome: Ok(()),
    };
    assert_eq!(results, [expected]);
}

#[test]
fn rfc_8463_appendix_a_verifies() {
    assert_eq!(outcomes(RFC8463, football), [Ok(()), Ok(())]);
    let header = RFC8463.replace('\n', "\r\n");
    let names = Verifier::new(header.as_bytes(), NOW).key_names();
    assert_eq!(names, ["brisbane._domainkey.football.example.com", "test._domainkey.football.example.com"]);
}

/// Ed25519 is deterministic: the key of §A.1 makes the very signature of §A.3.
#[test]
fn rfc_8463_appendix_a_is_signed_again() {
    let key = football_key();
    assert_eq!(key.dns_record(), BRISBANE);
    let verifier = Verifier::new(RFC8463.replace('\n', "\r\n").as_bytes(), NOW);
    let (data, signature) = verifier.signed_data().next().unwrap();
    assert_eq!(key.sign(data).unwrap(), signature.signature);
}

#[test]
fn changes_are_found() {
    let check = |from: &str, to: &str, expected: [Result<(), Failure>; 2]| {
        let changed = RFC8463.replacen(from, to, 1);
        assert_ne!(changed, RFC8463);
        assert_eq!(outcomes(&changed, football), expected, "{from:?} -> {to:?}");
    };
    let passes = || [Ok(()), Ok(())];
    let signature = || [Err(Failure::Signature), Err(Failure::Signature)];
    check("lost", "won", [Err(Failure::BodyHash), Err(Failure::BodyHash)]);
    check("Subject: Is", "Subject: What is", signature());
    check("From: Joe", "From: Moe", signature());
    // Relaxed: white space, folding, the case of names, empty lines at the end.
    check("Subject: Is dinner", "SUBJECT :\n\tIs \n  dinner ", passes());
    check("Joe.\n", "Joe. \t\n\n\n", passes());
    check("Hi.\n", "Hi. \n", passes());
    check("Hi.\n", " Hi.\n", [Err(Failure::BodyHash), Err(Failure::BodyHash)]);
    // Signed once more than present: another From or Subject is noticed wherever it is put; To is not.
    check("From: ", "From: Eve <eve@example.net>\nFrom: ", signature());
    check("To: ", "From: Eve <eve@example.net>\nTo: ", signature());
    check("Date: ", "Subject: Buy\nDate: ", signature());
    check("From: ", "To: Eve <eve@example.net>\nFrom: ", passes());
    check("From: ", "X-Other: new\nFrom: ", passes());
    // The signature's own field is signed, but for b=; each signature alone.
    check("t=1528637909", "t=1528637908", [Err(Failure::Signature), Ok(())]);
    check("; i=@football", ";  i=@football", passes());
    check("; i=@football", "; z=; i=@football", [Err(bad_z()), Ok(())]);
    check("; i=@football", "; zz=; i=@football", [Err(Failure::Signature), Ok(())]);
    check("b=/gCr", "b=/gCs", [Err(Failure::Signature), Ok(())]);
    check("b=/gCr", "b= /g\n Cr", passes());
    check("b=/gCr", "b=", [Err(Failure::Signature), Ok(())]);
}

fn bad_z() -> Failure {
    Failure::Syntax(TagError::Value("z", String::new()))
}

#[test]
fn simple_survives_next_to_nothing() {
    let check = |from: &str, to: &str, expected: Result<(), Failure>| {
        let changed = RFC6376.replacen(from, to, 1);
        assert_eq!(outcomes(&changed, |_| record(RFC6376_KEY)), [expected], "{from:?} -> {to:?}");
    };
    check("Joe.\n", "Joe.\n\n\n", Ok(()));
    check("Joe.\n", "Joe.", Ok(()));
    check("Joe.\n", "Joe. \n", Err(Failure::BodyHash));
    check("Subject:", "subject:", Err(Failure::Signature));
    check("Subject: Is", "Subject:  Is", Err(Failure::Signature));
    check("s=brisbane;", "s=brisbane ;", Err(Failure::Signature));
    check("b=AuU", "b= \n AuU", Ok(()));
}

/// RFC 6376 §6.1.2, with a key that would be right.
#[test]
fn keys() {
    let check = |answer: Txt, expected: Result<(), Failure>| {
        let [result, _] = outcomes(RFC8463, |_| answer.clone()).try_into().unwrap();
        assert_eq!(result, expected, "{answer:?}");
    };
    let key = |tags: &str| record(&format!("{tags}{}", BRISBANE.trim_start_matches("v=DKIM1;")));
    let name = "brisbane._domainkey.football.example.com";
    let no_key = |error| Err(Failure::NoKey(name.into(), error));
    check(Err(LookupError::NoName), no_key(LookupError::NoName));
    check(Err(LookupError::NoRecord), no_key(LookupError::NoRecord));
    check(Ok(vec![]), no_key(LookupError::NoRecord));
    check(Err(LookupError::Failed), Err(Failure::KeyUnavailable(name.into())));

    check(key(""), Ok(()));
    check(key("v=DKIM1; h=sha256:sha1; s=email; t=s; n=note;"), Ok(()));
    check(key("s=*:other;"), Ok(()));
    check(key("v=DKIM2;"), Err(Failure::KeyVersion("DKIM2".into())));
    check(key("h=sha1;"), Err(Failure::KeyHash("sha1".into())));
    check(key("s=web;"), Err(Failure::KeyService("web".into())));
    check(record("v=DKIM1; k=ed25519; p="), Err(Failure::KeyRevoked));
    check(record("v=DKIM1; k=ed25519; p=Zm9v"), Err(Failure::KeyData("Ed25519")));
    check(record(TEST), Err(Failure::KeyType("rsa".into())));
    check(record("v=DKIM1; k=dsa; p=Zm9v"), Err(Failure::KeyType("dsa".into())));
    check(record("nothing"), Err(Failure::KeySyntax(TagError::NoEquals("nothing".into()))));

    // Several records: the first that verifies; junk beside a key says less than the key.
    let several = |texts: &[&str]| Ok(texts.iter().map(|t| t.as_bytes().to_vec()).collect());
    check(several(&["v=spf1 -all", BRISBANE]), Ok(()));
    check(several(&[TEST, "junk"]), Err(Failure::KeyType("rsa".into())));
    check(several(&["a", "b", "c", "d", BRISBANE]), Err(Failure::KeySyntax(TagError::NoEquals("a".into()))));
}

/// RFC 6376 §3.6.1, `s=`; RFC 8460 §3.
#[test]
fn a_key_is_for_its_services() {
    let check = |services: &str, mail: bool, report: bool| {
        for (service, expected) in [(Service::Mail, mail), (Service::TlsReport, report)] {
            let header = RFC6376.replace('\n', "\r\n");
            let (header, body) = header.split_once("\r\n\r\n").unwrap();
            let mut verifier = Verifier::new(header.as_bytes(), NOW).for_service(service);
            verifier.update(body.as_bytes());
            let key = RFC6376_KEY.replace("p=", &format!("s={services}; p="));
            let outcome = verifier.finish(|_| record(&key)).remove(0).outcome;
            let refused = Err(Failure::KeyService(services.to_owned()));
            assert_eq!(outcome, if expected { Ok(()) } else { refused }, "{services} {service:?}");
        }
    };
    check("*", true, true);
    check("email", true, true);
    check("tlsrpt", false, true);
    check("TLSRPT:web", false, true);
    check("web", false, false);
}

/// RFC 6376 §3.10 and §3.6.1: `t=s`, and `t=y`.
#[test]
fn flags_of_a_key() {
    let strict = RFC6376_KEY.replace("p=", "t=s; p=");
    let expected = Failure::KeyStrict("joe@football.example.com".into());
    assert_eq!(outcomes(RFC6376, |_| record(&strict)), [Err(expected)]);
    let testing = BRISBANE.replace("k=", "t=y; k=");
    let changed = RFC8463.replacen("lost", "won", 1);
    let results = verify(&changed, NOW, |_| record(&testing));
    assert!(results[0].testing);
    assert_eq!(results[0].outcome, Err(Failure::BodyHash));
}

/// RFC 8301 §3.2.
#[test]
fn rsa_keys_are_neither_short_nor_endless() {
    let short = "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAPDaf5AglxhBXN3SFcvBSkbh/APurrxihuwTKK7TRtRVMRTf7o2A8QPSeXTfs\
                 //h6PdTR3Mm4MjhPbT4KaSBOh0CAwEAAQ==";
    assert_eq!(outcomes(RFC6376, |_| record(short)), [Err(Failure::RsaTooShort(512))]);
    let junk = "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQ==";
    assert_eq!(outcomes(RFC6376, |_| record(junk)), [Err(Failure::KeyData("RSA"))]);
}

/// RFC 8601 §2.7.1, and what a failed signature still tells of itself.
#[test]
fn words() {
    let check = |from: &str, to: &str, word: ResultWord| {
        let results = verify(&RFC8463.replacen(from, to, 1), NOW, football);
        assert_eq!(results[0].word(), word, "{from:?} -> {to:?}");
        assert_eq!(results[1].word(), ResultWord::Pass);
        results.into_iter().next().unwrap()
    };
    check("brisbane", "brisbane", ResultWord::Pass);
    check("b=/gCr", "b=/gCs", ResultWord::Fail);
    check("v=1", "v=2", ResultWord::Neutral);
    check("v=1", "v=1; v=1", ResultWord::Neutral);
    check("ed25519-sha256", "rsa-sha1", ResultWord::Policy);
    check("ed25519-sha256", "rsa-md5", ResultWord::Neutral);
    check("brisbane", "sydney", ResultWord::PermError);
    check("t=1528637909", "t=1; x=1528637908", ResultWord::PermError);
    let result = check("c=relaxed/relaxed", "c=wild", ResultWord::Neutral);
    assert_eq!(result.domain.unwrap().as_str(), "football.example.com");
    assert_eq!(result.selector.as_deref(), Some("brisbane"));
}

#[test]
fn signatures_beyond_the_bound_are_counted_only() {
    let field = RFC8463.split("From: Joe").next().unwrap();
    let message = format!("{}{}", field.repeat(10), RFC8463);
    let verifier = Verifier::new(message.replace('\n', "\r\n").as_bytes(), NOW);
    assert_eq!(verifier.unchecked(), 12);
    assert_eq!(verifier.key_names().len(), 2);
    assert_eq!(outcomes(&message, football), vec![Ok(()); MAX_SIGNATURES]);
}

#[test]
fn a_message_without_signature_has_no_result() {
    assert_eq!(outcomes("From: joe@example.org\n\nHi.\n", |_| unreachable!()), []);
}
