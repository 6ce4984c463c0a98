//! SPF, section by section (RFC 7208): a zone, and what the host of a query gets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod zone;

use mailauth::spf::{self, Identity, MAX_TERMS, Query, ResultWord, SpfResult, StepOutcome};
use zone::{Zone, ready};

fn query<'a>(ip: &str, from: &'a str) -> Query<'a> {
    Query {
        ip: ip.parse().unwrap(),
        helo: "mail.example.com",
        identity: Identity::MailFrom(from),
        receiver: "mx.example.net",
        now: 1_528_637_909,
    }
}

fn ask(zone: &str, ip: &str, from: &str) -> SpfResult {
    let zone = Zone::new(zone);
    let result = ready(spf::check(&zone, &query(ip, from)));
    let traced = ready(spf::trace(&zone, &query(ip, from)));
    assert!(result.steps.is_empty());
    assert_eq!(SpfResult { steps: Vec::new(), ..traced }, result, "a trace changes nothing");
    result
}

/// `example.org` has the record; the zone is what else there is. Each case is an address and a word.
fn check(record: &str, zone: &str, cases: &[(&str, &str)]) {
    let zone = format!("example.org TXT {record}\n{zone}");
    for (ip, expected) in cases {
        let result = ask(&zone, ip, "joe@example.org");
        assert_eq!(result.word.as_str(), *expected, "{record}, {ip}: {}", result.reason);
    }
}

/// The setup of RFC 7208 appendix A.
const APPENDIX_A: &str = "\
example.com MX 10 mail-a.example.com
example.com MX 20 mail-b.example.com
example.com A 192.0.2.10
example.com A 192.0.2.11
amy.example.com A 192.0.2.65
bob.example.com A 192.0.2.66
mail-a.example.com A 192.0.2.129
mail-b.example.com A 192.0.2.130
www.example.com CNAME example.com
example.org MX 10 mail-c.example.org
mail-c.example.org A 192.0.2.140
192.0.2.10 PTR example.com
192.0.2.11 PTR example.com
192.0.2.65 PTR amy.example.com
192.0.2.66 PTR bob.example.com
192.0.2.129 PTR mail-a.example.com
192.0.2.130 PTR mail-b.example.com
192.0.2.140 PTR mail-c.example.org
10.0.0.4 PTR bob.example.com
";

/// Which of the hosts pass, with a record of `example.com`.
fn appendix_a(record: &str, passing: &[&str]) {
    let zone = format!("{APPENDIX_A}example.com TXT {record}\n");
    for host in ["10", "11", "65", "66", "129", "130", "140"] {
        let ip = format!("192.0.2.{host}");
        let result = ask(&zone, &ip, "joe@example.com");
        let expected = if passing.contains(&host) { ResultWord::Pass } else { ResultWord::Fail };
        assert_eq!(result.word, expected, "{record}, {ip}: {}", result.reason);
    }
}

#[test]
fn appendix_a_1_simple_examples() {
    appendix_a("v=spf1 +all", &["10", "11", "65", "66", "129", "130", "140"]);
    appendix_a("v=spf1 a -all", &["10", "11"]);
    appendix_a("v=spf1 a:example.org -all", &[]);
    appendix_a("v=spf1 mx -all", &["129", "130"]);
    appendix_a("v=spf1 mx:example.org -all", &["140"]);
    appendix_a("v=spf1 mx mx:example.org -all", &["129", "130", "140"]);
    appendix_a("v=spf1 mx/30 mx:example.org/30 -all", &["129", "130", "140"]);
    appendix_a("v=spf1 ptr -all", &["10", "11", "65", "66", "129", "130"]);
    appendix_a("v=spf1 ip4:192.0.2.128/28 -all", &["129", "130", "140"]);
    let zone = format!("{APPENDIX_A}example.com TXT v=spf1 ptr -all\n");
    assert_eq!(ask(&zone, "10.0.0.4", "joe@example.com").word, ResultWord::Fail);
}

#[test]
fn appendix_a_2_multiple_domains() {
    let zone = format!(
        "{APPENDIX_A}\
         example.com TXT v=spf1 mx -all\n\
         example.net TXT v=spf1 ip4:203.0.113.7 -all\n\
         example.org TXT v=spf1 include:example.com include:example.net -all\n\
         la.example.org TXT v=spf1 redirect=example.org\n"
    );
    for (ip, expected) in [
        ("192.0.2.129", ResultWord::Pass),
        ("203.0.113.7", ResultWord::Pass),
        ("192.0.2.10", ResultWord::Fail),
    ] {
        assert_eq!(ask(&zone, ip, "joe@example.org").word, expected);
        assert_eq!(ask(&zone, ip, "joe@la.example.org").word, expected);
    }
}

#[test]
fn appendix_a_3_a_list_in_the_dns() {
    let zone = format!(
        "{APPENDIX_A}\
         mary.mobile-users._spf.example.com A 127.0.0.2\n\
         15.15.168.192.joel.remote-users._spf.example.com A 127.0.0.2\n\
         example.com TXT v=spf1 mx include:mobile-users._spf.%{{d}} include:remote-users._spf.%{{d}} -all\n\
         mobile-users._spf.example.com TXT v=spf1 exists:%{{l1r+}}.%{{d}}\n\
         remote-users._spf.example.com TXT v=spf1 exists:%{{ir}}.%{{l1r+}}.%{{d}}\n"
    );
    for (ip, from, expected) in [
        ("203.0.113.1", "mary@example.com", ResultWord::Pass),
        ("203.0.113.1", "mary+list@example.com", ResultWord::Pass),
        ("192.168.15.15", "joel@example.com", ResultWord::Pass),
        ("192.168.15.16", "joel@example.com", ResultWord::Fail),
    ] {
        assert_eq!(ask(&zone, ip, from).word, expected, "{ip} {from}");
    }
}

#[test]
fn appendix_a_4_multiple_requirements() {
    let zone = format!(
        "{APPENDIX_A}\
         example.com TXT v=spf1 -include:ip4._spf.%{{d}} -include:ptr._spf.%{{d}} +all\n\
         ip4._spf.example.com TXT v=spf1 -ip4:192.0.2.0/24 +all\n\
         ptr._spf.example.com TXT v=spf1 -ptr:example.com +all\n"
    );
    for (ip, expected) in [
        ("192.0.2.65", ResultWord::Pass),
        ("192.0.2.140", ResultWord::Fail),
        ("10.0.0.4", ResultWord::Fail),
        ("203.0.113.1", ResultWord::Fail),
    ] {
        assert_eq!(ask(&zone, ip, "joe@example.com").word, expected, "{ip}");
    }
}

#[test]
fn section_4_5_the_one_record() {
    for (zone, expected) in [
        ("example.org TXT v=spf1 -all", "fail"),
        ("example.org TXT V=SPF1 -ALL", "fail"),
        ("example.org TXT v=spf1 -all  ", "fail"),
        ("example.org TXT v=spf1", "neutral"),
        ("example.org TXT v=spf10 -all", "none"),
        ("example.org TXT v=spf1-all", "none"),
        ("example.org TXT spf2.0/pra -all", "none"),
        ("example.org TXT something else\nexample.org TXT v=spf1 -all", "fail"),
        ("example.org TXT v=spf1 -all\nexample.org TXT v=spf1 -all", "permerror"),
        ("example.org A 192.0.2.1", "none"),
        ("example.net A 192.0.2.1", "none"),
        ("example.org FAIL", "temperror"),
    ] {
        assert_eq!(ask(zone, "192.0.2.1", "joe@example.org").word.as_str(), expected, "{zone}");
    }
}

#[test]
fn section_4_6_syntax_anywhere_is_an_error_everywhere() {
    for term in [
        "moo",
        "all:x",
        "all/8",
        "all.",
        "include",
        "include:",
        "include:org",
        "include:a.example/24",
        "exists",
        "exists:",
        "ptr/24",
        "ptr:",
        "a:",
        "a:museum",
        "a:museum.",
        "a:192.0.2.1",
        "a:b.123",
        "a:b.-c",
        "a:b.c-",
        "a/33",
        "a/",
        "a//129",
        "a/24/64",
        "a/024",
        "mx:b.c/1/2",
        "mx///64",
        "ip4",
        "ip4:",
        "ip4:192.0.2",
        "ip4:192.0.2.1/33",
        "ip4:192.0.2.1/",
        "ip4:192.0.2.01",
        "ip4:192.0.2.1//32",
        "ip4:::1",
        "ip6:192.0.2.1",
        "ip6:2001:db8::/129",
        "ip6:2001:db8::g",
        "redirect",
        "redirect:a.b",
        "redirect=",
        "redirect=-all",
        "exp=",
        "exp=org",
        "=x",
        "1x=y",
        "a b=%x",
        "x=%{",
        "x=%{q}",
        "a:%{d0}.c",
        "a:%{d1x}.c",
        "a:%(d).c",
        "a:%.c",
        "a:%{c}.c",
        "exp=%{r}.b",
        "redirect=%{t}",
        "exp=a.b exp=a.b",
        "redirect=a.b redirect=a.b",
        "x=\u{7f}",
        "-",
        "+-all",
        "a:\u{1}.c",
    ] {
        let zone = format!("example.org TXT v=spf1 ip4:192.0.2.1 {term}");
        let result = ask(&zone, "192.0.2.1", "joe@example.org");
        assert_eq!(result.word, ResultWord::PermError, "{term:?}: {}", result.reason);
        assert!(result.reason.starts_with("the SPF record of example.org is wrong: "), "{}", result.reason);
    }
}

#[test]
fn section_4_6_what_the_grammar_allows() {
    for term in [
        "x=",
        "x=%{c}%{r}%{t}",
        "x-y_z.9=a:b/c=d",
        "a:%{d}",
        "a:%{D2R-._+,/=}",
        "a:b.%%",
        "a:b.c.",
        "a:x_y:z/w.c",
        "mx/0//0",
        "a:a.xn--zckzah",
        "ip6:::ffff:192.0.2.9/128",
        "ip6:::/0",
        "A:b.c",
        "Ip4:192.0.2.9",
        "redirect=a.b",
        "~all",
        "?all",
    ] {
        let zone = format!("example.org TXT v=spf1 ip4:192.0.2.1 {term}");
        assert_eq!(ask(&zone, "192.0.2.1", "joe@example.org").word, ResultWord::Pass, "{term:?}");
    }
}

#[test]
fn section_4_6_2_qualifiers() {
    for (term, expected) in
        [("+all", "pass"), ("all", "pass"), ("-all", "fail"), ("~all", "softfail"), ("?all", "neutral")]
    {
        check(&format!("v=spf1 {term}"), "", &[("192.0.2.1", expected)]);
    }
}

/// A record that asks `terms` times, all answered.
fn asking(terms: usize) -> String {
    format!("v=spf1{} ip4:192.0.2.1 -all", " a:a.example.net".repeat(terms))
}

#[test]
fn section_4_6_4_ten_terms_ask() {
    let zone = "a.example.net A 192.0.2.99\n";
    check(&asking(10), zone, &[("192.0.2.1", "pass")]);
    check(&asking(11), zone, &[("192.0.2.1", "permerror")]);
    // Those of included and redirected records are counted with the others.
    let below = format!("{zone}below.example.org TXT v=spf1{}\n", " a:a.example.net".repeat(5));
    check("v=spf1 include:below.example.org a:a.example.net ?all", &below, &[("192.0.2.1", "neutral")]);
    check(
        "v=spf1 include:below.example.org redirect=below.example.org",
        &below,
        &[("192.0.2.1", "permerror")],
    );
    check("v=spf1 redirect=example.org", "", &[("192.0.2.1", "permerror")]);
    check("v=spf1 include:example.org", "", &[("192.0.2.1", "permerror")]);
    // Terms that were not reached, and those that do not ask, cost nothing.
    check(
        &format!("v=spf1 ip4:192.0.2.1 {}", asking(20).replace("v=spf1 ", "")),
        "",
        &[("192.0.2.1", "pass")],
    );
    let result = ask(
        &format!("example.org TXT v=spf1 mx ip4:192.0.2.0/24\nexample.org MX 10 a.example.net\n{zone}"),
        "192.0.2.1",
        "joe@example.org",
    );
    assert_eq!((result.word, result.lookups, result.void_lookups), (ResultWord::Pass, 1, 0));
    let result = ask(&format!("example.org TXT {}\n{zone}", asking(20)), "192.0.2.1", "joe@example.org");
    assert_eq!((result.word, result.lookups), (ResultWord::PermError, MAX_TERMS + 1));
}

#[test]
fn section_4_6_4_two_void_lookups() {
    let zone = "empty.example.net TXT x\n";
    check("v=spf1 a:no.example.net exists:empty.example.net ?all", zone, &[("192.0.2.1", "neutral")]);
    check(
        "v=spf1 a:no.example.net mx:no.example.net a:empty.example.net ?all",
        zone,
        &[("192.0.2.1", "permerror")],
    );
    // The client's own missing names are not the domain's fault.
    let names = "192.0.2.1 PTR a.example.net\n192.0.2.1 PTR b.example.net\n192.0.2.1 PTR c.example.net\n";
    check("v=spf1 ptr ?all", names, &[("192.0.2.1", "neutral"), ("192.0.2.2", "neutral")]);
}

#[test]
fn section_4_6_4_ten_names_in_a_term() {
    let mx = |count: usize| {
        (0..count).map(|n| format!("example.org MX 10 m{n}.example.org\nm{n}.example.org A 192.0.2.{n}\n"))
    };
    check("v=spf1 mx -all", &mx(10).collect::<String>(), &[("192.0.2.9", "pass"), ("192.0.2.99", "fail")]);
    // Also if the first would match: the order of records is no one's to rely on.
    check(
        "v=spf1 mx -all",
        &mx(11).collect::<String>(),
        &[("192.0.2.0", "permerror"), ("192.0.2.99", "permerror")],
    );
    let ptr = |own: usize| {
        let names =
            (0..12).map(|n| format!("192.0.2.1 PTR n{n}.example.{}\n", if n == own { "org" } else { "net" }));
        names.chain((0..12).map(|n| format!("n{n}.example.org A 192.0.2.1\n"))).collect::<String>()
    };
    check("v=spf1 ptr -all", &ptr(9), &[("192.0.2.1", "pass")]);
    check("v=spf1 ptr -all", &ptr(10), &[("192.0.2.1", "fail")]);
}

#[test]
fn section_4_8_names_that_the_dns_cannot_have() {
    let long = "x".repeat(64);
    for name in ["a..example.net".to_owned(), format!("{long}.example.net"), "%{h}.example.net".to_owned()] {
        let zone = Zone::new(&format!("example.org TXT v=spf1 a:{name} mx:{name} exists:{name} -all"));
        let helo = format!("{long}.example");
        let result =
            ready(spf::check(&zone, &Query { helo: &helo, ..query("192.0.2.1", "joe@example.org") }));
        // Not asked for, so not void either.
        assert_eq!((result.word, result.void_lookups), (ResultWord::Fail, 0), "{name}: {}", result.reason);
        for term in ["include:", "redirect="] {
            let zone = Zone::new(&format!("example.org TXT v=spf1 {term}{name}"));
            let result =
                ready(spf::check(&zone, &Query { helo: &helo, ..query("192.0.2.1", "joe@example.org") }));
            assert_eq!(result.word, ResultWord::PermError, "{term}{name}");
        }
    }
}

#[test]
fn section_5_the_families_are_apart() {
    let zone = "m.example.net A 192.0.2.1\nm.example.net AAAA 2001:db8::1\nexample.org MX 10 m.example.net\n";
    let cases = [
        ("192.0.2.1", "pass"),
        ("::ffff:192.0.2.1", "pass"),
        ("2001:db8::1", "pass"),
        ("192.0.2.2", "fail"),
        ("2001:db8::2", "fail"),
    ];
    check("v=spf1 a:m.example.net -all", zone, &cases);
    check("v=spf1 mx -all", zone, &cases);
    check("v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all", "", &cases);
    check(
        "v=spf1 ip6:::ffff:192.0.2.1 ip6:::/0 -all",
        "",
        &[("::ffff:192.0.2.1", "fail"), ("2001:db8::1", "pass")],
    );
    check(
        "v=spf1 a:m.example.net/24//32 -all",
        zone,
        &[("192.0.2.2", "pass"), ("192.0.3.1", "fail"), ("2001:db8:ffff::", "pass"), ("2001:db9::", "fail")],
    );
    // "exists" asks for an A record of whomever.
    check("v=spf1 exists:m.example.net -all", zone, &[("2001:db8::9", "pass")]);
}

#[test]
fn section_5_a_failed_look_up_ends_the_check() {
    let zone = "f.example.net FAIL\nm.example.net MX 10 f.example.net\n192.0.2.1 PTR f.example.net\n192.0.2.2 PTR FAIL\n";
    for term in [
        "a:f.example.net",
        "mx:f.example.net",
        "mx:m.example.net",
        "exists:f.example.net",
        "include:f.example.net",
    ] {
        check(&format!("v=spf1 {term} +all"), zone, &[("192.0.2.1", "temperror")]);
    }
    check("v=spf1 redirect=f.example.net", zone, &[("192.0.2.1", "temperror")]);
    // Except of the client's names (RFC 7208 §5.5).
    check("v=spf1 ptr:example.net ~all", zone, &[("192.0.2.1", "softfail"), ("192.0.2.2", "softfail")]);
    // What matched before is not taken back.
    check("v=spf1 ip4:192.0.2.1 a:f.example.net -all", zone, &[("192.0.2.1", "pass")]);
}

#[test]
fn section_5_2_what_an_include_comes_to() {
    for (record, expected) in [
        ("v=spf1 +all", "pass"),
        ("v=spf1 -all", "softfail"),
        ("v=spf1 ~all", "softfail"),
        ("v=spf1 ?all", "softfail"),
        ("v=spf1", "softfail"),
        ("v=spf1 moo", "permerror"),
        ("no record", "permerror"),
        ("FAIL", "temperror"),
    ] {
        check(
            "v=spf1 include:i.example.net ~all",
            &format!("i.example.net TXT {record}"),
            &[("192.0.2.1", expected)],
        );
    }
    check(
        "v=spf1 -include:i.example.net +all",
        "i.example.net TXT v=spf1 ip4:192.0.2.1",
        &[("192.0.2.1", "fail")],
    );
    check("v=spf1 include:i.example.net +all", "", &[("192.0.2.1", "permerror")]);
}

#[test]
fn section_5_4_no_implicit_mx() {
    check("v=spf1 mx -all", "example.org A 192.0.2.1", &[("192.0.2.1", "fail")]);
    check("v=spf1 mx -all", "example.org MX 0 .", &[("192.0.2.1", "fail")]);
}

#[test]
fn section_5_5_names_that_are_validated() {
    let zone = "192.0.2.1 PTR mail.Example.ORG\nmail.example.org A 192.0.2.1\n\
                192.0.2.2 PTR mail.bad-example.org\nmail.bad-example.org A 192.0.2.2\n\
                192.0.2.3 PTR forged.example.org\nforged.example.org A 192.0.2.9\n\
                192.0.2.4 PTR example.org\nexample.org A 192.0.2.4\n";
    let cases = [
        ("192.0.2.1", "pass"),
        ("192.0.2.2", "fail"),
        ("192.0.2.3", "fail"),
        ("192.0.2.4", "pass"),
        ("192.0.2.5", "fail"),
    ];
    check("v=spf1 ptr -all", zone, &cases);
    check("v=spf1 ptr:Example.org -all", zone, &cases);
}

#[test]
fn section_6_1_redirect() {
    let zone = "r.example.net TXT v=spf1 a -all\nr.example.net A 192.0.2.1\nexample.org A 192.0.2.2\nn.example.net TXT x\n";
    // The domain is then the other one.
    check("v=spf1 redirect=r.example.net", zone, &[("192.0.2.1", "pass"), ("192.0.2.2", "fail")]);
    check(
        "v=spf1 redirect=r.example.net ip4:192.0.2.3",
        zone,
        &[("192.0.2.3", "pass"), ("192.0.2.1", "pass")],
    );
    check("v=spf1 redirect=r.example.net ?all", zone, &[("192.0.2.2", "neutral")]);
    check("v=spf1 ?all redirect=r.example.net", zone, &[("192.0.2.2", "neutral")]);
    check("v=spf1 redirect=n.example.net", zone, &[("192.0.2.2", "permerror")]);
    check("v=spf1 redirect=none.example.net", zone, &[("192.0.2.2", "permerror")]);
}

/// The explanation that a refused `strong-bad@email.example.com` at 192.0.2.3 gets.
fn explanation(lines: &str) -> Option<String> {
    let zone = format!("email.example.com TXT v=spf1 -all exp=exp.example.com\n{lines}");
    let result = ask(&zone, "192.0.2.3", "strong-bad@email.example.com");
    assert_eq!((result.word, result.lookups, result.void_lookups), (ResultWord::Fail, 0, 0));
    result.explanation
}

#[test]
fn section_6_2_explanations() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(explanation("exp.example.com TXT Stay  away."), some("Stay  away."));
    assert_eq!(
        explanation("exp.example.com TXT See http://%{d}/why.html?s=%{S}&i=%{I}%_%-%%"),
        some("See http://email.example.com/why.html?s=strong-bad%40email.example.com&i=192.0.2.3 %20%")
    );
    assert_eq!(
        explanation("exp.example.com TXT %{c} %{r} %{t} %{p}"),
        some("192.0.2.3 mx.example.net 1528637909 unknown")
    );
    assert_eq!(explanation("exp.example.com TXT a\nexp.example.com TXT b"), None);
    assert_eq!(explanation("exp.example.com FAIL"), None);
    assert_eq!(explanation("exp.example.com A 192.0.2.1"), None);
    assert_eq!(explanation(""), None);
    assert_eq!(explanation("exp.example.com TXT %{x}"), None);
    assert_eq!(explanation("exp.example.com TXT 100% wrong"), None);
    assert_eq!(explanation("exp.example.com TXT fort éloigné"), None);
    assert_eq!(explanation(&format!("exp.example.com TXT {}", "%{s}".repeat(1000))), None);
}

#[test]
fn section_6_2_whose_explanation() {
    let zone = "e1.example.net TXT one\ne2.example.net TXT two\n\
                i.example.net TXT v=spf1 -all exp=e2.example.net\n";
    for (record, expected) in [
        ("v=spf1 include:i.example.net -all exp=e1.example.net", Some("one")),
        ("v=spf1 include:i.example.net -all", None),
        ("v=spf1 redirect=i.example.net exp=e1.example.net", Some("two")),
        ("v=spf1 ~all exp=e1.example.net", None),
        ("v=spf1 ?all exp=e1.example.net", None),
    ] {
        let result = ask(&format!("example.org TXT {record}\n{zone}"), "192.0.2.1", "joe@example.org");
        assert_eq!(result.explanation.as_deref(), expected, "{record}");
    }
}

/// RFC 7208 §7.4: what `strong-bad@email.example.com` from 192.0.2.3 makes of a macro-string.
fn expands(ip: &str, text: &str, expected: &str) {
    let zone = format!(
        "email.example.com TXT v=spf1 -all exp=exp.example.com\nexp.example.com TXT {text}\n\
         192.0.2.3 PTR mx.example.org\nmx.example.org A 192.0.2.3\n"
    );
    let found = ask(&zone, ip, "strong-bad@email.example.com").explanation.unwrap();
    assert!(found.eq_ignore_ascii_case(expected), "{text}: {found}");
}

#[test]
fn section_7_4_expansion_examples() {
    for (text, expected) in [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{h}", "mail.example.com"),
        ("%{p}", "mx.example.org"),
        ("%{d127}%{d99999999999999999999}", "email.example.comemail.example.com"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
    ] {
        expands("192.0.2.3", text, expected);
    }
    expands(
        "2001:db8::cb01",
        "%{ir}.%{v}._spf.%{d2}",
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com",
    );
    expands("2001:db8::cb01", "%{c} %{p}", "2001:db8::cb01 unknown");
}

#[test]
fn section_7_3_the_name_of_the_client() {
    let zone = "192.0.2.1 PTR other.example.net\n192.0.2.1 PTR mail.example.org\n192.0.2.1 PTR example.org\n\
                other.example.net A 192.0.2.1\nmail.example.org A 192.0.2.1\nexample.org A 192.0.2.1\n\
                example.org.own.example.net A 127.0.0.2\n";
    check("v=spf1 exists:%{p}.own.example.net -all", zone, &[("192.0.2.1", "pass"), ("192.0.2.2", "fail")]);
    // Looking it up is a term too, once.
    let result = ask(
        &format!(
            "example.org TXT v=spf1 exists:%{{p}}.no.example.net exists:%{{p}}.own.example.net -all\n{zone}"
        ),
        "192.0.2.1",
        "joe@example.org",
    );
    assert_eq!((result.word, result.lookups), (ResultWord::Pass, 3));
}

#[test]
fn section_7_3_long_names_lose_labels_on_the_left() {
    let label = "x".repeat(49);
    let kept = format!("{label}.{label}.{label}.{label}.example.org");
    let zone = format!("{kept} A 127.0.0.2\n");
    check(&format!("v=spf1 exists:{label}.{label}.{kept} -all"), &zone, &[("192.0.2.1", "pass")]);
}

#[test]
fn rfc_8616_section_4_internationalised_addresses() {
    let zone = "xn--mnchen-3ya.example TXT v=spf1 exists:%{l}.example.net include:%{l}.example.net exists:%{o}.ok.example.net -all\n\
                xn--mnchen-3ya.example.ok.example.net A 127.0.0.2\n";
    let result = ask(zone, "192.0.2.1", "jürgen@münchen.example");
    assert_eq!((result.word, result.lookups), (ResultWord::Pass, 3), "{}", result.reason);
}

#[test]
fn steps_tell_the_evaluation_in_the_order_of_reading() {
    let zone = Zone::new(
        "example.org TXT v=spf1 include:i.example.net redirect=r.example.net\n\
         i.example.net TXT v=spf1 ip4:203.0.113.0/24 -all\n\
         r.example.net TXT v=spf1 mx -all exp=e.example.net\nr.example.net MX 10 m.example.net\nm.example.net A 203.0.113.1\n\
         e.example.net TXT Go away.\n",
    );
    let result = ready(spf::trace(&zone, &query("192.0.2.1", "joe@example.org")));
    let told: Vec<_> = result
        .steps
        .iter()
        .map(|step| (step.depth, step.term.as_str(), step.outcome, step.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (0, "v=spf1 include:i.example.net redirect=r.example.net", StepOutcome::Record, ""),
            (0, "include:i.example.net", StepOutcome::NoMatch, "the record of i.example.net gives fail"),
            (1, "v=spf1 ip4:203.0.113.0/24 -all", StepOutcome::Record, ""),
            (1, "ip4:203.0.113.0/24", StepOutcome::NoMatch, "192.0.2.1 is not in this network"),
            (1, "-all", StepOutcome::Match, "every address"),
            (
                0,
                "redirect=r.example.net",
                StepOutcome::Redirect,
                "nothing matched: the record of r.example.net decides"
            ),
            (0, "v=spf1 mx -all exp=e.example.net", StepOutcome::Record, ""),
            (
                0,
                "mx",
                StepOutcome::NoMatch,
                "none of the MX hosts of r.example.net has an address that matches 192.0.2.1"
            ),
            (0, "-all", StepOutcome::Match, "every address"),
            (0, "exp=e.example.net", StepOutcome::Explanation, "Go away."),
        ]
    );
    assert_eq!(result.reason, "r.example.net does not allow 192.0.2.1 to send its mail (-all)");
}

#[test]
fn a_check_given_up_is_a_temporary_error() {
    let result = SpfResult::timed_out(&query("192.0.2.1", "joe@example.org"));
    assert_eq!((result.word, result.domain.unwrap().as_str()), (ResultWord::TempError, "example.org"));
}

#[test]
fn the_cost_is_bounded_whatever_is_published() {
    // Each record includes itself and asks all it may.
    let mx: String = (0..10)
        .map(|n| format!("example.org MX {n} m{n}.example.org\nm{n}.example.org A 192.0.2.9\n"))
        .collect();
    let ptr: String = (0..20).map(|n| format!("192.0.2.1 PTR m{n}.example.org\n")).collect();
    let zone = Zone::new(&format!("example.org TXT v=spf1 ptr include:example.org mx mx mx\n{mx}{ptr}"));
    let result = ready(spf::check(&zone, &query("192.0.2.1", "joe@example.org")));
    assert_eq!(result.word, ResultWord::PermError);
    let most = u32::from(MAX_TERMS) * (1 + 10);
    let asked = zone.asked.into_inner();
    assert!(asked <= most + 1, "{asked} questions");
}
