//! What the authoritative servers of a zone say, each asked by itself: whether a record is published everywhere, and not
//! only where a resolver happened to look.

use crate::resolver::{Resolver, Settings};
use crate::{DnsError, Family, Lookup as _};
use address::Domain;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::task::JoinSet;

/// Most servers asked of one zone; 13 is what the root has.
const MAX_SERVERS: usize = 13;
/// Most addresses tried of one server.
const MAX_ADDRESSES_EACH: usize = 4;
/// The port of all servers that a zone names.
const DNS_PORT: u16 = 53;
/// Most names that are asked about: a record, and what its aliases lead to.
const MAX_NAMES: usize = 8;
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

/// What a server has at a name.
enum Has {
    Texts(Vec<Vec<u8>>),
    /// A CNAME record: whoever serves that name has the rest.
    Alias(String),
}

impl Resolver {
    /// The TXT records of `name` as each authoritative server of its zone has them, at any of its addresses. A server that has an
    /// alias there is spoken for by the servers of the zone that the alias leads to.
    ///
    /// The servers are those that the zone names, at port 53, whichever resolver is configured: that one has a cache. Two
    /// things are for tests, on loopback alone: a server whose address is there is asked at the port of a configured server of the same
    /// kind, and where no NS record exists above `name`, up to the top, that configured server is the only one there is.
    ///
    /// # Errors
    /// The servers of the zone of `name` could not be learnt.
    pub async fn txt_everywhere(&self, name: &str) -> Result<Vec<ServerSays>, DnsError> {
        let mut said = Vec::new();
        let mut asked: BTreeSet<String> = BTreeSet::new();
        let mut names = BTreeSet::from([name.to_owned()]);
        while let Some(name) = names.pop_first() {
            asked.insert(name.clone());
            if asked.len() > MAX_NAMES {
                said.push(ServerSays { server: name.clone(), answer: Err(too_many_aliases(&name)) });
                break;
            }
            let found = match self.ask_each(&name).await {
                Ok(found) => found,
                Err(error) if asked.len() == 1 => return Err(error),
                Err(error) => vec![(format!("the name servers of {name}"), Err(error))],
            };
            for (server, answer) in found {
                match answer {
                    Ok(Has::Texts(texts)) => said.push(ServerSays { server, answer: Ok(texts) }),
                    Err(error) => said.push(ServerSays { server, answer: Err(error) }),
                    Ok(Has::Alias(target)) if asked.contains(&target) => {
                        said.push(ServerSays { server, answer: Err(too_many_aliases(&target)) });
                    }
                    Ok(Has::Alias(target)) => {
                        names.insert(target);
                    }
                }
            }
        }
        said.sort_by(|a, b| a.server.cmp(&b.server));
        Ok(said)
    }

    /// What each server of the zone of `name` has there.
    async fn ask_each(&self, name: &str) -> Result<Vec<(String, Result<Has, DnsError>)>, DnsError> {
        let mut asking = JoinSet::new();
        match (self.authoritative(name).await, self.own_server()) {
            (Ok(servers), _) => {
                for server in servers {
                    let (resolver, name) = (self.clone(), name.to_owned());
                    asking.spawn(async move {
                        let answer = match resolver.places(&server).await {
                            Ok(places) => ask(places, &name).await,
                            Err(error) => Err(error),
                        };
                        (server.to_string(), answer)
                    });
                }
            }
            (Err(error), Some(own)) if !error.is_temporary() => {
                let name = name.to_owned();
                asking.spawn(async move { (own.to_string(), ask(vec![own], &name).await) });
            }
            (Err(error), _) => return Err(error),
        }
        // A task that broke off has said nothing; the others are told of all the same.
        let mut found = Vec::new();
        while let Some(done) = asking.join_next().await {
            found.extend(done.ok());
        }
        Ok(found)
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

    /// Where a server of a zone is asked.
    async fn places(&self, server: &Domain) -> Result<Vec<SocketAddr>, DnsError> {
        let found = self.addresses(server, Family::Both).await?;
        let near = self.own_server().map_or(DNS_PORT, |own| own.port());
        let port = |ip: IpAddr| if ip.is_loopback() { near } else { DNS_PORT };
        Ok(found.into_iter().take(MAX_ADDRESSES_EACH).map(|ip| SocketAddr::new(ip, port(ip))).collect())
    }

    /// A configured server on loopback, at a port where no zone has its servers.
    fn own_server(&self) -> Option<SocketAddr> {
        self.configured().into_iter().find(|place| place.ip().is_loopback() && place.port() != DNS_PORT)
    }
}

/// The first address that gives a lasting answer speaks for its server.
async fn ask(places: Vec<SocketAddr>, name: &str) -> Result<Has, DnsError> {
    let mut told = Err(DnsError::NoSuchName(name.to_owned()));
    for place in places {
        let settings = Settings { servers: vec![place], timeout: TIMEOUT, tries: 2, ..Settings::default() };
        told = match Resolver::new(&settings) {
            Ok(alone) => has(&alone, name).await,
            Err(error) => Err(error),
        };
        if !matches!(&told, Err(error) if error.is_temporary()) {
            break;
        }
    }
    told
}

/// The alias is asked for first: a question for TXT would follow it, and a server knows only its own zones.
async fn has(alone: &Resolver, name: &str) -> Result<Has, DnsError> {
    match alone.alias(name).await {
        Ok(target) => Ok(Has::Alias(target)),
        Err(error) if error.is_temporary() => Err(error),
        Err(_) => alone.txt(name).await.map(Has::Texts),
    }
}

fn too_many_aliases(name: &str) -> DnsError {
    let reason = "the aliases go in a circle, or on for ever".to_owned();
    DnsError::Temporary { name: name.to_owned(), kind: "TXT", reason }
}
