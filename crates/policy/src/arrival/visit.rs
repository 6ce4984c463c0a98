//! One client, from its connection on: what can be known before a message comes.
//!
//! Look-ups begin at MAIL, all at once, and run beside the dialogue: thousands may connect and say their names without ever
//! sending, and a look-up that gets no answer holds more memory than such a client. What follows is decided at RCPT, when it
//! is known whose rules hold; nobody is refused before, so that the trail says for whom a refused message was.

use super::finding::{Check, Finding, Weight};
use super::greylist::{Answer, Attempt};
use super::judge::judge;
use super::lists::{self, Listing};
use super::message::MessageChecks;
use super::name::ReverseName;
use super::pending::Pending;
use super::sender;
use super::settings::Settings;
use super::{Arrival, hello};
use crate::{Network, Verdict, is_exempt};
use address::{Address, Domain, ReversePath};
use mailauth::spf::{self, SpfResult};
use smtp::reply::Reply;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time of all look-ups of one kind together: what RFC 7208 §4.6.4 grants SPF, and a little more, so that its own
/// words come first.
pub(super) const WAIT: Duration = spf::MAX_ELAPSED.saturating_add(Duration::from_secs(1));
/// Names that must get every message that is about mail itself (RFC 5321 §4.5.1, RFC 2142 §4 and §5).
const OFFICES: [&str; 2] = ["postmaster", "abuse"];

/// A client that neither logged in nor is on this machine or in a trusted network.
#[derive(Debug)]
pub struct Visit {
    pub(super) arrival: Arc<Arrival>,
    pub(super) settings: Arc<Settings>,
    pub(super) ip: IpAddr,
    /// Of the address; asked with the first sender, as is what follows for the name.
    listings: Option<Pending<Vec<Listing>>>,
    hello: Option<Introduced>,
    /// In a box, as most connections have none most of the time.
    sender: Option<Box<Sender>>,
}

/// The client has said its name.
#[derive(Debug)]
struct Introduced {
    name: String,
    sends: Option<Pending<Finding>>,
    /// SPF of the name, asked with the first sender that is not it.
    spf: Option<Pending<SpfResult>>,
}

/// A transaction has begun.
#[derive(Debug)]
struct Sender {
    path: ReversePath,
    spf: Pending<SpfResult>,
    domain: Pending<Finding>,
    listings: Pending<Vec<Listing>>,
    /// What all recipients are judged by, once it is known.
    findings: Option<Vec<Finding>>,
    /// The answer to the first recipient, which holds for all (RFC 6647 §5).
    greylisted: Option<Verdict>,
}

impl Visit {
    pub(super) fn new(arrival: Arc<Arrival>, ip: IpAddr) -> Self {
        let (settings, ip) = (arrival.settings(), ip.to_canonical());
        Self { arrival, settings, ip, listings: None, hello: None, sender: None }
    }

    /// EHLO or HELO, with a name as it came.
    pub fn hello(&mut self, name: &str) {
        self.hello = Some(Introduced { name: name.to_owned(), sends: None, spf: None });
        self.sender = None;
    }

    /// TLS has begun: the client says its name anew.
    pub fn forget(&mut self) {
        self.hello = None;
        self.sender = None;
    }

    /// MAIL: whether the client and the sender keep to their rates. `now` is of arrival, twice: `unix` in seconds since
    /// 1970.
    pub fn mail(&mut self, from: &ReversePath, now: Instant, unix: u64) -> Verdict {
        self.sender = None;
        if !is_exempt(&self.settings.exempt, self.ip)
            && let Err((whose, wait)) = self.arrival.rates.check(self.ip, from, now)
        {
            let minutes = wait.0.as_secs() / 60 + 1;
            let words = format!("too many messages from {whose}, try again in {minutes} minutes");
            return Verdict::refuse(Reply::new(450, (4, 7, 1), &words), format!("rate={words}"));
        }
        self.ask_about_client();
        if from.address().is_some() {
            self.ask_spf_of_name(unix);
        }
        let domain = from.address().and_then(Address::domain).cloned();
        self.sender = Some(Box::new(Sender {
            path: from.clone(),
            spf: self.ask_spf(from.address(), unix),
            domain: self.ask_domain(domain.clone()),
            listings: self.ask_lists(domain.into_iter().collect()),
            findings: None,
            greylisted: None,
        }));
        Verdict::Accept
    }

    /// What does not depend on the sender, once.
    fn ask_about_client(&mut self) {
        let ip = self.ip;
        let (arrival, settings) = (&self.arrival, &self.settings);
        self.listings.get_or_insert_with(|| {
            if settings.lists.is_empty() {
                return Pending::known(Vec::new());
            }
            let (arrival, settings) = (Arc::clone(arrival), Arc::clone(settings));
            Pending::begin(WAIT, async move {
                lists::of_address(&arrival.dns, &settings.lists, &arrival.health, ip).await
            })
        });
        let Some(hello) = &mut self.hello else { return };
        let name = &hello.name;
        hello.sends.get_or_insert_with(|| {
            if !settings.is_wanted(Check::HeloSends) {
                return Pending::known(Finding::new(Check::HeloSends, Weight::Fine, "none", ""));
            }
            let (dns, host) = (Arc::clone(&arrival.dns), name.clone());
            Pending::begin(WAIT, async move { sender::host_sends(&dns, &host).await })
        });
    }

    /// RFC 7208 §2.3: the name in HELO is checked too, once a session. Its record is mostly the one that was asked for already
    /// to know whether the host sends.
    fn ask_spf_of_name(&mut self, now: u64) {
        let unasked = |hello: &Introduced| hello.spf.is_none() && hello::is_host_name(&hello.name);
        if self.hello.as_ref().is_some_and(unasked) && self.settings.is_wanted(Check::SpfHelo) {
            let asked = self.ask_spf(None, now);
            if let Some(hello) = &mut self.hello {
                hello.spf = Some(asked);
            }
        }
    }

    /// Of a sender, or of the name in HELO, which is checked where there is none (RFC 7208 §2.4).
    fn ask_spf(&self, from: Option<&Address>, now: u64) -> Pending<SpfResult> {
        let (dns, ip, receiver) =
            (Arc::clone(&self.arrival.dns), self.ip, self.settings.hostname.to_string());
        let helo = self.hello.as_ref().map(|hello| hello.name.clone()).unwrap_or_default();
        let path = from.map(Address::to_string);
        Pending::begin(WAIT, async move {
            let identity = path.as_deref().map_or(spf::Identity::Helo, spf::Identity::MailFrom);
            let query = spf::Query { ip, helo: &helo, identity, receiver: &receiver, now };
            let names = dns::Names(&*dns);
            let checked = tokio::time::timeout(spf::MAX_ELAPSED, spf::check(&names, &query)).await;
            checked.unwrap_or_else(|_| SpfResult::timed_out(&query))
        })
    }

    fn ask_domain(&self, domain: Option<Domain>) -> Pending<Finding> {
        match domain.filter(|_| self.settings.is_wanted(Check::SenderDomain)) {
            Some(domain) => {
                let dns = Arc::clone(&self.arrival.dns);
                Pending::begin(WAIT, async move { sender::takes_mail(&dns, &domain).await })
            }
            None => Pending::known(Finding::new(Check::SenderDomain, Weight::Fine, "none", "")),
        }
    }

    fn ask_lists(&self, domains: Vec<Domain>) -> Pending<Vec<Listing>> {
        if domains.is_empty() || self.settings.lists.is_empty() {
            return Pending::known(Vec::new());
        }
        let (arrival, settings) = (Arc::clone(&self.arrival), Arc::clone(&self.settings));
        Pending::begin(WAIT, async move {
            lists::of_domains(&arrival.dns, &settings.lists, &arrival.health, &domains).await
        })
    }

    /// RCPT: whether this recipient's rules let the client in, as far as can be known now. A message that is to be put
    /// aside is accepted here.
    pub async fn recipient(&mut self, to: &Address, reverse: &ReverseName, unix_ms: i64) -> Verdict {
        if is_office(to) {
            return Verdict::Accept;
        }
        let settings = Arc::clone(&self.settings);
        let findings = self.findings(reverse).await;
        let verdict = judge(&findings, settings.rules_for(to.domain()));
        if !verdict.is_taken() {
            return verdict;
        }
        self.greylist(to, &findings, unix_ms).await
    }

    /// What is known of client and sender, in words for the trail; nothing before the first RCPT.
    pub fn words(&self) -> Vec<String> {
        let findings = self.sender.as_ref().and_then(|sender| sender.findings.as_ref());
        findings.into_iter().flatten().map(|finding| finding.words.clone()).collect()
    }

    /// What is known of client and sender; asked once a transaction.
    pub(super) async fn findings(&mut self, reverse: &ReverseName) -> Vec<Finding> {
        if let Some(findings) = self.sender.as_ref().and_then(|sender| sender.findings.clone()) {
            return findings;
        }
        let mut findings = vec![reverse.finding(self.ip)];
        if let Some(hello) = &mut self.hello {
            findings.push(hello::finding(&hello.name, self.ip, &self.settings.hostname));
            let sends = answer(&mut hello.sends).await.cloned();
            findings.extend(sends.or_else(|| Some(late(Check::HeloSends))));
        }
        findings.extend(answer(&mut self.listings).await.into_iter().flatten().map(Listing::finding));
        if let Some(sender) = &mut self.sender {
            findings.extend(sender.domain.get().await.cloned().or_else(|| Some(late(Check::SenderDomain))));
            findings.extend(sender.listings.get().await.into_iter().flatten().map(Listing::finding));
            let of = |result| sender::spf_finding(Check::Spf, result);
            findings.push(sender.spf.get().await.map_or_else(|| late(Check::Spf), of));
        }
        let of_name = self.helo_spf().await;
        findings.extend(of_name.map(|(result, _)| sender::spf_finding(Check::SpfHelo, &result)));
        if let Some(sender) = &mut self.sender {
            sender.findings = Some(findings.clone());
        }
        findings
    }

    async fn greylist(&mut self, to: &Address, findings: &[Finding], unix_ms: i64) -> Verdict {
        let settings = Arc::clone(&self.settings);
        let is_good = |finding: &Finding| matches!(finding.weight, Weight::Points(points) if points < 0);
        let wanted = settings.rules_for(to.domain()).greylist;
        let Some(sender) = self.sender.as_mut().filter(|_| wanted) else { return Verdict::Accept };
        if is_exempt(&settings.exempt, self.ip) || findings.iter().any(is_good) {
            return Verdict::Accept;
        }
        if let Some(verdict) = &sender.greylisted {
            return verdict.clone();
        }
        let (rules, verified) = (&settings.greylist, sender.spf.get().await.is_some_and(sender::vouches));
        if verified && !rules.ask_verified {
            return Verdict::Accept;
        }
        let attempt = Attempt { ip: self.ip, sender: &sender.path, recipient: to, verified };
        let (greylist, store) = (&self.arrival.greylist, &self.arrival.store);
        let answer = greylist.check(store, rules, &attempt, Instant::now(), unix_ms).await;
        let network = Network::neighbours(self.ip);
        let verdict = match answer {
            Ok(Answer::Known) => Verdict::Accept,
            Ok(Answer::Passed) => {
                tracing::info!(%network, sender = %sender.path, "greylisting: came back, and is known now");
                Verdict::Accept
            }
            Ok(Answer::Wait(left)) => {
                let seconds = left.as_secs().max(1);
                let words = format!("greylisted: try again in {seconds} seconds");
                let reason = format!("greylist=wait: {network} has not sent from this domain before");
                Verdict::refuse(Reply::new(450, (4, 7, 1), words), reason)
            }
            Err(error) => {
                tracing::warn!(%error, "greylisting is passed over");
                Verdict::Accept
            }
        };
        sender.greylisted = Some(verdict.clone());
        verdict
    }

    /// The header of a message is there. `now` is in seconds since 1970.
    pub fn message(&self, header: &[u8], now: u64) -> MessageChecks {
        MessageChecks::new(self, header, now)
    }

    /// The result of SPF for MAIL FROM, and what was looked at.
    pub(super) async fn spf(&mut self) -> Option<(SpfResult, sender::Identity)> {
        let helo = self.hello.as_ref().map(|hello| hello.name.clone()).unwrap_or_default();
        let sender = self.sender.as_mut()?;
        let identity = match sender.path.address() {
            Some(address) => sender::Identity::MailFrom(address.clone()),
            None => sender::Identity::Helo(helo),
        };
        sender.spf.get().await.cloned().map(|result| (result, identity))
    }

    /// The result of SPF for the name in HELO, where it has a record and is not what was looked at for the sender.
    pub(super) async fn helo_spf(&mut self) -> Option<(SpfResult, sender::Identity)> {
        self.sender.as_ref().and_then(|sender| sender.path.address())?;
        let hello = self.hello.as_mut()?;
        let result = hello.spf.as_mut()?.get().await.filter(|result| result.word != spf::ResultWord::None)?;
        Some((result.clone(), sender::Identity::Helo(hello.name.clone())))
    }

    pub(super) async fn all_listings(&mut self) -> Vec<Listing> {
        let mut all = answer(&mut self.listings).await.cloned().unwrap_or_default();
        if let Some(sender) = &mut self.sender {
            all.extend(sender.listings.get().await.cloned().unwrap_or_default());
        }
        all
    }
}

/// Of a look-up that the first sender began.
async fn answer<T: Send + 'static>(asked: &mut Option<Pending<T>>) -> Option<&T> {
    asked.as_mut()?.get().await
}

/// A look-up did not end in time.
fn late(check: Check) -> Finding {
    Finding::new(check, Weight::Unknown, "temperror", "the DNS did not answer in time")
}

/// Whether the address must be reachable whatever a client is thought to be.
pub(super) fn is_office(address: &Address) -> bool {
    OFFICES.iter().any(|office| address.local().as_str().eq_ignore_ascii_case(office))
}
