//! Folders: the SQL.

use crate::committer::Writer;
use crate::mailbox::name::{self, MAX_FOLDERS, MAX_NAME};
use crate::mailbox::{DEFAULT_FOLDERS, DELIMITER, INBOX, Mailbox, folder};
use crate::{Change, Id, MailboxChange, StoreError};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

/// The columns of a folder, in the order that [`read`] takes them.
const MAILBOX: &str = "mailbox.id, mailbox.account, mailbox.name, role, uidvalidity, uidnext, modseq, \
     EXISTS(SELECT 1 FROM subscription AS s WHERE s.account = mailbox.account AND s.name = mailbox.name), \
     messages, unseen, deleted, octets";

fn read(row: &Row<'_>) -> rusqlite::Result<Mailbox> {
    let number = |index| row.get::<_, i64>(index).map(|n| n.max(0) as u64);
    Ok(Mailbox {
        id: row.get(0)?,
        account: row.get(1)?,
        name: row.get(2)?,
        role: row.get(3)?,
        uidvalidity: row.get(4)?,
        uidnext: row.get(5)?,
        modseq: number(6)?,
        subscribed: row.get(7)?,
        messages: number(8)?,
        unseen: number(9)?,
        deleted: number(10)?,
        octets: number(11)?,
    })
}

/// All folders of a condition, INBOX first.
pub(super) fn find(
    db: &Connection,
    condition: &str,
    parameters: impl Params,
) -> Result<Vec<Mailbox>, StoreError> {
    let sql = format!(
        "SELECT {MAILBOX} FROM mailbox WHERE {condition} ORDER BY mailbox.account, mailbox.name != 'INBOX', mailbox.name"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(parameters, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(in crate::mailbox) fn list(db: &Connection, account: Id) -> Result<Vec<Mailbox>, StoreError> {
    find(db, "account = ?", [account])
}

pub(in crate::mailbox) fn by_id(db: &Connection, id: Id) -> Result<Option<Mailbox>, StoreError> {
    Ok(find(db, "id = ?", [id])?.pop())
}

pub(in crate::mailbox) fn by_name(
    db: &Connection,
    account: Id,
    name: &str,
) -> Result<Option<Mailbox>, StoreError> {
    Ok(find(db, "account = ? AND name = ?", (account, name))?.pop())
}

pub(in crate::mailbox) fn subscriptions(db: &Connection, account: Id) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT name FROM subscription WHERE account = ? ORDER BY name != 'INBOX', name";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([account], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn create_defaults(db: &Connection, account: Id) -> Result<(), StoreError> {
    for (name, role) in DEFAULT_FOLDERS {
        insert(db, account, name, role)?;
        set_subscription(db, account, name)?;
    }
    Ok(())
}

/// `false`: there is one of that name.
fn insert(db: &Connection, account: Id, name: &str, role: Option<&str>) -> Result<bool, StoreError> {
    let id = Id::generate();
    let sql = "INSERT OR IGNORE INTO mailbox(id, account, name, role, uidvalidity) VALUES(?, ?, ?, ?, ?)";
    let validity = next_uidvalidity(db, id.unix_ms() / 1000)?;
    Ok(db.prepare_cached(sql)?.execute((id, account, name, role, validity))? > 0)
}

/// Grows with time, so that a folder made again under an old name is told apart (RFC 9051 §2.3.1.1), and by one at least,
/// so that it is when both were made in one second.
fn next_uidvalidity(db: &Connection, now: i64) -> Result<u32, StoreError> {
    let sql = "INSERT INTO meta(key, value) VALUES('uidvalidity', ?) \
               ON CONFLICT(key) DO UPDATE SET value = max(value + 1, excluded.value) RETURNING value";
    Ok(db.prepare_cached(sql)?.query_row([now], |row| row.get(0))?)
}

pub(in crate::mailbox) fn create(
    writer: &Writer<'_>,
    account: Id,
    name: &str,
    role: Option<&str>,
) -> Result<Mailbox, StoreError> {
    let db = writer.db;
    need_account(db, account)?;
    create_parents(db, account, name)?;
    if !insert(db, account, name, role)? {
        return Err(StoreError::Exists(format!("folder {name:?}")));
    }
    check_count(db, account)?;
    writer.publish(Change::Folders { account });
    by_name(db, account, name)?.ok_or_else(|| StoreError::Bug(format!("folder {name:?} vanished")))
}

/// The same, with the access list of the nearest folder above, also for those between.
pub(in crate::mailbox) fn create_shared_as_above(
    writer: &Writer<'_>,
    account: Id,
    name: &str,
    role: Option<&str>,
) -> Result<Mailbox, StoreError> {
    let db = writer.db;
    let (mut nearest, mut made) = (None, Vec::new());
    for above in name::parents(name) {
        match by_name(db, account, above)? {
            Some(mailbox) => nearest = Some(mailbox.id),
            None => made.push(above),
        }
    }
    made.push(name);
    let created = create(writer, account, name, role)?;
    let Some(nearest) = nearest else { return Ok(created) };
    let sql = "INSERT INTO acl(mailbox, identifier, rights) SELECT made.id, acl.identifier, acl.rights \
               FROM mailbox made, acl WHERE made.account = ? AND made.name = ? AND acl.mailbox = ?";
    let mut statement = db.prepare_cached(sql)?;
    for name in made {
        statement.execute((account, name, nearest))?;
    }
    Ok(created)
}

fn need_account(db: &Connection, account: Id) -> Result<(), StoreError> {
    let sql = "SELECT EXISTS(SELECT 1 FROM account WHERE id = ?)";
    match db.prepare_cached(sql)?.query_row([account], |row| row.get(0))? {
        true => Ok(()),
        false => Err(StoreError::NotFound(format!("account {account}"))),
    }
}

fn create_parents(db: &Connection, account: Id, name: &str) -> Result<(), StoreError> {
    name::parents(name).try_for_each(|parent| insert(db, account, parent, None).map(drop))
}

fn check_count(db: &Connection, account: Id) -> Result<(), StoreError> {
    let sql = "SELECT count(*) FROM mailbox WHERE account = ?";
    let count: i64 = db.prepare_cached(sql)?.query_row([account], |row| row.get(0))?;
    if count > MAX_FOLDERS as i64 {
        return Err(StoreError::Limit(format!("an account has at most {MAX_FOLDERS} folders")));
    }
    Ok(())
}

pub(in crate::mailbox) fn rename(writer: &Writer<'_>, id: Id, new: &str) -> Result<(), StoreError> {
    let db = writer.db;
    let mailbox = by_id(db, id)?.ok_or_else(|| folder::not_found(id))?;
    let (old, account) = (mailbox.name.as_str(), mailbox.account);
    let inside =
        |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with(DELIMITER));
    if inside(old, new) {
        return Err(StoreError::Refused(format!("{old:?} cannot be moved into itself")));
    }
    if by_name(db, account, new)?.is_some() {
        return Err(StoreError::Exists(format!("folder {new:?}")));
    }
    // What is below goes out of the way first, or "a/a" would be in the way when "a" is renamed to nothing but its end.
    let below = "account = ?1 AND (id = ?2 OR (name > ?3 || '/' AND name < ?3 || '0'))";
    let aside = format!("UPDATE mailbox SET name = char(1) || substr(name, length(?3) + 1) WHERE {below}");
    db.prepare_cached(&aside)?.execute((account, id, old))?;
    create_parents(db, account, new)?;
    let sql = "UPDATE OR IGNORE mailbox SET name = ?2 || substr(name, 2) WHERE account = ?1 AND name >= char(1) AND name < char(2)";
    db.prepare_cached(sql)?.execute((account, new))?;
    check_renamed(db, account, new)?;
    check_count(db, account)?;
    writer.publish(Change::Folders { account });
    Ok(())
}

/// Whether all went to their new places, which must be names.
fn check_renamed(db: &Connection, account: Id, new: &str) -> Result<(), StoreError> {
    let sql = "SELECT name FROM mailbox WHERE account = ? AND name < char(2) LIMIT 1";
    let left: Option<String> = db.prepare_cached(sql)?.query_row([account], |row| row.get(0)).optional()?;
    if let Some(left) = left {
        return Err(StoreError::Exists(format!("folder {:?}", left.replacen('\u{1}', new, 1))));
    }
    let sql = "SELECT name FROM mailbox WHERE account = ?1 AND name > ?2 || '/' AND name < ?2 || '0' \
               ORDER BY length(name) DESC";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query((account, new))?;
    while let Some(row) = rows.next()? {
        name::check(row.get_ref(0)?.as_str().unwrap_or_default())?;
    }
    debug_assert!(new.len() <= MAX_NAME);
    Ok(())
}

pub(in crate::mailbox) fn delete(writer: &Writer<'_>, id: Id, keep: bool) -> Result<(), StoreError> {
    let mailbox = by_id(writer.db, id)?.ok_or_else(|| folder::not_found(id))?;
    if mailbox.name == INBOX {
        return Err(StoreError::Refused("INBOX cannot be removed".into()));
    }
    super::room::count_use(writer.db, mailbox.account, -(mailbox.octets as i64), -(mailbox.messages as i64))?;
    hide(writer, &mailbox, keep)?;
    writer.publish(Change::Folders { account: mailbox.account });
    Ok(())
}

/// Takes the folder's row away; those of its messages follow by and by.
fn hide(writer: &Writer<'_>, mailbox: &Mailbox, keep: bool) -> Result<(), StoreError> {
    let db = writer.db;
    let sql = "INSERT INTO emptied(mailbox, account, name, keep) VALUES(?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute((mailbox.id, mailbox.account, &mailbox.name, keep))?;
    db.prepare_cached("DELETE FROM mailbox WHERE id = ?")?.execute([mailbox.id])?;
    db.prepare_cached("DELETE FROM acl WHERE mailbox = ?")?.execute([mailbox.id])?;
    db.prepare_cached("DELETE FROM annotation WHERE mailbox = ?")?.execute([mailbox.id])?;
    let (account, modseq) = (mailbox.account, mailbox.modseq + 1);
    writer.publish(Change::Mailbox { account, mailbox: mailbox.id, modseq, kind: MailboxChange::Gone });
    Ok(())
}

/// Takes all folders of an account that is being removed away.
pub(crate) fn remove_all(writer: &Writer<'_>, account: Id) -> Result<(), StoreError> {
    let db = writer.db;
    for mailbox in list(db, account)? {
        hide(writer, &mailbox, false)?;
    }
    db.prepare_cached("UPDATE emptied SET keep = 0 WHERE account = ?")?.execute([account])?;
    let sql = "INSERT INTO emptied(mailbox, account, name, keep) VALUES(?1, ?1, '', 0)";
    db.prepare_cached(sql)?.execute([account])?;
    db.prepare_cached("DELETE FROM subscription WHERE account = ?")?.execute([account])?;
    db.prepare_cached("DELETE FROM annotation WHERE account = ?")?.execute([account])?;
    writer.publish(Change::Folders { account });
    Ok(())
}

pub(in crate::mailbox) fn subscribe(
    writer: &Writer<'_>,
    account: Id,
    name: &str,
    subscribed: bool,
) -> Result<(), StoreError> {
    let db = writer.db;
    if subscribed {
        need_account(db, account)?;
        set_subscription(db, account, name)?;
        let sql = "SELECT count(*) FROM subscription WHERE account = ?";
        let count: i64 = db.prepare_cached(sql)?.query_row([account], |row| row.get(0))?;
        if count > MAX_FOLDERS as i64 {
            return Err(StoreError::Limit(format!("an account subscribes to at most {MAX_FOLDERS} names")));
        }
    } else {
        let sql = "DELETE FROM subscription WHERE account = ? AND name = ?";
        db.prepare_cached(sql)?.execute((account, name))?;
    }
    writer.publish(Change::Folders { account });
    Ok(())
}

fn set_subscription(db: &Connection, account: Id, name: &str) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO subscription(account, name) VALUES(?, ?)";
    db.prepare_cached(sql)?.execute((account, name))?;
    Ok(())
}
