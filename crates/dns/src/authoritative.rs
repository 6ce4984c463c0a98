//! What the authoritative servers of a zone say, each asked by itself: whether a record is published everywhere, and not
//! only where a resolver happened to look.

use crate::resolver::{Resolver, Settings};
use crate::{DnsError, Family, Lookup as _};
use address::Domain;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;

/// Most servers asked of one zone; 13 is what the root has.
const MAX_SERVERS: usize = 13;
/// Most addresses tried of one server.
const MAX_ADDRESSES_EACH: usize = 4;
/// The port of all servers that a zone names.
pub(crate) const DNS_PORT: u16 = 53;
/// How long one try may take: the servers of one's own zone answer quickly or are in trouble.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What one server said.
#[derive(Debug)]
pub struct ServerSays {
    /// Its name, or its address.
    pub server: String,
    /// The TXT records, each with its strings joined.
    pub answer: Result<Vec<Vec<u8>>, DnsError>,
}

impl Resolver {
    /// The TXT records of `name` as each authoritative server of its zone has them, at any of its addresses.
    ///
    /// Configured servers on another port than 53 are no resolvers of a network but somebody's own, as in tests: they are
    /// asked in place of those that the zone names.
    ///
    /// # Errors
    /// The zone's servers could not be learnt.
    pub async fn txt_everywhere(&self, name: &str) -> Result<Vec<ServerSays>, DnsError> {
        let own = self.own_servers();
        let mut asking = JoinSet::new();
        if own.is_empty() {
            for server in self.authoritative(name).await? {
                asking.spawn(ask_server(self.clone(), server, name.to_owned()));
            }
        }
        for address in own {
            let name = name.to_owned();
            asking.spawn(async move { (address.to_string(), ask(vec![address], &name).await) });
        }
        let mut said: Vec<ServerSays> = Vec::new();
        while let Some(done) = asking.join_next().await {
            // A task that broke off has said nothing; the others are told of all the same.
            said.extend(done.ok().map(|(server, answer)| ServerSays { server, answer }));
        }
        said.sort_by(|a, b| a.server.cmp(&b.server));
        Ok(said)
    }

    /// The names of the servers of the zone that `name` is in: the NS records of the nearest name above that has some.
    ///
    /// # Errors
    /// No name above has any, or it could not be learnt.
    pub async fn authoritative(&self, name: &str) -> Result<Vec<Domain>, DnsError> {
        let mut zone = name.trim_end_matches('.');
        loop {
            match self.name_servers(zone, MAX_SERVERS).await {
                Ok(servers) => return Ok(servers),
                Err(error) if error.is_temporary() => return Err(error),
                Err(error) => match zone.split_once('.') {
                    Some((_, parent)) => zone = parent,
                    None => return Err(error),
                },
            }
        }
    }
}

async fn ask_server(
    resolver: Resolver,
    server: Domain,
    name: String,
) -> (String, Result<Vec<Vec<u8>>, DnsError>) {
    let answer = match resolver.addresses(&server, Family::Both).await {
        Ok(found) => {
            let places = found.into_iter().take(MAX_ADDRESSES_EACH).map(|ip| SocketAddr::new(ip, DNS_PORT));
            ask(places.collect(), &name).await
        }
        Err(error) => Err(error),
    };
    (server.to_string(), answer)
}

/// The first address that gives a lasting answer speaks for its server.
async fn ask(places: Vec<SocketAddr>, name: &str) -> Result<Vec<Vec<u8>>, DnsError> {
    let mut told = Err(DnsError::NoSuchName(name.to_owned()));
    for place in places {
        let settings = Settings { servers: vec![place], timeout: TIMEOUT, tries: 2, ..Settings::default() };
        told = match Resolver::new(&settings) {
            Ok(alone) => alone.txt(name).await,
            Err(error) => Err(error),
        };
        if !matches!(&told, Err(error) if error.is_temporary()) {
            break;
        }
    }
    told
}
