//! What the queue asks for and what it is told: the words between `queue` and whoever carries its mail.

use crate::security::Published;
use address::{Address, Domain, Host, ReversePath, Secret};
use bytes::Bytes;
use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use store::{Body, Id};

/// Where mail goes next, and on what terms: from a `[[route]]`, a relay domain, the smart host, or the MX.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub next: NextHop,
    pub terms: Arc<Terms>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NextHop {
    /// The MX hosts of a domain (RFC 5321 §5.1), or the host of an address literal.
    Mx(Host),
    /// Only those MX hosts of a domain that are better than ourselves: we are its backup (RFC 5321 §5.1).
    BetterMx(Domain),
    /// One named host, by address records.
    Smtp {
        host: Host,
        port: u16,
        implicit_tls: bool,
    },
    Lmtp {
        host: Host,
        port: u16,
    },
    LmtpSocket(PathBuf),
}

/// The `[delivery]` keys that a route can change.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Port of MX hosts.
    pub port: u16,
    pub tls: TlsLevel,
    pub source: Vec<IpAddr>,
    pub helo: String,
    pub family: dns::Family,
    pub credentials: Option<Credentials>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsLevel {
    /// As the next, but what the other side publishes (DANE, MTA-STS) is not asked for: for one whose records are wrong.
    Unchecked,
    /// Taken when offered, whatever the certificate; plain when the handshake fails. More where the other side publishes that it
    /// can be had: with DANE or MTA-STS no mail goes without a certificate that fits them. So it is with the next two.
    Opportunistic,
    /// No mail without TLS, whatever the certificate.
    Required,
    /// No mail without a certificate that is valid for the host's name, or that the host's TLSA records name.
    Verified,
    /// No mail to a host without TLSA records that DNSSEC vouches for (RFC 7672 §6).
    Dane,
}

#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: String,
    pub proof: Proof,
}

/// What shows that we are the user.
#[derive(Debug, Clone)]
pub enum Proof {
    Password(Secret<String>),
    /// For OAUTHBEARER (RFC 7628) and XOAUTH2.
    Token(Secret<String>),
}

impl PartialEq for Credentials {
    /// Of one configuration: the same user means the same proof.
    fn eq(&self, other: &Self) -> bool {
        self.user == other.user
    }
}

/// A route resolved: what limits and connections belong to. Equal keys are served by the same hosts on the same terms.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DestinationKey(pub String);

#[derive(Debug, Clone)]
pub struct Destination {
    pub key: DestinationKey,
    pub route: Route,
    /// In the order in which they are to be tried.
    pub hosts: Vec<NamedHost>,
    pub published: Published,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedHost {
    /// What its certificate must be valid for, and what the trail calls it.
    pub name: String,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Looked up when it is called; port and whether TLS comes first.
    Host {
        host: Host,
        port: u16,
        implicit_tls: bool,
    },
    Socket(PathBuf),
}

/// Why a route leads nowhere now, or never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    pub permanent: bool,
    /// As in a reply: `556 5.1.10 …` (null MX), `550 5.1.2 …` (no such domain), `451 4.4.3 …`, `554 5.4.6 …` (loop).
    pub reply: String,
}

/// One message on its way to recipients of one destination.
#[derive(Debug, Clone)]
pub struct Errand {
    pub message: Arc<Outgoing>,
    pub recipients: Vec<ErrandRecipient>,
}

#[derive(Debug)]
pub struct Outgoing {
    pub id: Id,
    pub reverse_path: ReversePath,
    /// Of MAIL, in SMTP's syntax.
    pub parameters: String,
    pub trace: Bytes,
    pub body: Body,
    /// Submitted here by an account: such mail may be signed again when it has to be re-encoded.
    pub ours: bool,
}

#[derive(Debug, Clone)]
pub struct ErrandRecipient {
    pub position: u32,
    pub address: Address,
    /// Of RCPT, in SMTP's syntax.
    pub parameters: String,
}

/// What became of one recipient in one attempt.
#[derive(Debug, Clone)]
pub struct Carried {
    pub position: u32,
    pub outcome: Outcome,
    /// Host, address and port that gave the answer; the destination's name when none did; empty when nobody was asked.
    pub host: String,
    /// Protocol version and cipher.
    pub tls: Option<String>,
    /// The other server's words in full, or ours when it said none, beginning with a code.
    pub reply: String,
    /// They are the other server's.
    pub theirs: bool,
    /// Anything the trail should tell besides (a signature broken by re-encoding, say).
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Delivered {
        /// The next server took over the duty to notify (it offered DSN); else the queue says `relayed` if asked to.
        dsn: bool,
        /// It keeps an eye on the time, too (it offered DELIVERBY).
        deliver_by: bool,
    },
    /// To be tried again by the schedule. `slow` when it says something about the destination (a failed connection,
    /// 421, MAIL refused), not about this recipient or message.
    Deferred {
        slow: bool,
    },
    Failed,
    /// The transaction was full before this one's turn: to be sent at once in another.
    NotTried,
}

/// A future that a trait object can return.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whoever carries the queue's mail: [`crate::Transport`], or a simulated network in tests.
pub trait Carrier: Send + Sync + 'static {
    /// Resolves a route to its hosts.
    fn locate<'a>(&'a self, route: &'a Route) -> Boxed<'a, Result<Destination, Unreachable>>;

    /// Makes one attempt for all recipients and answers for each of them exactly once. Bounded in time.
    fn carry<'a>(&'a self, destination: &'a Destination, errand: Errand) -> Boxed<'a, Vec<Carried>>;
}
