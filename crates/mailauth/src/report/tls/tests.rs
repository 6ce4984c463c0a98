use super::*;

/// RFC 8460 Appendix B, as its example is, with its counts.
const EXAMPLE: &str = r#"{
  "organization-name": "Company-X",
  "date-range": {"start-datetime": "2016-04-01T00:00:00Z", "end-datetime": "2016-04-01T23:59:59Z"},
  "contact-info": "sts-reporting@company-x.example",
  "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
  "policies": [{
    "policy": {
      "policy-type": "sts",
      "policy-string": ["version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"],
      "policy-domain": "company-y.example",
      "mx-host": "*.mail.company-y.example"
    },
    "summary": {"total-successful-session-count": 5326, "total-failure-session-count": "303"},
    "failure-details": [{
      "result-type": "certificate-expired",
      "sending-mta-ip": "2001:db8:abcd:0012::1",
      "receiving-mx-hostname": "mx1.mail.company-y.example",
      "failed-session-count": 100
    }, {
      "result-type": "from-the-future",
      "receiving-ip": "192.0.2.58",
      "failed-session-count": 3,
      "additional-information": "https://reports.company-x.example/report_info"
    }]
  }]
}"#;

#[test]
fn the_example_of_the_rfc_is_read() {
    let report = Report::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(
        (report.organization.as_str(), report.begin, report.end),
        ("Company-X", 1_459_468_800, 1_459_555_199)
    );
    let policy = &report.policies[0];
    assert_eq!((policy.applied.kind, policy.successful, policy.failed), (PolicyType::Sts, 5326, 303));
    assert_eq!(policy.applied.lines.len(), 4);
    assert_eq!(policy.applied.mx_patterns, ["*.mail.company-y.example"]);
    assert_eq!(policy.details[0].failure.kind, ResultType::CertificateExpired);
    assert_eq!(policy.details[0].mx.as_deref(), Some("mx1.mail.company-y.example"));
    assert_eq!(policy.details[1].failure.reason.as_deref(), Some("from-the-future"));
}

#[test]
fn what_is_written_is_read_again() {
    let report = Report::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(Report::parse(report.to_json().as_bytes()), Ok(report.clone()));
    let naming = Naming {
        submitter: &"company-x.example".parse().unwrap(),
        domain: &"company-y.example".parse().unwrap(),
        begin: report.begin,
        end: report.end,
        unique: "1",
    };
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let (from, to) = ("r@company-x.example".parse().unwrap(), "tls@company-y.example".parse().unwrap());
    let mail = report.build(&naming, &from, &to, &now, [3; 16]);
    let Some(Ok(crate::report::Incoming::Tls(read))) = crate::report::read(&mail) else { panic!() };
    assert_eq!(read, report);
}

#[test]
fn what_is_no_report_is_refused() {
    for text in ["", "{}", "[]", "{\"report-id\": 1}", &"[".repeat(100_000)] {
        assert!(matches!(Report::parse(text.as_bytes()), Err(ParseError::Json(_))), "{text:.20}");
    }
    let policy = r#"{"policy":{"policy-type":"sts","policy-domain":"a b"},"summary":{}}"#;
    let report = |policies: &str| {
        let json = format!(
            r#"{{"date-range":{{"start-datetime":"x","end-datetime":""}},"report-id":"1","policies":[{policies}]}}"#
        );
        Report::parse(json.as_bytes())
    };
    assert_eq!(report(policy), Err(ParseError::Domain("a b".into())));
    assert_eq!(report("").map(|report| report.begin), Ok(0));
    assert_eq!(report(&vec![policy; MAX_POLICIES + 1].join(",")), Err(ParseError::TooManyPolicies));
}
