//! What an administrator decides about mail that arrives.

use super::finding::Check;
use super::greylist::GreylistRules;
use super::lists::List;
use super::rates::RateRules;
use address::Domain;
use ipnet::IpNet;
use std::collections::HashMap;

/// What follows when a check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Not even told.
    Nothing,
    /// Told in Authentication-Results and the trail.
    Mark,
    /// Taken, into Junk.
    Quarantine,
    Reject,
}

/// The action of each check, and whether those that have settings of their own say anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub iprev: Action,
    pub helo: Action,
    pub helo_sends: Action,
    pub sender_domain: Action,
    pub spf: Action,
    pub dkim: Action,
    /// The most that is done of what the author's domain asks for.
    pub dmarc: Action,
    pub own_domain: Action,
    /// Of all lists together.
    pub thresholds: Thresholds,
    /// Who has not sent here before is asked to come back.
    pub greylist: bool,
}

impl Default for Rules {
    /// Those that hit nobody who sends honestly: what a domain says of itself is believed, all else is told only.
    fn default() -> Self {
        Self {
            iprev: Action::Mark,
            helo: Action::Mark,
            helo_sends: Action::Reject,
            sender_domain: Action::Mark,
            spf: Action::Mark,
            dkim: Action::Mark,
            dmarc: Action::Reject,
            own_domain: Action::Mark,
            thresholds: Thresholds::default(),
            greylist: false,
        }
    }
}

impl Rules {
    pub fn of(&self, check: Check) -> Action {
        match check {
            Check::Iprev => self.iprev,
            Check::Helo => self.helo,
            Check::HeloSends => self.helo_sends,
            Check::SenderDomain => self.sender_domain,
            Check::Spf => self.spf,
            // Told with the sender's; that a host never sends is a check of its own.
            Check::SpfHelo => self.spf.min(Action::Mark),
            Check::Dkim => self.dkim,
            // A chain says something only of what DMARC says.
            Check::Dmarc | Check::Arc => self.dmarc,
            Check::OwnDomain => self.own_domain,
            // These have settings of their own, and are told when they say something.
            Check::List | Check::Greylist | Check::Rate => Action::Mark,
        }
    }
}

/// Points of all lists together from which something follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    pub quarantine: i32,
    pub reject: i32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { quarantine: 5, reject: 10 }
    }
}

/// One immutable snapshot; a reload swaps it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our name in Authentication-Results.
    pub hostname: Domain,
    pub rules: Rules,
    /// For recipients of these domains instead.
    pub domains: HashMap<Domain, Rules>,
    pub lists: Vec<List>,
    /// For those whose [`Rules`] have greylisting.
    pub greylist: GreylistRules,
    /// Domains whose ARC seals vouch for what was so before they changed a message (RFC 8617 §7.2.1).
    pub trusted_sealers: Vec<Domain>,
    pub rates: RateRules,
    /// Networks that are neither greylisted nor held to rates.
    pub exempt: Vec<IpNet>,
}

impl Settings {
    pub fn new(hostname: Domain) -> Self {
        Self {
            hostname,
            rules: Rules::default(),
            domains: HashMap::new(),
            lists: Vec::new(),
            greylist: GreylistRules::default(),
            rates: RateRules::default(),
            trusted_sealers: Vec::new(),
            exempt: Vec::new(),
        }
    }

    /// The rules for mail to a domain.
    pub fn rules_for(&self, domain: Option<&Domain>) -> &Rules {
        domain.and_then(|domain| self.domains.get(domain)).unwrap_or(&self.rules)
    }

    /// Whether the check matters to anybody here.
    pub(super) fn is_wanted(&self, check: Check) -> bool {
        self.domains.values().chain([&self.rules]).any(|rules| rules.of(check) > Action::Nothing)
    }
}
