use super::*;
use crate::dmarc::OverrideKind;
use proptest::prelude::*;

fn sample() -> Aggregate {
    Aggregate {
        organization: "Receiver & <Sons>".into(),
        email: "dmarc@receiver.example".into(),
        extra_contact: None,
        report_id: "1.a.example.com@receiver.example".into(),
        begin: 1_700_006_400,
        end: 1_700_092_799,
        errors: vec!["adkim= has the bad value \"q\"".into()],
        generator: Some("Waypost".into()),
        published: PolicyPublished {
            domain: "example.com".parse().unwrap(),
            p: Policy::Reject,
            sp: Some(Policy::None),
            np: None,
            adkim: Mode::Strict,
            aspf: Mode::Relaxed,
            fo: Some("1:d".into()),
            testing: true,
            tree_walk: true,
        },
        records: vec![Record {
            source_ip: "2001:db8::1".parse().unwrap(),
            count: 12,
            disposition: Disposition::Quarantine,
            dkim_aligned: false,
            spf_aligned: true,
            reasons: vec![Override { kind: OverrideKind::TrustedForwarder, comment: "arc=pass".into() }],
            header_from: "news.example.com".into(),
            envelope_from: Some(String::new()),
            envelope_to: Some("receiver.example".into()),
            dkim: vec![DkimResult {
                domain: "example.net".into(),
                selector: "s1".into(),
                verdict: Verdict::PermError,
                human_result: Some("no key \u{1} here".into()),
            }],
            spf: Some(SpfResult {
                domain: "example.com".into(),
                verdict: Verdict::SoftFail,
                human_result: None,
            }),
        }],
    }
}

#[test]
fn what_is_written_is_read_again() {
    let mut report = sample();
    let xml = report.to_xml();
    report.records[0].dkim[0].human_result = Some("no key \u{fffd} here".into());
    assert_eq!(Aggregate::parse(xml.as_bytes()), Ok(report));
    assert!(xml.contains("<org_name>Receiver &amp; &lt;Sons&gt;</org_name>"), "{xml}");
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback xmlns=\"urn:"));
}

#[test]
fn a_mail_carries_it() {
    let report = sample();
    let naming = Naming {
        submitter: &"receiver.example".parse().unwrap(),
        domain: &"example.com".parse().unwrap(),
        begin: report.begin,
        end: report.end,
        unique: "a",
    };
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let (from, to) = ("dmarc@receiver.example".parse().unwrap(), "rua@example.com".parse().unwrap());
    let mail = report.build(&naming, &from, &to, &now, [7; 16]);
    let text = String::from_utf8_lossy(&mail).into_owned();
    assert!(text.contains("receiver.example!example.com!1700006400!1700092799!a.xml.gz"), "{text}");
    let Some(Ok(crate::report::Incoming::Aggregate(read))) = crate::report::read(&mail) else {
        panic!("{text}")
    };
    assert_eq!(read.records[0].count, 12);
}

/// RFC 7489 Appendix C, as a large reporter writes it.
#[test]
fn reports_of_rfc_7489() {
    let xml = r#"<?xml version="1.0" encoding="UTF-8" ?>
        <feedback>
          <report_metadata>
            <org_name>google.example</org_name><email>noreply@google.example</email>
            <extra_contact_info>https://support.google.example</extra_contact_info>
            <report_id>1234567890</report_id>
            <date_range><begin>1700006400</begin><end>1700092799</end></date_range>
            <error>one</error><error>two</error>
          </report_metadata>
          <policy_published>
            <domain>example.com</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>0</pct>
          </policy_published>
          <record>
            <row><source_ip>192.0.2.1</source_ip><count>2</count>
              <policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>pass</spf>
                <reason><type>sampled_out</type><comment/></reason><reason><type>forwarded</type></reason></policy_evaluated>
            </row>
            <identifiers><header_from>example.com</header_from></identifiers>
            <auth_results>
              <dkim><domain>example.net</domain><result>fail</result></dkim>
              <spf><domain>mail.example.com</domain><scope>helo</scope><result>none</result></spf>
              <spf><domain>example.com</domain><scope>mfrom</scope><result>hardfail</result></spf>
            </auth_results>
          </record>
        </feedback>"#;
    let report = Aggregate::parse(xml.as_bytes()).unwrap();
    assert_eq!(report.errors, ["one", "two"]);
    assert!(report.published.testing && !report.published.tree_walk);
    let record = &report.records[0];
    let kinds: Vec<_> = record.reasons.iter().map(|reason| reason.kind).collect();
    assert_eq!(kinds, [OverrideKind::PolicyTestMode, OverrideKind::TrustedForwarder]);
    assert_eq!(record.dkim[0].selector, "");
    assert_eq!(
        record.spf.as_ref().map(|spf| (spf.domain.as_str(), spf.verdict)),
        Some(("example.com", Verdict::Fail))
    );
}

/// What is wrapped around the parts that are read.
fn report(metadata: &str, policy: &str, record: &str) -> String {
    format!(
        "<feedback><report_metadata><org_name>o</org_name><report_id>1</report_id>{metadata}</report_metadata>\
         <policy_published><domain>example.com</domain>{policy}</policy_published>\
         <record><row>{record}</row></record></feedback>"
    )
}

#[test]
fn sloppy_reports() {
    let good = |xml: &str| Aggregate::parse(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let row = "<source_ip> [192.0.2.1] </source_ip><count>\n 3.0 </count>";
    let read = good(&report("", "<p>REJECT</p>", row));
    assert_eq!((read.published.p, read.records[0].count), (Policy::Reject, 3));
    assert_eq!(read.records[0].header_from, "");
    let prefixed = report("", "", row)
        .replace("<feedback>", "<ns0:feedback xmlns:ns0='urn:x'>")
        .replace("</feedback>", "</ns0:feedback>");
    assert_eq!(good(&prefixed).records.len(), 1);
    assert_eq!(good(&format!("\u{feff}  <!-- hello -->{}", report("", "", row))).records.len(), 1);
    // Rows that count nothing are left out.
    for nothing in [
        "<source_ip>192.0.2.1</source_ip><count>0</count>",
        "<source_ip>here</source_ip><count>1</count>",
        "",
    ] {
        assert_eq!(good(&report("", "", nothing)).records, [], "{nothing}");
    }
    let lines = report("<error>a\r\n b\u{1b}[31m&#x7f;c</error>", "", row);
    assert_eq!(good(&lines).errors, ["a\n b\u{fffd}[31m\u{fffd}c"]);
    let escaped = report("<error>a &lt; b &#38; <![CDATA[<c>]]> &nbsp; d & e</error>", "", row);
    assert_eq!(good(&escaped).errors, ["a < b & <c> &nbsp; d & e"]);
    assert_eq!(
        good(&report(&format!("<error>{}</error>", "é".repeat(MAX_TEXT)), "", row)).errors[0].len(),
        MAX_TEXT
    );
}

#[test]
fn bombs_and_garbage_are_refused() {
    let check = |xml: &str, expected: ParseError| {
        assert_eq!(Aggregate::parse(xml.as_bytes()), Err(expected), "{xml:.60}")
    };
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>";
    check(&format!("{bomb}{}", report("", "", "")), ParseError::DocumentType);
    check(&format!("<feedback>{}</feedback>", "<a>".repeat(1000)), ParseError::TooComplex);
    check(&format!("<feedback><record>{}</record></feedback>", "<a/>".repeat(5000)), ParseError::TooComplex);
    check("<html></html>", ParseError::NoReport);
    check("", ParseError::NoReport);
    check("<feedback><record>", ParseError::CutShort);
    check("<feedback></feedback>", ParseError::Missing("report_metadata"));
    let nameless = report("", "", "").replace("<report_id>1</report_id>", "");
    check(&nameless, ParseError::Missing("report_id"));
    check(&report("", "", "").replace("example.com", "a b"), ParseError::Domain("a b".into()));
    assert!(matches!(Aggregate::parse(b"<feedback><a></b></feedback>"), Err(ParseError::Xml(_))));
    let record = "<record><row><source_ip>::1</source_ip><count>1</count></row></record>";
    let many = format!("<feedback>{}</feedback>", record.repeat(MAX_RECORDS + 1));
    check(&many, ParseError::TooManyRecords);
}

proptest! {
    #[test]
    fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Aggregate::parse(&octets);
        let _ = Aggregate::parse(&[b"<feedback>", &octets[..]].concat());
    }

    #[test]
    fn any_text_survives(text in "[^\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u{fffe}\u{ffff}]{0,40}") {
        let mut report = sample();
        report.organization = format!("x{}", text.trim());
        report.records[0].dkim[0].human_result = None;
        let read = Aggregate::parse(report.to_xml().as_bytes()).unwrap();
        prop_assert_eq!(read.organization.trim(), report.organization.trim());
    }
}
