//! The DMARC Policy Record (RFC 9989 §4.7, §4.8).

use super::uri::ReportUri;
use crate::tags::{MAX_TAGS, shortened, trim};
use std::fmt;

/// Longest record that is read, in octets: one that needs TCP to arrive is longer than any use of its tags.
pub const MAX_RECORD: usize = 4096;

/// A record, its absent and broken tags at their defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `p`: for the domain itself. `None` when it is absent or no policy.
    pub p: Option<Policy>,
    /// `sp`: for subdomains that exist.
    pub sp: Option<Policy>,
    /// `np`: for subdomains that do not exist.
    pub np: Option<Policy>,
    pub adkim: Mode,
    pub aspf: Mode,
    /// `t=y`, or `pct=0` of RFC 7489, which it replaces (RFC 9989 A.6): apply one level less than is asked for.
    pub testing: bool,
    pub psd: Psd,
    /// Where aggregate reports go.
    pub rua: Vec<ReportUri>,
    /// Where failure reports go.
    pub ruf: Vec<ReportUri>,
    pub fo: FailureOptions,
    /// What breaks the grammar or is obsolete, in words for the owner.
    pub problems: Vec<String>,
    /// `sp` or `np` has a value that is no policy (RFC 9989 §4.10.1 treats that like a bad `p`).
    pub(super) bad_subdomain_policy: bool,
}

/// What an owner asks for, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    None,
    Quarantine,
    Reject,
}

/// How alike two domains must be (RFC 9989 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The same Organizational Domain.
    Relaxed,
    /// The same name.
    Strict,
}

/// Whether the domain is a Public Suffix Domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Psd {
    Yes,
    /// It is not, and it is the Organizational Domain of what is below it.
    No,
    Unsaid,
}

/// `fo`: which failures are reported one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureOptions {
    /// `0`: when no mechanism brings an aligned pass.
    pub all: bool,
    /// `1`: when any mechanism brings none.
    pub any: bool,
    /// `d`: when a signature fails, aligned or not.
    pub dkim: bool,
    /// `s`: when SPF fails, aligned or not.
    pub spf: bool,
}

impl Record {
    /// Reads one TXT record; `None` when it is no DMARC record: `v=DMARC1` must be its first tag. What else is wrong is
    /// left at its default (RFC 9989 §4.8).
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text.get(..text.len().min(MAX_RECORD))?).ok()?;
        let mut specs = text.split(';');
        let (name, value) = specs.next()?.split_once('=')?;
        if !trim(name).eq_ignore_ascii_case("v") || trim(value) != "DMARC1" {
            return None;
        }
        let mut record = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for spec in specs.map(trim).filter(|spec| !spec.is_empty()).take(MAX_TAGS) {
            let Some((name, value)) = spec.split_once('=') else {
                record.complain(format!("{:?} is no tag: it has no \"=\"", shortened(spec)));
                continue;
            };
            let name = trim(name).to_ascii_lowercase();
            if seen.contains(&name) {
                record.complain(format!("the tag {name}= occurs twice; the first counts"));
                continue;
            }
            record.read(&name, trim(value));
            seen.push(name);
        }
        if record.p.is_none() && !seen.iter().any(|name| name == "p") {
            record.complain("there is no p= tag, which means p=none at best".to_owned());
        }
        Some(record)
    }

    fn read(&mut self, name: &str, value: &str) {
        match name {
            "p" => self.p = self.word(name, value, Policy::parse),
            "sp" | "np" => {
                let policy = self.word(name, value, Policy::parse);
                self.bad_subdomain_policy |= policy.is_none();
                *(if name == "sp" { &mut self.sp } else { &mut self.np }) = policy;
            }
            "adkim" => self.adkim = self.word(name, value, Mode::parse).unwrap_or(Mode::Relaxed),
            "aspf" => self.aspf = self.word(name, value, Mode::parse).unwrap_or(Mode::Relaxed),
            "psd" => self.psd = self.word(name, value, Psd::parse).unwrap_or(Psd::Unsaid),
            "t" => self.testing |= self.word(name, value, yes_or_no).unwrap_or(false),
            "fo" => self.fo = self.word(name, value, FailureOptions::parse).unwrap_or_default(),
            "rua" => self.rua = self.uris(name, value),
            "ruf" => self.ruf = self.uris(name, value),
            "pct" => self.read_pct(value),
            "rf" | "ri" => {
                self.complain(format!("{name}= is of RFC 7489 and says nothing any more; leave it out"))
            }
            unknown => self.complain(format!("the tag {:?} is unknown and ignored", shortened(unknown))),
        }
    }

    /// RFC 9989 A.6: 0 and 100 are what receivers agreed on; what is between them counts as 100.
    fn read_pct(&mut self, value: &str) {
        self.complain("pct= is of RFC 7489; t=y replaces pct=0, and other values count as 100".to_owned());
        self.testing |= value.parse() == Ok(0_u32);
    }

    fn word<T>(&mut self, name: &str, value: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let parsed = parse(&value.to_ascii_lowercase());
        if parsed.is_none() {
            self.complain(format!("{name}= has the bad value {:?}", shortened(value)));
        }
        parsed
    }

    fn uris(&mut self, name: &str, value: &str) -> Vec<ReportUri> {
        let (good, bad) = ReportUri::parse_list(value);
        for uri in bad {
            self.complain(format!(
                "{name}= has {:?}, which is no URI as in mailto:dmarc@example.org",
                shortened(uri)
            ));
        }
        good
    }

    fn complain(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// What the record asks for by its tags; `None` when the mechanism is not to be applied at all (RFC 9989 §4.10.1: no
    /// valid `p`, or a broken `sp` or `np`, and nowhere to report it to).
    pub(super) fn effective(&self) -> Option<Self> {
        if self.p.is_some() && !self.bad_subdomain_policy {
            return Some(self.clone());
        }
        let as_none = Self { p: Some(Policy::None), sp: None, np: None, ..self.clone() };
        (!self.rua.is_empty()).then_some(as_none)
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            p: None,
            sp: None,
            np: None,
            adkim: Mode::Relaxed,
            aspf: Mode::Relaxed,
            testing: false,
            psd: Psd::Unsaid,
            rua: Vec::new(),
            ruf: Vec::new(),
            fo: FailureOptions::default(),
            problems: Vec::new(),
            bad_subdomain_policy: false,
        }
    }
}

impl Policy {
    /// The word of a record, a report or a result.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject].into_iter().find(|policy| policy.as_str() == word)
    }

    /// What test mode makes of it (RFC 9989 §4.7, `t`).
    pub fn one_level_less(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Strict => "strict",
        }
    }

    /// The letter of `adkim`, `aspf` and of reports.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Relaxed => "r",
            Self::Strict => "s",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "r" => Some(Self::Relaxed),
            "s" => Some(Self::Strict),
            _ => None,
        }
    }
}

impl Psd {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "y" => Some(Self::Yes),
            "n" => Some(Self::No),
            "u" => Some(Self::Unsaid),
            _ => None,
        }
    }
}

impl FailureOptions {
    fn parse(words: &str) -> Option<Self> {
        let mut options = Self { all: false, any: false, dkim: false, spf: false };
        for word in words.split(':').map(trim) {
            match word {
                "0" => options.all = true,
                "1" => options.any = true,
                "d" => options.dkim = true,
                "s" => options.spf = true,
                _ => return None,
            }
        }
        Some(options)
    }
}

impl Default for FailureOptions {
    /// Without the tag.
    fn default() -> Self {
        Self { all: true, any: false, dkim: false, spf: false }
    }
}

impl fmt::Display for FailureOptions {
    /// The value of `fo`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.all, "0"), (self.any, "1"), (self.dkim, "d"), (self.spf, "s")];
        let said: Vec<&str> = words.into_iter().filter_map(|(said, word)| said.then_some(word)).collect();
        f.write_str(&said.join(":"))
    }
}

fn yes_or_no(word: &str) -> Option<bool> {
    match word {
        "y" => Some(true),
        "n" => Some(false),
        _ => None,
    }
}
