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
    pub greylist: GreylistRules,
    pub lists: Vec<List>,
    /// Not about what comes but about what goes on.
    pub rewrite_from: RewriteFrom,
}

/// `[policy.greylist]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct RawGreylist {
    enabled: bool,
    #[serde(deserialize_with = "units::duration")]
    delay: Duration,
    #[serde(deserialize_with = "units::positive_duration")]
    window: Duration,
    #[serde(deserialize_with = "units::positive_duration")]
    remember: Duration,
    ask_verified: bool,
}

impl Default for RawGreylist {
    fn default() -> Self {
        let GreylistRules { delay, window, remember, ask_verified } = GreylistRules::default();
        Self { enabled: Rules::default().greylist, delay, window, remember, ask_verified }
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
    greylist: RawGreylist,
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
    quarantine_points: Option<i32>,
    reject_points: Option<i32>,
    greylist: Option<bool>,
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
        let RawGreylist { enabled, delay, window, remember, ask_verified } = self.greylist;
        let greylist = GreylistRules { delay, window, remember, ask_verified };
        let usual = Rules { greylist: enabled, ..Rules::default() };
        let rules = over(&usual, words, [self.quarantine_points, self.reject_points]);
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
        let trusted_sealers = self.trusted_sealers;
        Ok(Policy { rules, domains, trusted_sealers, greylist, lists, rewrite_from })
    }
}

impl RawDomain {
    fn over(self, base: &Rules) -> Rules {
        let Self { iprev, helo, helo_sends, sender_domain, spf, dkim, dmarc, own_domain, .. } = self;
        let words = [iprev, helo, helo_sends, sender_domain, spf, dkim, dmarc, own_domain];
        let greylist = self.greylist.unwrap_or(base.greylist);
        Rules { greylist, ..over(base, words, [self.quarantine_points, self.reject_points]) }
    }
}

/// What the words, and the points for quarantine and rejection, leave out is as in `base`.
fn over(base: &Rules, words: [Option<Word>; 8], points: [Option<i32>; 2]) -> Rules {
    let [quarantine, reject] = points;
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
        thresholds: Thresholds {
            quarantine: quarantine.unwrap_or(base.thresholds.quarantine),
            reject: reject.unwrap_or(base.thresholds.reject),
        },
        greylist: base.greylist,
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
