//! TLS by level, credentials, REQUIRETLS.

use crate::server::{Script, Server, certificate};
use crate::{DELIVERED, Letter, SLOW, check, no_trust, route, send_one, settings, terms};
use dns::Fixed;
use net::tls::{TlsClient, TlsServer};
use std::sync::Arc;
use transport::{Carried, Credentials, NextHop, Outcome, Proof, Terms, TlsLevel, Transport};

const OFFERED: Script = &[
    ("EHLO", "250-mx\r\n250 STARTTLS"),
    ("EHLO", "250-mx\r\n250 AUTH PLAIN"),
    ("AUTH", "235 2.7.0 welcome"),
];
const REFUSED: Script = &[("EHLO", "250-mx\r\n250 STARTTLS"), ("STARTTLS", "454 4.7.0 not now")];
const NONE: Script = &[("EHLO", "250 mx")];

/// A server by the name of mx.example, and a transport that trusts it or does not.
struct Scene {
    transport: Transport,
    server: Server,
}

impl Scene {
    async fn new(script: Script, name: &str, trusted: bool) -> Self {
        let (root, tls) = certificate(name);
        let client = if trusted { TlsClient::with_roots([root]).unwrap() } else { no_trust() };
        Self::with(script, client, Some(tls)).await
    }

    async fn with(script: Script, client: TlsClient, tls: Option<TlsServer>) -> Self {
        let server = Server::start_at("127.0.0.1:0", script, tls).await;
        let dns = Fixed::new().with_a("mx.example", "127.0.0.1").with_mx("d.example", 10, "mx.example");
        Self { transport: Transport::new(Arc::new(dns), client, settings()), server }
    }

    async fn send(&self, terms: Terms, letter: &Letter) -> Carried {
        let next = NextHop::Smtp {
            host: "mx.example".parse().unwrap(),
            port: self.server.address.port(),
            implicit_tls: false,
        };
        send_one(&self.transport, &route(next, terms), letter).await
    }

    async fn at(&self, level: TlsLevel) -> Carried {
        self.send(Terms { tls: level, ..terms(25) }, &Letter::default()).await
    }
}

#[tokio::test]
async fn opportunistic_takes_tls_with_any_certificate_and_does_without() {
    let carried = Scene::new(OFFERED, "wrong.example", false).await.at(TlsLevel::Opportunistic).await;
    check(&carried, DELIVERED, "250 ");
    assert!(carried.tls.unwrap().starts_with("TLSv1.3 TLS_"));
    for script in [REFUSED, NONE] {
        let scene = Scene::new(script, "mx.example", false).await;
        let carried = scene.at(TlsLevel::Opportunistic).await;
        check(&carried, DELIVERED, "250 ");
        assert_eq!((carried.tls, scene.server.connections()), (None, 1));
    }
}

#[tokio::test]
async fn a_failed_handshake_is_followed_by_a_call_without_tls_and_a_note() {
    let script: Script = &[("EHLO", "250-mx\r\n250 STARTTLS"), ("STARTTLS", "220 go on close")];
    let scene = Scene::with(script, no_trust(), None).await;
    let carried = scene.at(TlsLevel::Opportunistic).await;
    check(&carried, DELIVERED, "250 ");
    assert!(carried.notes[0].starts_with("sent without TLS"), "{carried:?}");
    assert_eq!(scene.server.connections(), 2);
}

#[tokio::test]
async fn required_takes_any_certificate_and_waits_for_one() {
    check(&Scene::new(OFFERED, "wrong.example", false).await.at(TlsLevel::Required).await, DELIVERED, "250 ");
    check(&Scene::new(NONE, "mx.example", false).await.at(TlsLevel::Required).await, SLOW, "451 4.7.4 ");
    let refused = Scene::new(REFUSED, "mx.example", false).await;
    check(&refused.at(TlsLevel::Required).await, SLOW, "454 4.7.0 not now");
    assert_eq!(refused.server.count("MAIL"), 0);
}

#[tokio::test]
async fn verified_takes_the_right_name_from_a_trusted_issuer_only() {
    check(&Scene::new(OFFERED, "mx.example", true).await.at(TlsLevel::Verified).await, DELIVERED, "250 ");
    for (name, trusted) in [("wrong.example", true), ("mx.example", false)] {
        let scene = Scene::new(OFFERED, name, trusted).await;
        check(&scene.at(TlsLevel::Verified).await, SLOW, "451 4.7.5 ");
        assert_eq!((scene.server.connections(), scene.server.count("MAIL")), (1, 0));
    }
}

fn with_credentials() -> Terms {
    let credentials = Credentials { user: "tim".to_owned(), proof: Proof::Password(secret("tanstaaf")) };
    Terms { credentials: Some(credentials), ..terms(25) }
}

fn with_token() -> Terms {
    let credentials = Credentials { user: "tim".to_owned(), proof: Proof::Token(secret("vF9dft4qmT")) };
    Terms { credentials: Some(credentials), ..terms(25) }
}

fn secret(text: &str) -> address::Secret<String> {
    address::Secret::new(text.to_owned())
}

#[tokio::test]
async fn a_password_goes_to_a_verified_server_only() {
    let scene = Scene::new(OFFERED, "mx.example", true).await;
    check(&scene.send(with_credentials(), &Letter::default()).await, DELIVERED, "250 ");
    assert_eq!(scene.server.count("AUTH PLAIN AHRpbQB0YW5zdGFhZg=="), 1);
    // RFC 4954 §5.
    assert_eq!(scene.server.count("MAIL FROM:<a@us.example> AUTH=<>"), 1);
    let scene = Scene::new(OFFERED, "mx.example", false).await;
    let carried = scene.send(with_credentials(), &Letter::default()).await;
    check(&carried, SLOW, "451 4.7.5 ");
    assert!(carried.notes[0].starts_with("the login as tim was not shown"), "{carried:?}");
    let plain: Script = &[("EHLO", "250-mx\r\n250 AUTH PLAIN")];
    let scene = Scene::new(plain, "mx.example", true).await;
    check(&scene.send(with_credentials(), &Letter::default()).await, SLOW, "451 4.7.4 ");
    assert_eq!(scene.server.count("AUTH"), 0);
}

#[tokio::test]
async fn refused_credentials_wait_for_correction() {
    let script: Script = &[
        ("EHLO", "250-mx\r\n250 STARTTLS"),
        ("EHLO", "250-mx\r\n250 AUTH PLAIN"),
        ("AUTH", "535 5.7.8 wrong password"),
    ];
    let scene = Scene::new(script, "mx.example", true).await;
    let carried = scene.send(with_credentials(), &Letter::default()).await;
    check(&carried, SLOW, "535 5.7.8 wrong password");
    assert!(carried.notes[0].starts_with("the server refused the login as tim"), "{carried:?}");
    assert_eq!(scene.server.count("MAIL"), 0);
}

/// `user=tim^Aauth=Bearer vF9dft4qmT^A^A`.
const XOAUTH2: &str = "AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgdkY5ZGZ0NHFtVAEB";

#[tokio::test]
async fn a_token_goes_by_xoauth2_where_that_is_what_there_is() {
    let script: Script = &[
        ("EHLO", "250-mx\r\n250 STARTTLS"),
        ("EHLO", "250-mx\r\n250 AUTH PLAIN XOAUTH2"),
        ("AUTH", "235 2.7.0 in"),
    ];
    let scene = Scene::new(script, "mx.example", true).await;
    check(&scene.send(with_token(), &Letter::default()).await, DELIVERED, "250 ");
    assert_eq!(scene.server.count(XOAUTH2), 1);
}

/// RFC 7628 §3.1: the host and port that were called belong to the message. They are those of the scripted server.
#[tokio::test]
async fn a_token_goes_by_oauthbearer_before_xoauth2() {
    let script: Script = &[
        ("EHLO", "250-mx\r\n250 STARTTLS"),
        ("EHLO", "250-mx\r\n250 AUTH PLAIN OAUTHBEARER XOAUTH2"),
        ("AUTH", "235 2.7.0 in"),
    ];
    let scene = Scene::new(script, "mx.example", true).await;
    check(&scene.send(with_token(), &Letter::default()).await, DELIVERED, "250 ");
    let port = scene.server.address.port();
    let message = format!("n,a=tim,\x01host=mx.example\x01port={port}\x01auth=Bearer vF9dft4qmT\x01\x01");
    let message = data_encoding::BASE64.encode(message.as_bytes());
    assert_eq!(scene.server.count(&format!("AUTH OAUTHBEARER {message}")), 1);
}

/// RFC 7628 §3.2.3: the server says what is wrong in a challenge; the answer lets it end the exchange, and means nothing.
#[tokio::test]
async fn a_refused_token_is_told_with_what_the_server_said_of_it() {
    // {"status":"invalid_token","scope":"mail"}
    const ERROR: &str = "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJtYWlsIn0=";
    const TOLD: &str = "535 5.7.8 no: {\"status\":\"invalid_token\",\"scope\":\"mail\"}";
    let bearer: Script = &[
        ("EHLO", "250-mx\r\n250 STARTTLS"),
        ("EHLO", "250-mx\r\n250 AUTH OAUTHBEARER"),
        ("AUTH", ERROR),
        ("AQ==", "535 5.7.8 no"),
    ];
    let scene = Scene::new(bearer, "mx.example", true).await;
    check(&scene.send(with_token(), &Letter::default()).await, SLOW, TOLD);
    assert_eq!((scene.server.count("AQ=="), scene.server.count("MAIL")), (1, 0));
    let xoauth2: Script =
        &[("EHLO", "250-mx\r\n250 STARTTLS"), ("EHLO", "250-mx\r\n250 AUTH XOAUTH2"), ("AUTH", ERROR)];
    let scene = Scene::new(xoauth2, "mx.example", true).await;
    // Its empty line is what this server has no words for.
    check(&scene.send(with_token(), &Letter::default()).await, SLOW, "502 5.5.1 what: {");
    assert_eq!(scene.server.count("MAIL"), 0);
}

#[tokio::test]
async fn requiretls_goes_over_verified_tls_to_servers_that_keep_the_promise() {
    const KEEPS: Script = &[("EHLO", "250-mx\r\n250 STARTTLS"), ("EHLO", "250-mx\r\n250 REQUIRETLS")];
    let letter = Letter { parameters: "REQUIRETLS", ..Letter::default() };
    let scene = Scene::new(KEEPS, "mx.example", true).await;
    check(&scene.send(terms(25), &letter).await, DELIVERED, "250 ");
    assert_eq!(scene.server.count("MAIL FROM:<a@us.example> REQUIRETLS"), 1);
    scene.transport.close_idle();

    let lacking = Scene::new(OFFERED, "mx.example", true).await;
    // A connection that was kept lacks it no less, and the attempt ends.
    check(&lacking.at(TlsLevel::Verified).await, DELIVERED, "250 ");
    let strict = || Terms { tls: TlsLevel::Verified, ..terms(25) };
    check(&lacking.send(strict(), &letter).await, Outcome::Failed, "550 5.7.30 ");
    check(&lacking.send(terms(25), &letter).await, Outcome::Failed, "550 5.7.30 ");
    let plain = Scene::new(NONE, "mx.example", true).await;
    check(&plain.send(terms(25), &letter).await, Outcome::Failed, "550 5.7.10 ");
    // RFC 8689 §4.2.1: a name out of an unsigned MX record proves nothing.
    let carried =
        send_one(&scene.transport, &crate::mx("d.example", scene.server.address.port()), &letter).await;
    check(&carried, Outcome::Failed, "550 5.7.30 ");
    // RFC 8689 §5: a notification goes all the same.
    let notification = Letter { from: "", parameters: "REQUIRETLS", ..Letter::default() };
    check(&lacking.send(terms(25), &notification).await, DELIVERED, "250 ");
}
