//! `[policy]`: what to do with mail from strangers.

use super::units::{self, Text};
use address::Domain;
use policy::arrival::{Action, Codes, GreylistRules, Kind, List, MAX_LISTS, Rules, Thresholds};
use queue::RewriteFrom;
use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;

/// `[policy]` and the tables below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    pub rules: Rules,
    /// For recipients of these domains instead.
    pub domains: HashMap<Domain, Rules>,
    pub trusted_sealers: Vec<Domain>,
    pub thresholds: Thresholds,
    pub greylist: Greylist,
    pub lists: Vec<List>,
    /// Not about what comes but about what goes on.
    pub rewrite_from: RewriteFrom,
}

/// `[policy.greylist]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Greylist {
    pub enabled: bool,
    #[serde(deserialize_with = "units::duration")]
    pub delay: Duration,
    #[serde(deserialize_with = "units::positive_duration")]
    pub window: Duration,
    #[serde(deserialize_with = "units::positive_duration")]
    pub remember: Duration,
}

impl Default for Greylist {
    fn default() -> Self {
        let GreylistRules { delay, window, remember } = GreylistRules::default();
        Self { enabled: false, delay, window, remember }
    }
}

impl Greylist {
    /// None when nobody is to be greylisted.
    pub fn rules(&self) -> Option<GreylistRules> {
        let Self { enabled, delay, window, remember } = *self;
        enabled.then_some(GreylistRules { delay, window, remember })
    }
}

/// An action as it stands in the file.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Nothing,
    Mark,
    Quarantine,
    Reject,
}

impl From<Word> for Action {
    fn from(word: Word) -> Self {
        match word {
            Word::Nothing => Self::Nothing,
            Word::Mark => Self::Mark,
            Word::Quarantine => Self::Quarantine,
            Word::Reject => Self::Reject,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Raw {
    iprev: Option<Word>,
    helo: Option<Word>,
    helo_sends: Option<Word>,
    sender_domain: Option<Word>,
    spf: Option<Word>,
    dkim: Option<Word>,
    dmarc: Option<Word>,
    own_domain: Option<Word>,
    trusted_sealers: Vec<Domain>,
    quarantine_points: Option<i32>,
    reject_points: Option<i32>,
    rewrite_from: bool,
    greylist: Greylist,
    domain: Vec<RawDomain>,
    list: Vec<RawList>,
}

/// A `[[policy.domain]]`. (`serde`'s `flatten` would lose unknown keys and line numbers.)
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct RawDomain {
    name: Text<Domain>,
    iprev: Option<Word>,
    helo: Option<Word>,
    helo_sends: Option<Word>,
    sender_domain: Option<Word>,
    spf: Option<Word>,
    dkim: Option<Word>,
    dmarc: Option<Word>,
    own_domain: Option<Word>,
    rewrite_from: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct RawList {
    zone: Text<Domain>,
    of: ListOf,
    points: Option<i32>,
    codes: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ListOf {
    #[default]
    Addresses,
    Domains,
}

/// The key at fault below `policy`, and what to do.
type Fault = (String, String);

impl Raw {
    pub(super) fn check(self) -> Result<Policy, Fault> {
        let words = [
            self.iprev,
            self.helo,
            self.helo_sends,
            self.sender_domain,
            self.spf,
            self.dkim,
            self.dmarc,
            self.own_domain,
        ];
        let rules = over(&Rules::default(), words);
        let mut domains = HashMap::new();
        let mut rewrite_from = RewriteFrom { otherwise: self.rewrite_from, ..RewriteFrom::default() };
        for (index, raw) in self.domain.into_iter().enumerate() {
            let fault = |text: &str| (format!("domain[{index}]"), text.to_owned());
            let name = raw.name.0.clone().ok_or_else(|| fault("needs name, a domain that is served here"))?;
            rewrite_from.domains.extend(raw.rewrite_from.map(|allowed| (name.clone(), allowed)));
            if domains.insert(name, raw.over(&rules)).is_some() {
                return Err(fault("is there twice: put its keys together"));
            }
        }
        let lists = self.list.into_iter().enumerate();
        let lists = lists.map(|(index, raw)| raw.check(index)).collect::<Result<Vec<_>, _>>()?;
        if lists.len() > MAX_LISTS {
            let text =
                format!("are {}, and each is a look-up for every message: {MAX_LISTS} at most", lists.len());
            return Err(("list".to_owned(), text));
        }
        let usual = Thresholds::default();
        let thresholds = Thresholds {
            quarantine: self.quarantine_points.unwrap_or(usual.quarantine),
            reject: self.reject_points.unwrap_or(usual.reject),
        };
        let trusted_sealers = self.trusted_sealers;
        let greylist = self.greylist;
        Ok(Policy { rules, domains, trusted_sealers, thresholds, greylist, lists, rewrite_from })
    }
}

impl RawDomain {
    fn over(self, base: &Rules) -> Rules {
        let Self { iprev, helo, helo_sends, sender_domain, spf, dkim, dmarc, own_domain, .. } = self;
        over(base, [iprev, helo, helo_sends, sender_domain, spf, dkim, dmarc, own_domain])
    }
}

/// What the words leave out is as in `base`.
fn over(base: &Rules, words: [Option<Word>; 8]) -> Rules {
    let [iprev, helo, helo_sends, sender_domain, spf, dkim, dmarc, own_domain] = words;
    let either = |word: Option<Word>, base: Action| word.map_or(base, Action::from);
    Rules {
        iprev: either(iprev, base.iprev),
        helo: either(helo, base.helo),
        helo_sends: either(helo_sends, base.helo_sends),
        sender_domain: either(sender_domain, base.sender_domain),
        spf: either(spf, base.spf),
        dkim: either(dkim, base.dkim),
        dmarc: either(dmarc, base.dmarc),
        own_domain: either(own_domain, base.own_domain),
    }
}

impl RawList {
    fn check(self, index: usize) -> Result<List, Fault> {
        let fault = |key: &str, text: String| (format!("list[{index}]{key}"), text);
        let zone = self.zone.0.ok_or_else(|| fault("", "needs zone, the name of the list".to_owned()))?;
        let points = self.points.ok_or_else(|| {
            fault("", "needs points: what an entry counts, below 0 for a list of the good".to_owned())
        })?;
        let codes = self.codes.iter().map(|text| text.parse::<Codes>()).collect::<Result<_, _>>();
        let codes = codes.map_err(|text| fault(".codes", text))?;
        let kind = match self.of {
            ListOf::Addresses => Kind::Addresses,
            ListOf::Domains => Kind::Domains,
        };
        Ok(List { zone, kind, points, codes })
    }
}
