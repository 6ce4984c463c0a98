//! Alignment and result (RFC 9989 §4.10.2, §5.3).

use super::record::{Mode, Policy, Record};
use super::walk::{Walk, walk};
use crate::{Dns, LookupError};
use address::Domain;
use std::fmt;

/// A domain that SPF or DKIM has looked at, and what came of it.
#[derive(Debug, Clone, Copy)]
pub struct Identifier<'a> {
    /// DKIM: `d=` of the signature. SPF: the domain of MAIL FROM, or of HELO when that is null (RFC 7208 §2.4).
    pub domain: &'a Domain,
    pub outcome: Outcome,
}

/// What DMARC needs to know of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    /// Anything that is neither a pass nor a temporary error.
    Fail,
    TempError,
}

/// The result word of RFC 8601 §2.7, as RFC 7489 §11.2 registers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    Pass,
    Fail,
    /// No policy applies to the domain.
    None,
    TempError,
    /// There is a record, and it cannot be used.
    PermError,
}

/// What DMARC says about one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    pub word: Word,
    pub author: Domain,
    /// Of the author; `None` when the DNS did not tell.
    pub organizational_domain: Option<Domain>,
    /// What the owner has published; `None` when there is none that can be used.
    pub published: Option<Published>,
    /// How the domain of some good signature agrees with the author's.
    pub dkim: Option<Mode>,
    /// How SPF's domain agrees with the author's.
    pub spf: Option<Mode>,
    /// What is to be done with the message, test mode and overrides included.
    pub disposition: Policy,
    /// Why `disposition` is not what the owner asked for.
    pub overrides: Vec<Override>,
    /// The whole in a sentence.
    pub reason: String,
}

/// The policy that applies to an Author Domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Where the record was found: the DMARC Policy Domain.
    pub domain: Domain,
    pub record: Record,
    pub policy: Policy,
    /// Which tag `policy` is from.
    pub tag: PolicyTag,
}

impl Published {
    /// The policy once the record's options are minded: one level less in test mode. This is what `policy.dmarc` says
    /// (RFC 9989 §9.1).
    pub fn applied(&self) -> Policy {
        if self.record.testing { self.policy.one_level_less() } else { self.policy }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyTag {
    P,
    Sp,
    Np,
}

/// Why a receiver did something else than it was asked to (RFC 9990 §3.1.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Override {
    pub kind: OverrideKind,
    pub comment: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideKind {
    LocalPolicy,
    MailingList,
    Other,
    PolicyTestMode,
    TrustedForwarder,
}

/// Evaluates a message of `author` (see [`author_domain`](super::author_domain)). `spf` is the result for MAIL FROM,
/// `dkim` those of all signatures.
pub async fn evaluate(
    dns: &impl Dns,
    author: &Domain,
    spf: Option<Identifier<'_>>,
    dkim: &[Identifier<'_>],
) -> Evaluation {
    let walk = walk(dns, author).await;
    let mut evaluation = Evaluation::new(author, &walk);
    let (domain, record) = match walk.policy() {
        Ok(Some((domain, record))) => match record.effective() {
            Some(effective) => (domain, effective),
            None => return evaluation.unusable(domain, record),
        },
        Ok(None) => {
            return evaluation
                .end(Word::None, format!("{author} has no DMARC policy, nor has a domain above it"));
        }
        Err(_) => {
            let reason =
                format!("the DMARC policy of {author} could not be looked up; another try may succeed");
            return evaluation.end(Word::TempError, reason);
        }
    };
    let signatures = alignment(dns, &walk, record.adkim, dkim).await;
    let envelope = alignment(dns, &walk, record.aspf, spf.as_slice()).await;
    (evaluation.dkim, evaluation.spf) = (signatures.aligned, envelope.aligned);
    let passes = evaluation.dkim.or(evaluation.spf).is_some();
    let Ok((policy, tag)) = published_policy(dns, &record, domain, author, passes).await else {
        let reason = format!("whether {author} exists could not be looked up; another try may succeed");
        return evaluation.end(Word::TempError, reason);
    };
    evaluation.published = Some(Published { domain: domain.clone(), record, policy, tag });
    if !passes && (signatures.unknown || envelope.unknown) {
        let reason =
            format!("a check that could vouch for {author} met a temporary error; another try may succeed");
        return evaluation.end(Word::TempError, reason);
    }
    evaluation.conclude(passes)
}

/// What the identifiers of one mechanism come to.
#[derive(Debug, Default)]
struct Alignment {
    aligned: Option<Mode>,
    /// Some check or look-up failed for now that could have brought an aligned pass.
    unknown: bool,
}

async fn alignment(dns: &impl Dns, author: &Walk, mode: Mode, identifiers: &[Identifier<'_>]) -> Alignment {
    let mut all = Alignment::default();
    // Those that need no question first.
    let same = |identifier: &&Identifier<'_>| identifier.domain == author.start();
    for identifier in identifiers.iter().filter(same) {
        all.add(identifier.outcome, Ok(Some(Mode::Strict)));
    }
    if mode == Mode::Strict {
        return all;
    }
    for identifier in identifiers.iter().filter(|identifier| !same(identifier)) {
        if all.aligned.is_some() {
            break;
        }
        if identifier.outcome != Outcome::Fail {
            all.add(identifier.outcome, relaxed(dns, author, identifier.domain).await);
        }
    }
    all
}

impl Alignment {
    fn add(&mut self, outcome: Outcome, agreement: Result<Option<Mode>, LookupError>) {
        match (outcome, agreement) {
            (Outcome::Pass, Ok(Some(mode))) => self.aligned = Some(mode),
            (Outcome::TempError, Ok(Some(_))) | (Outcome::Pass | Outcome::TempError, Err(_)) => {
                self.unknown = true
            }
            _ => {}
        }
    }
}

/// Whether both domains have one Organizational Domain. It is the end of both names, so names that end differently
/// need no look-up.
async fn relaxed(dns: &impl Dns, author: &Walk, domain: &Domain) -> Result<Option<Mode>, LookupError> {
    if author.start().labels().next_back() != domain.labels().next_back() {
        return Ok(None);
    }
    let organizational = author.organizational_domain()?;
    if !domain.is_within(&organizational) {
        return Ok(None);
    }
    let agrees = walk(dns, domain).await.organizational_domain()? == organizational;
    Ok(agrees.then_some(Mode::Relaxed))
}

/// The policy and its tag (RFC 9989 §4.10.1). Whether the author exists is asked only when `np` makes a difference to a
/// message that fails.
async fn published_policy(
    dns: &impl Dns,
    record: &Record,
    found_at: &Domain,
    author: &Domain,
    passes: bool,
) -> Result<(Policy, PolicyTag), LookupError> {
    let p = (record.p.unwrap_or(Policy::None), PolicyTag::P);
    if found_at == author {
        return Ok(p);
    }
    let existing = record.sp.map_or(p, |sp| (sp, PolicyTag::Sp));
    let Some(np) = record.np.filter(|_| !passes) else { return Ok(existing) };
    match dns.a(author.as_str()).await {
        Err(LookupError::NoName) => Ok((np, PolicyTag::Np)),
        Ok(_) | Err(LookupError::NoRecord) => Ok(existing),
        Err(LookupError::Failed) => Err(LookupError::Failed),
    }
}

impl Evaluation {
    fn new(author: &Domain, walk: &Walk) -> Self {
        Self {
            word: Word::None,
            author: author.clone(),
            organizational_domain: walk.organizational_domain().ok(),
            published: None,
            dkim: None,
            spf: None,
            disposition: Policy::None,
            overrides: Vec::new(),
            reason: String::new(),
        }
    }

    fn end(mut self, word: Word, reason: String) -> Self {
        (self.word, self.reason) = (word, reason);
        self
    }

    fn unusable(self, domain: &Domain, record: &Record) -> Self {
        let problems = record.problems.join("; ");
        self.end(Word::PermError, format!("the DMARC record of {domain} cannot be used: {problems}"))
    }

    fn conclude(mut self, passes: bool) -> Self {
        let Some(published) = &self.published else { return self };
        if passes {
            let by = match (self.dkim, self.spf) {
                (Some(_), Some(_)) => "a DKIM signature and SPF vouch",
                (Some(_), None) => "a DKIM signature vouches",
                _ => "SPF vouches",
            };
            let reason = format!("{by} for {}", self.author);
            return self.end(Word::Pass, reason);
        }
        let (policy, tag, testing) = (published.policy, published.tag, published.record.testing);
        let asked = format!("{} asks for {tag}={policy}", published.domain);
        let reason = format!("neither SPF nor a DKIM signature vouches for {}; {asked}", self.author);
        self.disposition = policy;
        let mut failed = self.end(Word::Fail, reason);
        if testing {
            let comment = "the record has t=y (or pct=0): one level less".to_owned();
            let reason = Override { kind: OverrideKind::PolicyTestMode, comment };
            failed.override_disposition(policy.one_level_less(), reason);
        }
        failed
    }

    /// Does something else than the owner asked for. Nothing changes when that is what would be done anyway.
    pub fn override_disposition(&mut self, disposition: Policy, reason: Override) {
        if self.disposition != disposition {
            self.reason = format!("{}; {}: {}", self.reason, reason.kind, reason.comment);
            self.disposition = disposition;
            self.overrides.push(reason);
        }
    }
}

impl Word {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PolicyTag {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P => "p",
            Self::Sp => "sp",
            Self::Np => "np",
        }
    }
}

impl fmt::Display for PolicyTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl OverrideKind {
    /// The word of a report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LocalPolicy => "local_policy",
            Self::MailingList => "mailing_list",
            Self::Other => "other",
            Self::PolicyTestMode => "policy_test_mode",
            Self::TrustedForwarder => "trusted_forwarder",
        }
    }

    /// `forwarded` and `sampled_out` are RFC 7489's.
    pub(crate) fn parse(word: &str) -> Self {
        match word {
            "local_policy" => Self::LocalPolicy,
            "mailing_list" => Self::MailingList,
            "policy_test_mode" | "sampled_out" => Self::PolicyTestMode,
            "trusted_forwarder" | "forwarded" => Self::TrustedForwarder,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for OverrideKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
