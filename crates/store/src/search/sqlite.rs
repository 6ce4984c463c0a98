//! The search: the SQL.

use super::extract::Extract;
use super::query::indexed;
use crate::{Id, StoreError};
use message::structure::Parsed;
use message::text::Cut;
use rusqlite::{Connection, OptionalExtension as _};
use std::ops::Range;

/// Bits of a document's id below its owner's number.
const OWN_BITS: u32 = 32;

/// The ids that an owner's documents have.
fn documents_of(number: i64) -> Range<i64> {
    number << OWN_BITS..(number + 1) << OWN_BITS
}

/// The owner's number in a document's id.
pub(super) fn owner_of(document: i64) -> i64 {
    document >> OWN_BITS
}

/// The ids of an account's documents, if it has any.
pub(super) fn range(db: &Connection, account: Id) -> Result<Option<Range<i64>>, StoreError> {
    let sql = "SELECT number FROM owner WHERE account = ?";
    let number = db.prepare_cached(sql)?.query_row([account], |row| row.get(0)).optional()?;
    Ok(number.map(documents_of))
}

pub(super) fn account_of(db: &Connection, number: i64) -> Result<Option<Id>, StoreError> {
    let sql = "SELECT account FROM owner WHERE number = ?";
    Ok(db.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?)
}

/// A body that an account has.
pub(super) struct Document {
    pub(super) id: i64,
    pub(super) body: Id,
    /// Whether its text is not all in the index.
    pub(super) cut: bool,
}

/// The next documents in a range of ids.
pub(super) fn documents(
    db: &Connection,
    range: Range<i64>,
    limit: usize,
) -> Result<Vec<Document>, StoreError> {
    let sql = "SELECT id, body, cut FROM document WHERE id >= ? AND id < ? ORDER BY id LIMIT ?";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map((range.start, range.end, limit as i64), |row| {
        Ok(Document { id: row.get(0)?, body: row.get(1)?, cut: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Shows `each` the documents in a range that may have what `expression` says, in order of their ids, until it says that it is enough.
pub(super) fn candidates(
    db: &Connection,
    expression: &str,
    range: Range<i64>,
    mut each: impl FnMut(i64, Id) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let sql = "SELECT gram.rowid, document.body FROM gram CROSS JOIN document ON document.id = gram.rowid \
               WHERE gram MATCH ? AND gram.rowid >= ? AND gram.rowid < ? ORDER BY gram.rowid";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query((expression, range.start, range.end))?;
    while let Some(row) = rows.next()? {
        if !each(row.get(0)?, row.get(1)?)? {
            break;
        }
    }
    Ok(())
}

/// The header and the content of a body, as `read` wants them; `None` when they are not kept.
pub(super) fn with_text<T>(
    db: &Connection,
    body: Id,
    read: impl FnOnce(&[u8], &[u8], Cut) -> T,
) -> Result<Option<T>, StoreError> {
    let mut statement = db.prepare_cached("SELECT cut, header, content FROM text WHERE body = ?")?;
    let mut rows = statement.query([body])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let text = |column| row.get_ref(column).map(|value| value.as_bytes().unwrap_or_default());
    Ok(Some(read(text(1)?, text(2)?, cut_of(row.get(0)?))))
}

/// The header alone, whose pages are fewer.
pub(super) fn with_header<T>(
    db: &Connection,
    body: Id,
    read: impl FnOnce(&[u8], Cut) -> T,
) -> Result<Option<T>, StoreError> {
    let mut statement = db.prepare_cached("SELECT cut, header FROM text WHERE body = ?")?;
    let mut rows = statement.query([body])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(read(row.get_ref(1)?.as_bytes().unwrap_or_default(), cut_of(row.get(0)?))))
}

/// Of the number in a row, and that number.
fn cut_of(bits: i64) -> Cut {
    Cut { header: bits & 1 != 0, content: bits & 2 != 0 }
}

fn bits_of(cut: Cut) -> i64 {
    i64::from(cut.header) | i64::from(cut.content) << 1
}

/// How far a folder was read.
pub(super) fn followed(db: &Connection, mailbox: Id) -> Result<u32, StoreError> {
    let sql = "SELECT uid FROM followed WHERE mailbox = ?";
    Ok(db.prepare_cached(sql)?.query_row([mailbox], |row| row.get(0)).optional()?.unwrap_or(0))
}

pub(super) fn follow(db: &Connection, mailbox: Id, uid: u32) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR REPLACE INTO followed(mailbox, uid) VALUES(?, ?)")?
        .execute((mailbox, uid))?;
    Ok(())
}

pub(super) fn unfollow(db: &Connection, mailbox: Id) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM followed WHERE mailbox = ?")?.execute([mailbox])?;
    Ok(())
}

pub(super) fn all_followed(db: &Connection) -> Result<Vec<Id>, StoreError> {
    let mut statement = db.prepare_cached("SELECT mailbox FROM followed")?;
    let ids = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

/// The account's number; made when it has none.
pub(super) fn owner(db: &Connection, account: Id) -> Result<i64, StoreError> {
    let sql = "INSERT INTO owner(account) VALUES(?) ON CONFLICT(account) DO UPDATE SET account = account RETURNING number";
    Ok(db.prepare_cached(sql)?.query_row([account], |row| row.get(0))?)
}

pub(super) fn has_document(db: &Connection, number: i64, body: Id) -> Result<bool, StoreError> {
    let ids = documents_of(number);
    let sql = "SELECT EXISTS(SELECT 1 FROM document WHERE body = ? AND id >= ? AND id < ?)";
    Ok(db.prepare_cached(sql)?.query_row((body, ids.start, ids.end), |row| row.get(0))?)
}

/// The texts of a body, if they are kept.
pub(super) fn text(db: &Connection, body: Id) -> Result<Option<Extract>, StoreError> {
    let sql = "SELECT header, content, cut FROM text WHERE body = ?";
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Extract { header: row.get(0)?, content: row.get(1)?, cut: cut_of(row.get(2)?) })
    };
    Ok(db.prepare_cached(sql)?.query_row([body], row).optional()?)
}

/// Keeps what was read of a body.
pub(super) fn keep(db: &Connection, body: Id, extract: &Extract) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR REPLACE INTO text(body, header, content, cut) VALUES(?, ?, ?, ?)")?
        .execute((body, &extract.header, &extract.content, bits_of(extract.cut)))?;
    Ok(())
}

/// Keeps what a body consists of, and its first words.
pub(super) fn keep_parsed(
    db: &Connection,
    body: Id,
    parsed: &Parsed,
    preview: &str,
) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR REPLACE INTO parsed(body, data, preview) VALUES(?, ?, ?)")?.execute((
        body,
        parsed.to_bytes(),
        preview,
    ))?;
    Ok(())
}

/// What a body consists of; `None` when that is not kept, or in the words of another version.
pub(super) fn parsed(db: &Connection, body: Id) -> Result<Option<Parsed>, StoreError> {
    let mut statement = db.prepare_cached("SELECT data FROM parsed WHERE body = ?")?;
    let mut rows = statement.query([body])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Parsed::from_bytes(row.get_ref(0)?.as_blob().unwrap_or_default()))
}

pub(super) fn preview(db: &Connection, body: Id) -> Result<Option<String>, StoreError> {
    let sql = "SELECT preview FROM parsed WHERE body = ?";
    Ok(db.prepare_cached(sql)?.query_row([body], |row| row.get(0)).optional()?)
}

/// Whether any account has a document of the body.
pub(super) fn is_document(db: &Connection, body: Id) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS(SELECT 1 FROM document WHERE body = ?)";
    Ok(db.prepare_cached(sql)?.query_row([body], |row| row.get(0))?)
}

/// Gives the owner a document of the body. In one transaction, owners come in order of their numbers: a lower id after a
/// higher one makes FTS5 write out what it has.
pub(super) fn add(db: &Connection, number: i64, body: Id, extract: &Extract) -> Result<(), StoreError> {
    let sql = "UPDATE owner SET next = next + 1 WHERE number = ? RETURNING next - 1";
    let own: i64 = db.prepare_cached(sql)?.query_row([number], |row| row.get(0))?;
    let id = documents_of(number).start + own;
    let cut = extract.cut != Cut::default();
    db.prepare_cached("INSERT INTO document(id, body, cut) VALUES(?, ?, ?)")?.execute((id, body, cut))?;
    db.prepare_cached("INSERT INTO gram(rowid, text) VALUES(?, ?)")?
        .execute((id, indexed(&extract.header, &extract.content)))?;
    Ok(())
}

/// Removes documents, and what is kept of bodies that no other document has.
pub(super) fn remove(db: &Connection, documents: &[(i64, Id)]) -> Result<(), StoreError> {
    for (id, body) in documents {
        db.prepare_cached("DELETE FROM document WHERE id = ?")?.execute([id])?;
        db.prepare_cached("DELETE FROM gram WHERE rowid = ?")?.execute([id])?;
        for table in ["text", "parsed"] {
            let sql = format!(
                "DELETE FROM {table} WHERE body = ?1 AND NOT EXISTS(SELECT 1 FROM document WHERE body = ?1)"
            );
            db.prepare_cached(&sql)?.execute([body])?;
        }
    }
    Ok(())
}

/// What the indexer reads of `waypost.db`.
pub(super) mod main {
    use super::*;

    /// A folder, the last UID that it gave, and how many messages it has.
    pub(in crate::search) struct Folder {
        pub(in crate::search) id: Id,
        pub(in crate::search) account: Id,
        pub(in crate::search) last: u32,
        pub(in crate::search) messages: u64,
    }

    pub(in crate::search) fn folder(db: &Connection, mailbox: Id) -> Result<Option<Folder>, StoreError> {
        let sql = "SELECT id, account, uidnext - 1, messages FROM mailbox WHERE id = ?";
        Ok(db.prepare_cached(sql)?.query_row([mailbox], read).optional()?)
    }

    /// The next folders, in order of their ids.
    pub(in crate::search) fn folders(
        db: &Connection,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Folder>, StoreError> {
        let sql = "SELECT id, account, uidnext - 1, messages FROM mailbox WHERE id > ? ORDER BY id LIMIT ?";
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map((after, limit as i64), read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Folder> {
        let messages = row.get::<_, i64>(3)?.cast_unsigned();
        Ok(Folder { id: row.get(0)?, account: row.get(1)?, last: row.get(2)?, messages })
    }

    /// The next copies in a folder: their UIDs and bodies, with the sizes of these.
    pub(in crate::search) fn copies(
        db: &Connection,
        mailbox: Id,
        after: u32,
        limit: usize,
    ) -> Result<Vec<(u32, Id, u64)>, StoreError> {
        let sql =
            "SELECT uid, body, body_size FROM message WHERE mailbox = ? AND uid > ? ORDER BY uid LIMIT ?";
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map((mailbox, after, limit as i64), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)? as u64))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many copies a folder has above a UID.
    pub(in crate::search) fn count(db: &Connection, mailbox: Id, after: u32) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM message WHERE mailbox = ? AND uid > ?";
        let count: i64 = db.prepare_cached(sql)?.query_row((mailbox, after), |row| row.get(0))?;
        Ok(count as u64)
    }

    /// Whether any folder of the account has the body.
    pub(in crate::search) fn has(db: &Connection, account: Id, body: Id) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS(SELECT 1 FROM message JOIN mailbox ON mailbox.id = message.mailbox \
                   WHERE message.body = ? AND mailbox.account = ?)";
        Ok(db.prepare_cached(sql)?.query_row((body, account), |row| row.get(0))?)
    }
}
