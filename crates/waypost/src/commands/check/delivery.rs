//! `waypost check delivery`: the whole way to an address, up to RCPT, each step in plain words.

mod steps;
mod talk;

use crate::client::{Here, Place};
use crate::config::{Config, Delivery, Family, Match, Peer, Target};
use crate::exit::{Exit, Failure};
use crate::privileges;
use address::{Address, Domain, Host, ReversePath};
use admin::recipient::{Resolve, Resolved, Target as Copy};
use dns::{DnsError, Lookup as _, MxLookup, Resolver};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use steps::{Report, Stopped};
use talk::Talk;

/// There is an installation where there is this.
const DATABASE: &str = "waypost.db";

pub(super) struct Question<'a> {
    pub(super) address: &'a Address,
    pub(super) from: &'a ReversePath,
    pub(super) config: Option<&'a Config>,
    pub(super) dns: Vec<SocketAddr>,
}

pub(super) fn run(question: &Question<'_>, json: bool) -> Result<Exit, Failure> {
    let mut report = Report::new(question.address);
    let data = question.config.filter(|config| config.data.join(DATABASE).exists());
    if let Some(config) = data {
        // Before the runtime: the change must be that of all threads.
        privileges::become_user(config.user.as_deref())?;
    }
    let way = Way { question, here: Here::new(question.config) };
    let outcome = crate::client::block_on(async {
        Ok(way.follow(data.map(|config| &*config.data), &mut report).await)
    })?;
    report.finish(outcome, json)
}

struct Way<'a> {
    question: &'a Question<'a>,
    here: Here,
}

/// One host to try, in its order.
struct Candidate {
    place: Place,
    /// None of a socket.
    addresses: Vec<IpAddr>,
}

impl Way<'_> {
    async fn follow(&self, data: Option<&Path>, report: &mut Report) -> Result<(), Stopped> {
        let address = self.question.address;
        let utf8 =
            if address.needs_smtputf8() { " (every server on the way must know SMTPUTF8)" } else { "" };
        report.good("syntax", format!("{address} is a well-formed address{utf8}"));
        let resolved = match data {
            Some(data) => ask_directory(data, address, report).await,
            None => Resolved::Elsewhere,
        };
        match resolved {
            Resolved::Elsewhere => self.carry(self.route().unwrap_or_else(|| self.otherwise()), report).await,
            Resolved::Unknown => {
                let text = format!("the domain of {address} is ours, and has no such address");
                Err(Stopped::no(
                    "directory",
                    text,
                    "`waypost account list` and `alias list` show those there are",
                ))
            }
            Resolved::Disabled => {
                let text = format!("{address} is disabled");
                Err(Stopped::no("directory", text, "`waypost account show` says more"))
            }
            Resolved::Relay { to } => {
                report.good("directory", format!("{address} is of a relay domain, whose mail goes to {to}"));
                self.carry(self.route().unwrap_or_else(|| self.relay(&to)), report).await
            }
            Resolved::Here(targets) => self.follow_targets(&targets, report).await,
        }
    }

    /// All who get a copy: the first that does not is the answer.
    async fn follow_targets(&self, targets: &[Copy], report: &mut Report) -> Result<(), Stopped> {
        for target in targets {
            let (address, otherwise) = match target {
                Copy::Account(address) => {
                    report.good("directory", format!("it goes to the mailbox of {address}"));
                    (address, None)
                }
                Copy::Address(address) => {
                    report.good("directory", format!("an alias leads on to {address}"));
                    (address, Some(self.otherwise()))
                }
            };
            let question = Question { address, dns: self.question.dns.clone(), ..*self.question };
            let way = Way { question: &question, here: self.here.clone() };
            if let Some(delivery) = way.route().or(otherwise) {
                way.carry(delivery, report).await?;
            }
        }
        Ok(())
    }

    /// Off to another host, as far as RCPT.
    async fn carry(&self, delivery: Delivery, report: &mut Report) -> Result<(), Stopped> {
        let candidates = match &delivery.to {
            Target::Mx => self.by_mx(&delivery, report).await?,
            Target::Smtp { peer, .. } | Target::Lmtp(peer) => {
                report.good("route", format!("it is sent to {}", delivery.to));
                vec![self.candidate(&delivery, peer.clone(), report).await?]
            }
            Target::LmtpSocket(socket) => {
                report.good("route", format!("it is sent to {}", delivery.to));
                vec![Candidate { place: Place::Unix(socket.clone()), addresses: Vec::new() }]
            }
            Target::Mailbox | Target::Hold | Target::Discard => {
                let what = format!("the configuration says {}: it does not leave this machine", delivery.to);
                report.good("route", what);
                return Ok(());
            }
        };
        Talk { question: self.question, here: &self.here, delivery: &delivery }.with(candidates, report).await
    }

    /// The first route that matches, as the queue takes it.
    fn route(&self) -> Option<Delivery> {
        let matches = |matches: &Match| match matches {
            Match::Domain(pattern) => {
                self.question.address.domain().is_some_and(|domain| pattern.matches(domain))
            }
            Match::Sender(pattern) => pattern.matches(self.question.from),
        };
        let route = self.question.config?.routes.iter().find(|route| matches(&route.matches));
        route.map(|route| route.delivery.clone())
    }

    /// What holds where no route does.
    fn otherwise(&self) -> Delivery {
        self.question.config.map(|config| config.delivery.clone()).unwrap_or_default()
    }

    /// To the next host of a relay domain. The password is for the smart host only.
    fn relay(&self, to: &str) -> Delivery {
        Delivery { to: to.parse().unwrap_or(Target::Mx), credentials: None, ..self.otherwise() }
    }

    async fn by_mx(&self, delivery: &Delivery, report: &mut Report) -> Result<Vec<Candidate>, Stopped> {
        let at = |host: Domain| Peer { host: Host::Domain(host), port: delivery.port };
        let domain = match self.question.address.host() {
            Host::Domain(domain) => domain,
            Host::Literal(literal) => {
                report.good("domain", format!("{literal} is an address: no name is looked up"));
                let peer = Peer { host: Host::Literal(*literal), port: delivery.port };
                return Ok(vec![Candidate { place: Place::Tcp(peer), addresses: vec![literal.ip()] }]);
            }
        };
        let resolver = self.resolver()?;
        let found = resolver.mx(domain, 0).await.map_err(|error| Stopped::dns("domain", &error))?;
        let peers = match found {
            MxLookup::NullMx => {
                let text = format!("{domain} says that it takes no mail at all (a null MX, RFC 7505)");
                return Err(Stopped::no("domain", text, "write to another address"));
            }
            MxLookup::Implicit(host) => {
                report.good(
                    "domain",
                    format!("{domain} has no MX record, so that it is its own mail host (RFC 5321 §5.1)"),
                );
                vec![at(host)]
            }
            MxLookup::Hosts { hosts, skipped } => {
                let shown: Vec<String> =
                    hosts.iter().map(|mx| format!("{} ({})", mx.host, mx.preference)).collect();
                report.good("domain", format!("mail for {domain} goes to {}", shown.join(", ")));
                for passed in skipped {
                    report.doubt("domain", format!("an MX record is passed over: {}", passed.reason));
                }
                hosts.into_iter().map(|mx| at(mx.host)).collect()
            }
        };
        let mut candidates = Vec::new();
        let mut failed = None;
        for peer in peers {
            match self.candidate(delivery, peer, report).await {
                Ok(candidate) => candidates.push(candidate),
                Err(stopped) => {
                    report.doubt("addresses", stopped.text.clone());
                    failed = Some(stopped);
                }
            }
        }
        match failed {
            Some(stopped) if candidates.is_empty() => Err(stopped),
            _ => Ok(candidates),
        }
    }

    fn resolver(&self) -> Result<Resolver, Stopped> {
        let settings = dns::Settings { servers: self.question.dns.clone(), ..dns::Settings::default() };
        Resolver::new(&settings).map_err(|error| Stopped::dns("domain", &error))
    }

    async fn candidate(
        &self,
        delivery: &Delivery,
        peer: Peer,
        report: &mut Report,
    ) -> Result<Candidate, Stopped> {
        let addresses = match &peer.host {
            Host::Literal(literal) => vec![literal.ip()],
            Host::Domain(name) => {
                let (family, only) = match delivery.family {
                    Family::Both => (dns::Family::Both, ""),
                    Family::Ipv4 => (dns::Family::V4, " (by delivery.family IPv4 only)"),
                    Family::Ipv6 => (dns::Family::V6, " (by delivery.family IPv6 only)"),
                };
                let found = self.resolver()?.addresses(name, family).await;
                let found = found.map_err(|error: DnsError| Stopped::dns("addresses", &error))?;
                let shown: Vec<String> = found.iter().map(IpAddr::to_string).collect();
                report.good("addresses", format!("{name} is {}{only}", shown.join(", ")));
                found
            }
        };
        Ok(Candidate { place: Place::Tcp(peer), addresses })
    }
}

/// Asked of the running server, or of the data. Who may not ask sees the way that others' mail takes.
async fn ask_directory(data: &Path, address: &Address, report: &mut Report) -> Resolved {
    let asked = async {
        let client = admin::Client::open(data).await?;
        client.call(Resolve { address: address.clone() }).await
    };
    asked.await.unwrap_or_else(|error| {
        report.doubt("directory", format!("whether {address} is ours cannot be found out: {error}"));
        Resolved::Elsewhere
    })
}
