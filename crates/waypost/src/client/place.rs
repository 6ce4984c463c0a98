//! How a server of people's mail is written: `HOST[:PORT]`, or with a scheme that says whether TLS is spoken from the start.

use crate::config::Peer;

/// What a protocol's servers are called and where they are.
#[derive(Debug)]
pub struct Protocol {
    pub name: &'static str,
    /// Its scheme; the first is its port, the others are those of `waypost dev`.
    pub plain: (&'static str, &'static [u16]),
    /// The same with TLS from the first octet (RFC 8314 §3.2).
    pub tls: (&'static str, &'static [u16]),
    /// Whether a port that is neither's is one for TLS.
    pub otherwise_tls: bool,
}

impl Protocol {
    /// The place, and whether TLS is spoken there from the start. Without scheme and port it is.
    pub fn parse(&self, text: &str) -> Result<(Peer, bool), String> {
        let port = |ports: &[u16]| ports.first().copied().unwrap_or_default();
        for ((scheme, ports), tls) in [(self.tls, true), (self.plain, false)] {
            if let Some(rest) = text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) {
                return Ok((Peer::parse(rest.trim_end_matches('/'), port(ports))?, tls));
            }
        }
        if text.contains("://") {
            let (name, tls, plain) = (self.name, self.tls.0, self.plain.0);
            return Err(format!(
                "{text:?} is no {name} server: write {tls}://HOST[:PORT], {plain}://HOST[:PORT] or HOST[:PORT]"
            ));
        }
        let peer = Peer::parse(text, port(self.tls.1))?;
        let tls =
            self.tls.1.contains(&peer.port) || (self.otherwise_tls && !self.plain.1.contains(&peer.port));
        Ok((peer, tls))
    }
}
