use super::*;

fn list(zone: &str, kind: Kind, points: i32, codes: &[&str]) -> List {
    let codes = codes.iter().map(|text| text.parse().unwrap()).collect();
    List { zone: zone.parse().unwrap(), kind, points, codes }
}

/// A list that passes its test.
fn sound(dns: dns::Fixed, zone: &str) -> dns::Fixed {
    let v6 = reversed("::ffff:127.0.0.2".parse().unwrap());
    dns.with_a(&format!("2.0.0.127.{zone}"), "127.0.0.2")
        .with_a(&format!("{v6}.{zone}"), "127.0.0.2")
        .with_a(&format!("test.{zone}"), "127.0.0.2")
}

async fn ask_about(dns: dns::Fixed, lists: &[List], subject: &str) -> Vec<String> {
    let (dns, health): (Arc<dyn Lookup>, _) = (Arc::new(dns), Health::default());
    health.test(&*dns, lists).await;
    let found = match subject.parse() {
        Ok(ip) => of_address(&dns, lists, &health, ip).await,
        Err(_) => of_domains(&dns, lists, &health, &[subject.parse().unwrap()]).await,
    };
    found.iter().map(|listing| listing.finding().words).collect()
}

#[test]
fn addresses_are_written_backwards() {
    assert_eq!(reversed("192.0.2.99".parse().unwrap()), "99.2.0.192");
    // RFC 5782 §2.4.
    assert_eq!(
        reversed("2001:db8:1:2:3:4:567:89ab".parse().unwrap()),
        "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2"
    );
}

#[tokio::test]
async fn an_entry_is_told_with_its_words() {
    let six = reversed("2001:db8::1".parse().unwrap());
    let dns = sound(sound(dns::Fixed::new(), "bad.example"), "good.example")
        .with_a("9.2.0.192.bad.example", "127.0.0.4")
        .with_txt("9.2.0.192.bad.example", "see\thttps://bad.example/")
        .with_a("9.2.0.192.good.example", "127.0.5.1")
        .with_a(&format!("{six}.bad.example"), "127.0.0.2");
    let lists = [
        list("bad.example", Kind::Addresses, 5, &[]),
        list("good.example", Kind::Addresses, -3, &[]),
        list("bad.example", Kind::Addresses, 9, &["127.0.0.9"]),
    ];
    assert_eq!(
        ask_about(dns.clone(), &lists, "192.0.2.9").await,
        [
            "list=listed: 192.0.2.9 is in bad.example (127.0.0.4, 5 points), which says: see https://bad.example/",
            "list=listed: 192.0.2.9 is in good.example (127.0.5.1, -3 points)",
        ]
    );
    assert_eq!(
        ask_about(dns.clone(), &lists, "2001:db8::1").await,
        ["list=listed: 2001:db8::1 is in bad.example (127.0.0.2, 5 points)"]
    );
    assert_eq!(ask_about(dns, &lists, "192.0.2.10").await, [""; 0]);
}

#[tokio::test]
async fn domains_are_asked_about_as_they_were_registered() {
    let dns = sound(dns::Fixed::new(), "uri.example")
        .with_a("spam.test.uri.example", "127.0.1.2")
        .with_a("bad.co.uk.uri.example", "127.0.1.2")
        // A list that has a whole registry's suffix by mistake is not asked about it.
        .with_a("co.uk.uri.example", "127.0.1.2");
    let lists = [list("uri.example", Kind::Domains, 4, &[])];
    for (subject, expected) in [
        ("spam.test", "list=listed: spam.test is in uri.example (127.0.1.2, 4 points)"),
        ("a.b.c.spam.test", "list=listed: spam.test is in uri.example (127.0.1.2, 4 points)"),
        ("www.bad.co.uk", "list=listed: bad.co.uk is in uri.example (127.0.1.2, 4 points)"),
    ] {
        assert_eq!(ask_about(dns.clone(), &lists, subject).await, [expected], "{subject}");
    }
    for subject in ["ham.test", "www.ham.co.uk"] {
        assert_eq!(ask_about(dns.clone(), &lists, subject).await, [""; 0], "{subject}");
    }
}

/// RFC 5782 §5.
#[tokio::test]
async fn a_list_that_is_none_is_left_out() {
    let lists = [list("l.example", Kind::Addresses, 5, &[])];
    let listed = |dns: dns::Fixed| dns.with_a("9.2.0.192.l.example", "127.0.0.2");
    let check = async |dns: dns::Fixed, usable: bool| {
        assert_eq!(ask_about(listed(dns), &lists, "192.0.2.9").await.len(), usize::from(usable));
    };
    check(sound(dns::Fixed::new(), "l.example"), true).await;
    // Without its test entry; with one that must not be there; parked, so that each name has some address.
    check(dns::Fixed::new(), false).await;
    check(sound(dns::Fixed::new(), "l.example").with_a("1.0.0.127.l.example", "127.0.0.2"), false).await;
    check(sound(dns::Fixed::new(), "l.example").with_a("1.0.0.127.l.example", "203.0.113.7"), false).await;
    check(dns::Fixed::new().with_a("2.0.0.127.l.example", "203.0.113.7"), false).await;
    // It answers that it does not answer.
    check(dns::Fixed::new().with_a("2.0.0.127.l.example", "127.255.255.254"), false).await;
    check(dns::Fixed::new().with_failure("1.0.0.127.l.example", "silence"), false).await;
}

#[tokio::test]
async fn a_list_without_ipv6_is_asked_about_ipv4_only() {
    let six = reversed("2001:db8::1".parse().unwrap());
    let dns = dns::Fixed::new()
        .with_a("2.0.0.127.l.example", "127.0.0.2")
        .with_a("9.2.0.192.l.example", "127.0.0.2")
        .with_a(&format!("{six}.l.example"), "127.0.0.2");
    let lists = [list("l.example", Kind::Addresses, 5, &[])];
    assert_eq!(ask_about(dns.clone(), &lists, "192.0.2.9").await.len(), 1);
    assert_eq!(ask_about(dns, &lists, "2001:db8::1").await.len(), 0);
}

#[tokio::test]
async fn a_list_that_cannot_be_tested_now_stays_as_it_was() {
    let lists = [list("l.example", Kind::Addresses, 5, &[])];
    let health = Health::default();
    health.test(&sound(dns::Fixed::new(), "l.example"), &lists).await;
    health.test(&dns::Fixed::new().with_failure("1.0.0.127.l.example", "silence"), &lists).await;
    assert!(health.is_usable(&lists[0], false));
    health.test(&dns::Fixed::new(), &lists).await;
    assert!(!health.is_usable(&lists[0], false));
    health.test(&sound(dns::Fixed::new(), "l.example"), &lists).await;
    assert!(health.is_usable(&lists[0], true));
    health.test(&dns::Fixed::new(), &[]).await;
    assert!(!health.is_usable(&lists[0], false));
}
