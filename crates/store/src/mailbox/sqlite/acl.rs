//! Access lists: the SQL.

use super::folder;
use crate::committer::Writer;
use crate::mailbox::acl::MAX_ENTRIES;
use crate::mailbox::{self, Mailbox};
use crate::{Change, Id, StoreError};
use address::Domain;
use rusqlite::Connection;

pub(in crate::mailbox) fn list(db: &Connection, mailbox: Id) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT identifier, rights FROM acl WHERE mailbox = ? ORDER BY identifier";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([mailbox], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(in crate::mailbox) fn set(
    writer: &Writer<'_>,
    mailbox: Id,
    identifier: &str,
    rights: &str,
) -> Result<(), StoreError> {
    let db = writer.db;
    let account = owner(db, mailbox)?;
    let sql = "INSERT INTO acl(mailbox, identifier, rights) VALUES(?, ?, ?) \
               ON CONFLICT DO UPDATE SET rights = excluded.rights";
    db.prepare_cached(sql)?.execute((mailbox, identifier, rights))?;
    let sql = "SELECT count(*) FROM acl WHERE mailbox = ?";
    let count: i64 = db.prepare_cached(sql)?.query_row([mailbox], |row| row.get(0))?;
    if count > MAX_ENTRIES as i64 {
        return Err(StoreError::Limit(format!("a folder has rights for at most {MAX_ENTRIES} identifiers")));
    }
    writer.publish(Change::Access { account });
    Ok(())
}

pub(in crate::mailbox) fn remove(
    writer: &Writer<'_>,
    mailbox: Id,
    identifier: &str,
) -> Result<(), StoreError> {
    let account = owner(writer.db, mailbox)?;
    let sql = "DELETE FROM acl WHERE mailbox = ? AND identifier = ?";
    writer.db.prepare_cached(sql)?.execute((mailbox, identifier))?;
    writer.publish(Change::Access { account });
    Ok(())
}

fn owner(db: &Connection, mailbox: Id) -> Result<Id, StoreError> {
    let found = folder::by_id(db, mailbox)?;
    Ok(found.ok_or_else(|| mailbox::folder::not_found(mailbox))?.account)
}

pub(in crate::mailbox) fn shared_with(
    db: &Connection,
    domain: &Domain,
    identifiers: &[&str],
) -> Result<Vec<Mailbox>, StoreError> {
    let condition = "id IN (SELECT acl.mailbox FROM acl WHERE acl.identifier = ?1) \
                     AND (SELECT domain FROM account WHERE account.id = mailbox.account) = ?2";
    let mut found = Vec::new();
    for identifier in identifiers {
        found.extend(folder::find(db, condition, (identifier, domain.as_str()))?);
    }
    found.sort_by(|a: &Mailbox, b| (a.account, &a.name).cmp(&(b.account, &b.name)));
    found.dedup_by_key(|mailbox| mailbox.id);
    Ok(found)
}
