//! Answers that are too long for one line of the socket, until they are fetched.

use super::{Long, MAX_PIECE};
use crate::AdminError;
use crate::octets::Octets;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::Id;

/// Answers that wait, of all commands: a command has one.
const MAX_WAITING: usize = 4;
/// One of which nothing was fetched for so long is dropped: its command has gone.
const MAX_IDLE: Duration = Duration::from_secs(120);

/// Answers that are being fetched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<HashMap<Id, Waiting>>>);

#[derive(Debug)]
struct Waiting {
    octets: Bytes,
    last: Instant,
}

impl Answers {
    /// The beginning, and what is more waits to be fetched.
    pub(super) fn keep(&self, octets: Bytes) -> Result<Long, AdminError> {
        let (id, length) = (Id::generate(), octets.len());
        let first = octets.slice(..length.min(MAX_PIECE)).into();
        if length > MAX_PIECE {
            let mut all = self.lock();
            all.retain(|_, waiting| waiting.last.elapsed() < MAX_IDLE);
            if all.len() >= MAX_WAITING {
                let text = "several back-ups are running already; try again later";
                return Err(AdminError::Temporary(text.to_owned()));
            }
            all.insert(id, Waiting { octets, last: Instant::now() });
        }
        Ok(Long { id, length, first })
    }

    /// The piece from an octet on. With the last one the answer goes.
    pub(super) fn piece(&self, id: Id, offset: usize) -> Result<Octets, AdminError> {
        let mut all = self.lock();
        let gone = || AdminError::Refused(format!("no answer {id} waits, or for too long"));
        let waiting = all.get_mut(&id).ok_or_else(gone)?;
        waiting.last = Instant::now();
        let length = waiting.octets.len();
        let end = offset.saturating_add(MAX_PIECE).min(length);
        let piece = waiting.octets.slice(offset.min(end)..end);
        if end == length {
            all.remove(&id);
        }
        Ok(piece.into())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
