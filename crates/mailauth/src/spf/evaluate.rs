//! `check_host()`: from a domain to what its records say of a host (RFC 7208 §4, §6).

use super::limits::Limits;
use super::macros::{MacroString, Place, Values};
use super::outcome::{Problem, ResultWord, SpfResult};
use super::query::{Query, Subject};
use super::record::{Directive, Modifier, Qualifier, Record, is_record};
use super::step::{Recorder, Step, StepOutcome};
use crate::{Dns, LookupError};
use address::MAX_LABEL;
use std::pin::Pin;

/// The longest name that can be asked for, as text (RFC 7208 §7.3).
const MAX_NAME: usize = 253;

/// One check: what it is about, and what it has used up.
pub(super) struct Evaluation<'a, D> {
    pub(super) dns: &'a D,
    pub(super) subject: &'a Subject<'a>,
    pub(super) limits: Limits,
    pub(super) recorder: Recorder,
    /// The validated names of the client, once they were asked for.
    pub(super) names: Option<Vec<String>>,
}

/// Whose record is evaluated, and how many includes led to it.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) domain: &'s str,
    pub(super) depth: u8,
}

/// What a record says, with those that it redirects to.
pub(super) struct Said {
    pub(super) word: ResultWord,
    mechanism: Option<String>,
    explanation: Option<String>,
    reason: String,
}

/// What a `domain-spec` came to.
pub(super) enum Target {
    Name(String),
    /// No name that could be in the DNS (RFC 7208 §4.8).
    NoName(String),
    /// It needs the local part, which is not ASCII: the term matches nothing (RFC 8616 §4).
    LocalPart,
}

/// Boxed, because an include evaluates another record.
pub(super) type Pending<'b, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'b>>;

pub(super) async fn run<D: Dns>(dns: &D, query: &Query<'_>, steps: Option<Vec<Step>>) -> SpfResult {
    let subject = match Subject::new(query) {
        Ok(subject) => subject,
        Err(name) => return no_domain(name),
    };
    let recorder = Recorder::new(steps);
    let mut evaluation =
        Evaluation { dns, subject: &subject, limits: Limits::default(), recorder, names: None };
    let said = evaluation.check_host(subject.domain.to_string(), 0).await;
    let said = said.unwrap_or_else(|problem| Said {
        word: problem.word(),
        mechanism: None,
        explanation: None,
        reason: problem.to_string(),
    });
    SpfResult {
        word: said.word,
        explanation: said.explanation,
        mechanism: said.mechanism,
        reason: said.reason,
        lookups: evaluation.limits.terms,
        void_lookups: evaluation.limits.voids,
        steps: evaluation.recorder.into_steps(),
        domain: Some(subject.domain),
    }
}

fn no_domain(name: &str) -> SpfResult {
    let reason = match name {
        "" => "there is no domain to check".to_owned(),
        _ => format!("{:?} is no domain name of two or more labels", crate::tags::shortened(name)),
    };
    SpfResult {
        word: ResultWord::None,
        domain: None,
        explanation: None,
        mechanism: None,
        reason,
        lookups: 0,
        void_lookups: 0,
        steps: Vec::new(),
    }
}

impl<D: Dns> Evaluation<'_, D> {
    /// What the record of `domain` says. `depth` counts the includes that led here.
    pub(super) fn check_host(&mut self, domain: String, depth: u8) -> Pending<'_, Said> {
        Box::pin(self.follow(domain, depth))
    }

    /// Evaluates the record of `domain`, then the one that it redirects to, and so on; each redirect is a term that
    /// is counted.
    async fn follow(&mut self, mut domain: String, depth: u8) -> Result<Said, Problem> {
        let mut redirected = false;
        loop {
            let text = match self.record_of(&domain, depth).await? {
                Some(text) => text,
                None if redirected => return Err(Problem::RedirectedNone(domain)),
                None => return Ok(Said::none(&domain)),
            };
            let scope = Scope { domain: &domain, depth };
            let record = self.read(&text, scope)?;
            if let Some(directive) = self.first_match(&record, scope).await? {
                return Ok(self.decide(&record, directive, scope).await);
            }
            let Some(redirect) = record.next_record() else {
                return Ok(Said::default_result(scope, self.subject));
            };
            domain = self.redirect(redirect, scope).await?;
            redirected = true;
        }
    }

    /// The one SPF record of `domain` (RFC 7208 §4.4, §4.5).
    async fn record_of(&mut self, domain: &str, depth: u8) -> Result<Option<Vec<u8>>, Problem> {
        let found = match self.dns.txt(domain).await {
            Ok(found) => Ok(found),
            Err(LookupError::NoName | LookupError::NoRecord) => Ok(Vec::new()),
            Err(LookupError::Failed) => Err(Problem::Unavailable { name: domain.to_owned(), kind: "TXT" }),
        };
        let single = found.and_then(|found| {
            let mut records: Vec<_> = found.into_iter().filter(|text| is_record(text)).collect();
            match records.len() {
                0 | 1 => Ok(records.pop()),
                count => Err(Problem::ManyRecords(domain.to_owned(), count)),
            }
        });
        if let Err(problem) = &single {
            self.record_problem(self.recorder.place(), Scope { domain, depth }, "", problem);
        }
        single
    }

    /// Syntax first, before anything is evaluated (RFC 7208 §4.6).
    fn read<'t>(&mut self, text: &'t [u8], scope: Scope<'_>) -> Result<Record<'t>, Problem> {
        let place = self.recorder.place();
        let parsed =
            Record::parse(text).map_err(|error| Problem::Syntax { domain: scope.domain.to_owned(), error });
        let shown = String::from_utf8_lossy(text);
        match &parsed {
            Ok(_) => self.recorder.step(place, scope.depth, scope.domain, &shown, StepOutcome::Record),
            Err(problem) => self.record_problem(place, scope, &shown, problem),
        }
        parsed
    }

    /// RFC 7208 §4.6.2: from left to right, until one matches.
    async fn first_match<'r, 't>(
        &mut self,
        record: &'r Record<'t>,
        scope: Scope<'_>,
    ) -> Result<Option<&'r Directive<'t>>, Problem> {
        for directive in &record.directives {
            let place = self.recorder.place();
            let outcome = match self.matches(&directive.mechanism, scope).await {
                Ok(true) => StepOutcome::Match,
                Ok(false) => StepOutcome::NoMatch,
                Err(problem) => {
                    self.record_problem(place, scope, directive.text, &problem);
                    return Err(problem);
                }
            };
            self.recorder.step(place, scope.depth, scope.domain, directive.text, outcome);
            if outcome == StepOutcome::Match {
                return Ok(Some(directive));
            }
        }
        Ok(None)
    }

    /// The result of a directive that matches (RFC 7208 §4.6.2).
    async fn decide(&mut self, record: &Record<'_>, directive: &Directive<'_>, scope: Scope<'_>) -> Said {
        let (domain, ip, text) = (scope.domain, self.subject.ip, directive.text);
        let (word, reason) = match directive.qualifier {
            Qualifier::Pass => (ResultWord::Pass, format!("{domain} allows {ip} to send its mail ({text})")),
            Qualifier::Fail => {
                (ResultWord::Fail, format!("{domain} does not allow {ip} to send its mail ({text})"))
            }
            Qualifier::SoftFail => {
                (ResultWord::SoftFail, format!("{domain} says that {ip} should not send its mail ({text})"))
            }
            Qualifier::Neutral => (
                ResultWord::Neutral,
                format!("{domain} does not say whether {ip} may send its mail ({text})"),
            ),
        };
        // The explanation is the one of the record that was asked first or redirected to, never of an included
        // one (RFC 7208 §6.2).
        let explanation = match &record.explanation {
            Some(modifier) if word == ResultWord::Fail && scope.depth == 0 => {
                self.explain(modifier, scope).await
            }
            _ => None,
        };
        Said { word, mechanism: Some(text.to_owned()), explanation, reason }
    }

    /// The domain whose record takes the place of this one (RFC 7208 §6.1).
    async fn redirect(&mut self, modifier: &Modifier<'_>, scope: Scope<'_>) -> Result<String, Problem> {
        let place = self.recorder.place();
        let target = match self.limits.count_term() {
            Ok(()) => self.target(Some(&modifier.domain), scope).await,
            Err(problem) => Err(problem),
        };
        let domain = target.and_then(|target| match target {
            Target::Name(name) => Ok(name),
            Target::NoName(text) => Err(Problem::RedirectedNone(text)),
            Target::LocalPart => Err(Problem::RedirectedNone(modifier.text.to_owned())),
        });
        match &domain {
            Ok(domain) => {
                self.recorder.note(|| format!("nothing matched: the record of {domain} decides"));
                self.recorder.step(place, scope.depth, scope.domain, modifier.text, StepOutcome::Redirect);
            }
            Err(problem) => self.record_problem(place, scope, modifier.text, problem),
        }
        domain
    }

    /// The text for those who are refused (RFC 7208 §6.2). Whatever is wrong with it, there is none then; nothing of
    /// it counts against the limits.
    async fn explain(&mut self, modifier: &Modifier<'_>, scope: Scope<'_>) -> Option<String> {
        let spent = self.limits;
        let text = self.explanation_text(modifier, scope).await;
        self.limits = spent;
        self.recorder.note(|| match &text {
            Some(text) => text.clone(),
            None => "there is no such text, or it cannot be used".to_owned(),
        });
        let place = self.recorder.place();
        self.recorder.step(place, scope.depth, scope.domain, modifier.text, StepOutcome::Explanation);
        text
    }

    async fn explanation_text(&mut self, modifier: &Modifier<'_>, scope: Scope<'_>) -> Option<String> {
        self.limits = Limits::default();
        let Ok(Target::Name(name)) = self.target(Some(&modifier.domain), scope).await else { return None };
        let found = self.dns.txt(&name).await.ok()?;
        let [text] = &found[..] else { return None };
        let text = std::str::from_utf8(text).ok()?;
        let text = MacroString::parse(text, Place::Explanation).ok()?;
        let expanded = self.expand(&text, scope).await.ok()??;
        // What macros brought in may be anything.
        let printable = expanded.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        printable.then_some(expanded)
    }

    /// The name that a `domain-spec` stands for; without one, the domain itself (RFC 7208 §4.8).
    pub(super) async fn target(
        &mut self,
        spec: Option<&MacroString<'_>>,
        scope: Scope<'_>,
    ) -> Result<Target, Problem> {
        let Some(spec) = spec else { return Ok(Target::Name(scope.domain.to_owned())) };
        if spec.needs_local_part() && !self.subject.local.is_ascii() {
            return Ok(Target::LocalPart);
        }
        let text = self.expand(spec, scope).await?.unwrap_or_default();
        let name = fit(text.strip_suffix('.').unwrap_or(&text));
        Ok(if is_name(name) { Target::Name(name.to_owned()) } else { Target::NoName(name.to_owned()) })
    }

    async fn expand(&mut self, text: &MacroString<'_>, scope: Scope<'_>) -> Result<Option<String>, Problem> {
        let name = if text.needs_name() { self.client_name(scope.domain).await? } else { String::new() };
        Ok(text.expand(&Values { subject: self.subject, domain: scope.domain, name: &name }))
    }

    fn record_problem(&mut self, place: usize, scope: Scope<'_>, term: &str, problem: &Problem) {
        self.recorder.note(|| problem.to_string());
        self.recorder.step(place, scope.depth, scope.domain, term, StepOutcome::Error);
    }
}

impl Said {
    fn none(domain: &str) -> Self {
        let reason = format!("{domain} has no SPF record");
        Self { word: ResultWord::None, mechanism: None, explanation: None, reason }
    }

    /// RFC 7208 §4.7.
    fn default_result(scope: Scope<'_>, subject: &Subject<'_>) -> Self {
        let reason = format!("the record of {} says nothing about {}", scope.domain, subject.ip);
        Self { word: ResultWord::Neutral, mechanism: None, explanation: None, reason }
    }
}

/// Takes labels off the left of a name that is too long to be asked for (RFC 7208 §7.3).
fn fit(mut name: &str) -> &str {
    while name.len() > MAX_NAME {
        match name.split_once('.') {
            Some((_, rest)) => name = rest,
            None => break,
        }
    }
    name
}

/// Whether a name could be in the DNS; any character can.
pub(super) fn is_name(name: &str) -> bool {
    let label = |label: &str| !label.is_empty() && label.len() <= MAX_LABEL;
    name.is_ascii() && name.len() <= MAX_NAME && name.split('.').all(label)
}
