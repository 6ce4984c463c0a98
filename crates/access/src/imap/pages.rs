//! The rows of a folder, a page at a time in the order of their UIDs: however large the folder, one page is in memory.

use super::connection::Driver;
use super::stop::{Outcome, read};
use ::message::structure::Parsed;
use bytes::Bytes;
use imap::Runs;
use std::sync::Arc;
use store::mailbox::Summary;
use store::{Id, Store, StoreError};

/// Rows of a page.
const ROWS: usize = 2_000;
/// The same with what is kept parsed.
const ROWS_PARSED: usize = 500;

/// A message with what was asked for besides.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) summary: Summary,
    pub(super) parsed: Option<Arc<Parsed>>,
    /// What is above the body in this copy. Empty unless it was asked for.
    pub(super) prefix: Bytes,
}

/// Messages of a folder, page by page: an iterator whose steps block, or [`Pages::next_page`]. Messages that have gone are passed
/// over.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    store: Store,
    mailbox: Id,
    uids: Arc<Runs>,
    changed_since: u64,
    parsed: bool,
    prefix: bool,
    rows: usize,
    /// The next page begins above this UID; `None`: there is none.
    after: Option<u32>,
}

impl Pages {
    pub(super) fn new(store: Store, mailbox: Id, uids: impl Into<Arc<Runs>>) -> Self {
        let uids = uids.into();
        let after = (!uids.is_empty()).then_some(0);
        Self { store, mailbox, uids, changed_since: 0, parsed: false, prefix: false, rows: ROWS, after }
    }

    /// Only what changed after a modification sequence.
    pub(super) fn changed_since(self, modseq: u64) -> Self {
        Self { changed_since: modseq, ..self }
    }

    /// With what is kept parsed of each message.
    pub(super) fn with_parsed(self) -> Self {
        Self { parsed: true, rows: ROWS_PARSED, ..self }
    }

    /// With what is above each body.
    pub(super) fn with_prefix(self) -> Self {
        Self { prefix: true, ..self }
    }

    /// With pages of so many rows.
    #[cfg(test)]
    pub(super) fn of_rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// What `work` makes of the next page, on a thread that may block; `None` after the last page.
    pub(super) async fn next_page<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(Vec<Row>) -> T + Send + 'static,
    ) -> Outcome<Option<T>> {
        if self.after.is_none() {
            return Ok(None);
        }
        let mut pages = self.clone();
        let reading = read(move || {
            let page = pages.next().transpose()?;
            Ok((pages, page.map(work)))
        });
        let (pages, made) = reading.await?;
        *self = pages;
        Ok(made)
    }

    /// What `step` makes of all pages. Each is a read of its own, so that only a page has to be read in the time that a read may take,
    /// not the folder.
    pub(super) async fn fold<T: Send + 'static>(
        mut self,
        mut made: T,
        step: impl Fn(&mut T, Vec<Row>) + Clone + Send + 'static,
    ) -> Outcome<T> {
        loop {
            let step = step.clone();
            let reading = read(move || {
                let page = self.next().transpose()?;
                let ends = page.is_none();
                page.into_iter().for_each(|page| step(&mut made, page));
                Ok((self, made, ends))
            });
            let ends;
            (self, made, ends) = reading.await?;
            if ends {
                return Ok(made);
            }
        }
    }

    fn read(&self, after: u32) -> Result<Vec<Row>, StoreError> {
        let Self { store, mailbox, uids, changed_since, rows, .. } = self;
        let read: Vec<(Summary, Bytes)> = match self.prefix {
            true => store.prefixes(*mailbox, uids, *changed_since, after, *rows)?,
            false => {
                let rows = store.messages_in(*mailbox, uids, *changed_since, after, *rows)?;
                rows.into_iter().map(|row| (row, Bytes::new())).collect()
            }
        };
        let mut parsed = match self.parsed {
            true => {
                let bodies: Vec<(Id, u64)> =
                    read.iter().map(|(row, _)| (row.body, row.body_size())).collect();
                store.parsed_many(&bodies)?.into_iter()
            }
            false => Vec::new().into_iter(),
        };
        let with_parsed = |(summary, prefix)| Row { summary, parsed: parsed.next(), prefix };
        Ok(read.into_iter().map(with_parsed).collect())
    }
}

/// Ends after an error.
impl Iterator for Pages {
    type Item = Result<Vec<Row>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let after = self.after.take()?;
        let page = match self.read(after) {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        let last = page.last()?.summary.uid;
        let more = page.len() == self.rows && self.uids.last().is_some_and(|end| last < end);
        self.after = more.then_some(last);
        Some(Ok(page))
    }
}

impl Driver {
    /// Those of `uids` that are in the open folder.
    pub(super) fn pages(&mut self, uids: impl Into<Arc<Runs>>) -> Outcome<Pages> {
        let store = self.data_store();
        Ok(Pages::new(store, self.view()?.mailbox.id, uids))
    }

    /// Tells something of each message, as fast as the client takes it.
    pub(super) async fn tell_each(
        &mut self,
        mut pages: Pages,
        tell: impl Fn(&mut Self, &Summary),
    ) -> Outcome<()> {
        while let Some(page) = pages.next_page(|page| page).await? {
            page.iter().for_each(|row| tell(self, &row.summary));
            self.relieve().await?;
        }
        Ok(())
    }
}
