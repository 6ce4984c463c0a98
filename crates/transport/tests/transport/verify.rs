//! Asking the next server about a recipient.

use crate::server::{Script, Server};
use crate::{route, smtp, terms, transport};
use dns::Fixed;
use transport::{Transport, VerifyResult};

async fn ask(transport: &Transport, server: &Server) -> VerifyResult {
    transport.verify(&route(smtp(server), terms(25)), &"b@d.example".parse().unwrap()).await
}

async fn check(script: Script, expected: VerifyResult) -> Server {
    let server = Server::start(script).await;
    assert_eq!(ask(&transport(Fixed::new()), &server).await, expected);
    server
}

#[tokio::test]
async fn the_next_servers_word_counts_and_no_message_is_sent() {
    let server = check(&[], VerifyResult::Accepted).await;
    assert_eq!((server.count("MAIL FROM:<>"), server.count("DATA")), (1, 0));
    let no = "550 5.1.1 nobody";
    check(&[("RCPT", "550 5.1.1 nobody")], VerifyResult::Refused(no.to_owned())).await;
    let later = "450 4.2.1 busy";
    check(&[("RCPT", "450 4.2.1 busy")], VerifyResult::Unsure(later.to_owned())).await;
    let us = "550 5.7.1 not you";
    check(&[("MAIL", "550 5.7.1 not you")], VerifyResult::Unsure(us.to_owned())).await;
    let full = "421 4.3.2 full";
    check(&[("CONNECT", "421 4.3.2 full close")], VerifyResult::Unsure(full.to_owned())).await;
}

#[tokio::test]
async fn a_sure_answer_is_remembered_and_an_unsure_one_is_not() {
    for (script, asked) in
        [(&[] as Script, 1), (&[("RCPT", "550 5.1.1 nobody")], 1), (&[("RCPT", "450 4.2.1 busy")], 2)]
    {
        let server = Server::start(script).await;
        let transport = transport(Fixed::new());
        assert_eq!(ask(&transport, &server).await, ask(&transport, &server).await);
        assert_eq!(server.connections(), asked, "{script:?}");
    }
}
