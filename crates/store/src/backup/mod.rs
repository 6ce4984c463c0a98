//! What a back-up is made of, and a data folder made from one.
//!
//! Rows leave as they are in their tables, with the version of the schema: a later version of Waypost makes the tables of
//! then, puts the rows in and migrates them like any other data. Messages are read folder by folder, those with a
//! modification sequence above what the back-up has; all other tables are small and read whole. A [`Cut`] brings what
//! is left together with them in one transaction, and only when that is little: no transaction is long, and what the back-up
//! has is what the data was at one moment.
//!
//! ```text
//! cut ─▶ Behind: these folders changed ─▶ changed_messages … ─▶ cut ─▶ … ─▶ Complete
//! ```

mod loader;
mod sqlite;
mod table;

pub(crate) use loader::is_marked;
pub use loader::{Loaded, Loader, QueueFate};
pub use table::{Blob, Messages, Named, Table, Value};

use crate::mailbox::UidRuns;
use crate::{Id, Store, StoreError, body};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Messages of one answer.
pub const MAX_MESSAGES: usize = 1_000;
/// Octets that messages of one answer have above their bodies; one message more may be in it.
const MAX_OCTETS: usize = 2 << 20;
/// Rows of what was imported, in one answer.
pub const MAX_IMPORTED: usize = 10_000;

/// A folder, as a back-up knows it: its id, and the modification sequence up to which its messages are known.
pub type Known = (Id, u64);

/// What a back-up notes about the data it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Names this data among others: ids of bodies mean something here alone.
    pub installation: Id,
    pub schema: u32,
}

/// Messages of a folder that are new or changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// The folder's modification sequence when they were read.
    pub modseq: u64,
    pub messages: Messages,
    /// UIDs that are not there any more, in runs.
    pub gone: Vec<(u32, u32)>,
    /// The UID to go on after, when there may be more.
    pub next: Option<u32>,
}

/// All that is not messages, at one moment, and the messages that bring a back-up to that moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// More has changed than one transaction brings: these folders are to be read first, each from what is known of it.
    Behind {
        folders: Vec<Known>,
        /// How many there are in these folders, changed or not.
        messages: u64,
    },
    Complete {
        /// Milliseconds since 1970.
        at: i64,
        tables: Vec<Table>,
        /// All folders that there are.
        folders: Vec<Known>,
        changes: Vec<(Id, Changes)>,
    },
}

/// Why a body is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// Nothing names it any more.
    Removed,
    /// It should be there.
    Damaged(String),
}

impl Store {
    /// # Errors
    /// The first time something is written.
    pub async fn backup_facts(&self) -> Result<Facts, StoreError> {
        let schema = self.inner.main.with(sqlite::schema)?;
        let installation = match self.inner.main.with(sqlite::installation)? {
            Some(known) => known,
            None => self.inner.committer.write(|writer| sqlite::name_installation(writer.db)).await?,
        };
        Ok(Facts { installation, schema })
    }

    /// The next messages of a folder that changed after a modification sequence (0: all), above a UID. Of a folder that has gone
    /// there are none.
    pub fn changed_messages(&self, folder: Known, after: u32) -> Result<Changes, StoreError> {
        self.inner.main.with(|db| sqlite::changes(db, folder, after, MAX_MESSAGES))
    }

    /// All that is not messages, and what little is missing of the messages.
    pub fn cut(&self, known: &[Known]) -> Result<Cut, StoreError> {
        self.inner.main.with(|db| sqlite::cut(db, known))
    }

    /// The next of what was noted of imports, after a source and a key of it; none at the end. Such rows are added
    /// with their messages. They change, or go, when what changed there is done here ([`Store::follow_import`]): a row of before that
    /// beside a message of after it is one of a message that was changed here, which the next import leaves alone.
    pub fn import_notes(&self, after: Option<(Id, Vec<u8>)>) -> Result<Table, StoreError> {
        self.inner.main.with(|db| sqlite::import_notes(db, after.as_ref(), MAX_IMPORTED))
    }

    /// All octets of a body, however large.
    pub async fn whole_body(&self, id: Id, size: u64) -> Result<Bytes, StoreError> {
        let body = self.body(id, size)?;
        body.read(usize::MAX).await.map_err(|error| StoreError::Damaged(format!("body {id} ({error})")))
    }

    /// Why a body could not be had.
    pub fn why_absent(&self, id: Id, error: StoreError) -> Result<Absent, StoreError> {
        Ok(match self.inner.main.with(|db| body::is_named(db, id))? {
            true => Absent::Damaged(error.to_string()),
            false => Absent::Removed,
        })
    }
}

/// As they go over the socket.
fn pairs(runs: &UidRuns) -> Vec<(u32, u32)> {
    runs.ranges().map(|run| (*run.start(), *run.end())).collect()
}
