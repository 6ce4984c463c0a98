//! The queue: the SQL.

use super::{
    Fate, Fresh, Full, NewMessage, QueueCount, QueuedMessage, QueuedRecipient, RecipientChange, Scheduled,
    Waiting,
};
use crate::body::files::Files;
use crate::committer::Writer;
use crate::directory::Quotas;
use crate::{Change, Id, StoreError, body, mailbox, trail};
use address::Address;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::sync::Arc;

/// The columns of a recipient, in the order that [`recipient`] reads them.
const RECIPIENT: &str = "position, address, recipient.parameters, due, held, attempts, delay_told, last";

pub(crate) fn accept(
    writer: &Writer<'_>,
    files: &Files,
    quotas: Quotas,
    message: &NewMessage,
) -> Result<(), StoreError> {
    let mut full = Vec::new();
    for copy in &message.local {
        if !mailbox::deliver(writer, quotas, message, copy)? {
            full.push(Full { message: message.id, recipient: copy.recipient.clone() });
        }
    }
    if !full.is_empty() {
        return Err(StoreError::NoRoom(full));
    }
    body::insert(writer, &message.body, files)?;
    if message.remote.is_empty() {
        if message.local.is_empty() {
            return Err(StoreError::Bug(format!("message {} has no recipient", message.id)));
        }
        return Ok(());
    }
    insert(writer.db, message)?;
    writer.publish(Change::Queued(Arc::new(fresh(message))));
    Ok(())
}

fn insert(db: &Connection, message: &NewMessage) -> Result<(), StoreError> {
    let sql = "INSERT INTO queued(id, body, body_size, reverse_path, parameters, trace, origin) VALUES(?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute((
        message.id,
        message.body.id(),
        message.body.size() as i64,
        message.reverse_path.address().map_or_else(String::new, Address::to_string),
        &message.parameters,
        &message.trace[..],
        trail::to_json(&message.origin)?,
    ))?;
    let sql =
        "INSERT INTO recipient(message, position, address, parameters, due, held) VALUES(?, ?, ?, ?, ?, ?)";
    let mut statement = db.prepare_cached(sql)?;
    for (position, r) in message.remote.iter().enumerate() {
        statement.execute((
            message.id,
            position as u32,
            r.address.to_string(),
            &r.parameters,
            r.due,
            r.held,
        ))?;
    }
    Ok(())
}

fn fresh(message: &NewMessage) -> Fresh {
    let recipients = message.remote.iter().enumerate().map(|(position, r)| QueuedRecipient {
        position: position as u32,
        address: r.address.clone(),
        parameters: r.parameters.clone(),
        due: r.due,
        held: r.held,
        attempts: 0,
        delay_told: false,
        last: None,
    });
    Fresh {
        id: message.id,
        recipients: recipients.collect(),
        message: QueuedMessage {
            id: message.id,
            reverse_path: message.reverse_path.clone(),
            parameters: message.parameters.clone(),
            trace: message.trace.clone(),
            body_id: message.body.id(),
            body_size: message.body.size(),
            body: Some(message.body.clone()),
            origin: message.origin.clone(),
        },
    }
}

pub(crate) fn record(
    writer: &Writer<'_>,
    files: &Files,
    quotas: Quotas,
    changes: &[RecipientChange],
    notices: Vec<NewMessage>,
) -> Result<(), StoreError> {
    // New messages first: one may share the body of a message that the changes close, which must stay.
    let mut without_room = Vec::new();
    for notice in notices {
        match accept(writer, files, quotas, &notice) {
            Err(StoreError::NoRoom(full)) => without_room.extend(full),
            done => done?,
        }
    }
    if !without_room.is_empty() {
        return Err(StoreError::NoRoom(without_room));
    }
    for change in changes {
        let key = (change.message, change.position);
        match &change.fate {
            Fate::Closed => close(writer, key)?,
            Fate::Deferred { due, delay_told, last } => {
                let sql = "UPDATE recipient SET due = ?, delay_told = ?, last = ?, attempts = attempts + 1 \
                           WHERE message = ? AND position = ?";
                writer.db.prepare_cached(sql)?.execute((due, delay_told, last, key.0, key.1))?;
            }
            Fate::Held => {
                let sql = "UPDATE recipient SET held = 1 WHERE message = ? AND position = ?";
                writer.db.prepare_cached(sql)?.execute(key)?;
            }
            Fate::Due(due) => {
                let sql = "UPDATE recipient SET held = 0, due = ?, last = coalesce(last, 'due by command') \
                           WHERE message = ? AND position = ?";
                writer.db.prepare_cached(sql)?.execute((due, key.0, key.1))?;
            }
        }
    }
    Ok(())
}

/// Removes a recipient and, with the last of them, the message.
fn close(writer: &Writer<'_>, key: (Id, u32)) -> Result<(), StoreError> {
    let db = writer.db;
    db.prepare_cached("DELETE FROM recipient WHERE message = ? AND position = ?")?.execute(key)?;
    let sql = "DELETE FROM queued WHERE id = ?1 AND NOT EXISTS(SELECT 1 FROM recipient WHERE message = ?1) RETURNING body";
    let body: Option<Id> = db.prepare_cached(sql)?.query_row([key.0], |row| row.get(0)).optional()?;
    body.map_or(Ok(()), |body| body::drop_reference(writer, body))
}

pub(super) fn page(
    db: &Connection,
    after: Option<(Id, u32)>,
    limit: usize,
) -> Result<Vec<Scheduled>, StoreError> {
    let sql = format!(
        "SELECT {RECIPIENT}, message FROM recipient WHERE (message, position) > (?, ?) ORDER BY message, position LIMIT ?"
    );
    let (message, position) = after.map_or((0, -1), |(id, position)| (id.get(), i64::from(position)));
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((message, position, limit as i64))?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(Scheduled { message: row.get(8)?, recipient: recipient(row)? });
    }
    Ok(page)
}

pub(super) fn waiting(
    db: &Connection,
    after: Option<(Id, u32)>,
    limit: usize,
) -> Result<Vec<Waiting>, StoreError> {
    let sql = format!(
        "SELECT {RECIPIENT}, message, reverse_path, queued.parameters \
         FROM recipient CROSS JOIN queued ON queued.id = message \
         WHERE (message, position) > (?, ?) ORDER BY message, position LIMIT ?"
    );
    let (message, position) = after.map_or((0, -1), |(id, position)| (id.get(), i64::from(position)));
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((message, position, limit as i64))?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(Waiting {
            scheduled: Scheduled { message: row.get(8)?, recipient: recipient(row)? },
            reverse_path: parsed(row.get_ref(9)?.as_str().unwrap_or_default())?,
            parameters: row.get(10)?,
        });
    }
    Ok(page)
}

pub(super) fn find(
    db: &Connection,
    id: Id,
) -> Result<Option<(QueuedMessage, Vec<QueuedRecipient>)>, StoreError> {
    let sql = "SELECT body, body_size, reverse_path, parameters, trace, origin FROM queued WHERE id = ?";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let message = QueuedMessage {
        id,
        body_id: row.get(0)?,
        body_size: row.get::<_, i64>(1)? as u64,
        reverse_path: parsed(row.get_ref(2)?.as_str().unwrap_or_default())?,
        parameters: row.get(3)?,
        trace: Bytes::from(row.get::<_, Vec<u8>>(4)?),
        body: None,
        origin: trail::from_json(row.get_ref(5)?.as_str().unwrap_or_default())?,
    };
    let sql = format!("SELECT {RECIPIENT} FROM recipient WHERE message = ? ORDER BY position");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([id])?;
    let mut recipients = Vec::new();
    while let Some(row) = rows.next()? {
        recipients.push(recipient(row)?);
    }
    Ok(Some((message, recipients)))
}

pub(super) fn count(db: &Connection) -> Result<QueueCount, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM queued), count(*), coalesce(sum(held), 0), \
               (SELECT coalesce(sum(body_size), 0) FROM queued) FROM recipient";
    Ok(db.prepare_cached(sql)?.query_row([], |row| {
        let number = |index| row.get::<_, i64>(index).map(|n| n as u64);
        Ok(QueueCount { messages: number(0)?, recipients: number(1)?, held: number(2)?, bytes: number(3)? })
    })?)
}

fn recipient(row: &Row<'_>) -> Result<QueuedRecipient, StoreError> {
    Ok(QueuedRecipient {
        position: row.get(0)?,
        address: parsed(row.get_ref(1)?.as_str().unwrap_or_default())?,
        parameters: row.get(2)?,
        due: row.get(3)?,
        held: row.get(4)?,
        attempts: row.get(5)?,
        delay_told: row.get(6)?,
        last: row.get(7)?,
    })
}

/// What we wrote ourselves must read back; if not, the file was changed by something else.
pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|e| StoreError::Damaged(format!("waypost.db ({text:?}: {e})")))
}
