use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn octets(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn address(name: Option<&str>, mailbox: &str) -> Vec<Address> {
    vec![Address {
        name: name.and_then(octets),
        mailbox: octets(mailbox),
        host: octets("x.example"),
        ..Address::default()
    }]
}

/// Five messages: subject, sender's name, sender, date, size.
const MESSAGES: [(&str, Option<&str>, &str, &str, u64); 5] = [
    ("Re: lunch", Some("Zoe"), "amy", "Thu, 1 Feb 2024 12:00:00 +0000", 100),
    ("Lunch", None, "bob", "Thu, 1 Feb 2024 12:30:00 +0100", 300),
    ("=?utf-8?Q?=C3=A9t=C3=A9?=", Some("=?utf-8?Q?=C3=84nne?="), "carl", "nonsense", 200),
    ("Apples", Some("dora"), "Dora", "Wed, 31 Jan 2024 23:00:00 -0500", 300),
    ("", None, "eve", "1 Jan 2023", 100),
];

fn check(criteria: &[(SortBy, bool)], expected: &[u32]) {
    let criteria: Vec<SortCriterion> =
        criteria.iter().map(|&(by, reverse)| SortCriterion { by, reverse }).collect();
    let mut sorter = Sorter::new(&criteria);
    // The order in which they come does not matter.
    for (index, (subject, name, mailbox, date, size)) in MESSAGES.into_iter().enumerate().rev() {
        let from = address(name, mailbox);
        let envelope = Envelope { subject: octets(subject), from, date: octets(date), ..Envelope::default() };
        let arrival = at("2024-03-01T00:00:00Z");
        sorter.push(index as u32 + 1, Facts { arrival, size, envelope: Some(&envelope) });
    }
    assert_eq!(sorter.finish(), expected, "{criteria:?}");
}

#[test]
fn messages_are_sorted() {
    // Base subjects: "", APPLES, ETE decomposed, LUNCH twice.
    check(&[(SortBy::Subject, false)], &[5, 4, 3, 1, 2]);
    check(&[(SortBy::Subject, false), (SortBy::Date, false)], &[5, 4, 3, 2, 1]);
    // Equal ones stay in the mailbox's order though the criterion is reversed.
    check(&[(SortBy::Subject, true)], &[1, 2, 3, 4, 5]);
    check(&[(SortBy::Size, true)], &[2, 4, 3, 1, 5]);
    // By UTC; one without a date that can be read by its arrival.
    check(&[(SortBy::Date, false)], &[5, 4, 2, 1, 3]);
    check(&[(SortBy::From, false)], &[1, 2, 3, 4, 5]);
    check(&[(SortBy::DisplayFrom, false)], &[3, 2, 4, 5, 1]);
    check(&[(SortBy::Arrival, true)], &[1, 2, 3, 4, 5]);
    check(&[(SortBy::To, false), (SortBy::Cc, true), (SortBy::DisplayTo, true)], &[1, 2, 3, 4, 5]);
}

#[test]
fn the_envelope_is_asked_for_only_when_it_is_needed() {
    let by = |by| {
        Sorter::new(&[
            SortCriterion { by: SortBy::Size, reverse: false },
            SortCriterion { by, reverse: false },
        ])
    };
    assert!(!by(SortBy::Arrival).needs_envelope());
    assert!(by(SortBy::Date).needs_envelope());
}

#[test]
fn sent_dates() {
    let internal = at("2024-03-01T00:00:00Z");
    for (date, expected) in [
        // RFC 5256 §2.2.
        ("31 Dec 2000 16:01:33 -0800", "2001-01-01T00:01:33Z"),
        ("Mon, 1 Jan 2001 00:01:33 GMT (it is)", "2001-01-01T00:01:33Z"),
        // The wrong day of the week does not matter.
        ("Fri, 1 Jan 2001 00:01:33 +0000", "2001-01-01T00:01:33Z"),
        ("1 Jan 2001 00:01:33 +99999", "2001-01-01T00:01:33Z"),
        ("1 Jan 2001 00:01:33", "2001-01-01T00:01:33Z"),
        ("1 Jan 2001 99:01:33 -0800", "2001-01-01T00:00:00Z"),
        ("01-January-01", "2001-01-01T00:00:00Z"),
        ("Tue 1 Jan 99 08:15", "1999-01-01T08:15:00Z"),
        ("yesterday", "2024-03-01T00:00:00Z"),
        ("31 Feb 2001 00:00:00 +0000", "2024-03-01T00:00:00Z"),
        ("", "2024-03-01T00:00:00Z"),
    ] {
        assert_eq!(sent_date(Some(date.as_bytes()), internal), at(expected), "{date}");
    }
    assert_eq!(sent_date(None, internal), internal);
}

#[test]
fn case_and_form_do_not_matter() {
    for (text, expected) in [
        ("Hello", "HELLO"),
        ("\u{e9}", "E\u{301}"),
        ("e\u{301}", "E\u{301}"),
        ("stra\u{df}e", "STRA\u{df}E"),
        ("\u{fb01}ne", "fiNE"),
        ("\u{1c6}", "Dz\u{30c}"),
        ("\u{1c4}", "Dz\u{30c}"),
        ("\u{10d0}", "\u{10d0}"),
        ("\u{3c3}\u{3c2}", "\u{3a3}\u{3a3}"),
    ] {
        assert_eq!(casemap(text), expected, "{text}");
    }
}
