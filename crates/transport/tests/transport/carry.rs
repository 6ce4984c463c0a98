//! Hosts in order, and what replies mean.

use crate::server::{Script, Server};
use crate::{
    DEFERRED, DELIVERED, Letter, SLOW, check, mx, route, send, send_one, settings, smtp, terms, transport,
};
use dns::Fixed;
use std::net::SocketAddr;
use std::sync::Arc;
use transport::{NextHop, Outcome, Transport};

/// Sends one message to a server with this script.
async fn outcome(script: Script, expected: Outcome, reply: &str) {
    let server = Server::start(script).await;
    let carried =
        send_one(&transport(Fixed::new()), &route(smtp(&server), terms(25)), &Letter::default()).await;
    check(&carried, expected, reply);
}

#[tokio::test]
async fn a_message_goes_to_the_best_host_with_its_trace_before_it() {
    let server = Server::start(&[]).await;
    let dns = Fixed::new().with_mx("example.org", 10, "mx.example").with_a("mx.example", "127.0.0.1");
    let carried =
        send_one(&transport(dns), &mx("example.org", server.address.port()), &Letter::default()).await;
    check(&carried, DELIVERED, "250 2.0.0 queued");
    assert_eq!(carried.host, format!("mx.example [127.0.0.1]:{}", server.address.port()));
    assert_eq!((carried.tls, carried.notes), (None, vec![]));
    let expected = [
        "CONNECT",
        "EHLO us.example",
        "MAIL FROM:<a@us.example>",
        "RCPT TO:<b@example.org>",
        "DATA",
        "Received: here",
        "Subject: hello",
        "",
        "..dot",
        ".",
    ];
    assert_eq!(server.said(), expected.map(|line| format!("1 {line}")));
}

#[tokio::test]
async fn replies_decide() {
    outcome(&[("EHLO", "250-mx\r\n250 DSN")], Outcome::Delivered { dsn: true, deliver_by: false }, "250 ")
        .await;
    outcome(&[("RCPT", "550 5.1.1 nobody")], Outcome::Failed, "550 5.1.1 nobody").await;
    outcome(&[("RCPT", "450 4.2.1 busy")], DEFERRED, "450 4.2.1 busy").await;
    outcome(&[("MAIL", "450 4.7.1 later")], SLOW, "450 4.7.1 later").await;
    outcome(&[("MAIL", "550 5.7.1 not you")], Outcome::Failed, "550 5.7.1 not you").await;
    outcome(&[(".", "554 5.7.1 spam")], Outcome::Failed, "554 5.7.1 spam").await;
    outcome(&[(".", "421 4.3.2 stopping close")], SLOW, "421 4.3.2 stopping").await;
    outcome(&[("RCPT", "421 4.7.0 too fast close")], SLOW, "421 4.7.0 too fast").await;
    outcome(&[("CONNECT", "554 5.7.1 go away")], SLOW, "554 5.7.1 go away").await;
    outcome(&[("CONNECT", "close")], SLOW, "451 4.4.2 ").await;
    outcome(&[("CONNECT", "what?")], SLOW, "451 4.5.0 ").await;
}

/// Notifications quote only who said something (RFC 3464 §2.3.5).
#[tokio::test]
async fn it_is_told_whose_words_an_answer_is() {
    let script: &[(Script, bool)] = &[
        (&[("RCPT", "550 5.1.1 nobody")], true),
        (&[("CONNECT", "554 5.7.1 go away")], true),
        (&[("EHLO", "250-mx\r\n250 SIZE 2")], false),
        (&[("CONNECT", "close")], false),
    ];
    for (script, theirs) in script {
        let server = Server::start(script).await;
        let route = route(smtp(&server), terms(25));
        let carried = send_one(&transport(Fixed::new()), &route, &Letter::default()).await;
        assert_eq!(carried.theirs, *theirs, "{carried:?}");
    }
}

#[tokio::test]
async fn a_connection_lost_after_the_end_of_data_may_have_delivered() {
    let server = Server::start(&[(".", "close")]).await;
    let carried =
        send_one(&transport(Fixed::new()), &route(smtp(&server), terms(25)), &Letter::default()).await;
    check(&carried, SLOW, "451 4.4.2 ");
    assert!(carried.notes.iter().any(|note| note.contains("may arrive twice")), "{carried:?}");
    assert_eq!(server.connections(), 1, "no other host is tried with it");
}

#[tokio::test]
async fn each_recipient_has_its_own_answer() {
    let server =
        Server::start(&[("RCPT TO:<no@", "550 5.1.1 nobody"), ("RCPT TO:<later@", "450 4.2.1 busy")]).await;
    let letter = Letter { to: vec!["yes@d.example", "no@d.example", "later@d.example"], ..Letter::default() };
    let carried = send(&transport(Fixed::new()), &route(smtp(&server), terms(25)), &letter).await;
    check(&carried[0], DELIVERED, "250 2.0.0");
    check(&carried[1], Outcome::Failed, "550 5.1.1");
    check(&carried[2], DEFERRED, "450 4.2.1");
}

#[tokio::test]
async fn too_many_recipients_are_split_on_the_same_connection() {
    let server = Server::start(&[
        ("RCPT", "250 ok"),
        ("RCPT", "250 ok"),
        ("RCPT", "452 4.5.3 enough"),
        ("RCPT", "250 ok"),
    ])
    .await;
    let letter = Letter { to: vec!["a@d.example", "b@d.example", "c@d.example"], ..Letter::default() };
    for carried in send(&transport(Fixed::new()), &route(smtp(&server), terms(25)), &letter).await {
        check(&carried, DELIVERED, "250 2.0.0");
    }
    assert_eq!((server.connections(), server.count("MAIL")), (1, 2));
}

/// Two hosts, the better of which is out of order in one way or other; how often each is called in two attempts.
async fn better_host(script: Script) -> (usize, usize) {
    let good = Server::start(&[]).await;
    let port = good.address.port();
    let bad = Server::start_at(&format!("127.0.0.2:{port}"), script, None).await;
    let dns = Fixed::new()
        .with_mx("d.example", 10, "bad.example")
        .with_mx("d.example", 20, "good.example")
        .with_a("bad.example", "127.0.0.2")
        .with_a("good.example", "127.0.0.1");
    let transport = transport(dns);
    for _ in 0..2 {
        let carried = send_one(&transport, &mx("d.example", port), &Letter::default()).await;
        check(&carried, DELIVERED, "250 2.0.0");
        assert!(carried.host.starts_with("good.example"), "{carried:?}");
        transport.close_idle();
    }
    (bad.connections(), good.connections())
}

#[tokio::test]
async fn the_next_host_is_tried_and_one_that_failed_comes_last_for_a_while() {
    for script in [
        &[("CONNECT", "421 4.3.2 full close")] as Script,
        &[("CONNECT", "450 4.3.2 full")],
        &[("CONNECT", "554 5.3.2 not here")],
        &[("EHLO", "450 4.3.2 not now")],
        &[("CONNECT", "close")],
    ] {
        assert_eq!(better_host(script).await, (1, 2), "{script:?}");
    }
    assert_eq!(better_host(&[("MAIL", "421 4.3.2 full close")]).await, (2, 2), "what answers is asked again");
}

#[tokio::test]
async fn a_dead_address_does_not_keep_a_live_one_from_being_tried() {
    let good = Server::start(&[]).await;
    let dns = Fixed::new()
        .with_a("d.example", "127.0.0.3")
        .with_a("d.example", "127.0.0.1")
        .with_a("d.example", "::1");
    let carried = send_one(&transport(dns), &mx("d.example", good.address.port()), &Letter::default()).await;
    check(&carried, DELIVERED, "250 ");
    assert!(carried.notes.iter().any(|note| note.contains("127.0.0.3")), "{carried:?}");
}

#[tokio::test]
async fn what_a_server_said_is_the_answer_though_another_address_is_dead() {
    let server = Server::start(&[("EHLO", "421 4.3.2 not today")]).await;
    let dns = Fixed::new().with_a("d.example", "127.0.0.9").with_a("d.example", "127.0.0.1");
    let (transport, route) = (transport(dns), mx("d.example", server.address.port()));
    // Again, as the one is tried first and then the other.
    for _ in 0..4 {
        check(&send_one(&transport, &route, &Letter::default()).await, SLOW, "421 4.3.2 not today");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::start(&[("EHLO", "250 mx.example"), ("MAIL", "250-wait")]).await;
    let mut settings = settings();
    settings.timeouts = settings.timeouts.scaled(0.001);
    let transport = Transport::new(Arc::new(Fixed::new()), crate::no_trust(), settings);
    let carried = send_one(&transport, &route(smtp(&server), terms(25)), &Letter::default()).await;
    check(&carried, SLOW, "451 4.4.2 the server did not answer");
}

#[tokio::test]
async fn mail_is_never_sent_to_ourselves() {
    let server = Server::start(&[]).await;
    let dns = Fixed::new().with_a("d.example", "127.0.0.1");
    let unspecified = SocketAddr::from(([0, 0, 0, 0], server.address.port()));
    for own in [server.address, unspecified] {
        let mut settings = settings();
        settings.own = vec![own];
        let transport = Transport::new(Arc::new(dns.clone()), crate::no_trust(), settings);
        let carried = send_one(&transport, &mx("d.example", server.address.port()), &Letter::default()).await;
        check(&carried, Outcome::Failed, "554 5.4.6 ");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_the_domains_fault_or_ours() {
    let dns = Fixed::new().with_mx("d.example", 10, "nowhere.example");
    let transport = transport(dns);
    check(
        &send_one(&transport, &mx("d.example", 25), &Letter::default()).await,
        Outcome::Failed,
        "550 5.4.4 ",
    );
    let next = NextHop::Smtp { host: "nowhere.example".parse().unwrap(), port: 25, implicit_tls: false };
    check(&send_one(&transport, &route(next, terms(25)), &Letter::default()).await, SLOW, "451 4.4.4 ");
}

#[tokio::test]
async fn calls_come_from_the_source_address_and_with_the_name_of_the_route() {
    let server = Server::start(&[]).await;
    let mut terms = terms(server.address.port());
    terms.helo = "other.example".to_owned();
    terms.source = vec!["127.0.0.9".parse().unwrap()];
    let carried =
        send_one(&transport(Fixed::new()), &route(smtp(&server), terms.clone()), &Letter::default()).await;
    check(&carried, DELIVERED, "250 ");
    assert_eq!(server.count("EHLO other.example"), 1);
    assert_eq!(server.peers(), ["127.0.0.9"]);
    terms.source = vec!["::1".parse().unwrap()];
    let carried = send_one(&transport(Fixed::new()), &route(smtp(&server), terms), &Letter::default()).await;
    check(&carried, DEFERRED, "451 4.4.4 ");
}
