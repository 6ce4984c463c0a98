//! What each server of a zone says: two of them at 127.0.0.2 and 127.0.0.3, named by a resolver at 127.0.0.1, all at one port.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

use dns::{Resolver, Settings};
use hickory_proto::rr::rdata::{A, CNAME, NS, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_server::Server;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::UdpSocket;

const KEY: &str = "w1._domainkey.example.test.";

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn txt(text: &str) -> RData {
    RData::TXT(TXT::new(vec![text.to_owned()]))
}

fn alias(target: &str) -> RData {
    RData::CNAME(CNAME(name(target)))
}

type Records<'a> = &'a [(&'a str, RData)];

fn serve(zones: &[(&str, Records)], socket: UdpSocket) -> Server<Catalog> {
    let mut catalog = Catalog::new();
    for (origin, records) in zones {
        let origin = name(origin);
        let mut zone = InMemoryZoneHandler::<TokioRuntimeProvider>::empty(
            origin.clone(),
            ZoneType::Primary,
            AxfrPolicy::Deny,
            None,
        );
        let soa = SOA::new(name("ns.test."), name("hostmaster.test."), 1, 3600, 600, 86400, 60);
        zone.upsert_mut(Record::from_rdata(origin.clone(), 60, RData::SOA(soa)), 1);
        for (owner, data) in *records {
            assert!(zone.upsert_mut(Record::from_rdata(name(owner), 60, data.clone()), 1), "{owner}");
        }
        catalog.upsert(origin.into(), vec![Arc::new(zone)]);
    }
    let mut server = Server::new(catalog);
    server.register_socket(socket);
    server
}

/// 127.0.0.1, 127.0.0.2 and 127.0.0.3 at one port.
async fn sockets() -> [UdpSocket; 3] {
    for _ in 0..100 {
        let first = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = first.local_addr().unwrap().port();
        let second = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), port)).await;
        let third = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 3), port)).await;
        if let (Ok(second), Ok(third)) = (second, third) {
            return [first, second, third];
        }
    }
    panic!("no port is free at three addresses");
}

/// What is said of [`KEY`]: by the resolver, which has `cached`, and by two servers of the zone, of which the second alone serves
/// `else.test` as well.
async fn said(
    cached: RData,
    first: Option<RData>,
    second: Option<RData>,
    elsewhere: Records<'_>,
) -> Vec<(String, String)> {
    let [resolver, one, two] = sockets().await;
    let at: SocketAddr = resolver.local_addr().unwrap();
    let a = |last| RData::A(A(Ipv4Addr::new(127, 0, 0, last)));
    let ns = |server: &str| RData::NS(NS(name(server)));
    let cache = [
        ("example.test.", ns("ns1.example.test.")),
        ("example.test.", ns("ns2.example.test.")),
        ("ns1.example.test.", a(2)),
        ("ns2.example.test.", a(3)),
        (KEY, cached),
    ];
    let other = [("else.test.", ns("ns.else.test.")), ("ns.else.test.", a(3))];
    let _cache = serve(&[("example.test.", &cache), ("else.test.", &other)], resolver);
    let own = |record: Option<RData>| record.map(|data| (KEY, data)).into_iter().collect::<Vec<_>>();
    let _one = serve(&[("example.test.", &own(first))], one);
    let _two = serve(&[("example.test.", &own(second)), ("else.test.", elsewhere)], two);
    let dns = Resolver::new(&Settings { servers: vec![at], ..Settings::default() }).unwrap();
    let said = dns.txt_everywhere(KEY).await.unwrap();
    let text = |texts: Vec<Vec<u8>>| String::from_utf8(texts.concat()).unwrap();
    said.into_iter()
        .map(|says| (says.server, says.answer.map_or_else(|error| error.to_string(), text)))
        .collect()
}

async fn check(
    (first, second): (Option<RData>, Option<RData>),
    elsewhere: Records<'_>,
    expected: &[(&str, &str)],
) {
    let said = said(txt("from the cache"), first, second, elsewhere).await;
    assert_eq!(said.len(), expected.len(), "{said:?}");
    for ((server, answer), (of, part)) in said.iter().zip(expected) {
        assert!(server == of && answer.contains(part), "{said:?}");
    }
}

#[tokio::test]
async fn each_server_of_the_zone_speaks_for_itself_and_no_cache_for_any() {
    let (new, old) = (|| Some(txt("new")), || Some(txt("old")));
    check((new(), old()), &[], &[("ns1.example.test", "new"), ("ns2.example.test", "old")]).await;
    check((new(), None), &[], &[("ns1.example.test", "new"), ("ns2.example.test", "does not exist")]).await;
}

/// The first server refuses questions about the other zone.
#[tokio::test]
async fn an_alias_is_followed_to_the_servers_of_its_own_zone() {
    let there = || Some(alias("w1.else.test."));
    let elsewhere = [("w1.else.test.", txt("new"))];
    check((there(), there()), &elsewhere, &[("ns.else.test", "new")]).await;
    check((there(), None), &elsewhere, &[("ns.else.test", "new"), ("ns2.example.test", "does not exist")])
        .await;
    let inside = [("w1.else.test.", alias("w2.else.test.")), ("w2.else.test.", txt("new"))];
    check((there(), there()), &inside, &[("ns.else.test", "new")]).await;
}

#[tokio::test]
async fn aliases_that_go_in_a_circle_are_no_record() {
    let there = || Some(alias("w1.else.test."));
    let circle = [("w1.else.test.", alias("w2.else.test.")), ("w2.else.test.", alias("w1.else.test."))];
    check((there(), there()), &circle, &[("ns.else.test", "in a circle")]).await;
}
