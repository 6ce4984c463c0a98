//! Memory of an idle SMTP connection after EHLO: of a trusted client, without and with TLS, and of strangers, about whom the DNS
//! could be asked. These come by the PROXY protocol, as all of this machine is trusted.

use super::figure::Figure;
use super::name_server::{self, NameServer};
use super::process;
use super::site::{STRANGERS, Site};
use super::{Context, Findings};
use crate::Error;
use crate::installation::{HOSTNAME, Installation};
use crate::wire::Wire;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

const CONNECTIONS: u64 = 10_000;
/// KiB of a connection in the clear.
const PLAIN: f64 = 7.0;
/// Connections of one address of ours: far fewer than it has ports.
pub(super) const PER_ADDRESS: u64 = 2_000;
/// Files of either process besides connections.
pub(super) const OTHER_FILES: u64 = 500;
/// For a server to become idle after the last handshake.
pub(super) const QUIET_LIMIT: Duration = Duration::from_secs(30);

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let count = allowed(context.connections.unwrap_or(CONNECTIONS))?;
    let plain = measure(context, count, Client::Trusted)?;
    let tls = measure(context, count, Client::TrustedInTls)?;
    let stranger = measure(context, count, Client::Stranger(NameServer::Denies))?;
    let unknown = measure(context, count, Client::Stranger(NameServer::IsSilent))?;
    Ok(Findings::of([
        Figure::new("connections", count as f64, "connections"),
        Figure::new("plain_pss", plain.pss, "KiB a connection").at_most(PLAIN),
        Figure::new("plain_rss", plain.rss, "KiB a connection"),
        Figure::new("tls_pss", tls.pss, "KiB a connection").at_most(40.0),
        Figure::new("tls_rss", tls.rss, "KiB a connection"),
        Figure::new("stranger_pss", stranger.pss, "KiB a connection").at_most(PLAIN),
        Figure::new("stranger_silent_dns_pss", unknown.pss, "KiB a connection").at_most(PLAIN),
        Figure::new("idle_process_pss", plain.before, "MiB"),
    ]))
}

/// Whose connections they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Trusted,
    TrustedInTls,
    Stranger(NameServer),
}

/// Raises the limit of open files, which the server inherits, above the hard one where that is allowed; as many connections as
/// the server then takes: it keeps a file for each that comes in and another for one that goes out.
pub(super) fn allowed(wanted: u64) -> Result<u64, Error> {
    let needed = wanted * 2 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let raise =
        |files: u64| setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: Some(files) });
    if hard < needed && raise(needed).is_ok() {
        return Ok(wanted);
    }
    let files = hard.min(needed);
    setrlimit(Resource::Nofile, Rlimit { current: Some(files), ..limit }).map_err(std::io::Error::from)?;
    Ok(wanted.min(files.saturating_sub(OTHER_FILES) / 2))
}

struct PerConnection {
    pss: f64,
    rss: f64,
    /// MiB of the process without connections.
    before: f64,
}

fn measure(context: &Context<'_>, count: u64, client: Client) -> Result<PerConnection, Error> {
    let limits = format!("connections = {}\nidle = \"1 h\"", count + OTHER_FILES);
    let site = match client {
        Client::Stranger(_) => Site::behind_proxy(context.program, &limits)?,
        Client::Trusted | Client::TrustedInTls => Site::new(context.program, &limits, "")?,
    };
    if let Client::Stranger(server) = client {
        name_server::start(site.name_server(), server)?;
    }
    let open = |number| match client {
        Client::Trusted => open(&site.installation, site.smtp(), number, false),
        Client::TrustedInTls => open(&site.installation, site.smtp(), number, true),
        Client::Stranger(_) => open_stranger(site.smtp(), number),
    };
    let server = site.installation.serve()?;
    // What the first connection brings about for all is no memory of a connection.
    drop(open(0)?);
    process::wait_until_idle(server.id(), QUIET_LIMIT)?;
    let before = process::memory(server.id())?;
    let mut held = Vec::new();
    for number in 0..count {
        if number % 100 == 0 {
            context.tell(format!("{client:?} {number} of {count}"));
        }
        let socket = open(number).map_err(|error| {
            let log = site.installation.logged();
            Error::Stuck(format!("connection {number}: {error}; {}", log.lines().last().unwrap_or_default()))
        })?;
        held.push(socket);
    }
    process::wait_until_idle(server.id(), QUIET_LIMIT)?;
    let after = process::memory(server.id())?;
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / count as f64;
    Ok(PerConnection {
        pss: each(after.pss, before.pss),
        rss: each(after.rss, before.rss),
        before: before.pss as f64 / 1024.0,
    })
}

/// The socket of a connection that has said EHLO, in TLS again; what TLS needs at this end is forgotten, as nothing
/// more will be said.
pub(super) fn open(
    site: &Installation,
    server: SocketAddr,
    number: u64,
    tls: bool,
) -> Result<TcpStream, Error> {
    let mut wire = Wire::over(connect_from(number / PER_ADDRESS, server)?)?;
    wire.reply()?;
    wire.ask("EHLO idle.test\r\n")?;
    if tls {
        wire.ask("STARTTLS\r\n")?;
        wire = wire.start_tls(site.tls(), HOSTNAME)?;
        wire.ask("EHLO idle.test\r\n")?;
    }
    Ok(wire.socket().try_clone()?)
}

/// The socket of a stranger's connection that has said EHLO.
fn open_stranger(server: SocketAddr, number: u64) -> Result<TcpStream, Error> {
    let [.., high, low] = number.to_be_bytes();
    let mut wire = Wire::over(connect_from(number / PER_ADDRESS, server)?)?;
    wire.ask(format!("PROXY TCP4 {STRANGERS}.{high}.{low} 127.0.0.1 40000 25\r\n"))?;
    wire.ask("EHLO idle.test\r\n")?;
    Ok(wire.socket().try_clone()?)
}

/// Connects from another address of ours for each `network`.
pub(super) fn connect_from(network: u64, server: SocketAddr) -> std::io::Result<TcpStream> {
    let last = u8::try_from(network % 250).unwrap_or(0) + 1;
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 251, 0, last), 0))?;
    connect(&socket, &server)?;
    Ok(socket.into())
}
