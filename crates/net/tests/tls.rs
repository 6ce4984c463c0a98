//! TLS in both roles over loopback: names, reload, policies, client certificates, channel bindings.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

use address::{Host, Secret};
use net::tls::{KeyPair, TlsClient, TlsInfo, TlsPolicy, TlsServer, TlsServerSettings};
use net::{Endpoint, Listener, NetError, Stream};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedKey, ExtendedKeyUsagePurpose, IsCa, KeyPair as Key,
    SanType, generate_simple_self_signed,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SOON: Duration = Duration::from_secs(5);

fn self_signed(names: &[&str]) -> CertifiedKey<Key> {
    generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn in_memory(pair: &CertifiedKey<Key>) -> KeyPair {
    KeyPair::Pem {
        certificate: pair.cert.pem().into_bytes(),
        key: Secret::new(pair.signing_key.serialize_pem().into_bytes()),
    }
}

fn write_files(folder: &Path, pair: &CertifiedKey<Key>) -> KeyPair {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    KeyPair::Files { certificate, key }
}

fn server(certificates: Vec<KeyPair>) -> TlsServer {
    TlsServer::new(TlsServerSettings { certificates, ..Default::default() }).unwrap()
}

fn trusting(pair: &CertifiedKey<Key>) -> TlsClient {
    TlsClient::with_roots([pair.cert.der().clone()]).unwrap()
}

fn host(name: &str) -> Host {
    name.parse().unwrap()
}

async fn tcp_pair() -> (Stream, Stream) {
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
    let (called, accepted) = tokio::join!(net::connect(listener.local(), None, SOON), listener.accept());
    (called.unwrap(), accepted.unwrap())
}

/// A handshake between `client` and `server`: what each end has to say.
async fn handshake(
    client: &TlsClient,
    name: &str,
    policy: &TlsPolicy,
    server: &TlsServer,
) -> (Result<Stream, NetError>, Result<Stream, NetError>) {
    let (ours, theirs) = tcp_pair().await;
    let name = host(name);
    tokio::join!(ours.connect_tls(client, &name, policy), theirs.start_tls(server))
}

/// Which certificate the server shows to one who asks for `name`.
async fn shown(server: &TlsServer, name: &str) -> String {
    let client = TlsClient::with_roots([self_signed(&["unrelated"]).cert.der().clone()]).unwrap();
    let (ours, _theirs) = handshake(&client, name, &TlsPolicy::Opportunistic, server).await;
    info(&ours.unwrap()).peer_certificate.unwrap().dns_names.remove(0)
}

fn info(stream: &Stream) -> TlsInfo {
    stream.tls().unwrap().clone()
}

#[tokio::test]
async fn both_ends_agree_on_the_connection_and_its_bindings() {
    let pair = self_signed(&["mx.example.org"]);
    let server = server(vec![in_memory(&pair)]);
    let (ours, theirs) = handshake(&trusting(&pair), "mx.example.org", &TlsPolicy::Verified, &server).await;
    let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
    let (client, server) = (info(&ours), info(&theirs));
    assert_eq!((client.version, client.cipher.as_str()), ("TLSv1.3", "TLS_AES_256_GCM_SHA384"));
    assert_eq!((server.version, &server.cipher), (client.version, &client.cipher));
    assert_eq!(server.sni.as_deref(), Some("mx.example.org"));
    assert!(client.peer_certificate.as_ref().is_some_and(|shown| shown.verified));
    assert_eq!(server.peer_certificate, None);
    assert!(client.bindings.exporter.is_some_and(|value| value != [0; 32]));
    assert_eq!(client.bindings, server.bindings);
    // rcgen signs with ECDSA and SHA-256: the hash is the fingerprint's.
    let fingerprint = client.peer_certificate.unwrap().sha256;
    assert_eq!(server.bindings.server_end_point.as_deref(), Some(&fingerprint[..]));

    ours.write_all(b"hello").await.unwrap();
    ours.shutdown().await.unwrap();
    let mut heard = String::new();
    theirs.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "hello");
}

#[tokio::test]
async fn an_exporter_differs_from_connection_to_connection() {
    let pair = self_signed(&["mx.example.org"]);
    let server = server(vec![in_memory(&pair)]);
    let client = trusting(&pair);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (ours, _theirs) = handshake(&client, "mx.example.org", &TlsPolicy::Verified, &server).await;
        seen.push(info(&ours.unwrap()).bindings.exporter);
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn the_certificate_is_chosen_by_the_name_asked_for() {
    let certificates = [&["first.example"][..], &["second.example", "*.wild.example"]];
    let server = server(certificates.map(|names| in_memory(&self_signed(names))).to_vec());
    for (asked, expected) in [
        ("second.example", "second.example"),
        ("SECOND.example", "second.example"),
        ("a.wild.example", "second.example"),
        ("a.b.wild.example", "first.example"),
        ("unknown.example", "first.example"),
        ("[127.0.0.1]", "first.example"),
    ] {
        assert_eq!(shown(&server, asked).await, expected, "{asked}");
    }
    assert_eq!(server.names(), ["*.wild.example", "first.example", "second.example"]);
}

#[tokio::test]
async fn verified_refuses_what_opportunistic_takes_and_reports() {
    let (known, other) = (self_signed(&["mx.example.org"]), self_signed(&["mx.example.org"]));
    let server = server(vec![in_memory(&known)]);
    for (client, name, verifies) in [
        (trusting(&known), "mx.example.org", true),
        (trusting(&known), "mx.example.net", false),
        (trusting(&other), "mx.example.org", false),
    ] {
        let (strict, _) = handshake(&client, name, &TlsPolicy::Verified, &server).await;
        assert_eq!(strict.is_ok(), verifies, "{name}");
        if let Err(error) = strict {
            assert!(error.refused_certificate().is_some(), "{error}");
        }
        let (lenient, _) = handshake(&client, name, &TlsPolicy::Opportunistic, &server).await;
        assert_eq!(info(&lenient.unwrap()).peer_certificate.unwrap().verified, verifies, "{name}");
    }
}

#[tokio::test]
async fn changed_files_are_read_again_and_broken_ones_leave_the_old_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let files = write_files(folder.path(), &self_signed(&["old.example"]));
    let server = server(vec![files]);
    assert!(!server.reload_if_changed().unwrap());

    write_files(folder.path(), &self_signed(&["new.example"]));
    assert!(server.reload_if_changed().unwrap());
    assert_eq!(shown(&server, "new.example").await, "new.example");

    std::fs::write(folder.path().join("key.pem"), self_signed(&["x"]).signing_key.serialize_pem()).unwrap();
    let error = server.reload_if_changed().unwrap_err().to_string();
    assert!(error.contains("key.pem") && error.contains("not the key of the certificate"), "{error}");
    assert!(!server.reload_if_changed().unwrap());
    assert_eq!(shown(&server, "new.example").await, "new.example");
}

#[test]
fn errors_name_the_file_and_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let files = write_files(folder.path(), &self_signed(&["a.example"]));
    let check = |file: &str, content: Option<&str>, cause: &str| {
        let path = folder.path().join(file);
        let before = std::fs::read(&path).unwrap();
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let settings = TlsServerSettings { certificates: vec![files.clone()], ..Default::default() };
        let error = TlsServer::new(settings).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains(cause), "{error}");
        std::fs::write(&path, before).unwrap();
    };
    check("cert.pem", None, "No such file");
    check("cert.pem", Some("hello"), "no certificate in PEM");
    check("key.pem", None, "No such file");
    check("key.pem", Some("hello"), "no unencrypted private key");
    let none = TlsServer::new(TlsServerSettings::default()).unwrap_err();
    assert_eq!(none.to_string(), "TLS cannot be set up: there is no certificate");
}

#[tokio::test]
async fn a_client_s_certificate_is_reported_where_it_is_asked_for() {
    let (own, client) =
        (self_signed(&["mx.example.org"]), self_signed(&["laptop.example", "me@example.org"]));
    let server = server(vec![in_memory(&own)]).asking_client();
    let (_ours, theirs) = handshake(&trusting(&own), "mx.example.org", &TlsPolicy::Verified, &server).await;
    assert_eq!(info(&theirs.unwrap()).peer_certificate, None, "none is needed");

    let (address, listener) = listen();
    let (_called, accepted) = tokio::join!(connect_with_certificate(address, &own, &client), async {
        listener.accept().await.unwrap().start_tls(&server).await
    });
    let shown = info(&accepted.unwrap()).peer_certificate.unwrap();
    assert_eq!(shown.dns_names[0], "laptop.example");
    assert!(!shown.verified);
    assert_eq!(shown.fingerprint().len(), 64);

    let silent = self::server(vec![in_memory(&own)]);
    let (address, listener) = listen();
    let (_called, accepted) = tokio::join!(connect_with_certificate(address, &own, &client), async {
        listener.accept().await.unwrap().start_tls(&silent).await
    });
    assert_eq!(info(&accepted.unwrap()).peer_certificate, None, "nobody asked");
}

type Authority = rcgen::CertifiedIssuer<'static, Key>;

fn authority() -> Authority {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(parameters, Key::generate().unwrap()).unwrap()
}

/// A certificate for `me@example.org`, with what `change` makes of it.
fn issued(by: &Authority, change: impl FnOnce(&mut CertificateParams)) -> CertifiedKey<Key> {
    let mut parameters = CertificateParams::default();
    parameters.subject_alt_names = vec![SanType::Rfc822Name("me@example.org".try_into().unwrap())];
    change(&mut parameters);
    let signing_key = Key::generate().unwrap();
    let cert = parameters.signed_by(&signing_key, by).unwrap();
    CertifiedKey { cert, signing_key }
}

/// Whether a client that shows this is verified.
async fn vouched_for(server: &TlsServer, own: &CertifiedKey<Key>, client: &CertifiedKey<Key>) -> bool {
    let (address, listener) = listen();
    let (_called, accepted) = tokio::join!(connect_with_certificate(address, own, client), async {
        listener.accept().await.unwrap().start_tls(server).await
    });
    let shown = info(&accepted.unwrap()).peer_certificate.unwrap();
    assert_eq!(shown.fingerprint().len(), 64);
    shown.verified
}

#[tokio::test]
async fn a_client_is_verified_by_the_authorities_that_are_listed_now() {
    let (own, ours, theirs) = (self_signed(&["mx.example.org"]), authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients.pem");
    std::fs::write(&file, ours.pem()).unwrap();
    let settings = TlsServerSettings {
        certificates: vec![in_memory(&own)],
        client_roots: Some(file.clone()),
        ..Default::default()
    };
    let server = TlsServer::new(settings).unwrap().asking_client();
    let (plain, foreign) = (issued(&ours, |_| {}), issued(&theirs, |_| {}));
    let over = issued(&ours, |parameters| parameters.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let wrong_use = issued(&ours, |parameters| {
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    for (client, verified) in [
        (&plain, true),
        (&foreign, false),
        (&over, false),
        (&wrong_use, false),
        (&self_signed(&["me@example.org"]), false),
    ] {
        assert_eq!(vouched_for(&server, &own, client).await, verified);
    }

    std::fs::write(&file, theirs.pem()).unwrap();
    assert!(server.reload_if_changed().unwrap());
    assert!(vouched_for(&server, &own, &foreign).await && !vouched_for(&server, &own, &plain).await);

    // What cannot be used changes nothing.
    let error = server.change(|settings| settings.client_roots = Some(folder.path().join("none.pem")));
    assert!(error.unwrap_err().to_string().contains("none.pem"));
    assert!(vouched_for(&server, &own, &foreign).await);
    server.change(|settings| settings.client_roots = None).unwrap();
    assert!(!vouched_for(&server, &own, &foreign).await);
}

fn listen() -> (Endpoint, Listener) {
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), None).unwrap();
    (listener.local().clone(), listener)
}

/// A client as others write them, for what `net` does not do.
async fn connect_with_certificate(
    server: Endpoint,
    trusted: &CertifiedKey<Key>,
    own: &CertifiedKey<Key>,
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let Endpoint::Tcp(address) = server else { panic!("{server}") };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![own.cert.der().clone()];
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = "mx.example.org".try_into().unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn tls_1_2_is_taken_and_has_no_exporter_binding() {
    let own = self_signed(&["mx.example.org"]);
    let server = server(vec![in_memory(&own)]);
    let (address, listener) = listen();
    let (_called, accepted) = tokio::join!(connect_with_certificate(address, &own, &own), async {
        listener.accept().await.unwrap().start_tls(&server).await
    });
    let info = info(&accepted.unwrap());
    assert_eq!((info.version, info.bindings.exporter), ("TLSv1.2", None));
    assert!(info.cipher.starts_with("TLS_ECDHE_") && info.bindings.server_end_point.is_some(), "{info:?}");
}

#[tokio::test]
async fn a_talker_of_plain_text_is_an_error_that_names_the_peer() {
    let pair = self_signed(&["mx.example.org"]);
    let (mut ours, theirs) = tcp_pair().await;
    ours.write_all(b"EHLO there\r\n").await.unwrap();
    let error = theirs.start_tls(&server(vec![in_memory(&pair)])).await.unwrap_err();
    assert!(matches!(&error, NetError::Handshake { peer, .. } if peer.starts_with("127.0.0.1:")), "{error}");
}

#[tokio::test]
async fn an_end_without_close_notify_reads_as_an_end() {
    let pair = self_signed(&["mx.example.org"]);
    let server = server(vec![in_memory(&pair)]);
    let (ours, theirs) = handshake(&trusting(&pair), "mx.example.org", &TlsPolicy::Verified, &server).await;
    let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
    // What is left unread would turn the end into a reset.
    theirs.write_all(b"x").await.unwrap();
    ours.read_u8().await.unwrap();
    drop(ours);
    assert_eq!(theirs.read(&mut [0; 8]).await.unwrap(), 0);
}
