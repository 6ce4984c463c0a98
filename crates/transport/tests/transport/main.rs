//! The carrier against scripted servers on loopback.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic")]

mod carry;
mod client;
mod dane;
mod forms;
mod lmtp;
mod locate;
mod reuse;
mod server;
mod sts;
mod tls;
mod verify;

use address::{Domain, ReversePath};
use bytes::Bytes;
use dns::{Family, Fixed};
use net::tls::TlsClient;
use server::Server;
use std::sync::Arc;
use store::{Body, Id};
use transport::{
    Carried, Carrier, Errand, ErrandRecipient, NextHop, Outcome, Outgoing, Route, Settings, Terms, TlsLevel,
    Transport,
};

/// Trusts nobody: what is opportunistic does not care.
fn no_trust() -> TlsClient {
    let stranger = rcgen::generate_simple_self_signed(vec!["stranger.example".to_owned()]).unwrap();
    TlsClient::with_roots([stranger.cert.der().clone()]).unwrap()
}

fn settings() -> Settings {
    Settings::new(Domain::parse("us.example").unwrap()).scaled(0.05)
}

fn transport(dns: Fixed) -> Transport {
    Transport::new(Arc::new(dns), no_trust(), settings())
}

fn terms(port: u16) -> Terms {
    Terms {
        port,
        tls: TlsLevel::Opportunistic,
        source: Vec::new(),
        helo: String::new(),
        family: Family::Both,
        credentials: None,
    }
}

fn mx(domain: &str, port: u16) -> Route {
    route(NextHop::Mx(domain.parse().unwrap()), terms(port))
}

/// To a server without any DNS.
fn smtp(server: &Server) -> NextHop {
    let host = format!("[{}]", server.address.ip()).parse().unwrap();
    NextHop::Smtp { host, port: server.address.port(), implicit_tls: false }
}

fn route(next: NextHop, terms: Terms) -> Route {
    Route { next, terms: Arc::new(terms) }
}

/// What a test varies of a message.
struct Letter {
    from: &'static str,
    to: Vec<&'static str>,
    parameters: &'static str,
    body: &'static [u8],
    ours: bool,
}

impl Default for Letter {
    fn default() -> Self {
        Self {
            from: "a@us.example",
            to: vec!["b@example.org"],
            parameters: "",
            body: b"Subject: hello\r\n\r\n.dot\r\n",
            ours: false,
        }
    }
}

impl Letter {
    fn errand(&self) -> Errand {
        let recipient = |(position, address): (usize, &&str)| ErrandRecipient {
            position: u32::try_from(position).unwrap(),
            address: address.parse().unwrap(),
            parameters: String::new(),
        };
        Errand {
            message: Arc::new(Outgoing {
                id: Id::generate(),
                reverse_path: self.from.parse::<ReversePath>().unwrap(),
                parameters: self.parameters.to_owned(),
                trace: Bytes::from_static(b"Received: here\r\n"),
                body: Body::from_bytes(self.body),
                ours: self.ours,
            }),
            recipients: self.to.iter().enumerate().map(recipient).collect(),
        }
    }
}

/// Locates and carries; the answers in the order of the recipients.
async fn send(transport: &Transport, route: &Route, letter: &Letter) -> Vec<Carried> {
    let destination = transport.locate(route).await.unwrap();
    let mut carried = transport.carry(&destination, letter.errand()).await;
    assert_eq!(carried.len(), letter.to.len(), "each recipient has one answer");
    carried.sort_by_key(|carried| carried.position);
    carried
}

/// Of one recipient.
async fn send_one(transport: &Transport, route: &Route, letter: &Letter) -> Carried {
    send(transport, route, letter).await.remove(0)
}

const DELIVERED: Outcome = Outcome::Delivered { dsn: false, deliver_by: false };
const SLOW: Outcome = Outcome::Deferred { slow: true };
const DEFERRED: Outcome = Outcome::Deferred { slow: false };

#[track_caller]
fn check(carried: &Carried, outcome: Outcome, reply: &str) {
    assert_eq!(carried.outcome, outcome, "{carried:?}");
    assert!(carried.reply.starts_with(reply), "{carried:?} should begin with {reply:?}");
}
