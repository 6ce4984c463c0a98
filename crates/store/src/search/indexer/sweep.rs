//! The sweep: documents whose account has their body no more.

use super::Indexer;
use crate::search::sqlite::{self, Document};
use crate::{Id, StoreError};
use rusqlite::Connection;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;

/// Documents that are looked at in one step.
const SWEPT: usize = 500;
/// Of these, removed in one transaction: the sync of what their texts had would hold up those of mail.
const REMOVED: usize = 100;

impl Indexer {
    /// Looks at the next documents; whether some went.
    pub(super) fn sweep(&mut self, db: &mut Connection, from: i64) -> Result<bool, StoreError> {
        let page = sqlite::documents(db, from..i64::MAX, SWEPT)?;
        let Some(last) = page.last() else {
            self.sweep.next = std::mem::take(&mut self.sweep.again).then_some(0);
            self.forget_folders(db)?;
            return Ok(false);
        };
        self.sweep.next = Some(last.id + 1);
        let numbers: BTreeSet<i64> = page.iter().map(|document| sqlite::owner_of(document.id)).collect();
        let mut accounts = HashMap::new();
        for number in numbers {
            accounts.insert(number, sqlite::account_of(db, number)?);
        }
        let account = |document: i64| accounts.get(&sqlite::owner_of(document)).copied().flatten();
        let mut gone = self.sources.main.with(|main| {
            let mut gone: Vec<(i64, Id)> = Vec::new();
            for Document { id, body, .. } in page {
                let named = account(id).map(|account| sqlite::main::has(main, account, body));
                if !named.transpose()?.unwrap_or(false) {
                    gone.push((id, body));
                }
            }
            Ok(gone)
        })?;
        if gone.is_empty() {
            return Ok(false);
        }
        if gone.len() > REMOVED {
            gone.truncate(REMOVED);
            self.sweep.next = gone.last().map(|(id, _)| id + 1);
        }
        // Before: a search that sees them gone sees that the number grew.
        self.shared.removals.fetch_add(1, Ordering::SeqCst);
        let transaction = db.transaction()?;
        sqlite::remove(&transaction, &gone)?;
        transaction.commit()?;
        Ok(true)
    }

    fn forget_folders(&self, db: &Connection) -> Result<(), StoreError> {
        for mailbox in sqlite::all_followed(db)? {
            if self.sources.main.with(|main| sqlite::main::folder(main, mailbox))?.is_none() {
                sqlite::unfollow(db, mailbox)?;
            }
        }
        Ok(())
    }
}
