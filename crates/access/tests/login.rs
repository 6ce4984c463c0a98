//! Logging in over loopback: mechanisms, TLS, and what becomes of those who fail.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

mod common;

use access::pop3::Port;
use address::Secret;
use common::{Client, World, certificate, patient};
use net::Stream;
use policy::{AuthGuard, AuthRules};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use sasl::client::{Credentials, Exchange};
use sasl::{Bindings, Channel, Mechanism, Nonce};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Id;
use store::directory::{CredentialKind, CredentialRecord};
use tokio::io::{AsyncRead, AsyncWrite};

const WRONG: &str = "-ERR [AUTH] wrong name or password";

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

/// Authenticates with a mechanism over POP3, the first message after a challenge; the last line of the server.
async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut Client<S>,
    mechanism: Mechanism,
    credentials: Credentials,
    channel: &Channel,
) -> String {
    exchange(client, "AUTH", mechanism, credentials, channel).await
}

/// The same with the command of any protocol.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut Client<S>,
    command: &str,
    mechanism: Mechanism,
    credentials: Credentials,
    channel: &Channel,
) -> String {
    let mut exchange = Exchange::new(mechanism, credentials, channel, Nonce::new([7; 18])).unwrap();
    let mut initial = exchange.initial();
    client.send(&format!("{command} {mechanism}\r\n")).await;
    loop {
        let line = client.line().await;
        let Some(challenge) = line.strip_prefix("+ ") else { return line };
        let challenge = data_encoding::BASE64.decode(challenge.as_bytes()).unwrap();
        let response = match initial.take() {
            Some(first) => first,
            None => exchange.respond(&challenge).unwrap(),
        };
        client.send(&format!("{}\r\n", base64(response.reveal()))).await;
    }
}

fn me(password: &str) -> Credentials {
    Credentials::password("me@example.org", Secret::new(password.to_owned()))
}

fn capability(capabilities: &str, name: &str) -> Option<String> {
    let find = |line: &str| line.strip_prefix(name).map(|rest| rest.trim_start().to_owned());
    capabilities.lines().find_map(find)
}

fn channel(stream: &Stream) -> Channel {
    let bindings = stream.tls().unwrap().bindings.clone();
    Channel::Tls(Bindings { exporter: bindings.exporter, server_end_point: bindings.server_end_point })
}

#[tokio::test]
async fn every_mechanism_that_is_offered_works_on_loopback() {
    let world = World::new().await;
    let place = world.listen(Port::Pop3);
    let mut client = Client::call(&place).await;
    client.talk("S: …").await;
    let offered = capability(&client.multi_line("CAPA").await, "SASL").unwrap();
    assert_eq!(offered, "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5");
    for mechanism in offered.split(' ').map(|name| name.parse().unwrap()) {
        let mut client = Client::call(&place).await;
        client.talk("S: …").await;
        let wrong = authenticate(&mut client, mechanism, me("wrong"), &Channel::Local).await;
        assert_eq!(wrong, WRONG, "{mechanism}");
        let right = authenticate(&mut client, mechanism, me("secret"), &Channel::Local).await;
        assert_eq!(right, "+OK 0 messages (0 octets)", "{mechanism}");
        client.talk("C: QUIT\nS: …\nS: =").await;
    }
}

#[tokio::test]
async fn after_stls_exchanges_are_bound_to_the_connection() {
    let world = World::new().await;
    let place = world.listen(Port::Pop3);
    for name in ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "PLAIN"] {
        let mut client = Client::call(&place).await;
        client.talk("S: …\nC: STLS\nS: +OK begin TLS negotiation").await;
        let mut client = world.secure(client.stream).await;
        let offered = client.multi_line("CAPA").await;
        let mechanisms = capability(&offered, "SASL").unwrap();
        assert!(mechanisms.starts_with("SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256"), "{mechanisms}");
        assert_eq!(capability(&offered, "STLS"), None);
        let channel = channel(&client.stream);
        let mechanism = name.parse().unwrap();
        let right = authenticate(&mut client, mechanism, me("secret"), &channel).await;
        assert!(right.starts_with("+OK"), "{name}: {right}");
        client.talk("C: QUIT\nS: …\nS: =").await;
    }
}

/// What IMAP offers now.
async fn offered_over_imap<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>) -> Vec<Mechanism> {
    client.send("c CAPABILITY\r\n").await;
    let capabilities = client.line().await;
    client.talk("S: c OK…").await;
    let mechanisms = capabilities.split(' ').filter_map(|word| word.strip_prefix("AUTH="));
    mechanisms.map(|name| name.parse().unwrap()).collect()
}

fn named(mechanisms: &[Mechanism]) -> String {
    mechanisms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_mechanism_works_over_imap_too() {
    let world = World::new().await;
    let place = world.listen_imap(access::imap::Port::Imap);
    let mut client = Client::call(&place).await;
    client.talk("S: * OK…").await;
    let offered = offered_over_imap(&mut client).await;
    assert_eq!(named(&offered), "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5");
    for mechanism in offered {
        let mut client = Client::call(&place).await;
        client.talk("S: * OK…").await;
        let wrong = exchange(&mut client, "a AUTHENTICATE", mechanism, me("wrong"), &Channel::Local).await;
        assert!(wrong.starts_with("a NO [AUTHENTICATIONFAILED]"), "{mechanism}: {wrong}");
        let right = exchange(&mut client, "b AUTHENTICATE", mechanism, me("secret"), &Channel::Local).await;
        assert!(right.starts_with("b OK"), "{mechanism}: {right}");
        client.talk("C: c SELECT Drafts").await;
        while !client.line().await.starts_with("c OK") {}
    }
}

#[tokio::test]
async fn after_starttls_exchanges_are_bound_to_the_connection() {
    let world = World::new().await;
    let place = world.listen_imap(access::imap::Port::Imap);
    for name in ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "PLAIN"] {
        let mut client = Client::call(&place).await;
        client.talk("S: * OK…\nC: a STARTTLS\nS: a OK…").await;
        let mut client = world.secure(client.stream).await;
        let offered = named(&offered_over_imap(&mut client).await);
        assert!(offered.starts_with("SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256"), "{offered}");
        let (channel, mechanism) = (channel(&client.stream), name.parse().unwrap());
        let right = exchange(&mut client, "b AUTHENTICATE", mechanism, me("secret"), &channel).await;
        assert!(right.starts_with("b OK"), "{name}: {right}");
    }
}

#[tokio::test]
async fn without_tls_nobody_logs_in_where_it_is_required() {
    let mut world = World::new().await;
    world.context.require_tls = true;
    let mut client = world.client().await;
    client.talk("S: …").await;
    let offered = client.multi_line("CAPA").await;
    assert_eq!((capability(&offered, "SASL"), capability(&offered, "USER")), (None, None));
    client.talk("C: USER me@example.org\nS: -ERR [AUTH] logging in needs encryption: send STLS first").await;
    client.talk("C: STLS\nS: +OK begin TLS negotiation").await;
    let mut client = world.secure(client.stream).await;
    client.log_in().await;
}

#[tokio::test]
async fn what_was_sent_in_the_clear_after_stls_is_never_acted_on() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.talk("S: …").await;
    client.send("STLS\r\nUSER me@example.org\r\n").await;
    client.talk("S: -ERR nothing may follow STLS before its answer; closing\nS: =").await;
}

#[tokio::test]
async fn port_995_begins_with_tls() {
    let world = World::new().await;
    let place = world.listen(Port::Pop3s);
    let mut client = world.secure(Client::call(&place).await.stream).await;
    client.talk("S: +OK mail.example.org POP3 server ready").await;
    assert_eq!(capability(&client.multi_line("CAPA").await, "STLS"), None);
    client.log_in().await;
}

#[tokio::test]
async fn a_certificate_logs_in_by_its_fingerprint_only() {
    // Nobody vouches for the name in it: anybody can make one with that name.
    let world = World::new().await;
    let place = world.listen(Port::Pop3s);
    let (known, forged) = (certificate("laptop.example"), certificate("laptop.example"));
    let fingerprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, known.cert.der());
    for label in [data_encoding::HEXLOWER.encode(fingerprint.as_ref()), "laptop.example".to_owned()] {
        let (id, verifier) = (Id::generate(), Secret::new(String::new()));
        let kind = CredentialKind::Certificate;
        let record = CredentialRecord { id, account: world.account, kind, label, verifier };
        world.store.add_credential(record).await.unwrap();
    }
    let mut client = with_certificate(&world, &place, &known).await;
    client.talk("S: …\nC: AUTH EXTERNAL =\nS: +OK 0 messages (0 octets)").await;
    let mut client = with_certificate(&world, &place, &forged).await;
    client.talk(&format!("S: …\nC: AUTH EXTERNAL =\nS: {WRONG}")).await;
    // The same over IMAP.
    let imaps = world.listen_imap(access::imap::Port::Imaps);
    let mut client = with_certificate(&world, &imaps, &known).await;
    client.talk("S: * OK…\nC: a AUTHENTICATE EXTERNAL =\nS: a OK…").await;
    let mut client = with_certificate(&world, &imaps, &forged).await;
    client.talk("S: * OK…\nC: a AUTHENTICATE EXTERNAL =\nS: a NO [AUTHENTICATIONFAILED]…").await;
    // Without a certificate there is nothing to log in with.
    let mut client = world.secure(Client::call(&place).await.stream).await;
    client.talk("S: …").await;
    let offered = capability(&client.multi_line("CAPA").await, "SASL").unwrap();
    assert!(!offered.contains("EXTERNAL"), "{offered}");
}

async fn with_certificate(
    world: &World,
    place: &net::Endpoint,
    own: &rcgen::CertifiedKey<rcgen::KeyPair>,
) -> Client<tokio_rustls::client::TlsStream<Stream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(world.own.cert.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let stream = Client::call(place).await.stream;
    let name = ServerName::try_from("mail.example.org").unwrap();
    Client::new(tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap())
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_the_same_bytes() {
    let world = World::new().await;
    let place = world.listen(Port::Pop3);
    let mut heard = Vec::new();
    for user in ["me@example.org", "nobody@example.org", "me@elsewhere.example", "\u{fc}"] {
        let mut client = Client::call(&place).await;
        client.send(&format!("USER {user}\r\nPASS wrong\r\nQUIT\r\n")).await;
        let password = client.rest().await;
        let mut client = Client::call(&place).await;
        let plain = base64(format!("\0{user}\0wrong").as_bytes());
        client.send(&format!("AUTH PLAIN {plain}\r\nQUIT\r\n")).await;
        heard.push((password, client.rest().await));
    }
    assert!(heard[0].0.contains(WRONG) && heard[0].1.contains(WRONG), "{heard:?}");
    assert!(heard.iter().all(|one| *one == heard[0]), "{heard:?}");
}

#[tokio::test]
async fn too_many_failures_shut_the_address_out() {
    let mut world = World::new().await;
    world.context.guard = Arc::new(AuthGuard::new(AuthRules { failures: 3, ..patient() }));
    let (place, secure) = (world.listen(Port::Pop3), world.listen(Port::Pop3s));
    let mut waiting = Client::call(&place).await;
    waiting.talk("S: …").await;
    let mut client = Client::call(&place).await;
    client.talk("S: …").await;
    for name in ["one", "two", "three"] {
        client.talk(&format!("C: USER {name}\nS: …\nC: PASS wrong\nS: {WRONG}")).await;
    }
    client.talk("S: =").await;
    let words = "S: -ERR [SYS/TEMP] too many failed logins from your address; try again later\nS: =";
    Client::call(&place).await.talk(words).await;
    Client::call(&secure).await.talk("S: =").await;
    waiting.talk("C: USER me@example.org\nS: …\nC: PASS secret").await;
    waiting.talk(words).await;
}

#[tokio::test]
async fn a_failure_is_answered_after_its_delay_and_a_stop_cuts_that_short() {
    let mut world = World::new().await;
    let delay = Duration::from_millis(200);
    world.context.guard = Arc::new(AuthGuard::new(AuthRules { first_delay: delay, ..patient() }));
    let mut client = world.client().await;
    client.talk("S: …\nC: USER one\nS: …").await;
    let start = Instant::now();
    client.talk(&format!("C: PASS wrong\nS: {WRONG}")).await;
    assert!(start.elapsed() >= delay);

    let hour = Duration::from_secs(3600);
    world.context.guard = Arc::new(AuthGuard::new(AuthRules { first_delay: hour, ..patient() }));
    let mut client = world.client().await;
    client.talk("S: …\nC: USER one\nS: …\nC: PASS wrong").await;
    world.context.shutdown.trigger();
    assert!(client.rest().await.contains("[SYS/TEMP] the server is stopping"));
}
