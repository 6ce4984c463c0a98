//! What the server lacks: the message's form changes, or its sender is told why not.

use crate::server::{Script, Server};
use crate::{DELIVERED, Letter, check, no_trust, route, send, settings, smtp, terms};
use dns::Fixed;
use std::sync::Arc;
use transport::{Carried, Outcome, Transport};

const SIGNED: &[u8] =
    "DKIM-Signature: v=1; d=them.example; b=\r\nFrom: a@us.example\r\nSubject: x\r\n\r\nZoë\r\n".as_bytes();

async fn carry(script: Script, letter: &Letter) -> (Vec<Carried>, Server) {
    let server = Server::start(script).await;
    let sign = |domain: &address::Domain, message: &[u8]| {
        assert!(message.is_ascii(), "what is signed is what is sent");
        Some(format!("DKIM-Signature: again; d={domain}\r\n").into_bytes())
    };
    let transport =
        Transport::new(Arc::new(Fixed::new()), no_trust(), settings()).with_signer(Arc::new(sign));
    (send(&transport, &route(smtp(&server), terms(25)), letter).await, server)
}

#[tokio::test]
async fn eight_bit_mail_is_re_encoded_for_a_seven_bit_server_and_ours_is_signed_again() {
    for (ours, signed) in [(true, 1), (false, 0)] {
        let letter = Letter { parameters: "BODY=8BITMIME", body: SIGNED, ours, ..Letter::default() };
        let (carried, server) = carry(&[], &letter).await;
        check(&carried[0], DELIVERED, "250 ");
        assert_eq!(server.count("Zo=C3=AB"), 1, "{:?}", server.said());
        assert_eq!(server.count("MAIL FROM:<a@us.example>"), 1);
        assert_eq!(server.count("DKIM-Signature: again; d=us.example"), signed);
        let notes = carried[0].notes.join("\n");
        assert!(notes.contains("broke the DKIM signature of them.example"), "{notes}");
        assert_eq!(notes.contains("signed again for us.example"), ours, "{notes}");
    }
}

#[tokio::test]
async fn eight_bit_mail_goes_as_it_is_to_a_server_that_takes_it() {
    let letter = Letter { parameters: "BODY=8BITMIME", body: SIGNED, ..Letter::default() };
    let (carried, server) = carry(&[("EHLO", "250-mx\r\n250 8BITMIME")], &letter).await;
    check(&carried[0], DELIVERED, "250 ");
    assert_eq!((server.count("Zoë"), server.count("MAIL FROM:<a@us.example> BODY=8BITMIME")), (1, 1));
}

#[tokio::test]
async fn only_those_who_need_smtputf8_are_refused_and_a_needless_mark_is_dropped() {
    let letter =
        Letter { to: vec!["jörg@d.example", "b@d.example"], parameters: "SMTPUTF8", ..Letter::default() };
    let (carried, server) = carry(&[], &letter).await;
    check(&carried[0], Outcome::Failed, "550 5.6.7 ");
    check(&carried[1], DELIVERED, "250 ");
    assert_eq!(server.count("MAIL FROM:<a@us.example>"), 1);

    let body = "Subject: Zoë\r\n\r\n\r\n".as_bytes();
    let (carried, _) = carry(&[], &Letter { parameters: "SMTPUTF8", body, ..Letter::default() }).await;
    check(&carried[0], Outcome::Failed, "550 5.6.7 ");
}

#[tokio::test]
async fn what_is_too_big_is_not_even_begun() {
    let (carried, server) = carry(&[("EHLO", "250-mx\r\n250 SIZE 10")], &Letter::default()).await;
    check(&carried[0], Outcome::Failed, "552 5.3.4 ");
    assert_eq!(server.count("MAIL"), 0);
}
