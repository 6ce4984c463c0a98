//! What the committer is asked to do.

use super::Writer;
use crate::StoreError;
use tokio::sync::oneshot;

/// How soon a job is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is all there is.
    Only,
    /// More may follow: it is done as soon, and nobody need be considerate of it.
    First,
    /// Bulk work: what follows the first part of something large, and what nobody waits for.
    Next,
}

pub(super) trait Job: Send {
    fn part(&self) -> Part;
    fn run(&mut self, writer: &Writer<'_>) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

pub(super) struct TypedJob<T, F> {
    pub(super) part: Part,
    pub(super) work: Option<F>,
    pub(super) done: Option<T>,
    pub(super) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnOnce(&Writer<'_>) -> Result<T, StoreError> + Send> Job for TypedJob<T, F> {
    fn part(&self) -> Part {
        self.part
    }

    fn run(&mut self, writer: &Writer<'_>) -> Result<(), StoreError> {
        let work = self.work.take().ok_or_else(|| StoreError::Bug("a job ran twice".into()))?;
        self.done = Some(work(writer)?);
        Ok(())
    }

    fn answer(mut self: Box<Self>, outcome: Result<(), StoreError>) {
        let done = self.done.take();
        let result =
            outcome.and_then(|()| done.ok_or_else(|| StoreError::Bug("a job left no result".into())));
        // Whoever asked may have gone; the write stands all the same.
        let _ = self.reply.send(result);
    }
}
