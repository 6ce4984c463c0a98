//! LMTP (RFC 2033), over TCP and a Unix socket.

use crate::server::{Script, Server};
use crate::{DEFERRED, DELIVERED, Letter, check, route, send, send_one, terms, transport};
use dns::Fixed;
use transport::{NextHop, Outcome, TlsLevel};

const EACH: Script = &[(".", "250 2.1.5 first\r\n550 5.2.2 second is full\r\n450 4.2.1 third later")];

#[tokio::test]
async fn each_recipient_has_a_reply_after_the_data() {
    let server = Server::start(EACH).await;
    let next = NextHop::Lmtp { host: "[127.0.0.1]".parse().unwrap(), port: server.address.port() };
    let letter = Letter { to: vec!["a@d.example", "b@d.example", "c@d.example"], ..Letter::default() };
    let carried = send(&transport(Fixed::new()), &route(next, terms(25)), &letter).await;
    check(&carried[0], DELIVERED, "250 2.1.5 first");
    check(&carried[1], Outcome::Failed, "550 5.2.2 second is full");
    check(&carried[2], DEFERRED, "450 4.2.1 third later");
    assert_eq!(server.count("LHLO us.example"), 1);
}

#[tokio::test]
async fn a_unix_socket_needs_no_tls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let server = Server::start_unix(&path, &[]);
    let mut terms = terms(25);
    terms.tls = TlsLevel::Verified;
    let carried = send_one(
        &transport(Fixed::new()),
        &route(NextHop::LmtpSocket(path.clone()), terms),
        &Letter::default(),
    )
    .await;
    check(&carried, DELIVERED, "250 2.0.0 queued");
    assert_eq!(carried.host, format!("unix:{}", path.display()));
    assert_eq!(server.count("LHLO"), 1);
}
