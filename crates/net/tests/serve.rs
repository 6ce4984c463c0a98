//! Listeners served over loopback and Unix sockets.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

use net::{
    Connection, Endpoint, LimitSettings, Limits, Listener, NetError, Peer, ServeOptions, Shutdown, Stream,
};
use std::borrow::Cow;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(5);

/// A server that tells each client who it is, then echoes until the end. `panic` makes its session panic.
struct Echo {
    place: Endpoint,
    limits: Limits,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Echo {
    fn start(endpoint: &str, settings: LimitSettings, proxy_from: &[&str]) -> Self {
        let listener = Listener::bind(&endpoint.parse().unwrap(), None).unwrap();
        let place = listener.local().clone();
        let (limits, shutdown) = (Limits::new(settings), Shutdown::new());
        let networks = proxy_from.iter().map(|network| network.parse().unwrap()).collect();
        let options = ServeOptions::new(limits.clone(), shutdown.clone())
            .proxy_from(networks)
            .refusal(|why| Cow::Owned(format!("421 {why}\r\n").into_bytes()));
        let task = tokio::spawn(net::serve(listener, options, echo));
        Self { place, limits, shutdown, task }
    }

    async fn call(&self) -> Stream {
        net::connect(&self.place, None, SOON).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.trigger();
        self.task.await.unwrap();
    }
}

async fn echo(mut connection: Connection) {
    let stream = &mut connection.stream;
    let greeting = format!("{} at {}\r\n", without_port(stream.peer()), stream.local());
    let _ = stream.write_all(greeting.as_bytes()).await;
    let mut buffer = [0; 64];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        assert!(!buffer.starts_with(b"panic"), "as asked");
        let _ = stream.write_all(&buffer[..length]).await;
    }
}

fn without_port(peer: Peer) -> String {
    match peer.ip() {
        Some(ip) => ip.to_string(),
        None => peer.to_string(),
    }
}

async fn line(stream: &mut Stream) -> String {
    let mut line = String::new();
    while !line.ends_with('\n') {
        match stream.read_u8().await {
            Ok(byte) => line.push(char::from(byte)),
            Err(_) => break,
        }
    }
    line.trim_end().to_owned()
}

fn few(total: usize, per_address: usize) -> LimitSettings {
    LimitSettings { total, per_address, exempt: Vec::new() }
}

#[tokio::test]
async fn those_over_a_limit_are_told_and_the_place_is_free_when_another_leaves() {
    let echo = Echo::start("127.0.0.1:0", few(9, 1), &[]);
    let mut first = echo.call().await;
    line(&mut first).await;
    let mut second = echo.call().await;
    assert_eq!(line(&mut second).await, "421 the address has 1 connections already");
    assert_eq!(second.read(&mut [0]).await.unwrap_or(0), 0);
    first.shutdown().await.unwrap();
    assert!(echo.shutdown.wait_idle(Instant::now() + SOON).await);
    let mut third = echo.call().await;
    assert!(line(&mut third).await.starts_with("127.0.0.1 at "));
    drop(third);
    echo.stop().await;
}

#[tokio::test]
async fn a_panic_ends_its_session_only() {
    let echo = Echo::start("127.0.0.1:0", few(9, 9), &[]);
    let (mut bad, mut good) = (echo.call().await, echo.call().await);
    line(&mut bad).await;
    line(&mut good).await;
    bad.write_all(b"panic").await.unwrap();
    assert_eq!(bad.read(&mut [0]).await.unwrap_or(0), 0);
    good.write_all(b"still here\n").await.unwrap();
    assert_eq!(line(&mut good).await, "still here");
    drop(good);
    assert!(echo.shutdown.wait_idle(Instant::now() + SOON).await);
    assert_eq!(echo.limits.count(), 0);
    echo.stop().await;
}

#[tokio::test]
async fn a_stop_closes_the_listener_and_waits_for_sessions() {
    let echo = Echo::start("127.0.0.1:0", few(9, 9), &[]);
    let mut session = echo.call().await;
    line(&mut session).await;
    echo.shutdown.trigger();
    while net::connect(&echo.place, None, SOON).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!echo.shutdown.wait_idle(Instant::now()).await);
    session.write_all(b"last words\n").await.unwrap();
    assert_eq!(line(&mut session).await, "last words");
    drop(session);
    echo.stop().await;
}

#[tokio::test]
async fn a_proxy_s_client_is_the_peer_and_what_followed_the_header_is_kept() {
    let echo = Echo::start("127.0.0.1:0", few(9, 1), &["127.0.0.0/8"]);
    let mut proxied = echo.call().await;
    proxied.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.25 4000 25\r\nhello\n").await.unwrap();
    assert_eq!(line(&mut proxied).await, "192.0.2.1 at 192.0.2.25:25");
    assert_eq!(line(&mut proxied).await, "hello");
    let mut same_client = echo.call().await;
    same_client.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.25 4001 25\r\n").await.unwrap();
    assert_eq!(line(&mut same_client).await, "421 the address has 1 connections already");
    let mut health_check = echo.call().await;
    health_check.write_all(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").await.unwrap();
    assert!(line(&mut health_check).await.starts_with("127.0.0.1 at "));
    let mut no_header = echo.call().await;
    no_header.write_all(b"EHLO there\r\n").await.unwrap();
    assert_eq!(line(&mut no_header).await, "");
    drop((proxied, same_client, health_check, no_header));
    echo.stop().await;
}

#[tokio::test]
async fn a_header_from_elsewhere_is_not_believed() {
    let echo = Echo::start("127.0.0.1:0", few(9, 9), &["192.0.2.0/24"]);
    let mut liar = echo.call().await;
    liar.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.25 4000 25\r\n").await.unwrap();
    assert!(line(&mut liar).await.starts_with("127.0.0.1 at "));
    assert!(line(&mut liar).await.starts_with("PROXY "));
    drop(liar);
    echo.stop().await;
}

#[tokio::test]
async fn every_address_means_both_families_and_v4_clients_look_like_v4() {
    let echo = Echo::start("[::]:0", few(9, 9), &[]);
    let port = echo.place.port().unwrap();
    assert_ne!(port, 0);
    let mut v4 = net::connect(&format!("127.0.0.1:{port}").parse().unwrap(), None, SOON).await.unwrap();
    assert_eq!(line(&mut v4).await, format!("127.0.0.1 at 127.0.0.1:{port}"));
    // Where there is no IPv6, there is nothing more to show.
    if let Ok(mut v6) = net::connect(&format!("[::1]:{port}").parse().unwrap(), None, SOON).await {
        assert_eq!(line(&mut v6).await, format!("::1 at [::1]:{port}"));
    }
    drop(v4);
    echo.stop().await;
}

#[tokio::test]
async fn a_call_can_come_from_another_own_address() {
    let echo = Echo::start("127.0.0.1:0", few(9, 9), &[]);
    let mut stream = net::connect(&echo.place, Some("127.0.0.2".parse().unwrap()), SOON).await.unwrap();
    assert!(line(&mut stream).await.starts_with("127.0.0.2 at "));
    let error = net::connect(&echo.place, Some("192.0.2.1".parse().unwrap()), SOON).await.unwrap_err();
    assert!(error.to_string().contains("source address 192.0.2.1"), "{error}");
    drop(stream);
    echo.stop().await;
}

#[tokio::test]
async fn a_unix_socket_knows_its_client_and_takes_its_file_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let echo = Echo::start(&format!("unix:{}", path.display()), few(9, 0), &[]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let mut stream = echo.call().await;
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(folder.path()).unwrap());
    assert_eq!(line(&mut stream).await, format!("unix (uid {uid}) at unix:{}", path.display()));
    drop(stream);
    echo.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn only_a_socket_that_nobody_answers_at_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let endpoint = Endpoint::Unix(path.clone());
    let refused = |reason: &str| match Listener::bind(&endpoint, None) {
        Err(NetError::Bind { reason: found, .. }) => assert!(found.contains(reason), "{found}"),
        other => panic!("{other:?}"),
    };
    std::fs::write(&path, "precious").unwrap();
    refused("no socket is in the way");
    std::fs::remove_file(&path).unwrap();
    let answering = std::os::unix::net::UnixListener::bind(&path).unwrap();
    refused("another server is using it");
    drop(answering);
    assert!(path.exists(), "left behind, as by a killed process");
    let listener = Listener::bind(&endpoint, Some(0o600)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_place_in_use_is_said_to_be() {
    let echo = Echo::start("127.0.0.1:0", few(9, 9), &[]);
    let error = Listener::bind(&echo.place, None).unwrap_err().to_string();
    assert!(error.contains(&echo.place.to_string()) && error.contains("another server"), "{error}");
    let place = echo.place.clone();
    echo.stop().await;
    let error = net::connect(&place, None, SOON).await.unwrap_err();
    assert!(matches!(error, NetError::Connect { .. }), "{error}");
}
