//! What the administrator decides: routes, limits, the schedule.

use crate::backoff::Backoff;
use crate::window::WindowLimits;
use address::{Address, Domain, Host, ReversePath};
use std::collections::HashMap;
use std::sync::Arc;
use transport::{NextHop, Terms};

/// Attempts at once, to all destinations together.
pub const DEFAULT_ATTEMPTS: usize = 500;
/// Recipients of one transaction (RFC 5321 §4.5.3.1.8: a server must take 100).
pub const DEFAULT_RECIPIENTS: usize = 100;

#[derive(Debug, Clone)]
pub struct Settings {
    /// This host, as notifications name it.
    pub hostname: Domain,
    /// Who notifications are from.
    pub dsn_sender: Address,
    /// The first that matches wins.
    pub rules: Vec<Rule>,
    /// For everybody that no rule matches and whose domain is another's.
    pub otherwise: Hop,
    /// The terms of `otherwise`, and, without their credentials, of relay domains.
    pub terms: Arc<Terms>,
    pub backoff: Backoff,
    /// Of each destination.
    pub window: WindowLimits,
    pub attempts: usize,
    pub recipients: usize,
    pub rewrite_from: RewriteFrom,
}

/// Whether what goes on to others may have another From, by the domain of the address here that it goes on from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RewriteFrom {
    /// Of domains that are not listed.
    pub otherwise: bool,
    pub domains: HashMap<Domain, bool>,
}

impl RewriteFrom {
    pub(crate) fn allows(&self, domain: &Domain) -> bool {
        self.domains.get(domain).copied().unwrap_or(self.otherwise)
    }
}

/// A `[[route]]`.
#[derive(Debug, Clone)]
pub struct Rule {
    pub matches: Matches,
    pub action: RuleAction,
}

#[derive(Debug, Clone)]
pub enum Matches {
    Recipient(DomainPattern),
    Sender(SenderPattern),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainPattern {
    Any,
    Exactly(Domain),
    /// The domains below it, not itself.
    Below(Domain),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderPattern {
    Null,
    Address(Address),
    Domain(DomainPattern),
}

#[derive(Debug, Clone)]
pub enum RuleAction {
    Carry {
        hop: Hop,
        terms: Arc<Terms>,
    },
    /// The mailboxes here.
    Mailbox,
    /// Kept until somebody releases it.
    Hold,
    /// Thrown away, as the trail tells.
    Discard,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// The MX hosts of the recipient's domain.
    Mx,
    To(NextHop),
}

impl Hop {
    pub(crate) fn for_recipient(&self, recipient: &Address) -> NextHop {
        match self {
            Self::Mx => NextHop::Mx(recipient.host().clone()),
            Self::To(next) => next.clone(),
        }
    }
}

impl Matches {
    pub(crate) fn matches(&self, sender: &ReversePath, recipient: &Address) -> bool {
        match self {
            Self::Recipient(pattern) => pattern.matches(recipient.host()),
            Self::Sender(SenderPattern::Null) => sender.is_null(),
            Self::Sender(SenderPattern::Address(address)) => {
                sender.address().is_some_and(|sender| sender.folded() == address.folded())
            }
            Self::Sender(SenderPattern::Domain(pattern)) => {
                sender.address().is_some_and(|sender| pattern.matches(sender.host()))
            }
        }
    }
}

impl DomainPattern {
    fn matches(&self, host: &Host) -> bool {
        match (self, host.domain()) {
            (Self::Any, _) => true,
            (Self::Exactly(domain), Some(host)) => domain == host,
            (Self::Below(domain), Some(host)) => host != domain && host.is_within(domain),
            (_, None) => false,
        }
    }
}

/// Where a relay domain's mail goes: `smtp://HOST[:PORT]`, `smtps://…`, `lmtp://…`, `lmtp:///path/of/socket`.
pub fn next_hop(url: &str) -> Option<NextHop> {
    let (scheme, rest) = url.split_once("://")?;
    if scheme == "lmtp" && rest.starts_with('/') {
        return Some(NextHop::LmtpSocket(rest.into()));
    }
    let default = match scheme {
        "smtp" => 25,
        "smtps" => 465,
        "lmtp" => 24,
        _ => return None,
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (rest, default),
    };
    let host = parse_host(host)?;
    Some(match scheme {
        "lmtp" => NextHop::Lmtp { host, port },
        _ => NextHop::Smtp { host, port, implicit_tls: scheme == "smtps" },
    })
}

/// A name, or an address as URLs write them, with brackets around IPv6.
fn parse_host(text: &str) -> Option<Host> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<std::net::IpAddr>() {
        Ok(ip) => Some(Host::Literal(ip.into())),
        Err(_) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relay_targets_are_read_as_urls() {
        let check = |url: &str, expected: &str| {
            assert_eq!(
                next_hop(url).map_or_else(|| "none".into(), |hop| format!("{hop:?}")),
                expected,
                "{url}"
            );
        };
        check("lmtp:///run/x", r#"LmtpSocket("/run/x")"#);
        for (url, host, port, tls) in [
            ("smtp://mx.example.org", "mx.example.org", 25, false),
            ("smtps://mx.example.org:1465", "mx.example.org", 1465, true),
            ("smtp://127.0.0.1:2525", "[127.0.0.1]", 2525, false),
            ("smtp://[::1]:2525", "[IPv6:::1]", 2525, false),
        ] {
            let expected = NextHop::Smtp { host: host.parse().unwrap(), port, implicit_tls: tls };
            assert_eq!(next_hop(url), Some(expected), "{url}");
        }
        for url in ["", "mx", "http://a", "smtp://", "smtp://a:b", "smtp://a b"] {
            check(url, "none");
        }
    }

    #[test]
    fn patterns_match_whole_domains() {
        let host = |text: &str| text.parse::<Host>().unwrap();
        let domain = "example.org".parse::<Domain>().unwrap();
        let (exactly, below) = (DomainPattern::Exactly(domain.clone()), DomainPattern::Below(domain));
        for (text, exact, under) in
            [("example.org", true, false), ("a.example.org", false, true), ("badexample.org", false, false)]
        {
            assert_eq!(exactly.matches(&host(text)), exact, "{text}");
            assert_eq!(below.matches(&host(text)), under, "{text}");
        }
    }
}
