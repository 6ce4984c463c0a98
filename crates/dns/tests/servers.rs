//! The resolver against servers on loopback: an authoritative zone, and servers that misbehave.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

use address::{Domain, Host};
use dns::{DnsError, Family, Lookup, MxLookup, Resolver, Settings};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_server::Server;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};

/// Longer than any answer takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn mx(preference: u16, exchange: &str) -> RData {
    RData::MX(MX::new(preference, name(exchange)))
}

fn zone(origin: &str, records: Vec<(&str, RData)>) -> Arc<InMemoryZoneHandler<TokioRuntimeProvider>> {
    let mut zone = InMemoryZoneHandler::empty(name(origin), ZoneType::Primary, AxfrPolicy::Deny, None);
    let soa = SOA::new(name("ns.test."), name("hostmaster.test."), 1, 3600, 600, 86400, 60);
    zone.upsert_mut(Record::from_rdata(name(origin), 60, RData::SOA(soa)), 1);
    for (owner, data) in records {
        assert!(zone.upsert_mut(Record::from_rdata(name(owner), 60, data), 1), "{owner}");
    }
    Arc::new(zone)
}

fn records() -> Vec<(&'static str, RData)> {
    let v4 = |last| RData::A(A(Ipv4Addr::new(192, 0, 2, last)));
    let long = || RData::TXT(TXT::new((0..20).map(|_| "x".repeat(200)).collect()));
    vec![
        ("example.test.", mx(20, "backup.example.test.")),
        ("example.test.", mx(10, "Mx.Example.Test.")),
        ("example.test.", mx(5, "192.0.2.9.")),
        ("mx.example.test.", v4(1)),
        ("mx.example.test.", RData::AAAA(AAAA("2001:db8::1".parse().unwrap()))),
        ("backup.example.test.", v4(2)),
        ("null.test.", mx(0, ".")),
        ("implicit.test.", v4(3)),
        ("alias.test.", RData::CNAME(CNAME(name("example.test.")))),
        ("alias-of-alias.test.", RData::CNAME(CNAME(name("alias.test.")))),
        ("dangling.test.", RData::CNAME(CNAME(name("nowhere.test.")))),
        ("sel._domainkey.example.test.", RData::TXT(TXT::new(vec!["v=DKIM1; ".into(), "p=abc".into()]))),
        ("long.test.", long()),
    ]
}

/// An authoritative server for `test.` and a reverse zone, over UDP and TCP on one port.
async fn authority() -> (Server<Catalog>, SocketAddr) {
    let mut catalog = Catalog::new();
    catalog.upsert(name("test.").into(), vec![zone("test.", records())]);
    let reverse = vec![("1.2.0.192.in-addr.arpa.", RData::PTR(PTR(name("mx.example.test."))))];
    catalog.upsert(name("2.0.192.in-addr.arpa.").into(), vec![zone("2.0.192.in-addr.arpa.", reverse)]);
    let mut server = Server::new(catalog);
    let (tcp, udp) = both_on_one_port().await;
    let address = udp.local_addr().unwrap();
    server.register_socket(udp);
    server.register_listener(tcp, Duration::from_secs(5), 16);
    (server, address)
}

async fn both_on_one_port() -> (TcpListener, UdpSocket) {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (tcp, udp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

/// What becomes of a question; `None` is silence.
type Misbehaviour = fn(Vec<u8>) -> Option<Vec<u8>>;

async fn rogue(answer: Misbehaviour) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            if let Some(reply) = answer(buffer[..length].to_vec()) {
                let _ = socket.send_to(&reply, from).await;
            }
        }
    });
    address
}

/// The question turned into a reply with this RCODE and no records.
fn refuse(mut question: Vec<u8>, code: u8) -> Option<Vec<u8>> {
    question[2] |= 0x80;
    question[3] = code;
    Some(question)
}

fn resolver(servers: &[SocketAddr]) -> Resolver {
    let settings = Settings {
        servers: servers.to_vec(),
        timeout: Duration::from_millis(300),
        tries: 2,
        trust_anchor: None,
    };
    Resolver::new(&settings).unwrap()
}

#[tokio::test]
async fn mx_hosts_come_by_preference_through_aliases_too() {
    let (_server, address) = authority().await;
    let dns = resolver(&[address]);
    for asked in ["example.test", "alias.test", "alias-of-alias.test"] {
        let Ok(MxLookup::Hosts { hosts, skipped }) = dns.mx(&domain(asked), 1).await else {
            panic!("{asked}")
        };
        let hosts: Vec<_> = hosts.iter().map(|mx| (mx.preference, mx.host.as_str())).collect();
        assert_eq!(hosts, [(10, "mx.example.test"), (20, "backup.example.test")], "{asked}");
        assert!(skipped[0].reason.contains("192.0.2.9"), "{skipped:?}");
    }
}

#[tokio::test]
async fn null_and_implicit_mx_are_told_apart_from_a_name_that_does_not_exist() {
    let (_server, address) = authority().await;
    let dns = resolver(&[address]);
    assert_eq!(dns.mx(&domain("null.test"), 1).await, Ok(MxLookup::NullMx));
    let implicit = domain("implicit.test");
    assert_eq!(dns.mx(&implicit, 1).await, Ok(MxLookup::Implicit(implicit.clone())));
    for gone in ["nowhere.test", "dangling.test"] {
        let error = dns.mx(&domain(gone), 1).await.unwrap_err();
        assert!(matches!(error, DnsError::NoSuchName(_)), "{gone}: {error:?}");
        let error = dns.addresses(&domain(gone), Family::Both).await.unwrap_err();
        assert!(matches!(error, DnsError::NoSuchName(_)), "{gone}: {error:?}");
    }
}

#[tokio::test]
async fn addresses_of_each_family_pointers_and_texts() {
    let (_server, address) = authority().await;
    let dns = resolver(&[address]);
    let (v6, v4): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
    let host = domain("mx.example.test");
    assert_eq!(dns.addresses(&host, Family::Both).await, Ok(vec![v6, v4]));
    assert_eq!(dns.addresses(&host, Family::V4).await, Ok(vec![v4]));
    assert_eq!(dns.addresses(&host, Family::V6).await, Ok(vec![v6]));
    let only_v4 = dns.addresses(&domain("implicit.test"), Family::V6).await.unwrap_err();
    assert_eq!(only_v4.to_string(), "the name implicit.test has no AAAA record in the DNS");
    assert_eq!(dns.addresses(&domain("implicit.test"), Family::Both).await.unwrap().len(), 1);
    assert_eq!(dns.ptr(v4).await, Ok(vec![host]));
    assert_eq!(dns.txt("sel._domainkey.example.test").await, Ok(vec![b"v=DKIM1; p=abc".to_vec()]));
    assert_eq!(dns.txt("bad..name").await, Err(DnsError::NoSuchName("bad..name".into())));
}

#[tokio::test]
async fn an_answer_too_long_for_udp_comes_over_tcp() {
    let (_server, address) = authority().await;
    let found = resolver(&[address]).txt("long.test").await.unwrap();
    assert_eq!(found[0].len(), 20 * 200);
}

#[tokio::test]
async fn trouble_is_temporary_and_says_what_it_is() {
    let cases: [(Misbehaviour, &str); 4] = [
        (|question| refuse(question, 2), "server answered"),
        (|question| refuse(question, 5), "server answered"),
        (|_| None, "no server answered in time"),
        (|_| Some(vec![0xff; 7]), ""),
    ];
    for (answer, reason) in cases {
        let dns = resolver(&[rogue(answer).await]);
        let name = domain("example.test");
        let asked = async { (dns.mx(&name, 1).await, dns.addresses(&name, Family::Both).await) };
        // Nobody is waited for without an end.
        let (hosts, addresses) = tokio::time::timeout(PATIENCE, asked).await.unwrap();
        for error in [hosts.unwrap_err(), addresses.unwrap_err()] {
            assert!(error.is_temporary() && error.to_string().contains(reason), "{error}");
        }
    }
}

#[tokio::test]
async fn a_second_server_makes_up_for_a_broken_first() {
    let (_server, good) = authority().await;
    let broken = rogue(|question| refuse(question, 2)).await;
    let dns = resolver(&[broken, good]);
    assert!(dns.addresses(&domain("implicit.test"), Family::V4).await.is_ok());
}

#[tokio::test]
async fn other_servers_are_asked_from_now_on_by_all_clones() {
    let (_server, good) = authority().await;
    let dns = resolver(&[rogue(|_| None).await]);
    let clone = dns.clone();
    assert!(clone.addresses(&domain("implicit.test"), Family::V4).await.is_err());
    dns.set(&Settings { servers: vec![good], ..Settings::default() }).unwrap();
    assert!(clone.addresses(&domain("implicit.test"), Family::V4).await.is_ok());
}

#[tokio::test]
async fn localhost_and_literals_are_answered_without_asking() {
    let dns = resolver(&[rogue(|question| refuse(question, 2)).await]);
    let loopback: [IpAddr; 2] = ["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    for local in ["localhost", "a.localhost"] {
        assert_eq!(dns.addresses(&domain(local), Family::Both).await.unwrap(), loopback);
        assert_eq!(dns.mx(&domain(local), 1).await, Ok(MxLookup::Implicit(domain(local))));
    }
    let literal: Host = "[192.0.2.7]".parse().unwrap();
    assert_eq!(
        dns.host_addresses(&literal, Family::V6).await.unwrap(),
        ["192.0.2.7".parse::<IpAddr>().unwrap()]
    );
}
