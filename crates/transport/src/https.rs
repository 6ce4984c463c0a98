//! One request over HTTPS, with as much of HTTP as that needs (RFC 9110, RFC 9112): MTA-STS policies are fetched so, and TLS
//! reports posted. Redirects are not followed, no connection is kept, and what servers answer is bounded.

mod answer;

pub use answer::{Answer, MAX_HEAD};

use address::{Domain, Host};
use dns::{DnsError, Family, Lookup};
use net::tls::{TlsClient, TlsPolicy};
use net::{Endpoint, NetError, Stream};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Until one address answers.
const CONNECT: Duration = Duration::from_secs(10);
/// Most addresses that are called.
const MAX_ADDRESSES: usize = 4;

/// How servers are called.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub dns: &'a dyn Lookup,
    pub tls: &'a TlsClient,
    /// Which certificates are good enough.
    pub policy: &'a TlsPolicy,
    /// Only at addresses of the public Internet ([`net::is_public`]): for URLs that strangers name, who must not have us
    /// knock at doors of our own network.
    pub public_only: bool,
    /// For all of it, from the look-up to the last octet.
    pub patience: Duration,
}

impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, public_only, patience, .. } = self;
        write!(f, "Caller({policy:?}, public_only: {public_only}, {patience:?})")
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub host: &'a Domain,
    pub port: u16,
    /// Path and query, as they are in a URL: no spaces or control characters.
    pub target: &'a str,
    pub method: Method<'a>,
}

/// And how.
#[derive(Debug, Clone, Copy)]
pub enum Method<'a> {
    /// What is there, of at most `max` octets.
    Get { accept: &'a str, max: usize },
    /// Takes something there; what is answered beyond the status is not read.
    Post { media_type: &'a str, content: &'a [u8] },
}

/// Why there is no answer. Each may be another time.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    #[error(transparent)]
    Dns(#[from] DnsError),
    #[error("{0} has no address")]
    NoAddress(Domain),
    #[error("{0} has no address of the public Internet")]
    NotPublic(Domain),
    #[error(transparent)]
    Connect(NetError),
    #[error(transparent)]
    Tls(NetError),
    #[error("the connection to {host} broke: {source}")]
    Broken { host: Domain, source: io::Error },
    #[error("the answer of {0} is cut short")]
    CutShort(Domain),
    #[error("{host} did not answer within {after:?}")]
    Silence { host: Domain, after: Duration },
    #[error("{0}")]
    Answer(String),
}

/// Asks once.
pub async fn exchange(caller: &Caller<'_>, request: &Request<'_>) -> Result<Answer, HttpsError> {
    let talk = async {
        let mut stream = connect(caller, request).await?;
        let broken = |source| HttpsError::Broken { host: request.host.clone(), source };
        stream.write_all(&written(request)).await.map_err(broken)?;
        read(&mut stream, request).await
    };
    let silence = || HttpsError::Silence { host: request.host.clone(), after: caller.patience };
    tokio::time::timeout(caller.patience, talk).await.map_err(|_| silence())?
}

async fn connect(caller: &Caller<'_>, request: &Request<'_>) -> Result<Stream, HttpsError> {
    let host = request.host;
    let mut addresses = caller.dns.addresses(host, Family::Both).await?;
    let mut last = HttpsError::NoAddress(host.clone());
    if caller.public_only && !addresses.is_empty() {
        addresses.retain(|ip| net::is_public(*ip));
        last = HttpsError::NotPublic(host.clone());
    }
    for ip in addresses.into_iter().take(MAX_ADDRESSES) {
        let target = Endpoint::Tcp(SocketAddr::new(ip, request.port));
        let stream = match net::connect(&target, None, CONNECT).await {
            Ok(stream) => stream,
            Err(error) => {
                last = HttpsError::Connect(error);
                continue;
            }
        };
        match stream.connect_tls(caller.tls, &Host::Domain(host.clone()), caller.policy).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = HttpsError::Tls(error),
        }
    }
    Err(last)
}

/// RFC 9112 §3 and §6.
fn written(request: &Request<'_>) -> Vec<u8> {
    let Request { host, port, target, method } = request;
    let (verb, fields, content) = match method {
        Method::Get { accept, .. } => ("GET", format!("Accept: {accept}\r\n"), &[][..]),
        Method::Post { media_type, content } => {
            let length = content.len();
            ("POST", format!("Content-Type: {media_type}\r\nContent-Length: {length}\r\n"), *content)
        }
    };
    // RFC 9110 §7.2: the usual port is left out.
    let port = if *port == 443 { String::new() } else { format!(":{port}") };
    let head = format!(
        "{verb} {target} HTTP/1.1\r\nHost: {host}{port}\r\nUser-Agent: Waypost\r\n{fields}Connection: close\r\n\r\n"
    );
    [head.as_bytes(), content].concat()
}

async fn read(stream: &mut Stream, request: &Request<'_>) -> Result<Answer, HttpsError> {
    let max = match request.method {
        Method::Get { max, .. } => Some(max),
        Method::Post { .. } => None,
    };
    let (mut octets, mut ended) = (Vec::new(), false);
    loop {
        // Also a server that keeps the connection open has an end.
        if let Some(answer) = Answer::read(&octets, ended, max).map_err(HttpsError::Answer)? {
            return Ok(answer);
        }
        if ended {
            return Err(HttpsError::CutShort(request.host.clone()));
        }
        match stream.read_buf(&mut octets).await {
            Ok(0) => ended = true,
            Ok(_) => {}
            // Many servers close without the last words of TLS; the length of what came is checked.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => ended = true,
            Err(source) => return Err(HttpsError::Broken { host: request.host.clone(), source }),
        }
    }
}
