//! Receiving a body: in memory up to a bound, then in a file.

use super::files::{Draft, Files};
use super::{Body, Content, INLINE_LIMIT};
use crate::{Id, StoreError};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most messages are smaller: they take no more room than they need.
const SMALL: usize = 16 << 10;

/// What all bodies in memory may take together. Shared by the whole process.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicUsize,
    used: AtomicUsize,
}

impl Budget {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit: AtomicUsize::new(limit), used: AtomicUsize::new(0) })
    }

    /// How much of it is taken, in per cent; more than 100 where it was made smaller since.
    pub fn percent_used(&self) -> usize {
        self.used.load(Ordering::Relaxed).saturating_mul(100) / self.limit().max(1)
    }

    /// Makes it larger or smaller for what comes; what is in memory stays there.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    taken: usize,
}

impl Share {
    fn none(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), taken: 0 }
    }

    /// Takes more, or says that the budget is spent.
    fn grow(&mut self, more: usize) -> bool {
        let before = self.budget.used.fetch_add(more, Ordering::Relaxed);
        if before + more > self.budget.limit() {
            self.budget.used.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.taken += more;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

/// A body on its way in. Dropped before [`Spool::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Spool {
    id: Id,
    files: Files,
    size: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Memory(BytesMut, Share),
    File(Draft),
}

impl Spool {
    pub(crate) fn new(files: Files, budget: &Arc<Budget>) -> Self {
        let state = State::Memory(BytesMut::new(), Share::none(budget));
        Self { id: Id::generate(), files, size: 0, state }
    }

    /// Octets so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a piece. File writes happen on the blocking pool.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), StoreError> {
        self.size += piece.len() as u64;
        if let State::Memory(held, share) = &mut self.state {
            if held.len() + piece.len() <= INLINE_LIMIT && share.grow(piece.len()) {
                make_room(held, piece.len());
                held.extend_from_slice(&piece);
                return Ok(());
            }
            let held = std::mem::take(held).freeze();
            self.state = State::File(self.files.create(self.id)?);
            self.append(held).await?;
        }
        self.append(piece).await
    }

    async fn append(&mut self, piece: Bytes) -> Result<(), StoreError> {
        let empty = State::Memory(BytesMut::new(), Share { budget: Budget::new(0), taken: 0 });
        let State::File(mut draft) = std::mem::replace(&mut self.state, empty) else { return Ok(()) };
        let written = tokio::task::spawn_blocking(move || draft.write(&piece).map(|()| draft));
        let draft = written.await.map_err(|e| StoreError::Unavailable(e.to_string()))??;
        self.state = State::File(draft);
        Ok(())
    }

    /// Ends the body: a file is synced here, so that only naming it is left to the committer.
    pub async fn finish(self) -> Result<Body, StoreError> {
        let content = match self.state {
            State::Memory(held, share) => Content::Memory(held.freeze(), Some(Arc::new(share))),
            State::File(draft) => {
                let synced = tokio::task::spawn_blocking(move || draft.finish());
                let unnamed = synced.await.map_err(|e| StoreError::Unavailable(e.to_string()))??;
                Content::File {
                    path: self.files.path(self.id),
                    size: self.size,
                    unnamed: Some(Arc::new(unnamed)),
                }
            }
        };
        Ok(Body { id: self.id, content })
    }
}

/// Beyond [`SMALL`] a body gets at once all the room that it may take: to double it again and again copies it each
/// time, and each time to memory that the system has to clear. Memory that is not written to is not taken.
fn make_room(held: &mut BytesMut, more: usize) {
    let wanted = held.len() + more;
    if wanted > held.capacity() && wanted > SMALL {
        held.reserve(INLINE_LIMIT - held.len());
    }
}
