//! The policies of our domains over HTTPS (RFC 8461 §3.2).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use net::tls::{KeyPair, TlsClient, TlsPolicy, TlsServer, TlsServerSettings};
use net::{Endpoint, LimitSettings, Limits, Listener, ServeOptions, Shutdown};
use std::sync::Arc;
use std::time::Duration;
use store::directory::{DomainKind, DomainRecord};
use store::{Options, OwnSts, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn get(at: &Endpoint, tls: &TlsClient, host: &str, path: &str) -> String {
    let stream = net::connect(at, None, Duration::from_secs(60)).await.unwrap();
    let name = "mta-sts.one.example".parse().unwrap();
    let mut stream = stream.connect_tls(tls, &name, &TlsPolicy::Verified).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_domain_with_a_policy_serves_it_under_its_own_name_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    for name in ["one.example", "two.example"] {
        let name = name.parse().unwrap();
        let record =
            DomainRecord { name, kind: DomainKind::Local, catch_all: None, language: None, quota: None };
        store.add_domain(record, Vec::new()).await.unwrap();
    }
    let own = OwnSts { mode: "enforce".to_owned(), since: 1_000 };
    store.set_own_sts("one.example".parse().unwrap(), Some(own.clone())).await.unwrap();
    // Of a domain that is not ours any more.
    store.set_own_sts("gone.example".parse().unwrap(), Some(own)).await.unwrap();

    let pair = rcgen::generate_simple_self_signed(vec!["mta-sts.one.example".to_owned()]).unwrap();
    let certificate = KeyPair::Pem {
        certificate: pair.cert.pem().into_bytes(),
        key: address::Secret::new(pair.signing_key.serialize_pem().into_bytes()),
    };
    let tls =
        TlsServer::new(TlsServerSettings { certificates: vec![certificate], ..Default::default() }).unwrap();
    let client = TlsClient::with_roots([pair.cert.der().clone()]).unwrap();
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
    let (at, shutdown) = (listener.local().clone(), Shutdown::new());
    let options = ServeOptions::new(Limits::new(LimitSettings::default()), shutdown.clone());
    let mx = Arc::new(|| "mx.example".parse().unwrap());
    let host = web::PolicyHost { store, mx, tls, shutdown: shutdown.clone() };
    let serving = tokio::spawn(web::serve_policies(listener, options, host));

    let path = "/.well-known/mta-sts.txt";
    let answer = get(&at, &client, "mta-sts.one.example", path).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.to_lowercase().contains("\r\ncontent-type: text/plain"), "{answer}");
    let policy = "version: STSv1\r\nmode: enforce\r\nmx: mx.example\r\nmax_age: 604800\r\n";
    assert!(answer.ends_with(policy), "{answer}");
    assert!(get(&at, &client, "MTA-STS.one.example:443", path).await.ends_with(policy));
    for (host, path) in [
        ("mta-sts.two.example", path),
        ("mta-sts.gone.example", path),
        ("one.example", path),
        ("mta-sts.one.example", "/"),
        ("..", path),
    ] {
        let answer = get(&at, &client, host, path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{host} {path}: {answer}");
    }
    shutdown.trigger();
    serving.await.unwrap();
}
