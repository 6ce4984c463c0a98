use super::*;
use crate::{Dns, Found, LookupError, Mx, Txt};
use address::Domain;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// A DNS of TXT records and hosts; `FAILS` as a text makes the look-up fail.
#[derive(Default)]
struct Table {
    txt: BTreeMap<String, Vec<String>>,
    hosts: Vec<String>,
    asked: Mutex<Vec<String>>,
}

const FAILS: &str = "FAILS";

impl Table {
    fn new(records: &[(&str, &str)]) -> Self {
        let mut table = Self::default();
        for (name, text) in records {
            table.txt.entry((*name).to_owned()).or_default().push((*text).to_owned());
        }
        table
    }

    fn with_host(mut self, name: &str) -> Self {
        self.hosts.push(name.to_owned());
        self
    }
}

impl Dns for Table {
    async fn txt(&self, name: &str) -> Txt {
        self.asked.lock().unwrap().push(name.to_owned());
        match self.txt.get(name) {
            Some(texts) if texts.iter().any(|text| text == FAILS) => Err(LookupError::Failed),
            Some(texts) => Ok(texts.iter().map(|text| text.clone().into_bytes()).collect()),
            None => Err(LookupError::NoName),
        }
    }
    async fn a(&self, name: &str) -> Found<Ipv4Addr> {
        match self.hosts.iter().find(|host| *host == name) {
            Some(host) if host.starts_with("failing.") => Err(LookupError::Failed),
            Some(_) => Ok(vec![Ipv4Addr::LOCALHOST]),
            None => Err(LookupError::NoName),
        }
    }
    async fn aaaa(&self, _: &str) -> Found<Ipv6Addr> {
        Err(LookupError::NoName)
    }
    async fn mx(&self, _: &str) -> Found<Mx> {
        Err(LookupError::NoName)
    }
    async fn ptr(&self, _: IpAddr) -> Found<String> {
        Err(LookupError::NoName)
    }
}

/// The table answers at once, so that one poll is enough.
fn run<T>(future: impl Future<Output = T>) -> T {
    let future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(value) = future.poll(&mut context) else { panic!("the table answers at once") };
    value
}

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

mod records {
    use super::*;

    fn parse(text: &str) -> Record {
        Record::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text:?} is a record"))
    }

    /// RFC 9989 §4.7, `v`: otherwise the entire record is ignored.
    #[test]
    fn the_version_comes_first() {
        for none in ["", "v=spf1 -all", "v=DMARC1x", "v=dmarc1; p=none", "p=none; v=DMARC1", "DMARC1", "v"] {
            assert_eq!(Record::parse(none.as_bytes()), None, "{none:?}");
        }
        for good in ["v=DMARC1", "v=DMARC1;", " v = DMARC1 ; ", "V=DMARC1;p=none"] {
            parse(good);
        }
        assert_eq!(Record::parse(b"v=DMARC1; p=\xff"), None);
    }

    #[test]
    fn tags() {
        let record = parse(
            "v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=s; t=y; psd=n; fo=1:d:s; \
             rua=mailto:a@example.org; ruf=mailto:b@example.org",
        );
        assert_eq!((record.p, record.sp), (Some(Policy::Reject), Some(Policy::Quarantine)));
        assert_eq!(record.np, Some(Policy::None));
        assert_eq!((record.adkim, record.aspf), (Mode::Strict, Mode::Strict));
        assert!(record.testing);
        assert_eq!(record.psd, Psd::No);
        assert_eq!(record.fo.to_string(), "1:d:s");
        assert_eq!((record.rua.len(), record.ruf.len()), (1, 1));
        assert_eq!(record.problems, [""; 0]);
    }

    #[test]
    fn defaults() {
        let record = parse("v=DMARC1; p=none");
        let expected = Record { p: Some(Policy::None), ..Record::default() };
        assert_eq!(record, expected);
        assert_eq!(record.fo.to_string(), "0");
    }

    /// RFC 9989 §4.7: what is not named is not asked for.
    #[test]
    fn failures_to_report() {
        for (words, all, any, dkim, spf) in [
            ("0", true, false, false, false),
            ("1", false, true, false, false),
            ("d", false, false, true, false),
            ("0:s", true, false, false, true),
            ("1:d:s", false, true, true, true),
        ] {
            let fo = parse(&format!("v=DMARC1; p=none; fo={words}")).fo;
            assert_eq!(fo, FailureOptions { all, any, dkim, spf });
            assert_eq!(fo.to_string(), words);
        }
    }

    /// RFC 9989 §4.8: unknown tags are ignored, and what is broken is at its default.
    #[test]
    fn what_is_broken_is_told_and_left_out() {
        let check = |text: &str, problem: &str| {
            let record = parse(text);
            assert!(
                record.problems.iter().any(|told| told.contains(problem)),
                "{text:?}: {:?}",
                record.problems
            );
            record
        };
        assert_eq!(check("v=DMARC1; p=maybe", "p= has the bad value \"maybe\"").p, None);
        assert_eq!(check("v=DMARC1; p=REJECT; x=1", "\"x\" is unknown").p, Some(Policy::Reject));
        assert_eq!(check("v=DMARC1; p=none; adkim=q", "adkim=").adkim, Mode::Relaxed);
        assert_eq!(check("v=DMARC1; p=none; p=reject", "twice").p, Some(Policy::None));
        assert_eq!(check("v=DMARC1; p=none; reject", "has no \"=\"").p, Some(Policy::None));
        assert_eq!(check("v=DMARC1; p=none; rua=a@example.org", "no URI").rua, []);
        assert_eq!(check("v=DMARC1; rua=mailto:a@example.org", "no p= tag").p, None);
        assert_eq!(check("v=DMARC1; p=none; fo=2", "fo=").fo, FailureOptions::default());
    }

    /// RFC 9989 A.6: `t=y` is what `pct=0` was.
    #[test]
    fn records_of_rfc_7489() {
        let record = parse("v=DMARC1; p=reject; pct=0; rf=afrf; ri=86400; rua=mailto:a@example.org!10m");
        assert!(record.testing);
        assert_eq!(record.rua.len(), 1);
        for full in ["pct=100", "pct=50", "pct=x", "pct="] {
            let record = parse(&format!("v=DMARC1; p=reject; {full}"));
            assert!(!record.testing, "{full}");
        }
    }
}

mod walks {
    use super::*;

    fn check(records: &[(&str, &str)], start: &str, organizational: &str, policy_at: Option<&str>) {
        let table = Table::new(records);
        let walk = run(walk(&table, &domain(start)));
        assert!(walk.queries() <= MAX_QUERIES);
        assert_eq!(walk.organizational_domain(), Ok(domain(organizational)), "{start} with {records:?}");
        let found = walk.policy().unwrap().map(|(domain, _)| domain.to_string());
        assert_eq!(found.as_deref(), policy_at, "{start} with {records:?}");
    }

    /// RFC 9989 §4.10: the example of eight questions.
    #[test]
    fn a_long_name_is_shortened() {
        let table = Table::default();
        run(walk(&table, &domain("a.b.c.d.e.f.g.h.i.j.mail.example.com")));
        let expected = [
            "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "_dmarc.g.h.i.j.mail.example.com",
            "_dmarc.h.i.j.mail.example.com",
            "_dmarc.i.j.mail.example.com",
            "_dmarc.j.mail.example.com",
            "_dmarc.mail.example.com",
            "_dmarc.example.com",
            "_dmarc.com",
        ];
        assert_eq!(*table.asked.lock().unwrap(), expected);
    }

    #[test]
    fn eight_labels_are_cut_to_seven_and_seven_to_six() {
        for labels in 1..=20 {
            let name = vec!["x"; labels].join(".");
            let table = Table::default();
            assert_eq!(run(walk(&table, &domain(&name))).queries(), labels.min(MAX_QUERIES), "{name}");
        }
    }

    /// RFC 9989 §4.10.2: its three examples.
    #[test]
    fn examples_of_the_organizational_domain() {
        let both =
            [("_dmarc.mail.example.com", "v=DMARC1;p=none"), ("_dmarc.example.com", "v=DMARC1;p=reject")];
        check(&both, "a.mail.example.com", "example.com", Some("example.com"));
        let not_psd = [("_dmarc.mail.example.com", "v=DMARC1;p=none;psd=n"), both[1]];
        check(&not_psd, "a.mail.example.com", "mail.example.com", Some("mail.example.com"));
        let psd = [("_dmarc.com", "v=DMARC1;p=reject;psd=y")];
        check(&psd, "a.mail.example.com", "example.com", Some("com"));
    }

    /// RFC 9989 §4.10.1.
    #[test]
    fn policies_in_their_order() {
        check(&[], "mail.example.com", "mail.example.com", None);
        let own =
            [("_dmarc.mail.example.com", "v=DMARC1;p=none"), ("_dmarc.example.com", "v=DMARC1;p=reject")];
        check(&own, "mail.example.com", "example.com", Some("mail.example.com"));
        // What lies between the author and its Organizational Domain does not count.
        check(&own, "deep.mail.example.com", "example.com", Some("example.com"));
        // A PSD is its own Organizational Domain when mail comes from it.
        check(&[("_dmarc.bank", "v=DMARC1;p=reject;psd=y")], "bank", "bank", Some("bank"));
        // The policy of a PSD is not used where the Organizational Domain has one.
        let all = [("_dmarc.shop.bank", "v=DMARC1;p=none"), ("_dmarc.bank", "v=DMARC1;p=reject;psd=y")];
        check(&all, "www.shop.bank", "shop.bank", Some("shop.bank"));
    }

    /// RFC 9989 §4.10 step 2.
    #[test]
    fn several_records_are_none() {
        let two = [("_dmarc.example.com", "v=DMARC1;p=none"), ("_dmarc.example.com", "v=DMARC1;p=reject")];
        check(&two, "example.com", "example.com", None);
        let other = [("_dmarc.example.com", "v=spf1 -all"), ("_dmarc.example.com", "v=DMARC1;p=reject")];
        check(&other, "example.com", "example.com", Some("example.com"));
    }

    #[test]
    fn a_failure_matters_where_the_answer_depends_on_it() {
        let table = Table::new(&[("_dmarc.example.com", "v=DMARC1;p=none"), ("_dmarc.com", FAILS)]);
        let own = run(walk(&table, &domain("example.com")));
        assert!(matches!(own.policy(), Ok(Some(_))));
        assert_eq!(own.organizational_domain(), Err(LookupError::Failed));
        assert_eq!(run(walk(&table, &domain("mail.example.com"))).policy(), Err(LookupError::Failed));
    }
}

mod evaluations {
    use super::*;
    use Outcome::{Fail, Pass, TempError};

    struct Case<'a> {
        records: &'a [(&'a str, &'a str)],
        author: &'a str,
        spf: Option<(&'a str, Outcome)>,
        dkim: &'a [(&'a str, Outcome)],
    }

    const REJECT: &[(&str, &str)] = &[("_dmarc.example.com", "v=DMARC1; p=reject")];
    const SILENT: Case<'_> = Case { records: REJECT, author: "example.com", spf: None, dkim: &[] };

    fn evaluate_case(case: &Case<'_>) -> Evaluation {
        let table = Table::new(case.records).with_host("real.example.com").with_host("failing.example.com");
        let spf = case.spf.map(|(name, outcome)| (domain(name), outcome));
        let dkim: Vec<_> = case.dkim.iter().map(|(name, outcome)| (domain(name), *outcome)).collect();
        let identifier = |(domain, outcome): &'_ (Domain, Outcome)| (domain.clone(), *outcome);
        let owned: Vec<_> = dkim.iter().map(identifier).collect();
        let dkim: Vec<_> =
            owned.iter().map(|(domain, outcome)| Identifier { domain, outcome: *outcome }).collect();
        let spf = spf.as_ref().map(|(domain, outcome)| Identifier { domain, outcome: *outcome });
        run(evaluate(&table, &domain(case.author), spf, &dkim))
    }

    #[track_caller]
    fn check(case: &Case<'_>, word: Word, disposition: Policy) -> Evaluation {
        let evaluation = evaluate_case(case);
        let found = (evaluation.word, evaluation.disposition);
        assert_eq!(found, (word, disposition), "{}", evaluation.reason);
        assert!(!evaluation.reason.is_empty());
        evaluation
    }

    /// RFC 9989 B.1.1.
    #[test]
    fn spf_alignment() {
        let by = |envelope, author| Case { spf: Some((envelope, Pass)), author, ..SILENT };
        let strict = check(&by("example.com", "example.com"), Word::Pass, Policy::None);
        assert_eq!((strict.spf, strict.dkim), (Some(Mode::Strict), None));
        let relaxed = check(&by("child.example.com", "example.com"), Word::Pass, Policy::None);
        assert_eq!(relaxed.spf, Some(Mode::Relaxed));
        check(&by("child.example.net", "example.com"), Word::Fail, Policy::Reject);
        check(&by("notexample.com", "example.com"), Word::Fail, Policy::Reject);
    }

    /// RFC 9989 B.1.2.
    #[test]
    fn dkim_alignment() {
        let by = |signer, author| evaluate_case(&Case { dkim: &[(signer, Pass)], author, ..SILENT });
        assert_eq!(by("example.com", "example.com").dkim, Some(Mode::Strict));
        assert_eq!(by("example.com", "child.example.com").dkim, Some(Mode::Relaxed));
        assert_eq!(by("sample.net", "child.example.com").word, Word::Fail);
    }

    #[test]
    fn one_aligned_pass_of_many_is_enough() {
        let dkim = &[("example.net", Pass), ("example.com", Fail), ("mail.example.com", Pass)];
        let case = Case { dkim, spf: Some(("example.net", Fail)), ..SILENT };
        assert_eq!(check(&case, Word::Pass, Policy::None).dkim, Some(Mode::Relaxed));
    }

    #[test]
    fn strict_is_the_same_name() {
        let records = &[("_dmarc.example.com", "v=DMARC1; p=quarantine; adkim=s")];
        let dkim = &[("mail.example.com", Pass)];
        check(&Case { records, dkim, ..SILENT }, Word::Fail, Policy::Quarantine);
        let spf = Some(("mail.example.com", Pass));
        check(&Case { records, spf, ..SILENT }, Word::Pass, Policy::None);
    }

    #[test]
    fn psd_n_divides_an_organisation() {
        let records = &[REJECT[0], ("_dmarc.child.example.com", "v=DMARC1; p=none; psd=n")];
        let dkim = &[("child.example.com", Pass)];
        check(&Case { records, dkim, ..SILENT }, Word::Fail, Policy::Reject);
    }

    /// RFC 9989 §4.10.1: which tag applies.
    #[test]
    fn policies_of_subdomains() {
        let tag = |record, author| {
            let evaluation =
                evaluate_case(&Case { records: &[("_dmarc.example.com", record)], author, ..SILENT });
            let published = evaluation.published.unwrap();
            (published.tag, published.policy)
        };
        let all = "v=DMARC1; p=reject; sp=quarantine; np=none";
        assert_eq!(tag(all, "example.com"), (PolicyTag::P, Policy::Reject));
        assert_eq!(tag(all, "real.example.com"), (PolicyTag::Sp, Policy::Quarantine));
        assert_eq!(tag(all, "unreal.example.com"), (PolicyTag::Np, Policy::None));
        assert_eq!(tag("v=DMARC1; p=none; sp=reject", "unreal.example.com"), (PolicyTag::Sp, Policy::Reject));
        assert_eq!(tag("v=DMARC1; p=none; np=reject", "real.example.com"), (PolicyTag::P, Policy::None));
        assert_eq!(tag("v=DMARC1; p=reject", "unreal.example.com"), (PolicyTag::P, Policy::Reject));
    }

    #[test]
    fn test_mode_is_one_level_less() {
        for record in ["v=DMARC1; p=reject; t=y", "v=DMARC1; p=reject; pct=0"] {
            let records = &[("_dmarc.example.com", record)];
            let evaluation = check(&Case { records, ..SILENT }, Word::Fail, Policy::Quarantine);
            assert_eq!(evaluation.published.as_ref().map(|published| published.policy), Some(Policy::Reject));
            assert_eq!(evaluation.published.as_ref().map(Published::applied), Some(Policy::Quarantine));
            assert_eq!(evaluation.overrides[0].kind, OverrideKind::PolicyTestMode);
        }
        let records = &[("_dmarc.example.com", "v=DMARC1; p=none; t=y")];
        assert_eq!(check(&Case { records, ..SILENT }, Word::Fail, Policy::None).overrides, []);
    }

    /// RFC 9989 §4.10.1: a record whose policy cannot be read.
    #[test]
    fn broken_policies() {
        let by = |record| evaluate_case(&Case { records: &[("_dmarc.example.com", record)], ..SILENT });
        assert_eq!(by("v=DMARC1; p=maybe").word, Word::PermError);
        assert_eq!(by("v=DMARC1").word, Word::PermError);
        assert_eq!(by("v=DMARC1; p=reject; sp=maybe").word, Word::PermError);
        for as_none in ["v=DMARC1; p=maybe; rua=mailto:a@example.com", "v=DMARC1; rua=mailto:a@example.com"] {
            let evaluation = by(as_none);
            assert_eq!((evaluation.word, evaluation.disposition), (Word::Fail, Policy::None));
        }
        let evaluation = by("v=DMARC1; p=reject; np=maybe; rua=mailto:a@example.com");
        assert_eq!(evaluation.published.map(|published| published.policy), Some(Policy::None));
    }

    #[test]
    fn no_policy() {
        check(&Case { records: &[], dkim: &[("example.com", Pass)], ..SILENT }, Word::None, Policy::None);
    }

    /// RFC 9989 §5.3.6: neither pass nor fail when a look-up that matters did not complete.
    #[test]
    fn temporary_errors() {
        let records = &[("_dmarc.example.com", FAILS)];
        check(&Case { records, dkim: &[("example.com", Pass)], ..SILENT }, Word::TempError, Policy::None);
        check(&Case { dkim: &[("example.com", TempError)], ..SILENT }, Word::TempError, Policy::None);
        check(&Case { spf: Some(("mail.example.com", TempError)), ..SILENT }, Word::TempError, Policy::None);
        // Those that could change nothing do not matter.
        check(&Case { dkim: &[("example.net", TempError)], ..SILENT }, Word::Fail, Policy::Reject);
        let dkim = &[("example.com", TempError), ("example.com", Pass)];
        check(&Case { dkim, ..SILENT }, Word::Pass, Policy::None);
        let records = &[("_dmarc.example.com", "v=DMARC1; p=none; np=reject")];
        check(&Case { records, author: "failing.example.com", ..SILENT }, Word::TempError, Policy::None);
    }

    #[test]
    fn a_receiver_that_knows_better_says_why() {
        let mut evaluation = evaluate_case(&SILENT);
        let arc =
            Override { kind: OverrideKind::TrustedForwarder, comment: "arc=pass from lists.example".into() };
        evaluation.override_disposition(Policy::None, arc.clone());
        assert_eq!((evaluation.word, evaluation.disposition), (Word::Fail, Policy::None));
        assert_eq!(evaluation.overrides[0], arc);
        assert!(evaluation.reason.ends_with("trusted_forwarder: arc=pass from lists.example"));
        evaluation.override_disposition(Policy::None, arc);
        assert_eq!(evaluation.overrides.len(), 1);
    }
}

mod external_destinations {
    use super::*;

    fn check(records: &[(&str, &str)], rua: &str, expected: &[(&str, bool)]) {
        check_tag(ReportTag::Rua, records, rua, expected);
    }

    fn check_tag(tag: ReportTag, records: &[(&str, &str)], rua: &str, expected: &[(&str, bool)]) {
        let record = Record::parse(format!("v=DMARC1;p=none;rua={rua};ruf={rua}").as_bytes()).unwrap();
        let table = Table::new(records);
        let found = run(destinations(&table, &domain("blue.example.com"), &record, tag));
        let found: Vec<_> = found.iter().map(|to| (to.address.to_string(), to.verdict.is_ok())).collect();
        let expected: Vec<_> = expected.iter().map(|(to, good)| ((*to).to_owned(), *good)).collect();
        assert_eq!(found, expected, "{rua} with {records:?}");
    }

    const PERMIT: (&str, &str) = ("blue.example.com._report._dmarc.red.example.net", "v=DMARC1");

    /// RFC 9990 §4.
    #[test]
    fn outside_places_must_agree() {
        check(&[PERMIT], "mailto:r@red.example.net", &[("r@red.example.net", true)]);
        check(&[], "mailto:r@red.example.net", &[("r@red.example.net", false)]);
        check(&[(PERMIT.0, "yes")], "mailto:r@red.example.net", &[("r@red.example.net", false)]);
        check(&[(PERMIT.0, FAILS)], "mailto:r@red.example.net", &[("r@red.example.net", false)]);
        let both = "mailto:a@blue.example.com,mailto:b@other.example,https://x.example/";
        check(&[], both, &[("a@blue.example.com", true), ("b@other.example", false)]);
        check(&[], "mailto:r@[192.0.2.1]", &[("r@[192.0.2.1]", false)]);
    }

    #[test]
    fn the_same_organisation_needs_no_record() {
        let policy = ("_dmarc.example.com", "v=DMARC1;p=none");
        check(&[policy], "mailto:r@example.com", &[("r@example.com", true)]);
        check(&[], "mailto:r@example.com", &[("r@example.com", false)]);
    }

    #[test]
    fn a_place_may_name_another_address_of_its_own() {
        let moved = (PERMIT.0, "v=DMARC1; rua=mailto:new@red.example.net");
        check(&[moved], "mailto:r@red.example.net", &[("new@red.example.net", true)]);
        let away = (PERMIT.0, "v=DMARC1; rua=mailto:victim@example.org");
        check(&[away], "mailto:r@red.example.net", &[("r@red.example.net", false)]);
    }

    /// RFC 9990 §4: it is the corresponding tag that counts. A message's header is not for the mailbox of statistics.
    #[test]
    fn another_address_is_for_reports_of_its_kind() {
        let moved = (PERMIT.0, "v=DMARC1; rua=mailto:a@red.example.net; ruf=mailto:f@red.example.net");
        let only_rua = (PERMIT.0, "v=DMARC1; rua=mailto:a@red.example.net");
        for (tag, record, expected) in [
            (ReportTag::Rua, moved, "a@red.example.net"),
            (ReportTag::Ruf, moved, "f@red.example.net"),
            (ReportTag::Rua, only_rua, "a@red.example.net"),
            (ReportTag::Ruf, only_rua, "r@red.example.net"),
        ] {
            check_tag(tag, &[record], "mailto:r@red.example.net", &[(expected, true)]);
        }
    }

    #[test]
    fn names_too_long_for_the_dns() {
        let long = format!("{}.example", vec!["a".repeat(60); 4].join("."));
        check(&[], &format!("mailto:r@{long}"), &[(&format!("r@{long}"), false)]);
    }
}
