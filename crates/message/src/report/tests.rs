use super::*;
use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;

fn at(second: i64) -> Zoned {
    jiff::Timestamp::from_second(second).unwrap().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(1)))
}

const ORIGINAL: &[u8] = b"From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@example.org>\r\n\r\nHello Bob\r\n";

struct Case<'a> {
    recipient: &'a str,
    action: Action<'a>,
    status: &'a str,
    diagnostic: Option<Diagnostic<'a>>,
    original: Original<'a>,
    language: Language,
    original_recipient: &'a str,
    deliver_by: Option<&'a Zoned>,
    release: Option<&'a str>,
}

fn original(message: &[u8]) -> Original<'_> {
    Original { message, ret: Return::Full, smtputf8: false }
}

const CASE: Case<'_> = Case {
    recipient: "bob@example.net",
    action: Action::Failed,
    status: "5.1.1",
    diagnostic: Some(Diagnostic::Smtp("550-5.1.1 <bob@example.net> is unknown here,\n550 5.1.1 sorry")),
    original: Original { message: ORIGINAL, ret: Return::Full, smtputf8: false },
    language: Language::English,
    original_recipient: "rfc822;Bob@example.net",
    deliver_by: None,
    release: None,
};

fn build(case: &Case<'_>) -> Vec<u8> {
    let (recipient, last) = (case.recipient.parse().unwrap(), at(1_830_330_060));
    let report = Report {
        reporting_mta: &"mx.example.org".parse().unwrap(),
        from: &"MAILER-DAEMON@mx.example.org".parse().unwrap(),
        to: &"ann@example.org".parse().unwrap(),
        arrival: Some(&at(1_830_330_000)),
        deliver_by: case.deliver_by,
        release: case.release,
        envelope_id: Some("QQ  314"),
        queue_id: "0A1B",
        language: case.language,
        recipients: &[RecipientReport {
            recipient: &recipient,
            original_recipient: Some(case.original_recipient),
            action: case.action,
            status: case.status.parse().unwrap(),
            remote: Some("mail.example.net"),
            diagnostic: case.diagnostic,
            last_attempt: Some(&last),
        }],
        original: case.original,
    };
    report.build(&at(1_830_330_120), [9; 16])
}

/// `UPDATE_EXPECT=1` writes the file anew.
fn golden(name: &str, case: &Case<'_>) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let built = String::from_utf8(build(case)).unwrap().replace("\r\n", "\n");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &built).unwrap();
    }
    assert_eq!(built, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

#[test]
fn notifications_read_as_the_golden_files() {
    golden("failure.en.eml", &CASE);
    golden("failure.de.eml", &Case { language: Language::German, ..CASE });
    let until = at(1_830_700_000);
    let delayed = Case {
        action: Action::Delayed { until: Some(&until) },
        status: "4.4.1",
        diagnostic: Some(Diagnostic::Local("connection to 192.0.2.1 timed out")),
        ..CASE
    };
    golden("delay.en.eml", &delayed);
    golden(
        "relayed.en.eml",
        &Case { action: Action::Relayed { notifies: false }, status: "2.0.0", diagnostic: None, ..CASE },
    );
}

/// A part's media type and content.
type Typed = (String, Vec<u8>);

/// The readable text, the lines of the fields, and all three parts.
fn parts(raw: &[u8]) -> (String, Vec<String>, Vec<Typed>) {
    let message = MessageParser::default().parse(raw).unwrap();
    let outer = message.content_type().unwrap();
    assert_eq!(
        (outer.ctype(), outer.subtype(), outer.attribute("report-type")),
        ("multipart", Some("report"), Some("delivery-status"))
    );
    let children: Vec<_> =
        message.parts[0].sub_parts().unwrap().iter().map(|&n| &message.parts[n as usize]).collect();
    let typed = children.iter().map(|part| {
        let t = part.content_type().unwrap();
        let raw = &raw[part.offset_body as usize..part.offset_end as usize];
        let encoded = part.content_transfer_encoding().is_some_and(|e| e == "quoted-printable");
        let content = if encoded { codec::Encoding::QuotedPrintable.decode(raw) } else { raw.to_vec() };
        (format!("{}/{}", t.ctype(), t.subtype().unwrap()), content)
    });
    let typed: Vec<_> = typed.collect();
    assert_eq!(typed.len(), 3, "{}", String::from_utf8_lossy(raw));
    let fields = String::from_utf8(typed[1].1.clone()).unwrap().replace("\r\n\t", " ");
    (message.body_text(0).unwrap().into_owned(), fields.lines().map(str::to_owned).collect(), typed)
}

#[test]
fn the_fields_are_those_of_rfc_3464() {
    let (_, fields, typed) = parts(&build(&CASE));
    let expected = [
        "Original-Envelope-Id: QQ  314",
        "Reporting-MTA: dns; mx.example.org",
        "Arrival-Date: Sat, 1 Jan 2028 10:00:00 +0100",
        "X-Waypost-Queue-Id: 0A1B",
        "",
        "Original-Recipient: rfc822; Bob@example.net",
        "Final-Recipient: rfc822; bob@example.net",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mail.example.net",
        "Diagnostic-Code: smtp; 550-5.1.1 <bob@example.net> is unknown here, 550 5.1.1 sorry",
        "Last-Attempt-Date: Sat, 1 Jan 2028 10:01:00 +0100",
    ];
    assert_eq!(fields, expected);
    assert_eq!(
        typed.iter().map(|(t, _)| t.as_str()).collect::<Vec<_>>(),
        ["text/plain", "message/delivery-status", "message/rfc822"]
    );
    assert_eq!(typed[2].1, ORIGINAL);
}

#[test]
fn what_the_sender_asked_about_time_is_reported() {
    let case = Case { deliver_by: Some(&at(1_830_340_000)), release: Some("for;3600"), ..CASE };
    let (_, fields, _) = parts(&build(&case));
    assert_eq!(
        fields[2..5],
        [
            "Arrival-Date: Sat, 1 Jan 2028 10:00:00 +0100",
            "Deliver-By-Date: Sat, 1 Jan 2028 12:46:40 +0100",
            "Future-Release-Request: for;3600",
        ]
    );
}

#[test]
fn original_recipients_are_written_for_seven_bits_unless_the_part_has_eight() {
    for (recipient, orcpt, expected) in [
        ("bob@example.net", "RFC822;\"a  b\"@example.net", "RFC822; \"a  b\"@example.net"),
        ("bob@example.net", "utf-8;zo\u{eb}+a@example.net", "utf-8; zo\\x{EB}\\x{2B}a@example.net"),
        ("zo\u{eb}@example.net", "utf-8;zo\u{eb}+a@example.net", "utf-8; zo\u{eb}+a@example.net"),
    ] {
        let case = Case { recipient, original_recipient: orcpt, ..CASE };
        let (_, fields, _) = parts(&build(&case));
        assert!(fields.contains(&format!("Original-Recipient: {expected}")), "{fields:?}");
    }
}

#[test]
fn who_hears_more_is_said() {
    for (notifies, expected) in [(true, "may send you further"), (false, "does not report")] {
        let (text, fields, _) =
            parts(&build(&Case { action: Action::Relayed { notifies }, status: "2.0.0", ..CASE }));
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(expected), "{text}");
        assert!(fields.contains(&"Action: relayed".to_owned()));
    }
}

#[test]
fn the_subject_says_no_more_than_what_happened() {
    for (action, status, english, german) in [
        (Action::Failed, "5.1.1", "Not delivered: Grüße", "Nicht zugestellt: Grüße"),
        (Action::Delayed { until: None }, "4.4.1", "Delayed: Grüße", "Verzögert: Grüße"),
        (Action::Delivered, "2.1.5", "Delivered: Grüße", "Zugestellt: Grüße"),
        (Action::Expanded, "2.1.5", "Delivered: Grüße", "Zugestellt: Grüße"),
        (Action::Relayed { notifies: false }, "2.0.0", "Relayed: Grüße", "Weitergegeben: Grüße"),
        (Action::Relayed { notifies: true }, "2.0.0", "Relayed: Grüße", "Weitergegeben: Grüße"),
    ] {
        for (language, expected) in [(Language::English, english), (Language::German, german)] {
            let raw = build(&Case { action, status, language, ..CASE });
            assert_eq!(MessageParser::default().parse(&raw).unwrap().subject(), Some(expected));
        }
    }
}

fn check_returned(case: &Case<'_>, media_type: &str, content: &[u8], needs: Body) {
    let raw = build(case);
    let (_, _, typed) = parts(&raw);
    assert_eq!(
        (typed[2].0.as_str(), String::from_utf8_lossy(&typed[2].1)),
        (media_type, String::from_utf8_lossy(content))
    );
    assert_eq!(Needs::of(&raw), Needs { body: needs, smtputf8: false });
}

#[test]
fn what_is_returned_follows_ret_and_the_original() {
    let header = Header::parse(ORIGINAL).as_bytes();
    let headers_only = Original { ret: Return::Headers, ..CASE.original };
    check_returned(&Case { original: headers_only, ..CASE }, "text/rfc822-headers", header, Body::SevenBit);
    check_returned(
        &Case { action: Action::Delivered, status: "2.1.5", ..CASE },
        "text/rfc822-headers",
        header,
        Body::SevenBit,
    );
    let eight = "Subject: x\r\n\r\nGr\u{fc}\u{df}e\r\n".as_bytes();
    check_returned(&Case { original: original(eight), ..CASE }, "message/rfc822", eight, Body::EightBit);
    let large = [ORIGINAL, &b"x\r\n".repeat(MAX_RETURNED / 2)].concat();
    check_returned(
        &Case { original: original(&large), ..CASE },
        "text/rfc822-headers",
        header,
        Body::SevenBit,
    );
    let binary = b"Subject: x\r\n\r\na\0b";
    let raw = build(&Case { original: original(binary), ..CASE });
    assert_eq!(Needs::of(&raw).body, Body::SevenBit);
}

#[test]
fn international_mail_gets_the_types_of_rfc_6533() {
    let utf8 = "Subject: Gr\u{fc}\u{df}e\r\n\r\nGr\u{fc}\u{df}e\r\n".as_bytes();
    let case = Case {
        recipient: "用户@example.net",
        original: Original { smtputf8: true, ..original(utf8) },
        ..CASE
    };
    let (_, fields, typed) = parts(&build(&case));
    assert!(fields.contains(&"Final-Recipient: utf-8; 用户@example.net".to_owned()), "{fields:?}");
    assert_eq!(typed[1].0, "message/global-delivery-status");
    check_returned(&case, "message/global", utf8, Body::SevenBit);
    let headers = Case { original: Original { ret: Return::Headers, ..case.original }, ..case };
    check_returned(&headers, "message/global-headers", Header::parse(utf8).as_bytes(), Body::SevenBit);
}

#[test]
fn every_status_is_explained() {
    for (subject, detail) in (0..=9).flat_map(|subject| (0..=40).map(move |detail| (subject, detail))) {
        for (class, action) in
            [(4, Action::Delayed { until: None }), (4, Action::Failed), (5, Action::Failed)]
        {
            let status = format!("{class}.{subject}.{detail}");
            let (text, _, _) = parts(&build(&Case { status: &status, action, ..CASE }));
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(!text.contains("bob@example.net The server mail"), "{status} is not explained: {text}");
            let again = text.contains("Delivery will be tried again.");
            assert_eq!(again, matches!(action, Action::Delayed { .. }), "{status}");
            assert!(text.contains("The server mail.example.net said: 550-5.1.1"), "{text}");
        }
    }
}

proptest! {
    #[test]
    fn what_others_say_cannot_break_a_report(said in "\\PC{0,60}|[\\x00-\\x7f]{0,3000}", head in "(Subject|Message-ID|X)?:?.{0,200}\r?\n", body in proptest::collection::vec(any::<u8>(), 0..100), full in any::<bool>(), smtputf8 in any::<bool>()) {
        let message = [head.as_bytes(), b"\r\n", &body].concat();
        let ret = if full { Return::Full } else { Return::Headers };
        let original = Original { message: &message, ret, smtputf8 };
        let raw = build(&Case { diagnostic: Some(Diagnostic::Smtp(&said)), original, ..CASE });
        let (_, fields, _) = parts(&raw);
        prop_assert_eq!(fields.iter().filter(|f| f.starts_with("Action:")).count(), 1);
        prop_assert_eq!(fields.iter().filter(|f| f.is_empty()).count(), 1);
        prop_assert_ne!(Needs::of(&raw).body, Body::Binary);
        prop_assert!(!Needs::of(&raw).smtputf8);
        prop_assert_eq!(Header::parse(&raw).fields().filter(|f| f.name().is_none()).count(), 0);
    }
}
