//! Fields written and read: the examples of RFC 8601 Appendix B, and what the wild has.

use super::*;
use crate::arc::{ArcResult, ChainStatus, Failure, Outcome};
use crate::dkim::{Algorithm, SignatureResult};
use proptest::prelude::*;

/// A field's results as one line: `method=result` and properties, the reason in brackets.
fn told(results: &AuthResults) -> String {
    let one = |result: &MethodResult| {
        let mut text = format!("{}={}", result.method, result.result);
        text.extend(result.reason.iter().map(|reason| format!(" [{reason}]")));
        text.extend(result.properties.iter().map(|p| format!(" {}.{}={}", p.ptype, p.name, p.value)));
        text
    };
    let results_told: Vec<String> = results.results.iter().map(one).collect();
    format!("{}: {}", results.authserv_id, results_told.join("; "))
}

fn check(value: &str, expected: &str) {
    let read = AuthResults::parse(value);
    assert_eq!(read.as_ref().map(told), Ok(expected.to_owned()), "{value}");
    // What was read is written so that it reads the same.
    let written = read.unwrap().to_field();
    let value = written.strip_prefix("Authentication-Results:").unwrap();
    assert_eq!(AuthResults::parse(value).map(|read| told(&read)), Ok(expected.to_owned()), "{written}");
}

/// RFC 8601 Appendix B.
#[test]
fn the_examples_of_appendix_b() {
    check(" example.org 1; none", "example.org: ");
    check(
        " example.com;\r\n          spf=pass smtp.mailfrom=example.net",
        "example.com: spf=pass smtp.mailfrom=example.net",
    );
    check(
        " example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n spf=pass smtp.mailfrom=example.net",
        "example.com: auth=pass smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net",
    );
    check(
        " example.com; iprev=pass\r\n policy.iprev=192.0.2.200",
        "example.com: iprev=pass policy.iprev=192.0.2.200",
    );
    check(
        " example.com;\r\n dkim=pass (good signature) header.d=example.com",
        "example.com: dkim=pass header.d=example.com",
    );
    check(
        " example.com;\r\n dkim=pass reason=\"good signature\"\r\n header.i=@mail-router.example.net;\r\n dkim=fail \
         reason=\"bad signature\"\r\n header.i=@newyork.example.com",
        "example.com: dkim=pass [good signature] header.i=@mail-router.example.net; dkim=fail [bad signature] \
         header.i=@newyork.example.com",
    );
    check(
        " foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n \
         policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it) \
         1362471462",
        "foo.example.net: dkim=fail policy.expired=1362471462",
    );
}

#[test]
fn fields_of_the_wild() {
    check(
        "mx.google.example; dkim=pass header.i=@example.org header.s=s1 header.b=AbC/dE+f; arc=pass (i=1 spf=pass);\r\n \
         spf=pass (domain of joe@example.org designates 2001:db8::1 as permitted sender) smtp.mailfrom=joe@example.org",
        "mx.google.example: dkim=pass header.i=@example.org header.s=s1 header.b=AbC/dE+f; arc=pass; spf=pass \
         smtp.mailfrom=joe@example.org",
    );
    check(
        "mx.example; dmarc=pass action=none header.from=example.org;compauth=pass reason=100;",
        "mx.example: dmarc=pass header.from=example.org; compauth=pass [100]",
    );
    check("mx.example; SPF=Pass SMTP.MailFrom=a@B.example", "mx.example: spf=pass smtp.mailfrom=a@B.example");
    check("\"mx;example\"; spf=none", "mx;example: spf=none");
    check("\"m\\x.example\"; spf=none", "mx.example: spf=none");
    check(
        "mx.example; spf=pass smtp.mailfrom=\"a b\"@x.example",
        "mx.example: spf=pass smtp.mailfrom=\"a b\"@x.example",
    );
    check(
        "mx.example; spf=pass smtp.mailfrom=\"a\\\"\\\\b\"@x.example",
        "mx.example: spf=pass smtp.mailfrom=\"a\\\"\\\\b\"@x.example",
    );
    check(
        "mx.example; spf=pass smtp.remote-ip=2001:db8::1 word",
        "mx.example: spf=pass smtp.remote-ip=2001:db8::1",
    );
    check(
        "mx.example; spf=pass smtp.mailfrom=grüße@exämple.org",
        "mx.example: spf=pass smtp.mailfrom=grüße@exämple.org",
    );
    check("mx.example;; ; spf=pass", "mx.example: spf=pass");
    check("mx.example", "mx.example: ");
}

#[test]
fn what_is_no_field() {
    let check =
        |value: &str, expected: ParseError| assert_eq!(AuthResults::parse(value), Err(expected), "{value}");
    check("", ParseError::NoServer);
    check("; spf=pass", ParseError::NoServer);
    check("mx.example 2; spf=pass", ParseError::Version("2".into()));
    check("mx.example; spf", ParseError::Result("spf".into()));
    check("mx.example; spf=", ParseError::Result("spf=".into()));
    check("mx.example; =pass", ParseError::Result("=pass".into()));
    check("mx.example (open; spf=pass", ParseError::Comment);
    check(&format!("mx.example {}", "(".repeat(MAX_COMMENT_DEPTH + 1)), ParseError::Comment);
    check("mx.example; spf=pass reason=\"open", ParseError::Quote);
    check(&format!("mx.example{}", "; spf=pass".repeat(MAX_RESULTS + 1)), ParseError::TooMany);
    check(&format!("mx.example; spf=pass{}", " a.b=c".repeat(MAX_PROPERTIES + 1)), ParseError::TooMany);
}

/// RFC 8617 §4.1.1.
#[test]
fn the_instance_of_arc_results() {
    let check = |value: &str, expected: Option<(u32, &str)>| {
        let read = AuthResults::parse_arc(value).ok().map(|(instance, read)| (instance, told(&read)));
        assert_eq!(read, expected.map(|(instance, text)| (instance, text.to_owned())), "{value}");
    };
    check(" i=1; mx.example; none", Some((1, "mx.example: ")));
    check(" (a) i (b) = (c) 12 (d) ; mx.example; arc=none", Some((12, "mx.example: arc=none")));
    check("mx.example; none", None);
    check("i=; mx.example; none", None);
    check("i=100; mx.example; none", None);
    check("i=+1; mx.example; none", None);
    check("I=1; mx.example; none", None);
}

#[test]
fn all_that_one_server_says() {
    let header = "Authentication-Results: mx.example; spf=pass\r\nAuthentication-Results: other.example; spf=fail\r\n\
                  Subject: x\r\nAuthentication-Results: MX.example 1;\r\n arc=fail (x)\r\n\
                  Authentication-Results: mx.example 2; spf=fail\r\n\r\n";
    let gathered = AuthResults::of_server(header.as_bytes(), "mx.example");
    assert_eq!(told(&gathered), "mx.example: spf=pass; arc=fail");
    assert_eq!(gathered.chain_status(), Some(ChainStatus::Fail));
    assert_eq!(AuthResults::of_server(header.as_bytes(), "none.example"), AuthResults::new("none.example"));
}

fn written(results: Vec<MethodResult>) -> String {
    AuthResults { authserv_id: "mx.example.org".into(), results }.to_field()
}

#[test]
fn the_methods_that_we_know() {
    let signature = SignatureResult {
        domain: Some("example.org".parse().unwrap()),
        selector: Some("s1".into()),
        algorithm: Some(Algorithm::Ed25519Sha256),
        identity: Some("@example.org".into()),
        signature_start: Some("AbC/dE+f".into()),
        testing: false,
        unsigned_octets: 0,
        limited: false,
        outcome: Err(crate::dkim::Failure::BodyHash),
    };
    let client = "192.0.2.1".parse().unwrap();
    let chain = |outcome| ArcResult { outcome, sets: vec![] };
    let mut results = vec![
        spf("pass", SpfIdentity::MailFrom("joe@example.org")),
        spf("none", SpfIdentity::Helo("mail.example.org")),
    ];
    results.extend(dkim(&[signature]));
    results.extend(dkim(&[]));
    results.extend([
        dmarc("pass", "example.org", Some("reject")),
        arc(&chain(Outcome::Pass { oldest_pass: 2 }), Some("2001:db8::1".parse().unwrap())),
        arc(&chain(Outcome::Fail(Failure::FailedBefore(3))), None),
        arc(&chain(Outcome::None), None),
        iprev("pass", client),
        auth("joe@example.org"),
    ]);
    let expected = "Authentication-Results: mx.example.org;\r
\tspf=pass smtp.mailfrom=joe@example.org;\r
\tspf=none smtp.helo=mail.example.org;\r
\tdkim=fail\r
\t reason=\"body hash did not verify: the body was changed after it was signed\"\r
\t header.d=example.org header.i=@example.org header.s=s1\r
\t header.a=ed25519-sha256 header.b=\"AbC/dE+f\";\r
\tdkim=none;\r
\tdmarc=pass header.from=example.org policy.dmarc=reject;\r
\tarc=pass header.oldest-pass=2 smtp.remote-ip=\"2001:db8::1\";\r
\tarc=fail\r
\t reason=\"the sealer of set 3 found that the chain had failed already (cv=fail)\";\r
\tarc=none;\r
\tiprev=pass policy.iprev=192.0.2.1;\r
\tauth=pass smtp.auth=joe@example.org\r
";
    assert_eq!(written(results), expected);
    assert_eq!(written(vec![]), "Authentication-Results: mx.example.org; none\r\n");
    let arc = AuthResults::new("mx.example.org").to_arc_field(3);
    assert_eq!(arc, "ARC-Authentication-Results: i=3; mx.example.org; none\r\n");
}

/// What a peer chose (MAIL FROM, HELO) neither ends the field nor begins another result.
#[test]
fn values_are_quoted() {
    let check = |value: &str, expected: &str| {
        let field = written(vec![spf("fail", SpfIdentity::MailFrom(value))]).replace("\r\n\t ", " ");
        let expected =
            format!("Authentication-Results: mx.example.org;\r\n\tspf=fail smtp.mailfrom={expected}\r\n");
        assert_eq!(field, expected);
    };
    check("example.org", "example.org");
    check("joe+x@example.org", "joe+x@example.org");
    check("grüße@exämple.org", "grüße@exämple.org");
    check("@example.org", "@example.org");
    check("", "\"\"");
    check("a; dkim=pass", "\"a; dkim=pass\"");
    check("a (b)", "\"a (b)\"");
    check("a\r\nSubject: x", "\"a  Subject: x\"");
    // RFC 8601 §2.2: an identity of e-mail is local-part "@" domain-name, and neither is inside of quotes.
    for address in [
        "prvs=1=x@example.org",
        "SRS0=HHH=TT=example.net=joe@example.org",
        "a/b?c=d@example.org",
        "\"a b\"@example.org",
        "\"a\\\\b; x\"@example.org",
        "\"a\\\"b@c\"@example.org",
        "\"(a)\"@example.org",
    ] {
        check(address, address);
    }
    check("a b@example.org", "\"a b@example.org\"");
    check("a@b; dkim=pass header.d=c@example.org", "\"a@b; dkim=pass header.d=c@example.org\"");
    check("x\"y\"@example.org", "\"x\\\"y\\\"@example.org\"");
    check("a@example.org (b)", "\"a@example.org (b)\"");
    check("a@[192.0.2.1]", "\"a@[192.0.2.1]\"");
    check(&"x".repeat(500), &format!("\"{}\"", "x".repeat(MAX_VALUE)));
}

/// RFC 8601 §5.
#[test]
fn other_versions_are_removed() {
    let gone = [
        "mx.example 2; spf=pass",
        "(a) mx.example (b)\r\n 0 ; none",
        "\"mx.example\" 999999999999999999999; none",
    ];
    let kept = [
        "mx.example; spf=pass",
        "mx.example 1; spf=pass",
        "mx.example (2); none",
        "mx.example; x=2",
        "spf=pass x=y",
    ];
    let field = |value: &&str| format!("Authentication-Results: {value}\r\n");
    let stays: String = kept.iter().map(field).chain(["Subject: 2\r\n\r\n".to_owned()]).collect();
    let all = gone.iter().map(field).collect::<String>() + &stays;
    let mut edit = message::Edit::new(all.as_bytes());
    AuthResults::remove_other_versions(&mut edit);
    assert_eq!(String::from_utf8(edit.finish().to_vec(all.as_bytes())).unwrap(), stays);
}

proptest! {
    #[test]
    fn nothing_makes_the_reader_panic(value in "[a-c;=. ()\"\\\\\r\n/é@1]{0,60}") {
        let _ = AuthResults::parse(&value);
        let _ = AuthResults::parse_arc(&value);
    }

    /// Who sent it stands so that others read it too: quotes are around a local part alone.
    #[test]
    fn an_address_reads_the_same(local in "[!-~é ]{1,12}") {
        let local = address::LocalPart::from_value(&local).unwrap();
        let mut results = AuthResults::new("mx.example.org");
        results.push(spf("pass", SpfIdentity::MailFrom(&format!("{local}@example.org"))));
        let field = results.to_field();
        prop_assert!(field.ends_with(&format!("smtp.mailfrom={local}@example.org\r\n")), "{}", field);
        prop_assert_eq!(AuthResults::parse(field.strip_prefix("Authentication-Results:").unwrap()), Ok(results));
    }

    /// Whatever peers put into values, one field with these results is written, in lines that mail can carry.
    #[test]
    fn what_is_written_reads_the_same(values in prop::collection::vec("[ -~é]{0,80}", 0..6), reason in "[ -~ü]{0,80}") {
        let mut results = AuthResults::new("mx.example.org");
        for value in &values {
            results.push(spf("pass", SpfIdentity::MailFrom(value)).because(&reason).with("smtp", "helo", value));
        }
        let field = results.to_field();
        prop_assert!(field.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
        prop_assert!(field.trim_end().split("\r\n").skip(1).all(|line| line.starts_with('\t')));
        let read = AuthResults::parse(field.strip_prefix("Authentication-Results:").unwrap()).unwrap();
        prop_assert_eq!(read, results);
    }
}

/// RFC 8601 §5.
#[test]
fn what_claims_to_be_ours_is_removed() {
    let gone = [
        "mx.example.org; spf=pass",
        "(x;y) MX.example.org 1;\r\n spf=pass",
        "\"mx.example.org\"; none",
        "(\\)) \"mx\\.example.org\";\r\n spf=pass",
        "mx.example.org(c) ; spf=pass",
        // Others may read these otherwise than we would.
        "\"mx.example.org; spf=pass",
        "(((((((((((((((((((((x))))))))))))))))))))) mx.example.org; spf=pass",
        "; spf=pass",
    ];
    let kept = ["other.example; spf=pass", "mx.example.org.other.example; spf=pass", "x; y=mx.example.org"];
    let field = |value: &&str| format!("Authentication-Results: {value}\r\n");
    let others: String = kept.iter().map(field).collect();
    let all: String =
        gone.iter().map(field).chain([others.clone(), "Subject: x\r\n\r\n".to_owned()]).collect();
    let mut edit = message::Edit::new(all.as_bytes());
    AuthResults::remove_claims(&mut edit, "mx.example.org");
    let left = String::from_utf8(edit.finish().to_vec(all.as_bytes())).unwrap();
    assert_eq!(left, format!("{others}Subject: x\r\n\r\n"));
}
