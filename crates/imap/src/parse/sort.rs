//! SORT and THREAD (RFC 5256, RFC 5267 for RETURN, RFC 5957).

use super::cursor::{Cursor, Parsed};
use super::search::{charset, keys, return_options};
use crate::command::Command;
use crate::search::{Sort, SortBy, SortCriterion, Thread, ThreadAlgorithm};

/// There are nine, each of which counts once.
const MAX_CRITERIA: usize = 32;

/// `sort = ["UID" SP] "SORT" [search-return-opts] SP sort-criteria SP search-criteria`
/// `search-criteria = charset 1*(SP search-key)`
pub(super) fn sort(cursor: &mut Cursor<'_>, uid: bool, _: &str) -> Parsed<Command> {
    let returns = return_options(cursor)?;
    let criteria = cursor.list("criteria", MAX_CRITERIA, criterion)?;
    cursor.space()?;
    let charset = charset(cursor)?;
    cursor.space()?;
    let key = keys(cursor, charset)?;
    Ok(Command::Sort(Sort { uid, returns, criteria, key }))
}

/// `sort-criterion = ["REVERSE" SP] sort-key`
/// `sort-key = "ARRIVAL" / "CC" / "DATE" / "FROM" / "SIZE" / "SUBJECT" / "TO"`, `=/ "DISPLAYFROM" / "DISPLAYTO"`
fn criterion(cursor: &mut Cursor<'_>) -> Parsed<SortCriterion> {
    let mut at = cursor.mark();
    let mut word = cursor.word();
    let reverse = word == "REVERSE";
    if reverse {
        cursor.space()?;
        at = cursor.mark();
        word = cursor.word();
    }
    let by = match word.as_str() {
        "ARRIVAL" => SortBy::Arrival,
        "CC" => SortBy::Cc,
        "DATE" => SortBy::Date,
        "DISPLAYFROM" => SortBy::DisplayFrom,
        "DISPLAYTO" => SortBy::DisplayTo,
        "FROM" => SortBy::From,
        "SIZE" => SortBy::Size,
        "SUBJECT" => SortBy::Subject,
        "TO" => SortBy::To,
        _ => return Err(cursor.expected_at(at, "a sort key")),
    };
    Ok(SortCriterion { by, reverse })
}

/// `thread = ["UID" SP] "THREAD" SP thread-alg SP search-criteria`
/// `thread-alg = "ORDEREDSUBJECT" / "REFERENCES" / thread-alg-ext`
pub(super) fn thread(cursor: &mut Cursor<'_>, uid: bool, _: &str) -> Parsed<Command> {
    let at = cursor.mark();
    let algorithm = match cursor.word().as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        _ => return Err(cursor.expected_at(at, "ORDEREDSUBJECT or REFERENCES")),
    };
    cursor.space()?;
    let charset = charset(cursor)?;
    cursor.space()?;
    let key = keys(cursor, charset)?;
    Ok(Command::Thread(Thread { uid, algorithm, key }))
}
