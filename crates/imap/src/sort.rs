//! SORT (RFC 5256, and DISPLAYFROM and DISPLAYTO of RFC 5957).
//!
//! A [`Sorter`] takes of each message only what its criteria need, so that a folder of a million is sorted in some tens of
//! megabytes; it then says the numbers in order.

use crate::search::{SortBy, SortCriterion};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::Offset;
use message::structure::{Address, Envelope};
use std::cmp::Ordering;

/// Octets of a text that are compared. Longer ones are the same if they are the same so far; subjects end long before.
pub const MAX_TEXT: usize = 1_024;

/// What is asked of a message that is to be sorted.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its internal date.
    pub arrival: Timestamp,
    /// In octets.
    pub size: u64,
    /// Not looked at when [`Sorter::needs_envelope`] says no.
    pub envelope: Option<&'a Envelope>,
}

/// Messages that are being sorted.
#[derive(Debug)]
pub struct Sorter {
    criteria: Vec<SortCriterion>,
    messages: Vec<(Box<[Value]>, u32)>,
}

/// Of one criterion; in a column all are of one kind.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Size(u64),
    Time(Timestamp),
    Text(Box<str>),
}

impl Sorter {
    pub fn new(criteria: &[SortCriterion]) -> Self {
        Self { criteria: criteria.to_vec(), messages: Vec::new() }
    }

    /// Whether the criteria ask for more than is known without the message's header.
    pub fn needs_envelope(&self) -> bool {
        !self.criteria.iter().all(|criterion| matches!(criterion.by, SortBy::Arrival | SortBy::Size))
    }

    /// Adds a message: its sequence number, or its UID, which orders as well.
    pub fn push(&mut self, number: u32, facts: Facts<'_>) {
        let values = self.criteria.iter().map(|criterion| value(criterion.by, facts)).collect();
        self.messages.push((values, number));
    }

    /// The numbers in order. Messages that are the same by all criteria are in the order of their numbers, whatever is reversed.
    pub fn finish(self) -> Vec<u32> {
        let Self { criteria, mut messages } = self;
        messages.sort_unstable_by(|(a, x), (b, y)| {
            let columns = criteria.iter().zip(a.iter().zip(b));
            let orders =
                columns.map(|(criterion, (a, b))| if criterion.reverse { b.cmp(a) } else { a.cmp(b) });
            orders.fold(Ordering::Equal, Ordering::then).then(x.cmp(y))
        });
        messages.into_iter().map(|(_, number)| number).collect()
    }
}

fn value(by: SortBy, facts: Facts<'_>) -> Value {
    let Some(envelope) = facts.envelope else {
        return match by {
            SortBy::Arrival | SortBy::Date => Value::Time(facts.arrival),
            SortBy::Size => Value::Size(facts.size),
            _ => Value::Text(Box::default()),
        };
    };
    let mailbox = |list: &[Address]| {
        list.first().and_then(|first| first.mailbox.as_deref()).map(lossy).unwrap_or_default()
    };
    let text = match by {
        SortBy::Arrival => return Value::Time(facts.arrival),
        SortBy::Size => return Value::Size(facts.size),
        SortBy::Date => return Value::Time(sent_date(envelope.date.as_deref(), facts.arrival)),
        SortBy::Cc => mailbox(&envelope.cc),
        SortBy::From => mailbox(&envelope.from),
        SortBy::To => mailbox(&envelope.to),
        SortBy::Subject => envelope
            .subject
            .as_deref()
            .map(|subject| message::base_subject(&lossy(subject)).0)
            .unwrap_or_default(),
        SortBy::DisplayFrom => envelope.from.first().map(display).unwrap_or_default(),
        SortBy::DisplayTo => envelope.to.first().map(display).unwrap_or_default(),
    };
    let mut text = casemap(&text);
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    Value::Text(text.into())
}

fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The sort value of an address (RFC 5957 §3).
fn display(address: &Address) -> String {
    let name = address.name.as_deref().map(|name| message::decode_words(&lossy(name))).unwrap_or_default();
    match (name.is_empty(), &address.mailbox, &address.host) {
        (false, ..) => name,
        (true, Some(mailbox), Some(host)) => format!("{}@{}", lossy(mailbox), lossy(host)),
        (true, Some(mailbox), None) => lossy(mailbox),
        (true, None, _) => String::new(),
    }
}

/// When a message says that it was sent (RFC 5256 §2.2): its Date field, in UTC if the zone is no good, at midnight if the
/// time is no good; the internal date if there is no such field that can be read.
pub fn sent_date(date: Option<&[u8]>, internal: Timestamp) -> Timestamp {
    static PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    let Some(date) = date else { return internal };
    PARSER.parse_timestamp(date).ok().or_else(|| without_zone(date)).unwrap_or(internal)
}

/// The day on which a message says that it was sent, without regard to time and zone, as SENTON and the like ask
/// (RFC 9051 §6.4.4).
pub fn sent_day(date: Option<&[u8]>) -> Option<jiff::civil::Date> {
    without_zone(date?).map(|moment| moment.to_zoned(jiff::tz::TimeZone::UTC).date())
}

/// The first day, month, year and, if it is one, time that stand beside each other.
fn without_zone(date: &[u8]) -> Option<Timestamp> {
    let text = lossy(date);
    let words: Vec<&str> =
        text.split([' ', '\t', ',', '-']).filter(|word| !word.is_empty()).take(12).collect();
    let at = words.windows(3).position(|words| civil_date(words).is_some())?;
    let day = words.get(at..at + 3).and_then(civil_date)?;
    let time = words.get(at + 3).and_then(|time| civil_time(time)).unwrap_or_default();
    Offset::UTC.to_timestamp(DateTime::from_parts(day, time)).ok()
}

fn civil_date(words: &[&str]) -> Option<jiff::civil::Date> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let [day, month, year] = words else { return None };
    let month = month.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    // RFC 5322 §4.3: years of two and three digits.
    let year = match (year.len(), year.parse::<i16>().ok()?) {
        (2, year @ 0..50) => year + 2000,
        (2 | 3, year) => year + 1900,
        (_, year) => year,
    };
    jiff::civil::Date::new(year, i8::try_from(month).ok()?, day.parse().ok()?).ok()
}

fn civil_time(text: &str) -> Option<jiff::civil::Time> {
    let mut parts = text.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    jiff::civil::Time::new(hour, minute, second.min(59), 0).ok()
}

/// What strings are compared by, octet by octet: the collation i;unicode-casemap (RFC 5051 §2), as RFC 5256 asks for.
///
/// Each character is mapped to its titlecase, then decomposed as far as it goes, compatibility decompositions included
/// (the collation has no reordering of marks, so none is made across characters).
pub fn casemap(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        unicode_normalization::char::decompose_compatible(titlecase(character), |part| out.push(part));
    }
    out
}

/// Unicode's simple titlecase mapping: that of uppercase, where it is one character, but for these.
fn titlecase(character: char) -> char {
    match character {
        // Letters that are two: only the first of them is large.
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Georgian has large letters, and no titlecase.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => character,
        _ => {
            let mut upper = character.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                // What has no single large letter, as ß.
                _ => character,
            }
        }
    }
}

#[cfg(test)]
mod tests;
