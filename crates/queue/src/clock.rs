//! What time it is. Tests bring their own.

use std::fmt;
use std::sync::Arc;
use store::Id;

/// Gives milliseconds since 1970, and the ids of messages that are written now.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> u64 + Send + Sync>,
    id: Arc<dyn Fn() -> Id + Send + Sync>,
}

impl Clock {
    /// Ids are made as everywhere in this process, by the system's clock.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), id: Arc::new(Id::generate) }
    }

    /// With ids of its own: a message counts its age from when its id was made.
    #[must_use]
    pub fn with_ids(self, id: impl Fn() -> Id + Send + Sync + 'static) -> Self {
        Self { id: Arc::new(id), ..self }
    }

    /// The system's.
    pub fn system() -> Self {
        Self::new(|| store::clock::millis().unsigned_abs())
    }

    pub(crate) fn now(&self) -> u64 {
        (self.now)()
    }

    pub(crate) fn id(&self) -> Id {
        (self.id)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
