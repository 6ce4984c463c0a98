//! A search key made ready: its sets resolved, and its words apart from what a row says (RFC 9051 §6.4.4).

use super::formula::Formula;
use super::message::{bit, email_id, moment, thread_id};
use super::pages::{Pages, Row};
use super::stop::{Outcome, Stop};
use super::view::View;
use super::words::Words;
use imap::Runs;
use imap::search::{Comparison, DateOf, FlagKey, SearchFlag, SearchKey};
use imap::sort;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use std::sync::Arc;
use store::search::Query;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Criteria {
    formula: Formula<Condition>,
    /// A condition names them by their place here.
    pub(super) words: Vec<Words>,
    /// By which ages are counted.
    now: Timestamp,
}

/// What a message is held against.
#[derive(Debug)]
enum Condition {
    Uids(Runs),
    Flags { bits: u32, set: bool },
    Keyword { name: String, set: bool },
    Received(Comparison, civil::Date),
    Saved(Comparison, civil::Date),
    Sent(Comparison, civil::Date),
    Age { older: bool, seconds: u32 },
    Larger(u64),
    Smaller(u64),
    ModSeq(u64),
    Email(String),
    Thread(String),
    Words(usize),
}

/// What is left open of a message when its row is known: a formula over words, by their place in [`Criteria::words`].
pub(super) type Open = Formula<usize>;

impl Criteria {
    pub(super) fn new(key: &SearchKey, view: &View, now: Timestamp) -> Outcome<Self> {
        let mut words = Vec::new();
        let formula = formula(key, view, &mut words)?;
        Ok(Self { formula, words, now })
    }

    /// What is known of a message by its row.
    pub(super) fn hold(&self, row: &Row) -> Open {
        self.formula.reduce(&|condition| match condition {
            // A copy's own fields are not in the index.
            Condition::Words(place) if !self.words[*place].are_above(&row.prefix) => Formula::Is(*place),
            Condition::Words(_) => Formula::Known(true),
            other => Formula::Known(other.holds(row, self.now)),
        })
    }

    /// Of the messages in question those that need to be looked at: fewer, when the key names some.
    pub(super) fn within(&self, uids: &Arc<Runs>) -> Arc<Runs> {
        let conditions = match &self.formula {
            Formula::All(all) => all,
            other => std::slice::from_ref(other),
        };
        conditions.iter().fold(Arc::clone(uids), |uids, condition| match condition {
            Formula::Is(Condition::Uids(named)) => Arc::new(uids.intersection(named)),
            _ => uids,
        })
    }

    /// The pages with what has to be known of each message.
    pub(super) fn read(&self, pages: Pages) -> Pages {
        let reads = |condition: &Condition| matches!(condition, Condition::Sent(..) | Condition::Thread(_));
        let parsed = self.formula.has(&reads);
        let pages = if parsed { pages.with_parsed() } else { pages };
        if self.words.iter().any(Words::may_be_above) { pages.with_prefix() } else { pages }
    }

    /// Whether the client is to be told the highest modification sequence (RFC 7162 §3.1.5).
    pub(super) fn ask_for_modseq(&self) -> bool {
        self.formula.has(&|condition| matches!(condition, Condition::ModSeq(_)))
    }
}

fn formula(key: &SearchKey, view: &View, words: &mut Vec<Words>) -> Outcome<Formula<Condition>> {
    let missing = || Stop::bad("there are not that many messages");
    Ok(Formula::Is(match key {
        SearchKey::All | SearchKey::SaveDateSupported => return Ok(Formula::Known(true)),
        SearchKey::Numbers(set) => Condition::Uids(view.resolve(set, false).ok_or_else(missing)?),
        SearchKey::Uid(set) => Condition::Uids(view.resolve(set, true).ok_or_else(missing)?),
        SearchKey::Flag(FlagKey { flag, set }) => match flag {
            SearchFlag::System(flag) => Condition::Flags { bits: bit(flag), set: *set },
            SearchFlag::Keyword(name) => Condition::Keyword { name: name.to_string(), set: *set },
            // To a client of RFC 9051 none is.
            SearchFlag::Recent => {
                let recent = Formula::Is(Condition::Uids(view.recent().cloned().unwrap_or_default()));
                return Ok(if *set { recent } else { Formula::Not(Box::new(recent)) });
            }
        },
        SearchKey::Date(DateOf::Internal, comparison, day) => Condition::Received(*comparison, *day),
        SearchKey::Date(DateOf::Saved, comparison, day) => Condition::Saved(*comparison, *day),
        SearchKey::Date(DateOf::Sent, comparison, day) => Condition::Sent(*comparison, *day),
        SearchKey::Within { older, seconds } => Condition::Age { older: *older, seconds: *seconds },
        SearchKey::Larger(size) => Condition::Larger(*size),
        SearchKey::Smaller(size) => Condition::Smaller(*size),
        SearchKey::Header { name, needle } => {
            asked(words, Query::Header { name: name.clone(), needle: needle.clone() })
        }
        SearchKey::Body(needle) => asked(words, Query::Body(needle.clone())),
        SearchKey::Text(needle) => asked(words, Query::Text(needle.clone())),
        SearchKey::ModSeq(modseq) => Condition::ModSeq(*modseq),
        SearchKey::EmailId(id) => Condition::Email(id.clone()),
        SearchKey::ThreadId(id) => Condition::Thread(id.clone()),
        SearchKey::Not(inner) => return Ok(Formula::Not(Box::new(formula(inner, view, words)?))),
        SearchKey::Or(two) => {
            let two = [formula(&two.0, view, words)?, formula(&two.1, view, words)?];
            return Ok(Formula::Any(two.into()));
        }
        SearchKey::And(all) => {
            let all = all.iter().map(|key| formula(key, view, words));
            return Ok(Formula::All(all.collect::<Outcome<_>>()?));
        }
    }))
}

fn asked(words: &mut Vec<Words>, query: Query) -> Condition {
    words.push(Words::new(query));
    Condition::Words(words.len() - 1)
}

impl Condition {
    /// Words never do: the row does not know them.
    fn holds(&self, row: &Row, now: Timestamp) -> bool {
        let summary = &row.summary;
        match self {
            Self::Uids(uids) => uids.contains(summary.uid),
            Self::Flags { bits, set } => (summary.flags & bits != 0) == *set,
            Self::Keyword { name, set } => summary.keywords.contains(name) == *set,
            Self::Received(comparison, day) => compare(*comparison, day_of(summary.received), *day),
            Self::Saved(comparison, day) => compare(*comparison, day_of(summary.saved), *day),
            Self::Sent(comparison, day) => {
                let parsed = row.parsed.as_ref();
                let sent = parsed.and_then(|parsed| sort::sent_day(parsed.envelope.date.as_deref()));
                sent.is_some_and(|sent| compare(*comparison, sent, *day))
            }
            Self::Age { older, seconds } => {
                let age = now.as_millisecond() - summary.received;
                let limit = i64::from(*seconds) * 1_000;
                if *older { age >= limit } else { age <= limit }
            }
            Self::Larger(size) => summary.size > *size,
            Self::Smaller(size) => summary.size < *size,
            Self::ModSeq(modseq) => summary.modseq >= *modseq,
            Self::Email(id) => email_id(summary) == *id,
            Self::Thread(id) => row.parsed.as_ref().is_some_and(|parsed| thread_id(summary, parsed) == *id),
            Self::Words(_) => false,
        }
    }
}

/// Without time and zone (RFC 9051 §6.4.4): internal dates are shown in UTC, so their days are UTC's.
fn day_of(unix_ms: i64) -> civil::Date {
    moment(unix_ms).to_zoned(TimeZone::UTC).date()
}

fn compare(comparison: Comparison, day: civil::Date, with: civil::Date) -> bool {
    match comparison {
        Comparison::Before => day < with,
        Comparison::On => day == with,
        Comparison::Since => day >= with,
    }
}
