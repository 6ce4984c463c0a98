//! Removing what no message names any more, a part with each transaction.

use super::Writer;
use crate::body::files::Files;
use crate::{Id, StoreError, body};

/// Bodies removed in one transaction, so that a large clean-up does not hold up mail.
const MAX_REMOVED: usize = 500;
/// The same where others write, beside one for each of them.
const REMOVED_BESIDE: usize = 10;

/// Bodies that are to go.
pub(super) struct Cleanup {
    /// A durable transaction says that nothing names them, in the table `unreferenced`. The last go first.
    pub(super) freed: Vec<Id>,
    /// Brought by a transaction that failed. Only after the disk recovered is it known whether something names them, and
    /// only when a later transaction is durable can the failed one not come back any more, from a log that a power cut
    /// left as it was: then, and not before, they are freed like all others.
    pub(super) doubtful: Vec<Id>,
}

impl Cleanup {
    pub(super) fn is_empty(&self) -> bool {
        self.freed.is_empty() && self.doubtful.is_empty()
    }

    pub(super) fn run(&self, writer: &Writer<'_>, files: &Files) -> Result<(), StoreError> {
        self.doubtful.iter().try_for_each(|id| body::drop_reference(writer, *id))?;
        body::remove(writer, files, &self.freed[self.freed.len() - self.now(writer)..])
    }

    pub(super) fn done(&mut self, removed: usize, newly_freed: Vec<Id>) {
        self.doubtful.clear();
        self.freed.truncate(self.freed.len() - removed);
        self.freed.extend(newly_freed);
    }

    /// How many of the last go with a transaction: where others write, some more than those may have freed, a message each.
    pub(super) fn now(&self, writer: &Writer<'_>) -> usize {
        let most = if writer.shared { MAX_REMOVED.min(REMOVED_BESIDE + writer.jobs) } else { MAX_REMOVED };
        self.freed.len().min(most)
    }
}
