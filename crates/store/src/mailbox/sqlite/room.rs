//! Quotas: the SQL.

use crate::directory::Quotas;
use crate::{Id, StoreError};
use rusqlite::{Connection, OptionalExtension as _};

pub(super) enum Room {
    Taken,
    Full,
    NoAccount,
}

/// Counts messages of `total` octets for the account, if `size`, their bodies, fits into its quota and its domain's. One
/// statement where there is none, as for most.
pub(super) fn take_room(
    db: &Connection,
    quotas: Quotas,
    account: Id,
    messages: i64,
    size: i64,
    total: i64,
) -> Result<Room, StoreError> {
    let sql = "UPDATE account SET used_bytes = used_bytes + ?1, used_messages = used_messages + ?4 \
               WHERE id = ?2 AND (quota IS NULL OR used_bytes + ?3 <= quota)";
    if db.prepare_cached(sql)?.execute((total, account, size, messages))? == 0 {
        let sql = "SELECT EXISTS(SELECT 1 FROM account WHERE id = ?)";
        let exists: bool = db.prepare_cached(sql)?.query_row([account], |row| row.get(0))?;
        return Ok(if exists { Room::Full } else { Room::NoAccount });
    }
    if quotas == Quotas::OfDomainsToo && !has_domain_room(db, account, total - size)? {
        count_use(db, account, -total, -messages)?;
        return Ok(Room::Full);
    }
    Ok(Room::Taken)
}

/// [`take_room`] for what a user does.
pub(super) fn need_room(
    db: &Connection,
    quotas: Quotas,
    account: Id,
    messages: i64,
    size: i64,
    total: i64,
) -> Result<(), StoreError> {
    match take_room(db, quotas, account, messages, size, total)? {
        Room::Taken => Ok(()),
        Room::Full => Err(StoreError::OverQuota(account)),
        Room::NoAccount => Err(StoreError::NotFound(format!("account {account}"))),
    }
}

/// Whether all accounts of its domain together are within the domain's quota. `beside`: octets that do not count.
fn has_domain_room(db: &Connection, account: Id, beside: i64) -> Result<bool, StoreError> {
    let sql = "SELECT domain.quota IS NULL OR domain.quota + ?2 >= \
                 (SELECT sum(used_bytes) FROM account AS every WHERE every.domain = domain.name) \
               FROM account JOIN domain ON domain.name = account.domain WHERE account.id = ?1";
    Ok(db.prepare_cached(sql)?.query_row((account, beside), |row| row.get(0)).optional()?.unwrap_or(true))
}

/// Whether `size` more octets of bodies fit into the account's own quota now.
pub(super) fn has_room(db: &Connection, account: Id, size: u64) -> Result<bool, StoreError> {
    let sql = "SELECT quota IS NULL OR used_bytes + ?2 <= quota FROM account WHERE id = ?1";
    let found = db.prepare_cached(sql)?.query_row((account, size as i64), |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(true))
}

pub(super) fn count_use(db: &Connection, account: Id, bytes: i64, messages: i64) -> Result<(), StoreError> {
    let sql =
        "UPDATE account SET used_bytes = used_bytes + ?, used_messages = used_messages + ? WHERE id = ?";
    db.prepare_cached(sql)?.execute((bytes, messages, account))?;
    Ok(())
}
