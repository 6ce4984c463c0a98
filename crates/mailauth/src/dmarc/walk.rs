//! The DNS Tree Walk (RFC 9989 §4.10): from a domain up to its top-level name, in eight questions at most.

use super::record::{Psd, Record};
use crate::{Dns, LookupError};
use address::Domain;

/// Most questions of one walk (RFC 9989 §4.10).
pub const MAX_QUERIES: usize = 8;

/// What a walk found, from the longest name to the shortest.
#[derive(Debug, Clone)]
pub struct Walk {
    start: Domain,
    steps: Vec<Step>,
}

/// One question and its answer.
#[derive(Debug, Clone)]
struct Step {
    domain: Domain,
    /// The only DMARC record there; several are none (§4.10 step 2).
    found: Result<Option<Record>, LookupError>,
}

/// Walks from `start` up. Questions that fail do not end the walk: what they hide matters only to some callers.
pub async fn walk(dns: &impl Dns, start: &Domain) -> Walk {
    let mut steps = Vec::new();
    let mut target = Some(start.clone());
    while let Some(domain) = target {
        let found = policy_record(dns, &domain).await;
        let stop = matches!(&found, Ok(Some(record)) if record.psd != Psd::Unsaid);
        target = if stop { None } else { next_target(&domain) };
        steps.push(Step { domain, found });
    }
    Walk { start: start.clone(), steps }
}

/// The name one label up; of a name with eight labels or more, its last seven (§4.10 steps 4 and 7).
fn next_target(domain: &Domain) -> Option<Domain> {
    let labels = domain.labels().count();
    suffix(domain, if labels >= MAX_QUERIES { MAX_QUERIES - 1 } else { labels - 1 })
}

/// The name made of the last labels.
fn suffix(domain: &Domain, labels: usize) -> Option<Domain> {
    let all: Vec<&str> = domain.labels().collect();
    let kept = all.get(all.len().checked_sub(labels)?..)?;
    Domain::parse(&kept.join(".")).ok()
}

async fn policy_record(dns: &impl Dns, domain: &Domain) -> Result<Option<Record>, LookupError> {
    match dns.txt(&format!("_dmarc.{domain}")).await {
        Ok(records) => {
            let mut records = records.iter().filter_map(|text| Record::parse(text));
            let first = records.next();
            Ok(first.filter(|_| records.next().is_none()))
        }
        Err(LookupError::NoName | LookupError::NoRecord) => Ok(None),
        Err(LookupError::Failed) => Err(LookupError::Failed),
    }
}

impl Walk {
    pub(super) fn start(&self) -> &Domain {
        &self.start
    }

    /// How many questions were asked.
    pub fn queries(&self) -> usize {
        self.steps.len()
    }

    /// The Organizational Domain (§4.10.2), if no question failed on whose answer it depends.
    pub fn organizational_domain(&self) -> Result<Domain, LookupError> {
        let mut shortest = &self.start;
        for step in &self.steps {
            let Some(record) = step.found.as_ref().map_err(|error| *error)? else { continue };
            match record.psd {
                Psd::No => return Ok(step.domain.clone()),
                Psd::Yes if step.domain != self.start => return Ok(self.one_below(&step.domain)),
                Psd::Yes | Psd::Unsaid => shortest = &step.domain,
            }
        }
        Ok(shortest.clone())
    }

    /// The policy that applies to the walk's first domain, and where it was found (§4.10.1): its own, that of its
    /// Organizational Domain, that of its Public Suffix Domain.
    pub fn policy(&self) -> Result<Option<(&Domain, &Record)>, LookupError> {
        if let Some(own) = self.record_at(&self.start)? {
            return Ok(Some((&self.start, own)));
        }
        let organizational = self.organizational_domain()?;
        for step in &self.steps {
            if let Ok(Some(record)) = &step.found
                && (step.domain == organizational || record.psd == Psd::Yes)
            {
                return Ok(Some((&step.domain, record)));
            }
        }
        Ok(None)
    }

    fn record_at(&self, domain: &Domain) -> Result<Option<&Record>, LookupError> {
        match self.steps.iter().find(|step| step.domain == *domain) {
            Some(step) => step.found.as_ref().map(Option::as_ref).map_err(|error| *error),
            None => Ok(None),
        }
    }

    /// The name on the way to the start that has one label more than `above`.
    fn one_below(&self, above: &Domain) -> Domain {
        suffix(&self.start, above.labels().count() + 1).unwrap_or_else(|| self.start.clone())
    }
}
