//! `waypost check delivery`: the whole way to an address, up to RCPT, each step in plain words.

mod steps;

use crate::client::{Client, Error, Here, Place, Settings, Transcript, Turn};
use crate::config::{Config, Delivery, Match, Peer, Target, TlsLevel};
use crate::exit::{Exit, Failure};
use address::{Address, Domain, Host, ReversePath};
use dns::{DnsError, Lookup as _, MxLookup, Resolver};
use net::Endpoint;
use smtp::Reply;
use smtp::client::Protocol;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use steps::{Report, Stopped};

/// How long one address may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Question<'a> {
    pub(super) address: &'a Address,
    pub(super) from: &'a ReversePath,
    pub(super) config: Option<&'a Config>,
    pub(super) dns: Vec<SocketAddr>,
}

pub(super) fn run(question: &Question<'_>, json: bool) -> Result<Exit, Failure> {
    let mut report = Report::new(question.address);
    let outcome = crate::client::block_on(async {
        let way = Way { question, here: Here::new(question.config) };
        Ok(way.follow(&mut report).await)
    })?;
    report.finish(outcome, json)
}

struct Way<'a> {
    question: &'a Question<'a>,
    here: Here,
}

/// One host to try, in its order.
struct Candidate {
    peer: Peer,
    addresses: Vec<IpAddr>,
}

impl Way<'_> {
    async fn follow(&self, report: &mut Report) -> Result<(), Stopped> {
        let address = self.question.address;
        let utf8 =
            if address.needs_smtputf8() { " (every server on the way must know SMTPUTF8)" } else { "" };
        report.good("syntax", format!("{address} is a well-formed address{utf8}"));
        let delivery = self.route();
        let candidates = match &delivery.to {
            Target::Mx => self.by_mx(&delivery, report).await?,
            Target::Smtp { peer, .. } | Target::Lmtp(peer) => {
                report.good("route", format!("the configuration sends it to {}", delivery.to));
                vec![self.candidate(peer.clone(), report).await?]
            }
            Target::LmtpSocket(_) | Target::Mailbox | Target::Hold | Target::Discard => {
                let what = format!("the configuration says {}: it does not leave this machine", delivery.to);
                report.good("route", what);
                return Ok(());
            }
        };
        let (mut client, settings) = self.connect(&delivery, candidates, report).await?;
        let done = self.talk(&mut client, &settings, &delivery, report).await;
        client.quit().await;
        done
    }

    /// The first route that matches, as the queue takes it.
    fn route(&self) -> Delivery {
        let Some(config) = self.question.config else { return Delivery::default() };
        let matches = |matches: &Match| match matches {
            Match::Domain(pattern) => {
                self.question.address.domain().is_some_and(|domain| pattern.matches(domain))
            }
            Match::Sender(pattern) => pattern.matches(self.question.from),
        };
        let route = config.routes.iter().find(|route| matches(&route.matches));
        route.map_or_else(|| config.delivery.clone(), |route| route.delivery.clone())
    }

    async fn by_mx(&self, delivery: &Delivery, report: &mut Report) -> Result<Vec<Candidate>, Stopped> {
        let at = |host: Domain| Peer { host: Host::Domain(host), port: delivery.port };
        let domain = match self.question.address.host() {
            Host::Domain(domain) => domain,
            Host::Literal(literal) => {
                report.good("domain", format!("{literal} is an address: no name is looked up"));
                let peer = Peer { host: Host::Literal(*literal), port: delivery.port };
                return Ok(vec![Candidate { peer, addresses: vec![literal.ip()] }]);
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
            match self.candidate(peer, report).await {
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

    async fn candidate(&self, peer: Peer, report: &mut Report) -> Result<Candidate, Stopped> {
        let addresses = match &peer.host {
            Host::Literal(literal) => vec![literal.ip()],
            Host::Domain(name) => {
                let found = self.resolver()?.addresses(name, dns::Family::Both).await;
                let found = found.map_err(|error: DnsError| Stopped::dns("addresses", &error))?;
                let shown: Vec<String> = found.iter().map(IpAddr::to_string).collect();
                report.good("addresses", format!("{name} is {}", shown.join(", ")));
                found
            }
        };
        Ok(Candidate { peer, addresses })
    }

    /// The first that answers, as the queue would take it.
    async fn connect(
        &self,
        delivery: &Delivery,
        candidates: Vec<Candidate>,
        report: &mut Report,
    ) -> Result<(Client, Settings), Stopped> {
        let mut last = None;
        for Candidate { peer, addresses } in candidates {
            for ip in addresses {
                let settings = self.settings(delivery, &peer);
                let source = delivery.source.iter().find(|own| own.is_ipv4() == ip.is_ipv4()).copied();
                let target = Endpoint::Tcp(SocketAddr::new(ip, peer.port));
                let connected = match net::connect(&target, source, CONNECT_TIMEOUT).await {
                    Ok(stream) => Client::over(stream, &settings, Transcript::silent()).await,
                    Err(error) => Err(error.into()),
                };
                match connected {
                    Ok(client) => {
                        report.good("connect", format!("{} answers at {target}", peer.host));
                        return Ok((client, settings));
                    }
                    Err(error) => {
                        report.doubt("connect", error.to_string());
                        last = Some(error);
                    }
                }
            }
        }
        let why = last.map_or_else(|| "there is no address to call".to_owned(), |error| error.to_string());
        let hint =
            "many networks block port 25 on the way out: ask the provider, or send through a smart host";
        Err(Stopped::later("connect", format!("no mail host answers; the last: {why}"), hint))
    }

    fn settings(&self, delivery: &Delivery, peer: &Peer) -> Settings {
        let mut settings = Settings::new(Place::Tcp(peer.clone()), self.here.helo(delivery.helo.as_ref()));
        settings.verified = delivery.tls == TlsLevel::Verified;
        settings.implicit_tls = matches!(delivery.to, Target::Smtp { implicit_tls: true, .. });
        if matches!(delivery.to, Target::Lmtp(_)) {
            settings.protocol = Protocol::Lmtp;
        }
        settings
    }

    async fn talk(
        &self,
        client: &mut Client,
        settings: &Settings,
        delivery: &Delivery,
        report: &mut Report,
    ) -> Result<(), Stopped> {
        let turn = client.greet().await.map_err(|error| Stopped::of("greeting", &error))?;
        let Turn::Ready(reply) = turn else {
            return Err(Stopped::later("greeting", "no greeting".into(), ""));
        };
        let name = reply.lines().first().cloned().unwrap_or_default();
        report
            .good("greeting", format!("it greets us and takes our name {} (its own: {name})", settings.helo));
        self.secure(client, settings, delivery, report).await?;
        let (from, address) = (self.question.from, self.question.address);
        if address.needs_smtputf8() && !client.capabilities().smtputf8 {
            let text = "the server does not know SMTPUTF8, which this address needs".to_owned();
            return Err(Stopped::no("mail", text, "ask the recipient for an address in ASCII"));
        }
        let utf8 = if address.needs_smtputf8() || from.address().is_some_and(Address::needs_smtputf8) {
            " SMTPUTF8"
        } else {
            ""
        };
        let reply = say(client, "mail", &format!("MAIL FROM:{from}{utf8}")).await?;
        if !reply.is_positive() {
            return Err(Stopped::refused("mail", &format!("the sender {from} is refused"), &reply));
        }
        report.good("mail", format!("the sender {from} is taken: {reply}"));
        let reply = say(client, "rcpt", &format!("RCPT TO:<{address}>")).await?;
        if !reply.is_positive() {
            return Err(Stopped::refused("rcpt", &format!("the recipient {address} is refused"), &reply));
        }
        report.good("rcpt", format!("the recipient {address} is taken: {reply}"));
        Ok(())
    }

    async fn secure(
        &self,
        client: &mut Client,
        settings: &Settings,
        delivery: &Delivery,
        report: &mut Report,
    ) -> Result<(), Stopped> {
        let turn = client.secure(settings).await.map_err(|error| Stopped::of("tls", &error))?;
        if let Some(Turn::Refused { reply, .. }) = turn {
            report.doubt("tls", format!("STARTTLS is offered and refused: {reply}"));
        }
        match client.tls() {
            Some(tls) => {
                let verified = tls.peer_certificate.as_ref().is_some_and(|certificate| certificate.verified);
                let certificate = if verified { "a valid" } else { "an unverified" };
                report.good("tls", format!("{} {}, {certificate} certificate", tls.version, tls.cipher));
            }
            None if delivery.tls != TlsLevel::Opportunistic => {
                let text = "the server offers no TLS, which the configuration requires".to_owned();
                return Err(Stopped::no("tls", text, "see delivery.tls, or make a [[route]] for the domain"));
            }
            None => report.doubt("tls", "the server offers no TLS: mail goes to it in the clear".to_owned()),
        }
        Ok(())
    }
}

async fn say(client: &mut Client, step: &'static str, line: &str) -> Result<Reply, Stopped> {
    let asked = async {
        client.raw_line(line).await?;
        client.reply().await
    };
    asked.await.map_err(|error: Error| Stopped::of(step, &error))
}
