//! What the carrier is told once.

use crate::client::CONNECT_TIMEOUT;
use address::Domain;
use smtp::client::Timeouts;
use std::net::SocketAddr;
use std::time::Duration;

/// Settings of a [`Transport`](crate::Transport); [`Settings::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our name: in EHLO unless a route has another, and what finds ourselves among MX hosts.
    pub hostname: Domain,
    /// Where we listen ourselves, unspecified addresses included: mail that would be sent there goes round in a circle.
    pub own: Vec<SocketAddr>,
    pub timeouts: Timeouts,
    /// Until an address accepts a connection.
    pub connect_timeout: Duration,
    /// After this no further address of an attempt is called.
    pub calling: Duration,
    /// How long a connection is kept for another message.
    pub idle: Duration,
    /// Messages sent over one connection.
    pub max_messages: u32,
    /// Idle connections in all.
    pub max_idle: usize,
    /// How long an address that did not answer is called last.
    pub silence: Duration,
    /// Where the hosts of MTA-STS policies speak HTTPS: always 443, but in tests.
    pub sts_port: u16,
}

impl Settings {
    pub fn new(hostname: Domain) -> Self {
        Self {
            hostname,
            own: Vec::new(),
            timeouts: Timeouts::default(),
            connect_timeout: CONNECT_TIMEOUT,
            calling: Duration::from_secs(10 * 60),
            idle: Duration::from_secs(5),
            max_messages: 100,
            max_idle: 200,
            silence: Duration::from_secs(2 * 60),
            sts_port: 443,
        }
    }

    /// All that is waited for in a dialogue, times `factor`.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        self.timeouts = self.timeouts.scaled(factor);
        for wait in [&mut self.connect_timeout, &mut self.calling] {
            *wait = Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(*wait);
        }
        self
    }
}
