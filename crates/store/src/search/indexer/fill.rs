//! Filling: what to read next, and one transaction of it.

use super::Indexer;
use crate::search::extract::{self, Extract};
use crate::search::{Wanted, sqlite};
use crate::{Id, StoreError, body};
use message::structure::Parsed;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Documents in one transaction. FTS5 writes out what it has at each end; more at once were no quicker when measured, and
/// a tenth of it was a tenth slower.
const BATCH: usize = 200;
/// Octets of texts in one transaction.
const BATCH_OCTETS: usize = 8 << 20;

/// What is to be read, and how far folders are read then.
#[derive(Default)]
pub(super) struct Batch {
    /// Bodies and their sizes, by the account.
    bodies: BTreeMap<Id, Vec<(Id, u64)>>,
    /// Bodies of documents whose structure was missed.
    parsed: Vec<(Id, u64)>,
    followed: Vec<(Id, u32)>,
    count: usize,
}

impl Batch {
    fn push(&mut self, account: Id, body: Id, size: u64) {
        self.bodies.entry(account).or_default().push((body, size));
        self.count += 1;
    }

    /// How much of what fits.
    pub(super) fn filled(&self) -> f64 {
        self.count as f64 / BATCH as f64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bodies.is_empty() && self.parsed.is_empty() && self.followed.is_empty()
    }
}

impl Indexer {
    /// From each folder that is due as much as fits, in turns; then what searches missed.
    pub(super) fn gather(&mut self, db: &Connection) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        while batch.count < BATCH
            && let Some(mailbox) = self.due.pop()
        {
            if self.read_folder(db, mailbox, &mut batch)? {
                self.due.push(mailbox);
            }
        }
        let mut state = self.shared.lock();
        let wanted = (BATCH - batch.count).min(state.wanted.len());
        for wanted in state.wanted.drain(..wanted) {
            match wanted {
                Wanted::Document(account, body, size) => batch.push(account, body, size),
                Wanted::Parsed(body, size) => batch.parsed.push((body, size)),
            }
        }
        Ok(batch)
    }

    /// Adds the next copies of a folder; whether there are more.
    fn read_folder(&self, db: &Connection, mailbox: Id, batch: &mut Batch) -> Result<bool, StoreError> {
        let mut after = sqlite::followed(db, mailbox)?;
        let limit = BATCH - batch.count;
        let read = self.sources.main.with(|main| {
            let Some(folder) = sqlite::main::folder(main, mailbox)? else { return Ok(None) };
            // A back-up was restored: the UIDs above its last are given anew.
            if after > folder.last {
                after = 0;
            }
            Ok(Some((sqlite::main::copies(main, mailbox, after, limit)?, folder)))
        })?;
        let Some((copies, folder)) = read else { return Ok(false) };
        copies.iter().for_each(|(_, body, size)| batch.push(folder.account, *body, *size));
        let more = copies.len() == limit;
        let last = copies.last().filter(|_| more).map_or(folder.last, |(uid, ..)| *uid);
        batch.followed.push((mailbox, last));
        Ok(more)
    }

    /// Writes a batch: all of it, unless the store is closed meanwhile.
    pub(super) fn write(&self, db: &Connection, batch: Batch) -> Result<(), StoreError> {
        begin(db)?;
        let written = self.write_all(db, batch).and_then(|()| commit(db));
        if written.is_err() {
            // Should this fail too, the connection is closed next.
            let _ = db.execute_batch("ROLLBACK");
        }
        written
    }

    fn write_all(&self, db: &Connection, batch: Batch) -> Result<(), StoreError> {
        let mut owners = BTreeMap::new();
        for (account, bodies) in batch.bodies {
            owners.insert(sqlite::owner(db, account)?, bodies);
        }
        let mut octets = 0;
        for (number, bodies) in owners {
            for (body, size) in bodies {
                if self.is_stopping() {
                    return Ok(());
                }
                octets += self.document(db, number, body, size)?;
                if octets > BATCH_OCTETS {
                    commit(db)?;
                    begin(db)?;
                    octets = 0;
                }
            }
        }
        for (body, size) in batch.parsed {
            // Who has no document is none of ours, or comes to be read as a whole.
            if sqlite::is_document(db, body)?
                && sqlite::parsed(db, body)?.is_none()
                && let Some((_, parsed, preview)) = self.read(body, size)?
            {
                sqlite::keep_parsed(db, body, &parsed, &preview)?;
            }
        }
        batch.followed.into_iter().try_for_each(|(mailbox, uid)| sqlite::follow(db, mailbox, uid))
    }

    /// Gives an account a document of a body, if it has none; returns the octets of its texts.
    fn document(&self, db: &Connection, number: i64, body: Id, size: u64) -> Result<usize, StoreError> {
        if sqlite::has_document(db, number, body)? {
            return Ok(0);
        }
        let extract = match sqlite::text(db, body)? {
            Some(kept) => kept,
            None => {
                let Some((extract, parsed, preview)) = self.read(body, size)? else { return Ok(0) };
                sqlite::keep(db, body, &extract)?;
                sqlite::keep_parsed(db, body, &parsed, &preview)?;
                extract
            }
        };
        sqlite::add(db, number, body, &extract)?;
        Ok(extract.len())
    }

    /// Reads a body. Nothing of one that has gone; one that cannot be read is left to those who ask for it, to be told so.
    fn read(&self, id: Id, size: u64) -> Result<Option<(Extract, Parsed, String)>, StoreError> {
        let loaded = self.sources.bodies.with(|db| body::load(db, &self.sources.files, id, size));
        match loaded.and_then(|body| extract::read(&body)) {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.is_temporary() => Err(error),
            Err(error) => {
                tracing::debug!(%error, "store: a message could not be indexed");
                Ok(None)
            }
        }
    }
}

fn begin(db: &Connection) -> Result<(), StoreError> {
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    Ok(())
}

fn commit(db: &Connection) -> Result<(), StoreError> {
    db.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}
