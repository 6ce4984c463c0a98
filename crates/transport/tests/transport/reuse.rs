//! Connections that carry more than one message.

use crate::server::Server;
use crate::{DELIVERED, Letter, check, no_trust, route, send_one, settings, smtp, terms, transport};
use dns::Fixed;
use std::sync::Arc;
use std::time::Duration;
use transport::{Settings, Transport};

/// Sends three messages, one after the other; how many connections that took.
async fn three(settings: Settings, server: &Server) -> usize {
    let transport = Transport::new(Arc::new(Fixed::new()), no_trust(), settings);
    for _ in 0..3 {
        let carried = send_one(&transport, &route(smtp(server), terms(25)), &Letter::default()).await;
        check(&carried, DELIVERED, "250 ");
        assert_eq!(carried.notes, Vec::<String>::new());
    }
    server.connections()
}

#[tokio::test]
async fn a_connection_is_used_again() {
    assert_eq!(three(settings(), &Server::start(&[]).await).await, 1);
}

#[tokio::test]
async fn not_for_more_messages_than_allowed_nor_when_none_may_be_kept() {
    let most_two = Settings { max_messages: 2, ..settings() };
    assert_eq!(three(most_two, &Server::start(&[]).await).await, 2);
    let none = Settings { max_idle: 0, ..settings() };
    assert_eq!(three(none, &Server::start(&[]).await).await, 3);
    let limited = Server::start(&[("EHLO", "250-mx\r\n250 LIMITS MAILMAX=1")]).await;
    assert_eq!(three(settings(), &limited).await, 3);
}

#[tokio::test]
async fn one_that_was_closed_meanwhile_is_replaced_and_not_mentioned() {
    let closing = Server::start(&[(".", "250 2.0.0 queued close")]).await;
    assert_eq!(three(settings(), &closing).await, 3);
    let refusing = Server::start(&[("MAIL", "250 ok"), ("MAIL", "421 4.4.2 idle too long close")]).await;
    assert_eq!(three(settings(), &refusing).await, 3);
}

#[tokio::test]
async fn terms_that_differ_do_not_share_one() {
    let server = Server::start(&[]).await;
    let transport = transport(Fixed::new());
    for helo in ["one.example", "two.example"] {
        let mut terms = terms(25);
        terms.helo = helo.to_owned();
        send_one(&transport, &route(smtp(&server), terms), &Letter::default()).await;
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_idle_one_is_left_with_quit() {
    let server = Server::start(&[]).await;
    let settings = Settings { idle: Duration::from_millis(1), ..settings() };
    let transport = Transport::new(Arc::new(Fixed::new()), no_trust(), settings);
    send_one(&transport, &route(smtp(&server), terms(25)), &Letter::default()).await;
    server.until("QUIT").await;
    assert_eq!(server.connections(), 1);
}
