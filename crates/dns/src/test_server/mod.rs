//! A DNS server on loopback for tests: a signed root, zones below it with and without signatures, and on demand every way of
//! answering wrongly.
//!
//! hickory-server answers, as all authoritative servers of this small DNS in one. Before it stands a front that looks at each
//! question and spoils what it is told to spoil ([`Trouble`]).
//!
//! ```no_run
//! use dns::test_server::{TestServer, Trouble};
//!
//! # async fn doc() {
//! let server = TestServer::new()
//!     .signed("example.test", "@ MX 10 mx\nmx A 127.0.0.1\n_25._tcp.mx TLSA 3 1 1 00ff")
//!     .unsigned("plain.test", "@ MX 10 mx.example.test.")
//!     .start()
//!     .await;
//! server.trouble("_25._tcp.mx.example.test", "TLSA", Trouble::ServFail);
//! let (servers, anchor) = (vec![server.address()], server.trust_anchor());
//! # let _ = (servers, anchor); }
//! ```
//!
//! It panics on mistakes: only tests use it.

#![allow(clippy::unwrap_used, reason = "a test's own server may panic")]

mod front;
mod zone;

use front::Front;
use hickory_server::Server;
use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::Catalog;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use zone::Zone;

pub use front::Trouble;

/// The zones, until it is started.
#[derive(Debug)]
pub struct TestServer {
    zones: Vec<Zone>,
}

/// A server that runs until it is dropped.
pub struct Running {
    front: Arc<Front>,
    address: SocketAddr,
    trust_anchor: String,
    _servers: [Server<Catalog>; 2],
}

impl TestServer {
    #[allow(clippy::new_without_default, reason = "it has no meaning but to be filled")]
    pub fn new() -> Self {
        Self { zones: Vec::new() }
    }

    /// A zone with signatures, whose key the root vouches for. `records` are lines of a zone file; the zone has its SOA and NS
    /// already, and the TTL is a minute.
    #[must_use]
    pub fn signed(mut self, origin: &str, records: &str) -> Self {
        self.zones.push(Zone::new(origin, records, true));
        self
    }

    /// A zone without; the root says so with its signature.
    #[must_use]
    pub fn unsigned(mut self, origin: &str, records: &str) -> Self {
        self.zones.push(Zone::new(origin, records, false));
        self
    }

    /// Begins to answer, over UDP and TCP on one port of 127.0.0.1.
    pub async fn start(self) -> Running {
        let root = zone::root(&self.zones);
        let trust_anchor = root.dnskey();
        let origins: Vec<_> = self.zones.iter().map(|zone| zone.origin.clone()).collect();
        let (root_name, root) = (root.origin.clone(), root.build());
        let (mut children, mut parents) = (Catalog::new(), Catalog::new());
        for zone in self.zones {
            children.upsert(zone.origin.clone().into(), vec![zone.build()]);
        }
        children.upsert(root_name.clone().into(), vec![Arc::clone(&root) as _]);
        parents.upsert(root_name.into(), vec![root]);
        let (children, children_at) = serve(children).await;
        let (parents, parents_at) = serve(parents).await;
        let front = Arc::new(Front::new(origins, children_at, parents_at));
        let address = Arc::clone(&front).start().await;
        Running { front, address, trust_anchor, _servers: [children, parents] }
    }
}

impl Running {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The root's key, as the file that `[dns] trust-anchor` names has it.
    pub fn trust_anchor(&self) -> &str {
        &self.trust_anchor
    }

    /// From now on, answers about this name and type are spoilt. It holds for what nobody has in a cache.
    pub fn trouble(&self, name: &str, kind: &str, trouble: Trouble) {
        self.front.set(name, kind, Some(trouble));
    }

    /// Answers as it should again.
    pub fn no_trouble(&self, name: &str, kind: &str) {
        self.front.set(name, kind, None);
    }

    /// How often this was asked.
    pub fn asked(&self, name: &str, kind: &str) -> usize {
        self.front.asked(name, kind)
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

type Handler = Arc<InMemoryZoneHandler<TokioRuntimeProvider>>;

async fn serve(catalog: Catalog) -> (Server<Catalog>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = Server::new(catalog);
    server.register_listener(listener, Duration::from_secs(60), 1024);
    (server, address)
}
