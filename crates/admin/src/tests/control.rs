//! Over the control socket, and without it.

use super::*;
use crate::control::{self, Lines, MAX_LINE, PROTOCOL, session};
use crate::{Client, mail, system};
use net::{Credentials, Peer, Shutdown, Stream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const OWN: u32 = 1_000;

/// What the server says to raw bytes of somebody, until it or they are through.
async fn dialogue(uid: Option<u32>, sent: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let operations = open(folder.path());
    let (mut client, served) = Stream::pair().unwrap();
    let peer = Peer::Unix(uid.map(|uid| Credentials { uid, gid: 0, pid: None }));
    let serving = tokio::spawn(async move {
        session(&mut Lines::new(served), peer, OWN, &operations, &Shutdown::new()).await;
    });
    // The server may have closed before it has read all.
    let _ = client.write_all(sent).await;
    let _ = client.shutdown().await;
    let mut said = Vec::new();
    let _ = client.read_to_end(&mut said).await;
    serving.await.unwrap();
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn only_root_and_the_owner_are_answered() {
    let hello = b"{\"protocol\":1}\n";
    let welcome = "{\"ok\":{\"protocol\":1}}\n";
    assert_eq!(dialogue(Some(0), hello).await, welcome);
    assert_eq!(dialogue(Some(OWN), hello).await, welcome);
    for (uid, name) in [(Some(OWN + 1), "unix (uid 1001)"), (None, "unix")] {
        let text = format!("{name} may not use the control socket: only root and the server's own user may");
        let said = dialogue(uid, hello).await;
        assert_eq!(said, format!("{{\"error\":{{\"kind\":\"denied\",\"text\":\"{text}\"}}}}\n"));
    }
}

#[tokio::test]
async fn what_the_socket_does_not_speak_is_refused() {
    let check = async |sent: &[u8], expected: &str| {
        let said = dialogue(Some(0), sent).await;
        let last = said.lines().last().unwrap_or_default().to_owned();
        assert!(
            last.contains(expected),
            "{:?}: {said}",
            String::from_utf8_lossy(&sent[..sent.len().min(99)])
        );
    };
    check(b"", "").await;
    check(b"EHLO x\n", "not what the control socket speaks").await;
    check(b"\xff\n", "not what the control socket speaks").await;
    check(b"{\"protocol\":1}", "the control connection was closed").await;
    check(b"{\"protocol\":2}\n", "restart the server after an upgrade").await;
    check(b"{\"protocol\":1}\n{\"operation\":\"fly\",\"with\":{}}\n", "unknown variant `fly`").await;
    check(b"{\"protocol\":1}\n{\"operation\":\"domain_list\",\"with\":{}}\n", "{\"ok\":[]}").await;
    let long = vec![b'x'; MAX_LINE + 1];
    check(&long, "a line of more than 16777216 octets").await;
}

#[tokio::test]
async fn an_error_ends_one_request_only() {
    let bad = "{\"operation\":\"domain_show\",\"with\":{\"domain\":\"example.org\"}}\n";
    let good = "{\"operation\":\"alias_list\",\"with\":{\"domain\":null}}\n";
    let said = dialogue(Some(0), format!("{{\"protocol\":{PROTOCOL}}}\n{bad}{good}").as_bytes()).await;
    let kinds: Vec<bool> = said.lines().map(|line| line.starts_with("{\"ok\"")).collect();
    assert_eq!(kinds, [true, false, true], "{said}");
}

#[tokio::test]
async fn a_client_uses_the_server_while_it_runs_and_the_data_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let alone = installed(folder.path()).await;
    let body = [b"Subject: x\r\n\r\n".as_slice(), &vec![b'y'; 600_000]].concat();
    deliver(&alone, &body).await;
    let shutdown = Shutdown::new();
    let listener = control::bind(folder.path()).unwrap();
    let mode = std::fs::metadata(folder.path().join(control::SOCKET)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let server = operations::server(Arc::default());
    let operations = Operations::in_server(alone.store().clone(), Arc::new(Heard::default()), server);
    drop(alone);
    let serving = tokio::spawn(control::serve(listener, operations, shutdown.clone()));

    let me = address("me@example.org");
    let client = Client::open(folder.path()).await.unwrap();
    assert!(client.is_served());
    assert!(client.call(system::Status {}).await.unwrap().running);
    client
        .call(account::SetPassword { address: me.clone(), password: chosen("correct horse") })
        .await
        .unwrap();
    assert!(client.call(account::Show { address: me.clone() }).await.unwrap().has_password);
    let whole = client.message(&me, "INBOX", 1).await.unwrap();
    assert!(whole.ends_with(&body));
    let missing =
        client.call(mail::Raw { account: me.clone(), folder: "INBOX".into(), uid: 9, offset: 0 }).await;
    assert!(matches!(missing, Err(AdminError::NotFound(_))));

    shutdown.trigger();
    serving.await.unwrap();
    assert!(!folder.path().join(control::SOCKET).exists());
    drop(client);
    let client = Client::open(folder.path()).await.unwrap();
    assert!(!client.is_served());
    assert!(!client.call(system::Status {}).await.unwrap().running);
    assert_eq!(client.message(&me, "INBOX", 1).await.unwrap(), whole);
}

#[tokio::test(start_paused = true)]
async fn a_lock_without_a_socket_is_a_server_that_is_starting() {
    let folder = tempfile::tempdir().unwrap();
    let operations = open(folder.path());
    let error = Client::open(folder.path()).await.unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains("just starting"), "{error}");
    drop(operations);
    Client::open(folder.path()).await.unwrap();
}
