//! Reports: the SQL.

use super::{Due, FolderMark, MAX_KEYS, MAX_REPORTS, Post, ReportKind, Retry, Sent, StoredReport, Tally};
use crate::queue::parsed;
use crate::{Id, StoreError};
use address::Domain;
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::collections::HashMap;

fn word(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Dmarc => "dmarc",
        ReportKind::Tls => "tls",
        ReportKind::Failure => "failure",
    }
}

fn kind(word: &str) -> ReportKind {
    match word {
        "tls" => ReportKind::Tls,
        "failure" => ReportKind::Failure,
        _ => ReportKind::Dmarc,
    }
}

pub(super) fn add_tallies(db: &Connection, tallies: &[Tally]) -> Result<u64, StoreError> {
    let mut keys: HashMap<(ReportKind, u32, &Domain), u64> = HashMap::new();
    let mut left_out = 0;
    for tally in tallies {
        let (kind, day, domain) = (word(tally.kind), tally.day, tally.domain.as_str());
        let counted = match keys.get(&(tally.kind, day, &tally.domain)) {
            Some(counted) => *counted,
            None => {
                let sql = "SELECT count(*) FROM report_tally WHERE kind = ? AND day = ? AND domain = ?";
                db.prepare_cached(sql)?.query_row((kind, day, domain), |row| row.get::<_, i64>(0))? as u64
            }
        };
        let count = i64::try_from(tally.count).unwrap_or(i64::MAX);
        let sql =
            "UPDATE report_tally SET count = count + ? WHERE kind = ? AND day = ? AND domain = ? AND key = ?";
        let known = db.prepare_cached(sql)?.execute((count, kind, day, domain, &tally.key))? > 0;
        let full = counted >= MAX_KEYS;
        if !known && !full {
            let sql = "INSERT INTO report_tally(kind, day, domain, key, count) VALUES(?, ?, ?, ?, ?)";
            db.prepare_cached(sql)?.execute((kind, day, domain, &tally.key, count))?;
        }
        left_out += u64::from(!known && full);
        keys.insert((tally.kind, day, &tally.domain), counted + u64::from(!known && !full));
    }
    Ok(left_out)
}

pub(super) fn due(db: &Connection, day: u32, limit: usize) -> Result<Vec<Due>, StoreError> {
    let sql = "SELECT DISTINCT kind, day, domain FROM report_tally WHERE kind IN ('dmarc', 'tls') AND day < ?
               ORDER BY kind, day, domain LIMIT ?";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query((day, limit as i64))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let domain = parsed(row.get_ref(2)?.as_str().unwrap_or_default())?;
        found.push(Due {
            kind: kind(row.get_ref(0)?.as_str().unwrap_or_default()),
            day: row.get(1)?,
            domain,
        });
    }
    Ok(found)
}

pub(super) fn tallies(db: &Connection, due: &Due) -> Result<Vec<Tally>, StoreError> {
    let sql = "SELECT key, count FROM report_tally WHERE kind = ? AND day = ? AND domain = ? ORDER BY key";
    let mut statement = db.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        Ok(Tally {
            kind: due.kind,
            day: due.day,
            domain: due.domain.clone(),
            key: row.get(0)?,
            count: row.get::<_, i64>(1)? as u64,
        })
    };
    let rows = statement.query_map((word(due.kind), due.day, due.domain.as_str()), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn close(db: &Connection, due: &Due, today: u32, sent: &Sent) -> Result<(), StoreError> {
    let sql = "DELETE FROM report_tally WHERE kind = ? AND day = ? AND domain = ?";
    db.prepare_cached(sql)?.execute((word(due.kind), due.day, due.domain.as_str()))?;
    for domain in &sent.mailed {
        let sql = "INSERT INTO report_sent(kind, day, domain, count) VALUES(?, ?, ?, 1)
                   ON CONFLICT DO UPDATE SET count = count + 1";
        db.prepare_cached(sql)?.execute((word(due.kind), today, domain.as_str()))?;
    }
    for post in &sent.posts {
        let sql = "INSERT INTO report_post(id, domain, uri, due, attempts, until, content) VALUES(?, ?, ?, 0, 0, 0, ?)";
        db.prepare_cached(sql)?.execute((Id::generate(), due.domain.as_str(), &post.uri, &post.content))?;
    }
    Ok(())
}

pub(super) fn due_posts(db: &Connection, now: i64, limit: usize) -> Result<Vec<Post>, StoreError> {
    let sql = "SELECT id, domain, uri, due, attempts, until FROM report_post WHERE due <= ? ORDER BY due, id LIMIT ?";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query((now, limit as i64))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let domain = parsed(row.get_ref(1)?.as_str().unwrap_or_default())?;
        let retry = Retry { due: row.get(3)?, attempts: row.get(4)?, until: row.get(5)? };
        found.push(Post { id: row.get(0)?, domain, uri: row.get(2)?, retry });
    }
    Ok(found)
}

pub(super) fn post_content(db: &Connection, id: Id) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT content FROM report_post WHERE id = ?";
    Ok(db.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?)
}

pub(super) fn settle_post(db: &Connection, id: Id, retry: Option<Retry>) -> Result<(), StoreError> {
    match retry {
        None => db.prepare_cached("DELETE FROM report_post WHERE id = ?")?.execute([id])?,
        Some(Retry { due, attempts, until }) => {
            let sql = "UPDATE report_post SET due = ?, attempts = ?, until = ? WHERE id = ?";
            db.prepare_cached(sql)?.execute((due, attempts, until, id))?
        }
    };
    Ok(())
}

pub(super) fn sent(db: &Connection, due: &Due) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(sum(count), 0) FROM report_sent WHERE day = ? AND domain = ?";
    let count: i64 = db.prepare_cached(sql)?.query_row((due.day, due.domain.as_str()), |row| row.get(0))?;
    Ok(count as u64)
}

pub(super) fn add_report(db: &Connection, report: &StoredReport) -> Result<bool, StoreError> {
    let sql = "INSERT OR IGNORE INTO report(id, kind, domain, organization, name, start, stop, received, total, failed, content)
               VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let new = db.prepare_cached(sql)?.execute(rusqlite::params![
        report.id,
        word(report.kind),
        report.domain.as_str(),
        report.organization,
        report.name,
        number(report.start),
        number(report.stop),
        report.received,
        number(report.total),
        number(report.failed),
        report.content,
    ])?;
    let sql = "DELETE FROM report WHERE domain = ?1 AND id NOT IN
               (SELECT id FROM report WHERE domain = ?1 ORDER BY id DESC LIMIT ?2)";
    let count = "SELECT count(*) FROM report WHERE domain = ?";
    let kept: i64 = db.prepare_cached(count)?.query_row([report.domain.as_str()], |row| row.get(0))?;
    if kept as u64 > MAX_REPORTS {
        db.prepare_cached(sql)?.execute((report.domain.as_str(), MAX_REPORTS as i64))?;
    }
    Ok(new > 0)
}

pub(super) fn reports(
    db: &Connection,
    domain: &Domain,
    since: i64,
    limit: usize,
) -> Result<Vec<StoredReport>, StoreError> {
    let sql = "SELECT id, kind, organization, name, start, stop, received, total, failed, content FROM report
               WHERE domain = ? AND received >= ? ORDER BY id DESC LIMIT ?";
    let mut statement = db.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        let number = |column| row.get::<_, i64>(column).map(|n| n as u64);
        Ok(StoredReport {
            id: row.get(0)?,
            kind: kind(row.get_ref(1)?.as_str().unwrap_or_default()),
            domain: domain.clone(),
            organization: row.get(2)?,
            name: row.get(3)?,
            start: number(4)?,
            stop: number(5)?,
            received: row.get(6)?,
            total: number(7)?,
            failed: number(8)?,
            content: row.get(9)?,
        })
    };
    let rows = statement.query_map((domain.as_str(), since, limit as i64), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn forget(db: &Connection, before: i64, day: u32) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM report WHERE received < ?")?.execute([before])?;
    db.prepare_cached("DELETE FROM report_tally WHERE day < ?")?.execute([day])?;
    db.prepare_cached("DELETE FROM report_sent WHERE day < ?")?.execute([day])?;
    let gone = "DELETE FROM report_folder WHERE mailbox NOT IN (SELECT id FROM mailbox)";
    db.prepare_cached(gone)?.execute([])?;
    Ok(())
}

pub(super) fn mark(db: &Connection, mailbox: Id) -> Result<Option<FolderMark>, StoreError> {
    let sql = "SELECT uidvalidity, uid FROM report_folder WHERE mailbox = ?";
    let read = |row: &Row<'_>| Ok(FolderMark { mailbox, uidvalidity: row.get(0)?, uid: row.get(1)? });
    Ok(db.prepare_cached(sql)?.query_row([mailbox], read).optional()?)
}

pub(super) fn set_mark(db: &Connection, mark: FolderMark) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO report_folder(mailbox, uidvalidity, uid) VALUES(?, ?, ?)";
    db.prepare_cached(sql)?.execute((mark.mailbox, mark.uidvalidity, mark.uid))?;
    Ok(())
}
