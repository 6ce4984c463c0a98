//! What each term of a record costs, and what could stand in its place.

use super::evaluate;
use crate::commands::check::dns::{Asked, each};
use dns::Names;
use mailauth::spf::{MAX_TERMS, Record, ResultWord, SpfResult, StepOutcome, is_record};
use mailauth::{Dns as _, Found, LookupError};

/// Most terms that are looked at: a record with more is far past every bound.
const MAX_SEEN: usize = 40;
/// Most networks that are shown in place of a term.
const MAX_NETWORKS: usize = 50;

/// A term that asks the DNS, evaluated as if it were alone.
pub(super) struct Cost {
    pub(super) term: String,
    /// At most one more than a record may have in all: there the evaluation ends.
    lookups: u8,
    /// It names nothing, and only costs.
    pub(super) is_dead: bool,
    /// The `ip4:` and `ip6:` of the records that it leads to.
    networks: Vec<String>,
    /// Terms of these records that ask for addresses.
    others: usize,
}

/// Those of a record, the most expensive first.
pub(super) async fn of(asked: &Asked<'_>, record: &Record<'_>) -> Vec<Cost> {
    let directives = record.directives.iter().filter(|directive| directive.mechanism.asks());
    let terms = directives.map(|directive| directive.text).chain(record.redirect.iter().map(|end| end.text));
    let mut costs = each(terms.take(MAX_SEEN), |term| cost(asked, term)).await;
    costs.sort_by_key(|cost| std::cmp::Reverse(cost.lookups));
    costs
}

async fn cost(asked: &Asked<'_>, term: &str) -> Cost {
    let result = evaluate(asked, &format!("v=spf1 {term}")).await;
    let is_dead = is_dead(asked, term).await;
    let (networks, others) = named(&result);
    Cost { term: term.to_owned(), lookups: result.lookups, is_dead, networks, others }
}

/// What the records say that a term leads to. The first is the term itself.
fn named(result: &SpfResult) -> (Vec<String>, usize) {
    let records = result.steps.iter().filter(|step| step.outcome == StepOutcome::Record).skip(1);
    let (mut networks, mut others) = (Vec::new(), 0);
    for step in records {
        let Ok(record) = Record::parse(step.term.as_bytes()) else { continue };
        for directive in &record.directives {
            match kind(directive.text).to_ascii_lowercase().as_str() {
                "ip4" | "ip6" => networks.push(directive.text.to_owned()),
                "a" | "mx" | "exists" | "ptr" => others += 1,
                _ => {}
            }
        }
    }
    networks.dedup();
    (networks, others)
}

/// The mechanism's or modifier's name.
fn kind(term: &str) -> &str {
    term.trim_start_matches(['+', '-', '~', '?']).split([':', '/', '=']).next().unwrap_or_default()
}

async fn is_dead(asked: &Asked<'_>, term: &str) -> bool {
    let named = term.split_once(':').and_then(|(_, rest)| rest.split('/').next());
    let name = named.unwrap_or(asked.domain.as_str()).trim_end_matches('.');
    if name.contains('%') {
        return false;
    }
    let names = Names(asked.dns);
    match kind(term).to_ascii_lowercase().as_str() {
        "a" => is_nothing(&names.a(name).await) && is_nothing(&names.aaaa(name).await),
        "mx" => is_nothing(&names.mx(name).await),
        "include" => match names.txt(name).await {
            Ok(texts) => !texts.iter().any(|text| is_record(text)),
            found @ Err(_) => is_nothing(&found),
        },
        _ => false,
    }
}

/// Certainly: not where the DNS failed.
fn is_nothing<T>(found: &Found<T>) -> bool {
    match found {
        Ok(found) => found.is_empty(),
        Err(error) => matches!(error, LookupError::NoName | LookupError::NoRecord),
    }
}

impl Cost {
    fn told(&self) -> String {
        match self.lookups {
            lookups if lookups > MAX_TERMS => format!("{} costs {lookups} or more", self.term),
            lookups => format!("{} costs {lookups}", self.term),
        }
    }

    /// What to do about it.
    fn hint(&self) -> Option<String> {
        if self.is_dead {
            return Some(format!("{} names nothing: leave it out", self.term));
        }
        if self.networks.is_empty() {
            return None;
        }
        let mut networks = self.networks.iter().take(MAX_NETWORKS).cloned().collect::<Vec<_>>().join(" ");
        if self.networks.len() > MAX_NETWORKS {
            networks.push_str(&format!(" and {} more", self.networks.len() - MAX_NETWORKS));
        }
        let others = match self.others {
            0 => String::new(),
            count => format!(", with the hosts of {count} terms that ask (a, mx, exists, ptr)"),
        };
        Some(format!(
            "in place of {} could stand today: {networks}{others}; whoever runs it may change that any day",
            self.term
        ))
    }
}

/// What each costs, so that one sees which to leave out or to replace by addresses.
pub(super) fn told(costs: &[Cost]) -> String {
    match costs {
        [] => String::new(),
        costs => {
            let told: Vec<String> = costs.iter().map(Cost::told).collect();
            format!(" ({}; ip4: and ip6: cost nothing)", told.join(", "))
        }
    }
}

/// Which to leave out, and which addresses could stand in the place of others ("flattening").
pub(super) fn hints(costs: &[Cost]) -> Vec<String> {
    costs.iter().filter_map(Cost::hint).collect()
}

/// Whether an evaluation is such that the costs matter.
pub(super) fn matter(result: &SpfResult, many: u8) -> bool {
    result.word == ResultWord::PermError || result.lookups > many || result.void_lookups > 0
}
