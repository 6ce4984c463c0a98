//! One connection alone: what tools use.

use crate::no_trust;
use crate::server::Server;
use smtp::client::{Stage, Transaction};
use smtp::command::{HelloName, Mail, Rcpt};
use std::sync::{Arc, Mutex};
use transport::client::{Call, Client, Content, Seen, Sent};

fn call(server: &Server) -> Call {
    let name = "localhost".parse().unwrap();
    Call::new(server.address.into(), name, HelloName::new("me.example").unwrap())
}

fn transaction(content: &Content) -> Transaction {
    Transaction {
        mail: Mail { from: "a@me.example".parse().unwrap(), parameters: Default::default() },
        recipients: vec![Rcpt { to: "b@d.example".parse().unwrap(), parameters: Default::default() }],
        length: content.len(),
    }
}

#[tokio::test]
async fn a_watcher_sees_the_whole_dialogue() {
    let server = Server::start(&[]).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let watcher = move |event| {
        let line = match event {
            Seen::Connected { .. } => "connected".to_owned(),
            Seen::Secured(_) => "secured".to_owned(),
            Seen::Sent(line) => format!("> {line}"),
            Seen::Received(line) => format!("< {line}"),
        };
        log.lock().unwrap().push(line);
    };
    let mut client = Client::open(&call(&server), &no_trust(), Some(Arc::new(watcher))).await.unwrap();
    let content = Content::from_bytes("hello\r\n");
    let Sent::Done(outcome) = client.send(transaction(&content), &content).await.unwrap() else { panic!() };
    assert!(outcome.mail.unwrap().is_positive());
    client.quit().await;
    let expected = "connected|< 220 mx.example ESMTP|> EHLO me.example|< 250-mx.example|< 250 PIPELINING|\
        > MAIL FROM:<a@me.example>|> RCPT TO:<b@d.example>|> DATA|< 250 2.1.0 sender ok|< 250 2.1.5 recipient ok|\
        < 354 go on|> hello|> .|< 250 2.0.0 queued|> QUIT|< 221 2.0.0 bye";
    assert_eq!(seen.lock().unwrap().join("|"), expected);
}

#[tokio::test]
async fn it_can_stop_after_a_stage_and_let_a_person_go_on() {
    let server = Server::start(&[]).await;
    let mut call = call(&server);
    call.session.stop_after = Some(Stage::Rcpt);
    let mut client = Client::open(&call, &no_trust(), None).await.unwrap();
    let content = Content::from_bytes("hello\r\n");
    let sent = client.send(transaction(&content), &content).await.unwrap();
    assert_eq!(sent, Sent::Stopped(Stage::Rcpt));
    client.raw_line("RSET").unwrap();
    assert_eq!(client.next_reply().await.unwrap().to_string(), "250 2.0.0 ok");
    client.quit().await;
    assert_eq!(server.count("DATA"), 0);
}

#[tokio::test]
async fn a_large_body_crosses_a_server_that_reads_slowly() {
    let server = Server::start(&[]).await;
    let mut client = Client::open(&call(&server), &no_trust(), None).await.unwrap();
    let content = Content::from_bytes(b"0123456789\r\n".repeat(100_000));
    let Sent::Done(outcome) = client.send(transaction(&content), &content).await.unwrap() else { panic!() };
    assert!(matches!(outcome.recipients[0].fate, smtp::client::Fate::Accepted(_)), "{outcome:?}");
    assert_eq!(server.count("0123456789"), 100_000);
}
