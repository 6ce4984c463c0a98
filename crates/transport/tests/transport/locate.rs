//! From a route to its hosts (RFC 5321 §5.1, RFC 7505).

use crate::{mx, route, terms, transport};
use dns::Fixed;
use transport::{Carrier, Destination, NextHop, TlsLevel, Unreachable};

async fn locate(dns: Fixed, next: NextHop) -> Result<Destination, Unreachable> {
    transport(dns).locate(&route(next, terms(25))).await
}

async fn names(dns: Fixed, next: NextHop) -> Vec<String> {
    locate(dns, next).await.unwrap().hosts.into_iter().map(|host| host.name).collect()
}

fn to(domain: &str) -> NextHop {
    NextHop::Mx(domain.parse().unwrap())
}

#[tokio::test]
async fn mx_hosts_by_preference_then_the_domain_itself_and_literals_as_they_are() {
    let dns = Fixed::new().with_mx("d.example", 20, "b.example").with_mx("d.example", 10, "a.example");
    assert_eq!(names(dns, to("d.example")).await, ["a.example", "b.example"]);
    let dns = Fixed::new().with_a("d.example", "192.0.2.1");
    assert_eq!(names(dns, to("d.example")).await, ["d.example"]);
    assert_eq!(names(Fixed::new(), to("[192.0.2.1]")).await, ["[192.0.2.1]"]);
}

#[tokio::test]
async fn what_cannot_be_reached_is_said_with_the_right_code() {
    let check = async |dns: Fixed, permanent: bool, reply: &str| {
        let unreachable = locate(dns, to("d.example")).await.unwrap_err();
        assert_eq!(unreachable.permanent, permanent, "{unreachable:?}");
        assert!(unreachable.reply.starts_with(reply), "{unreachable:?}");
    };
    check(Fixed::new().with_mx("d.example", 0, "."), true, "556 5.1.10 ").await;
    check(Fixed::new(), true, "550 5.1.2 ").await;
    check(Fixed::new().with_txt("d.example", "neither MX nor address"), true, "550 5.1.2 ").await;
    check(Fixed::new().with_failure("d.example", "silence"), false, "451 4.4.3 ").await;
    check(Fixed::new().with_mx("d.example", 10, "192.0.2.1"), true, "550 5.4.4 ").await;
    check(Fixed::new().with_mx("d.example", 10, "us.example"), true, "554 5.4.6 ").await;
    let equal = Fixed::new().with_mx("d.example", 10, "us.example").with_mx("d.example", 10, "a.example");
    check(equal, true, "554 5.4.6 ").await;
}

#[tokio::test]
async fn a_backup_sends_to_better_hosts_only() {
    let dns = Fixed::new()
        .with_mx("d.example", 10, "best.example")
        .with_mx("d.example", 20, "us.example")
        .with_mx("d.example", 20, "equal.example")
        .with_mx("d.example", 30, "worse.example");
    assert_eq!(names(dns, NextHop::BetterMx("d.example".parse().unwrap())).await, ["best.example"]);
    let dns = Fixed::new().with_mx("d.example", 10, "us.example");
    let unreachable = locate(dns, NextHop::BetterMx("d.example".parse().unwrap())).await.unwrap_err();
    assert!(unreachable.permanent && unreachable.reply.starts_with("554 5.4.6 "), "{unreachable:?}");
}

#[tokio::test]
async fn equal_host_sets_on_equal_terms_share_a_key() {
    let mut dns = Fixed::new();
    for (domain, preferences) in [("one.example", [10, 20]), ("two.example", [20, 10])] {
        dns = dns.with_mx(domain, preferences[0], "a.example").with_mx(domain, preferences[1], "b.example");
    }
    let dns = dns.with_mx("other.example", 10, "a.example");
    let transport = transport(dns);
    let key = async |domain: &str, port: u16, tls: TlsLevel| {
        let mut route = mx(domain, port);
        std::sync::Arc::make_mut(&mut route.terms).tls = tls;
        transport.locate(&route).await.unwrap().key
    };
    let one = key("one.example", 25, TlsLevel::Opportunistic).await;
    assert_eq!(one.0, "a.example,b.example:25");
    assert_eq!(one, key("two.example", 25, TlsLevel::Opportunistic).await);
    assert_ne!(one, key("other.example", 25, TlsLevel::Opportunistic).await);
    assert_ne!(one, key("one.example", 26, TlsLevel::Opportunistic).await);
    assert_ne!(one, key("one.example", 25, TlsLevel::Verified).await);
}
