//! Lists of addresses and domains in the DNS, of the bad and of the good (RFC 5782).
//!
//! Each list has points: above 0 for the bad, below 0 for the good. What is listed adds them up, and the settings say from
//! which sum something follows. An answer counts only within 127/8, and only from a list that passed its test
//! ([`health`]): one that has gone, sold its domain or lists everybody says nothing of anybody.

mod codes;
mod health;
mod registered;
mod survey;

pub use codes::Codes;
pub(super) use health::{Health, INTERVAL};
pub use survey::{Answer, survey};

use super::finding::{Check, Finding, Weight};
use address::Domain;
use dns::Lookup;
use registered::registered;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Most lists that are asked: each is a look-up for every message.
pub const MAX_LISTS: usize = 32;
/// Most domains of one message that are asked about: the text can name any number.
pub const MAX_DOMAINS: usize = 20;
/// How long a list may take. A list that is silent lists nobody.
const WAIT: Duration = Duration::from_secs(5);
/// How long the words that a list has for an entry may take.
const WORDS_WAIT: Duration = Duration::from_secs(2);
/// Octets kept of those words.
const MAX_WORDS: usize = 255;

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Addresses of clients (DNSBL, DNSWL).
    Addresses,
    /// Domains: of the sender, the author, and of links in the text (RHSBL, URIBL).
    Domains,
}

/// One list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    pub zone: Domain,
    pub kind: Kind,
    /// What an entry counts; below 0: a list of the good.
    pub points: i32,
    /// Which answers count. Empty: all of 127/8 but 127.255.255/24, where lists put their errors.
    pub codes: Vec<Codes>,
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) zone: Domain,
    /// The address or domain.
    pub(super) subject: String,
    pub(super) points: i32,
    /// The answers that count.
    pub(super) answers: Vec<Ipv4Addr>,
    /// What the list says about it.
    pub(super) text: Option<String>,
}

impl Listing {
    pub(super) fn finding(&self) -> Finding {
        let Self { zone, subject, points, .. } = self;
        let answers: Vec<String> = self.answers.iter().map(ToString::to_string).collect();
        let mut reason = format!("{subject} is in {zone} ({}, {points} points)", answers.join(" "));
        if let Some(text) = &self.text {
            let _ = write!(reason, ", which says: {text}");
        }
        Finding::new(Check::List, Weight::Points(*points), "listed", &reason)
    }
}

impl List {
    /// The answers that count, out of those that came.
    fn relevant(&self, answers: Vec<IpAddr>) -> Vec<Ipv4Addr> {
        let v4 = answers.into_iter().filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None });
        v4.filter(|ip| codes::counts(&self.codes, *ip)).collect()
    }
}

/// The entries of a client's address.
pub(super) async fn of_address(
    dns: &Arc<dyn Lookup>,
    lists: &[List],
    health: &Health,
    ip: IpAddr,
) -> Vec<Listing> {
    let ip = ip.to_canonical();
    let usable =
        lists.iter().filter(|list| list.kind == Kind::Addresses && health.is_usable(list, ip.is_ipv6()));
    let questions = usable.map(|list| (list.clone(), ip.to_string(), reversed(ip))).collect();
    ask(dns, questions).await
}

/// The entries of domains, as they were registered; the first [`MAX_DOMAINS`] of those are asked about.
pub(super) async fn of_domains(
    dns: &Arc<dyn Lookup>,
    lists: &[List],
    health: &Health,
    domains: &[Domain],
) -> Vec<Listing> {
    let usable = |list: &&List| list.kind == Kind::Domains && health.is_usable(list, false);
    let mut names: Vec<&str> = Vec::new();
    for name in domains.iter().flat_map(registered) {
        if names.len() < MAX_DOMAINS && !names.contains(&name) {
            names.push(name);
        }
    }
    let questions = lists.iter().filter(usable);
    let questions = questions
        .flat_map(|list| names.iter().map(|name| (list.clone(), (*name).to_owned(), (*name).to_owned())));
    ask(dns, questions.collect()).await
}

/// Each question: the list, what is asked about, and its name below the list.
async fn ask(dns: &Arc<dyn Lookup>, questions: Vec<(List, String, String)>) -> Vec<Listing> {
    if questions.is_empty() {
        return Vec::new();
    }
    let mut tasks = JoinSet::new();
    for (index, (list, subject, name)) in questions.into_iter().enumerate() {
        let dns = Arc::clone(dns);
        tasks.spawn(async move { (index, entry(&*dns, list, subject, &name).await) });
    }
    let mut found: Vec<(usize, Listing)> = Vec::new();
    while let Some(answer) = tasks.join_next().await {
        if let Ok((index, Some(listing))) = answer {
            found.push((index, listing));
        }
    }
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, listing)| listing).collect()
}

async fn entry(dns: &dyn Lookup, list: List, subject: String, name: &str) -> Option<Listing> {
    let question = format!("{name}.{}", list.zone);
    let answers = match timeout(WAIT, dns.address_records(&question, false)).await {
        Ok(Ok(answers)) => list.relevant(answers),
        Ok(Err(error)) if error.is_temporary() => {
            tracing::info!(zone = %list.zone, subject, %error, "a list could not be asked");
            return None;
        }
        Ok(Err(_)) | Err(_) => return None,
    };
    if answers.is_empty() {
        return None;
    }
    let text = timeout(WORDS_WAIT, dns.txt(&question)).await.ok().and_then(Result::ok);
    let text = text.and_then(|records| records.into_iter().next()).map(|octets| readable(&octets));
    Some(Listing { zone: list.zone, subject, points: list.points, answers, text })
}

fn readable(octets: &[u8]) -> String {
    let octets = &octets[..octets.len().min(MAX_WORDS)];
    let plain = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { ' ' };
    octets.iter().map(plain).collect::<String>().trim().to_owned()
}

/// An address as the first labels of a name: octets, or hexadecimal digits, last first (RFC 5782 §2.1, §2.4).
fn reversed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(ip) => {
            let digits = format!("{:032x}", ip.to_bits());
            let mut labels: Vec<&str> = (0..digits.len()).map(|at| &digits[at..=at]).collect();
            labels.reverse();
            labels.join(".")
        }
    }
}

#[cfg(test)]
mod tests;
