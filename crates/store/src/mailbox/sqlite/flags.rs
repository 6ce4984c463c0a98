//! Flags and keywords: the SQL.

use super::{Keywords, Tally, rows, touch};
use crate::committer::Writer;
use crate::mailbox::{FlagChange, FlagsSet, MAX_KEYWORDS, SLICE, UidRuns, folder};
use crate::{Change, Id, MailboxChange, StoreError};
use rusqlite::{Connection, OptionalExtension as _};
use std::sync::Arc;

pub(in crate::mailbox) fn keywords(db: &Connection, mailbox: Id) -> Result<Vec<String>, StoreError> {
    let mut statement = db.prepare_cached("SELECT name FROM keyword WHERE mailbox = ? ORDER BY name")?;
    let rows = statement.query_map([mailbox], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The keywords as the folder spells them; those it does not know yet are added to it.
pub(super) fn known(db: &Connection, mailbox: Id, keywords: &Keywords) -> Result<Keywords, StoreError> {
    let mut spelt = Vec::new();
    for keyword in keywords.iter() {
        let sql = "SELECT name FROM keyword WHERE mailbox = ? AND name = ?";
        let found: Option<String> =
            db.prepare_cached(sql)?.query_row((mailbox, keyword), |row| row.get(0)).optional()?;
        if found.is_none() {
            add(db, mailbox, keyword)?;
        }
        spelt.push(found.unwrap_or_else(|| keyword.to_owned()));
    }
    Ok(spelt.iter().map(String::as_str).collect())
}

fn add(db: &Connection, mailbox: Id, keyword: &str) -> Result<(), StoreError> {
    let sql = "SELECT count(*) FROM keyword WHERE mailbox = ?";
    let count: i64 = db.prepare_cached(sql)?.query_row([mailbox], |row| row.get(0))?;
    if count >= MAX_KEYWORDS as i64 {
        return Err(StoreError::Limit(format!("a folder has at most {MAX_KEYWORDS} different keywords")));
    }
    db.prepare_cached("INSERT INTO keyword(mailbox, name) VALUES(?, ?)")?.execute((mailbox, keyword))?;
    Ok(())
}

/// Changes the flags of the next slice above `after`; returns where to go on.
pub(in crate::mailbox) fn set(
    writer: &Writer<'_>,
    mailbox: Id,
    uids: &UidRuns,
    change: &FlagChange,
    unchanged_since: Option<u64>,
    after: u32,
) -> Result<(FlagsSet, Option<u32>), StoreError> {
    let db = writer.db;
    let unchanged = super::folder::by_id(db, mailbox)?.ok_or_else(|| folder::not_found(mailbox))?;
    let limit = writer.share(SLICE);
    let slice = rows(db, mailbox, uids, 0, after, limit)?;
    let next = slice.last().filter(|_| slice.len() == limit).map(|row| row.summary.uid);
    let keywords = match slice.is_empty() {
        true => Keywords::default(),
        false => known(db, mailbox, &change.keywords)?,
    };
    let change = FlagChange { keywords, ..change.clone() };
    let (mut done, mut tally) = (FlagsSet::default(), Tally::default());
    let sql = "UPDATE message SET flags = ?, keywords = ?, modseq = ? WHERE mailbox = ? AND uid = ?";
    let mut statement = db.prepare_cached(sql)?;
    let modseq = unchanged.modseq + 1;
    for row in slice.into_iter().map(|row| row.summary) {
        if unchanged_since.is_some_and(|since| row.modseq > since) {
            done.modified.push(row.uid);
            continue;
        }
        let (flags, keywords) = change.apply(row.flags, &row.keywords);
        if (flags, &keywords) == (row.flags, &row.keywords) {
            continue;
        }
        statement.execute((flags, keywords.as_str(), modseq as i64, mailbox, row.uid))?;
        tally.reflag(row.flags, -1);
        tally.reflag(flags, 1);
        done.changed.push(row.uid);
    }
    if !done.changed.is_empty() {
        touch(db, mailbox, 0, tally)?;
        done.modseqs.push(modseq);
        let kind = MailboxChange::Flags { uids: Arc::new(done.changed.clone()) };
        writer.publish(Change::Mailbox { account: unchanged.account, mailbox, modseq, kind });
    }
    Ok((done, next))
}
