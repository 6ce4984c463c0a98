//! An installation to be measured: as it comes, but for the limits that a load generator would meet.

use crate::Error;
use crate::installation::{HOSTNAME, IMAPS, Installation, LMTP, NEXT, POP3S, SMTP, Server};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;

/// The first half of an address of strangers, who come by PROXY (RFC 2544 has these for measurements).
pub(super) const STRANGERS: &str = "198.18";
/// Whose mail goes to [`Site::sink`]; everything else goes where MX records say, and there is no DNS.
pub(super) const SINK_DOMAIN: &str = "sink.test";

#[derive(Debug)]
pub(super) struct Site {
    pub(super) installation: Installation,
}

impl Site {
    /// Not running yet. `limits` are lines of `[limits]`, `tables` further tables.
    pub(super) fn new(program: &Path, limits: &str, tables: &str) -> Result<Self, Error> {
        Self::made(program, "", limits, tables)
    }

    /// As [`Site::new`], for clients that all come by the PROXY protocol.
    pub(super) fn behind_proxy(program: &Path, limits: &str) -> Result<Self, Error> {
        Self::made(program, "proxy-from = [\"127.0.0.0/8\"]", limits, "")
    }

    fn made(program: &Path, listen: &str, limits: &str, tables: &str) -> Result<Self, Error> {
        let site = Self { installation: Installation::new(program)? };
        let place = |port| format!("[\"{}\"]", site.installation.place(port));
        site.installation.write(&format!(
            "hostname = \"{HOSTNAME}\"\ndata = \"data\"\n\
             [listen]\nsmtp = {}\nlmtp = {}\nimaps = {}\npop3s = {}\n{listen}\n\
             [tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
             [relay]\ntrusted = [\"127.0.0.0/8\"]\n\
             [dns]\nservers = [\"{}\"]\n\
             [limits]\nexempt = [\"127.0.0.0/8\", \"{STRANGERS}.0.0/16\"]\nmessages-per-session = 0\n{limits}\n\
             [[route]]\ndomain = \"{SINK_DOMAIN}\"\nto = \"smtp://{}\"\n{tables}\n",
            place(SMTP),
            place(LMTP),
            place(IMAPS),
            place(POP3S),
            site.name_server(),
            site.sink(),
        ))?;
        Ok(site)
    }

    /// As [`Site::new`], with the standard limits and no further tables, and running.
    pub(super) fn serve(program: &Path) -> Result<(Self, Server), Error> {
        let site = Self::new(program, "", "")?;
        let server = site.installation.serve()?;
        Ok((site, server))
    }

    pub(super) fn smtp(&self) -> SocketAddr {
        self.installation.place(SMTP)
    }

    /// Where it asks for names.
    pub(super) fn name_server(&self) -> SocketAddr {
        self.installation.place(NEXT + 1)
    }

    /// Where the next server listens.
    pub(super) fn sink(&self) -> SocketAddrV4 {
        let place = self.installation.place(NEXT);
        let ip = match place.ip() {
            IpAddr::V4(ip) => ip,
            // An installation has an address of 127/8.
            IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
        };
        SocketAddrV4::new(ip, place.port())
    }
}
