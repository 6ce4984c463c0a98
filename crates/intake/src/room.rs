//! Whether there is room for more mail: a store that works, memory, and disk.

use net::Pressure;
use smtp::reply::Reply;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::Store;

/// A share of the disk that intake leaves to deliveries and deletions (DESIGN.md, Trouble).
const DISK_RESERVE_PERCENT: u64 = 1;
/// How long what was seen of the disk holds. Within it the largest reserve, two messages of the greatest size, is
/// not used up by small ones.
const DISK_SEEN: Duration = Duration::from_millis(500);

/// Remembers under which pressure it is, so that intake does not open and close by the message.
#[derive(Debug)]
pub(crate) struct Room {
    memory: Pressure,
    disk: Pressure,
    seen: Mutex<Option<(Instant, DiskSpace)>>,
}

/// Octets free and in all.
#[derive(Debug, Clone, Copy)]
struct DiskSpace {
    free: u64,
    total: u64,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { memory: Pressure::new(), disk: Pressure::new(), seen: Mutex::new(None) }
    }

    /// The words for a client that brings `size` octets (0: not known) when there is no room, and the reason.
    /// `largest` is the size that a message may have.
    pub(crate) fn refuse(&self, store: &Store, largest: u64, size: u64) -> Option<(Reply, String)> {
        if let Some(trouble) = store.trouble() {
            let reply = Reply::new(451, (4, 3, 0), "mail cannot be stored now, try again later");
            return Some((reply, format!("store: {trouble}")));
        }
        if self.memory.update(store.budget().percent_used(), 100) && size == 0 {
            let reply = Reply::new(452, (4, 3, 1), "too much mail at once, try again later");
            return Some((reply, "memory for bodies".into()));
        }
        let DiskSpace { free, total } = self.disk_space(store);
        let reserve = (total / 100 * DISK_RESERVE_PERCENT).max(2 * largest);
        // Used of what is not reserved, as the hysteresis counts it.
        let full = self.disk.update(usize::from(free < reserve.saturating_add(size)), 1);
        full.then(|| {
            let reply = Reply::new(452, (4, 3, 1), "no room for mail now, try again later");
            (reply, format!("{free} octets free"))
        })
    }

    /// A disk that cannot be asked is not called full: the store finds out.
    fn disk_space(&self, store: &Store) -> DiskSpace {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match *seen {
            Some((when, space)) if when.elapsed() < DISK_SEEN => space,
            _ => {
                let (free, total) = store.disk_space().unwrap_or((u64::MAX, u64::MAX));
                let space = DiskSpace { free, total };
                *seen = Some((Instant::now(), space));
                space
            }
        }
    }
}
