//! POP3 over loopback, with a store: what is shown, what is removed and when.

mod common;

use access::pop3::{self, Port};
use common::{Client, World};
use net::{Connection, Limits, Stream};
use std::sync::Arc;

#[tokio::test]
async fn messages_are_listed_fetched_and_removed_at_quit() {
    let world = World::new().await;
    world.deliver("Subject: one\r\n\r\nfirst\r\n.dot\r\n").await;
    world.deliver("Subject: two\r\n\r\nsecond\r\nline\r\n").await;
    let mut client = world.reader().await;
    client
        .talk(
            "C: STAT
             S: +OK 2 93
             C: LIST
             S: +OK 2 messages (93 octets)
             S: 1 46
             S: 2 47
             S: .
             C: RETR 1
             S: +OK 46 octets
             S: Return-Path: <>
             S: Subject: one
             S:
             S: first
             S: ..dot
             S: .
             C: TOP 2 1
             S: +OK top of message follows
             S: Return-Path: <>
             S: Subject: two
             S:
             S: second
             S: .
             C: DELE 1
             S: +OK message 1 deleted",
        )
        .await;
    assert_eq!(world.messages(), 2, "nothing goes before QUIT");
    client.talk("C: QUIT\nS: +OK mail.example.org signing off\nS: =").await;
    assert_eq!(world.messages(), 1);
    let mut client = world.reader().await;
    client.talk("C: LIST 1\nS: +OK 1 47").await;
}

#[tokio::test]
async fn unique_ids_stay_the_same_and_are_not_used_again() {
    let world = World::new().await;
    for _ in 0..3 {
        world.deliver("Subject: x\r\n\r\n").await;
    }
    let mut client = world.reader().await;
    let first = client.multi_line("UIDL").await;
    client.talk("C: DELE 3\nS: +OK message 3 deleted\nC: QUIT\nS: …\nS: =").await;
    world.deliver("Subject: y\r\n\r\n").await;
    let mut client = world.reader().await;
    let second = client.multi_line("UIDL").await;
    let (first, second): (Vec<_>, Vec<_>) = (first.lines().collect(), second.lines().collect());
    assert_eq!(first[..2], second[..2]);
    assert_ne!(first[2], second[2]);
}

#[tokio::test]
async fn a_lost_connection_removes_nothing() {
    let world = World::new().await;
    world.deliver("Subject: x\r\n\r\n").await;
    let mut client = world.reader().await;
    client.talk("C: DELE 1\nS: +OK message 1 deleted").await;
    drop(client);
    wait_until_free(&world).await;
    assert_eq!(world.messages(), 1);
}

/// Logs in until the maildrop is free, which shows that the other session is over.
async fn wait_until_free(world: &World) {
    for _ in 0..1000 {
        let mut client = world.client().await;
        client.talk("S: …\nC: USER me@example.org\nS: …\nC: PASS secret").await;
        if client.line().await.starts_with("+OK") {
            return;
        }
    }
    panic!("the maildrop stays locked");
}

#[tokio::test]
async fn a_maildrop_is_open_once() {
    let world = World::new().await;
    let mut first = world.reader().await;
    let mut second = world.client().await;
    second
        .talk(
            "S: …
         C: USER me@example.org
         S: …
         C: PASS secret
         S: -ERR [IN-USE] another session has the maildrop open; try again later",
        )
        .await;
    first.talk("C: QUIT\nS: …\nS: =").await;
    second.log_in().await;
}

#[tokio::test]
async fn what_another_session_removed_can_be_read_all_the_same() {
    let world = World::new().await;
    for subject in ["one", "two", "three"] {
        world.deliver(&format!("Subject: {subject}\r\n\r\ntext\r\n")).await;
    }
    let mut client = world.reader().await;
    let listed = client.multi_line("LIST").await;
    let mut other = Client::call(&world.listen_imap(access::imap::Port::Imap)).await;
    other
        .talk(
            "S: * OK…
             C: a LOGIN me@example.org secret
             S: a OK…
             C: b SELECT INBOX",
        )
        .await;
    while !other.line().await.starts_with("b OK") {}
    other
        .talk(
            "C: c STORE 1 +FLAGS.SILENT (\\Deleted)
             S: c OK…
             C: d EXPUNGE
             S: * 1 EXPUNGE
             S: d OK…
             C: e MOVE 1 Archive
             S: * OK [COPYUID…
             S: * 1 EXPUNGE
             S: e OK…",
        )
        .await;
    assert_eq!(client.multi_line("LIST").await, listed);
    assert_eq!(client.multi_line("RETR 1").await, "Return-Path: <>\nSubject: one\n\ntext");
    assert_eq!(client.multi_line("TOP 2 0").await, "Return-Path: <>\nSubject: two\n");
    client.talk("C: DELE 1\nS: …\nC: QUIT\nS: +OK mail.example.org signing off\nS: =").await;
    assert_eq!(world.messages(), 1);
    // What is moved or undeleted is not what is removed here.
    let archive = world.store.mailbox_named(world.account, "Archive").unwrap().unwrap();
    assert_eq!(archive.messages, 1);
}

#[tokio::test]
async fn what_nobody_keeps_any_more_is_said_to_be_gone() {
    let world = World::new().await;
    world.deliver("Subject: x\r\n\r\n").await;
    let mut client = world.reader().await;
    let inbox = world.store.inbox(world.account).unwrap();
    world.store.remove_messages(inbox.id, vec![1]).await.unwrap();
    let in_a_year = store::Id::generate().unix_ms() + 365 * 24 * 3_600_000;
    while world.store.purge(in_a_year).await.unwrap() {}
    client.talk("C: RETR 1\nS: -ERR the message has been removed by another session").await;
    client.talk("C: DELE 1\nS: …\nC: QUIT\nS: +OK mail.example.org signing off\nS: =").await;
}

#[tokio::test]
async fn a_large_message_arrives_whole_and_top_ends_it_early() {
    let world = World::new().await;
    let lines: String = (0..200_000).map(|i| format!("line {i}\r\n")).collect();
    world.deliver(&format!("Subject: x\r\n\r\n{lines}")).await;
    let mut client = world.reader().await;
    let whole = client.multi_line("RETR 1").await;
    assert_eq!(whole, format!("Return-Path: <>\nSubject: x\n\n{}", lines.replace("\r\n", "\n").trim_end()));
    assert_eq!(client.multi_line("TOP 1 1").await, "Return-Path: <>\nSubject: x\n\nline 0");
    client.talk("C: NOOP\nS: +OK still here").await;
}

#[tokio::test]
async fn a_header_in_utf8_is_for_those_who_ask_for_it() {
    let world = World::new().await;
    world.deliver("Subject: Grüße\r\n\r\nGrüße\r\n").await;
    let mut client = world.reader().await;
    assert_eq!(client.multi_line("RETR 1").await, "Return-Path: <>\nSubject: Gr????e\n\nGrüße");
    client.talk("C: QUIT\nS: …\nS: =").await;
    let mut client = world.client().await;
    client.talk("S: …\nC: UTF8\nS: +OK UTF-8 mode").await;
    client.log_in().await;
    assert_eq!(client.multi_line("RETR 1").await, "Return-Path: <>\nSubject: Grüße\n\nGrüße");
}

#[tokio::test]
async fn pipelined_commands_are_all_answered() {
    let world = World::new().await;
    world.deliver("Subject: x\r\n\r\n").await;
    let mut client = world.client().await;
    client.talk("S: …").await;
    client.send("USER me@example.org\r\nPASS secret\r\nSTAT\r\nDELE 1\r\nQUIT\r\n").await;
    client.talk("S: …\nS: …\nS: +OK 1 31\nS: +OK message 1 deleted\nS: …\nS: =").await;
    assert_eq!(world.messages(), 0);
}

#[tokio::test]
async fn a_stop_ends_sessions_between_commands_and_removes_nothing() {
    let world = World::new().await;
    world.deliver("Subject: x\r\n\r\n").await;
    let mut reader = world.reader().await;
    reader.talk("C: DELE 1\nS: …").await;
    let mut idle = world.client().await;
    idle.talk("S: …").await;
    world.context.shutdown.trigger();
    for client in [&mut reader, &mut idle] {
        client.talk("S: -ERR [SYS/TEMP] the server is stopping; try again later\nS: =").await;
    }
    assert_eq!(world.messages(), 1);
}

#[tokio::test]
async fn every_listener_of_a_context_shares_the_locks() {
    let world = World::new().await;
    let place = world.listen(Port::Pop3s);
    let _reader = world.reader().await;
    let mut client = world.secure(Client::call(&place).await.stream).await;
    client.talk("S: …\nC: USER me@example.org\nS: …\nC: PASS secret").await;
    assert!(client.line().await.starts_with("-ERR [IN-USE]"));
}

#[tokio::test]
async fn a_connection_costs_a_few_kilobytes() {
    let world = World::new().await;
    let (stream, _client) = Stream::pair().unwrap();
    let connection = Connection { stream, guard: Limits::default().admit(None).unwrap() };
    let task = pop3::serve(connection, Port::Pop3, Arc::new(world.context));
    let size = size_of_val(&task);
    assert!(size < 6 * 1024, "{size}");
}
