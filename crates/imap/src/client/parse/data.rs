//! Untagged responses (RFC 9051 §7.2 to §7.5).

use super::cursor::Cursor;
use super::{Response, code, fetch, mailbox, status_kind};
use crate::fetch::PartialRange;
use crate::response::{Data, Esearch, EsearchAll, ThreadNode};
use crate::set::Runs;
use crate::thread::MAX_DEPTH;

/// From after the asterisk. `None`: it is not known, or not as it should be.
pub(super) fn untagged(mut cursor: Cursor<'_>) -> Option<Response> {
    if cursor.peek()?.is_ascii_digit() {
        return numbered(&mut cursor).map(Response::Data);
    }
    let word = cursor.word()?.to_ascii_uppercase();
    if let Some(kind) = status_kind(&word) {
        return Some(Response::Data(Data::Status(code::status(&mut cursor, kind))));
    }
    cursor.spaces();
    let data = match word.as_str() {
        "LIST" | "XLIST" => return mailbox::listed(&mut cursor, false),
        "LSUB" => return mailbox::listed(&mut cursor, true),
        "CAPABILITY" => Data::Capability(words(&mut cursor)?),
        "ENABLED" => Data::Enabled(words(&mut cursor)?),
        "ID" => Data::Id(id(&mut cursor)?),
        "FLAGS" => Data::Flags(cursor.flags()?),
        "VANISHED" => vanished(&mut cursor)?,
        "SEARCH" => numbers(&mut cursor, |numbers, modseq| Data::Search { numbers, modseq })?,
        "SORT" => numbers(&mut cursor, |numbers, modseq| Data::Sort { numbers, modseq })?,
        "ESEARCH" => Data::Esearch(esearch(&mut cursor)?),
        "THREAD" => Data::Thread(threads(&mut cursor)?),
        word => mailbox::data(word, &mut cursor)?,
    };
    Some(Response::Data(data))
}

fn numbered(cursor: &mut Cursor<'_>) -> Option<Data> {
    let number = cursor.number()?;
    cursor.spaces();
    Some(match cursor.word()?.to_ascii_uppercase().as_str() {
        "EXISTS" => Data::Exists(number),
        "RECENT" => Data::Recent(number),
        "EXPUNGE" => Data::Expunge(number),
        "FETCH" => Data::Fetch { number, items: fetch::items(cursor)? },
        _ => return None,
    })
}

fn words(cursor: &mut Cursor<'_>) -> Option<Vec<String>> {
    cursor.all(|cursor| cursor.atom().map(str::to_owned))
}

fn id(cursor: &mut Cursor<'_>) -> Option<Vec<(String, Option<String>)>> {
    if cursor.nil() {
        return Some(Vec::new());
    }
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    cursor.list(|cursor| {
        let name = cursor.string().map(text)?;
        cursor.spaces();
        Some((name, cursor.nstring()?.map(text)))
    })
}

fn vanished(cursor: &mut Cursor<'_>) -> Option<Data> {
    let earlier = cursor.peek() == Some(b'(');
    if earlier {
        cursor.skip_value()?;
        cursor.spaces();
    }
    Some(Data::Vanished { earlier, uids: cursor.runs()? })
}

/// With RFC 7162's `(MODSEQ 5)` at the end.
fn numbers(cursor: &mut Cursor<'_>, data: impl FnOnce(Vec<u32>, Option<u64>) -> Data) -> Option<Data> {
    let (mut numbers, mut modseq) = (Vec::new(), None);
    loop {
        cursor.spaces();
        if cursor.is_at_end() {
            return Some(data(numbers, modseq));
        }
        if cursor.take(b'(') {
            cursor.word().filter(|word| word.eq_ignore_ascii_case("MODSEQ"))?;
            cursor.spaces();
            modseq = Some(cursor.number()?);
            cursor.expect(b')')?;
        } else {
            numbers.push(cursor.number()?);
        }
    }
}

/// RFC 9051 §7.3.4, RFC 9394 §4.
fn esearch(cursor: &mut Cursor<'_>) -> Option<Esearch> {
    let mut result = Esearch::default();
    if cursor.take(b'(') {
        cursor.word().filter(|word| word.eq_ignore_ascii_case("TAG"))?;
        cursor.spaces();
        result.tag = Some(cursor.astring_text()?);
        cursor.expect(b')')?;
    }
    loop {
        cursor.spaces();
        if cursor.is_at_end() {
            return Some(result);
        }
        let word = cursor.word()?.to_ascii_uppercase();
        cursor.spaces();
        match word.as_str() {
            "UID" => result.uid = true,
            "MIN" => result.min = Some(cursor.number()?),
            "MAX" => result.max = Some(cursor.number()?),
            "COUNT" => result.count = Some(cursor.number()?),
            "MODSEQ" => result.modseq = Some(cursor.number()?),
            "ALL" => result.all = Some(esearch_all(cursor)?),
            "PARTIAL" => result.partial = Some(partial(cursor)?),
            _ => cursor.skip_value()?,
        }
    }
}

/// Numbers of a sorted result that are kept.
const MAX_ORDERED: u64 = 4_000_000;

/// Numbers that are not as a set is written have an order of their own (RFC 5267 §3.2).
fn esearch_all(cursor: &mut Cursor<'_>) -> Option<EsearchAll> {
    let ranges = cursor.ranges()?;
    let set = Runs::from_ranges(ranges.iter().map(|(a, b)| *a.min(b)..=*a.max(b)));
    let is_set = set.ranges().map(|range| (*range.start(), *range.end())).eq(ranges.iter().copied());
    // A range is as good as endless: what is in none twice is not more than the set has.
    let count = ranges.iter().map(|(a, b)| u64::from(a.abs_diff(*b)) + 1).sum::<u64>();
    let is_order = !is_set && count == u64::from(set.len()) && count <= MAX_ORDERED;
    Some(match is_order {
        true => EsearchAll::Ordered(ranges.into_iter().flat_map(|(a, b)| a.min(b)..=a.max(b)).collect()),
        false => EsearchAll::Set(set),
    })
}

fn partial(cursor: &mut Cursor<'_>) -> Option<(PartialRange, EsearchAll)> {
    cursor.expect(b'(')?;
    let from_end = cursor.take(b'-');
    let from: u32 = cursor.number()?;
    cursor.expect(b':')?;
    let to: u32 = (cursor.take(b'-') == from_end).then(|| cursor.number())??;
    cursor.spaces();
    let found = if cursor.nil() { EsearchAll::Set(Runs::default()) } else { esearch_all(cursor)? };
    cursor.expect(b')')?;
    Some((PartialRange { from: from.min(to), to: from.max(to), from_end }, found))
}

/// RFC 5256 §4. What is nested deeper than [`MAX_DEPTH`] is refused.
fn threads(cursor: &mut Cursor<'_>) -> Option<Vec<ThreadNode>> {
    // In parentheses, one in another: the members so far, of which the last is the parent of what comes next.
    let mut open: Vec<Vec<ThreadNode>> = Vec::new();
    let (mut threads, mut depth) = (Vec::new(), 0);
    loop {
        cursor.spaces();
        if cursor.take(b'(') {
            open.push(Vec::new());
        } else if cursor.take(b')') {
            let members = open.pop()?;
            depth -= members.len();
            let thread = chain(members)?;
            match open.last_mut() {
                None => threads.push(thread),
                Some(members) => {
                    if members.is_empty() {
                        members.push(ThreadNode { number: None, children: Vec::new() });
                        depth += 1;
                    }
                    members.last_mut()?.children.push(thread);
                }
            }
        } else if cursor.is_at_end() {
            return open.is_empty().then_some(threads);
        } else {
            open.last_mut()?.push(ThreadNode { number: Some(cursor.number()?), children: Vec::new() });
            depth += 1;
        }
        if open.len() + depth > 2 * MAX_DEPTH + 2 {
            return None;
        }
    }
}

/// Each under the one before it.
fn chain(members: Vec<ThreadNode>) -> Option<ThreadNode> {
    members.into_iter().rev().reduce(|below, mut above| {
        above.children.push(below);
        above
    })
}
