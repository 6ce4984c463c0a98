//! DANE (RFC 7672), against a table for a DNS: who gets mail, and who does not.

use crate::server::{Script, Server, certificate};
use crate::{DELIVERED, Letter, SLOW, check, no_trust, route, send_one, settings, terms};
use address::Host;
use aws_lc_rs::digest::{SHA256, digest};
use dns::{Fixed, Tlsa};
use net::tls::TlsServer;
use std::sync::Arc;
use transport::{Carried, NextHop, Terms, TlsLevel, Transport};

const OFFERED: Script = &[("EHLO", "250-mx\r\n250 STARTTLS"), ("EHLO", "250-mx\r\n250 REQUIRETLS")];
const STRIPPED: Script = &[("EHLO", "250 mx")];
const DOMAIN: &str = "signed.example";

/// A record that names this certificate.
fn names(certificate: &[u8]) -> Tlsa {
    Tlsa { usage: 3, selector: 0, matching: 1, data: digest(&SHA256, certificate).as_ref().to_vec() }
}

/// A record that names another.
fn stranger() -> Tlsa {
    names(b"another's certificate")
}

/// PKIX-EE(1), which mail does not take.
fn unusable() -> Tlsa {
    Tlsa { usage: 1, ..stranger() }
}

/// A server with a certificate of its own making, and mx.signed.example, whose records say what a test wants.
struct Scene {
    server: Server,
    own: Tlsa,
    level: TlsLevel,
    letter: Letter,
}

impl Scene {
    async fn new(script: Script) -> Self {
        let (der, tls): (_, TlsServer) = certificate("whatever.example");
        let server = Server::start_at("127.0.0.1:0", script, Some(tls)).await;
        Self { server, own: names(&der), level: TlsLevel::Opportunistic, letter: Letter::default() }
    }

    /// The zone with these records, signed.
    fn zone(&self, records: impl IntoIterator<Item = Tlsa>) -> Fixed {
        let host = "mx.signed.example";
        let name = self.tlsa_of(host);
        let zone = Fixed::new().with_signed(DOMAIN).with_mx(DOMAIN, 10, host).with_a(host, "127.0.0.1");
        records.into_iter().fold(zone, |zone, record| zone.with_tlsa(&name, record))
    }

    fn tlsa_of(&self, host: &str) -> String {
        format!("_{}._tcp.{host}", self.server.address.port())
    }

    async fn send(&self, dns: Fixed) -> Carried {
        self.send_to(dns, DOMAIN).await
    }

    async fn send_to(&self, dns: Fixed, domain: &str) -> Carried {
        let transport = Transport::new(Arc::new(dns), no_trust(), settings());
        let next = NextHop::Mx(domain.parse::<Host>().unwrap());
        let terms = Terms { tls: self.level, ..terms(self.server.address.port()) };
        send_one(&transport, &route(next, terms), &self.letter).await
    }
}

#[tokio::test]
async fn a_certificate_that_the_records_name_gets_mail_and_no_other_does() {
    let scene = Scene::new(OFFERED).await;
    let carried = scene.send(scene.zone([scene.own.clone()])).await;
    check(&carried, DELIVERED, "250 ");
    assert!(carried.tls.is_some() && carried.notes[0].contains("by DANE"), "{carried:?}");
    check(&scene.send(scene.zone([stranger(), scene.own.clone()])).await, DELIVERED, "250 ");
    let carried = scene.send(scene.zone([stranger()])).await;
    check(&carried, SLOW, "451 4.7.5 ");
    assert!(carried.reply.contains("TLSA"), "{carried:?}");
    assert_eq!(scene.server.count("MAIL"), 2);
}

#[tokio::test]
async fn starttls_taken_out_on_the_way_is_noticed() {
    let scene = Scene::new(STRIPPED).await;
    check(&scene.send(scene.zone([scene.own.clone()])).await, SLOW, "451 4.7.4 ");
    assert_eq!(scene.server.count("MAIL"), 0);
    check(&scene.send(scene.zone([])).await, DELIVERED, "250 ");
}

#[tokio::test]
async fn records_that_are_all_unusable_ask_for_tls_only() {
    let scene = Scene::new(OFFERED).await;
    check(&scene.send(scene.zone([unusable()])).await, DELIVERED, "250 ");
    check(&scene.send(scene.zone([unusable(), stranger()])).await, SLOW, "451 4.7.5 ");
    let scene = Scene::new(STRIPPED).await;
    check(&scene.send(scene.zone([unusable()])).await, SLOW, "451 4.7.4 ");
}

#[tokio::test]
async fn what_cannot_be_learnt_of_a_signed_zone_is_waited_for() {
    let scene = Scene::new(OFFERED).await;
    let name = scene.tlsa_of("mx.signed.example");
    check(&scene.send(scene.zone([]).with_bogus(&name, "TLSA")).await, SLOW, "451 4.4.3 ");
    check(&scene.send(scene.zone([]).with_failure(&name, "SERVFAIL")).await, SLOW, "451 4.4.3 ");
    check(&scene.send(scene.zone([]).with_bogus("mx.signed.example", "A")).await, SLOW, "451 4.4.3 ");
    assert_eq!(scene.server.connections(), 0);
}

/// RFC 7672 §2.2.2: servers of unsigned zones mishandle such questions, which must not keep mail.
#[tokio::test]
async fn of_an_unsigned_zone_nothing_is_asked() {
    let scene = Scene::new(OFFERED).await;
    let name = scene.tlsa_of("mx.plain.example");
    let dns = || {
        Fixed::new().with_mx("plain.example", 10, "mx.plain.example").with_a("mx.plain.example", "127.0.0.1")
    };
    check(&scene.send_to(dns().with_failure(&name, "NOTIMP"), "plain.example").await, DELIVERED, "250 ");
    check(&scene.send_to(dns().with_tlsa(&name, stranger()), "plain.example").await, DELIVERED, "250 ");
}

/// RFC 7672 §2.2.1: hosts with TLSA records are checked for domains without signatures too.
#[tokio::test]
async fn a_hosts_records_count_for_domains_without_signatures() {
    let scene = Scene::new(OFFERED).await;
    let hosted = |record| scene.zone([record]).with_mx("hosted.example", 10, "mx.signed.example");
    check(&scene.send_to(hosted(scene.own.clone()), "hosted.example").await, DELIVERED, "250 ");
    check(&scene.send_to(hosted(stranger()), "hosted.example").await, SLOW, "451 4.7.5 ");
}

#[tokio::test]
async fn rfc_7672_2_2_2_aliases_of_hosts() {
    let scene = Scene::new(OFFERED).await;
    let (target, unsigned) = ("real.signed.example", "real.plain.example");
    let zone = |to: &str| {
        Fixed::new()
            .with_signed(DOMAIN)
            .with_mx(DOMAIN, 10, "mx.signed.example")
            .with_cname("mx.signed.example", to)
            .with_a(to, "127.0.0.1")
    };
    let at = |host: &str| scene.tlsa_of(host);
    let cases = [
        (zone(target).with_tlsa(&at(target), stranger()), false),
        (zone(target).with_tlsa(&at("mx.signed.example"), stranger()), false),
        // The expanded name comes first.
        (
            zone(target)
                .with_tlsa(&at(target), scene.own.clone())
                .with_tlsa(&at("mx.signed.example"), stranger()),
            true,
        ),
        (zone(unsigned).with_tlsa(&at("mx.signed.example"), stranger()), false),
        (zone(unsigned).with_tlsa(&at(unsigned), stranger()), true),
    ];
    for (number, (dns, delivered)) in cases.into_iter().enumerate() {
        let carried = scene.send(dns).await;
        assert_eq!(carried.outcome == DELIVERED, delivered, "case {number}: {carried:?}");
    }
}

#[tokio::test]
async fn dane_can_be_required_and_left_alone() {
    let mut scene = Scene::new(OFFERED).await;
    scene.level = TlsLevel::Dane;
    check(&scene.send(scene.zone([scene.own.clone()])).await, DELIVERED, "250 ");
    for records in [vec![], vec![unusable()]] {
        let carried = scene.send(scene.zone(records)).await;
        check(&carried, SLOW, "451 4.7.5 DANE is required");
    }
    // RFC 7672 §2.2.1: a host that a forger may have put there does not do.
    let hosted = scene.zone([scene.own.clone()]).with_mx("hosted.example", 10, "mx.signed.example");
    check(&scene.send_to(hosted, "hosted.example").await, SLOW, "451 4.7.5 DANE is required");
    scene.level = TlsLevel::Unchecked;
    check(&scene.send(scene.zone([stranger()])).await, DELIVERED, "250 ");
    scene.level = TlsLevel::Verified;
    check(&scene.send(scene.zone([scene.own.clone()])).await, DELIVERED, "250 ");
    check(&scene.send(scene.zone([])).await, SLOW, "451 4.7.5 ");
}

/// RFC 8689 §4.2.1: DNSSEC vouches for the name, DANE for the server.
#[tokio::test]
async fn requiretls_is_satisfied_by_dane() {
    let mut scene = Scene::new(OFFERED).await;
    scene.letter.parameters = " REQUIRETLS";
    let carried = scene.send(scene.zone([scene.own.clone()])).await;
    check(&carried, DELIVERED, "250 ");
    assert_eq!(scene.server.count("MAIL FROM:<a@us.example> REQUIRETLS"), 1, "{:?}", scene.server.said());
    let carried = scene.send(scene.zone([unusable()])).await;
    check(&carried, transport::Outcome::Failed, "550 5.7.10 ");
    let unsigned =
        Fixed::new().with_mx(DOMAIN, 10, "mx.signed.example").with_a("mx.signed.example", "127.0.0.1");
    check(&scene.send(unsigned).await, transport::Outcome::Failed, "550 5.7.30 ");
}
