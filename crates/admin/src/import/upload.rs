//! A message too large for one line of the socket, on its way in.

use crate::octets::Octets;
use crate::{Actor, AdminError, Operation, Operations};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Body, Id, Spool};

/// Octets of a message: what is larger no server sends on.
pub const MAX_MESSAGE: u64 = 256 << 20;
/// Messages on their way in, of all importers.
const MAX_UPLOADS: usize = 64;
/// What got no piece for so long is dropped: its importer has gone.
const MAX_IDLE: Duration = Duration::from_secs(600);

/// Messages on their way in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uploads(Arc<Mutex<HashMap<Id, Begun>>>);

#[derive(Debug)]
struct Begun {
    spool: Spool,
    last: Instant,
}

impl Uploads {
    fn take(&self, id: Id) -> Option<Spool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id).map(|begun| begun.spool)
    }

    fn put(&self, id: Id, spool: Spool) -> Result<(), AdminError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, begun| begun.last.elapsed() < MAX_IDLE);
        if all.len() >= MAX_UPLOADS {
            let text = format!("{MAX_UPLOADS} large messages are being imported already; try again later");
            return Err(AdminError::Temporary(text));
        }
        all.insert(id, Begun { spool, last: Instant::now() });
        Ok(())
    }

    /// Ends a message.
    pub(super) async fn finish(&self, id: Id) -> Result<Body, AdminError> {
        let missing = || AdminError::Refused(format!("nothing was uploaded as {id}, or too long ago"));
        Ok(self.take(id).ok_or_else(missing)?.finish().await?)
    }
}

/// The next piece of a message, whose id the importer has chosen. Dropped when nothing comes for ten minutes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upload {
    pub id: Id,
    pub data: Octets,
}

impl Operation for Upload {
    type Answer = ();

    /// The log has the folder; a message is many pieces.
    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<(), AdminError> {
        let uploads = &operations.uploads;
        let mut spool = uploads.take(self.id).unwrap_or_else(|| operations.store.spool());
        if spool.size() + self.data.len() as u64 > MAX_MESSAGE {
            return Err(AdminError::Refused(format!("the message has more than {MAX_MESSAGE} octets")));
        }
        spool.write(self.data.0).await?;
        uploads.put(self.id, spool)
    }
}
