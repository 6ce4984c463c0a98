//! What an administrator can set.

use address::Domain;
use ipnet::IpNet;
use smtp::server::{BareNewline, Limits, Timeouts};
use std::net::IpAddr;
use std::time::Duration;

/// One immutable snapshot; a reload swaps it, and sessions that run keep the one they began with.
#[derive(Debug, Clone)]
pub struct Settings {
    pub hostname: Domain,
    /// Networks that may relay without logging in.
    pub trusted: Vec<IpNet>,
    pub limits: Limits,
    /// Networks that limits per address and per session leave alone.
    pub exempt: Vec<IpNet>,
    pub timeouts: Timeouts,
    pub bare_newline: BareNewline,
    /// How long a client of port 25 must be silent before it is greeted; zero: not at all.
    pub greeting_delay: Duration,
    /// Received fields of a message that has gone in circles (RFC 5321 §6.3).
    pub max_hops: usize,
    /// Senders and From of what is submitted must belong to the account.
    pub check_sender: bool,
    /// The Received field of what is submitted does not tell from where.
    pub hide_client_address: bool,
    /// How far off a submitted message may be released (RFC 4865), in seconds.
    pub max_hold: u32,
}

impl Settings {
    pub(crate) fn is_exempt(&self, ip: IpAddr) -> bool {
        policy::is_exempt(&self.exempt, ip)
    }

    pub fn new(hostname: Domain) -> Self {
        Self {
            hostname,
            trusted: Vec::new(),
            limits: Limits::default(),
            exempt: Vec::new(),
            timeouts: Timeouts::default(),
            bare_newline: BareNewline::Reject,
            greeting_delay: Duration::ZERO,
            max_hops: 100,
            check_sender: true,
            hide_client_address: false,
            max_hold: 30 * 86_400,
        }
    }
}
