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
        if self.memory.update(store.budget().percent_used(), 100) {
            let reply = Reply::new(452, (4, 3, 1), "too much mail at once, try again later");
            return Some((reply, "memory for bodies".into()));
        }
        let space = self.disk_space(store);
        self.disk_is_short(space, largest, size).then(|| {
            let reply = Reply::new(452, (4, 3, 1), "no room for mail now, try again later");
            (reply, format!("{} octets of the disk free", space.free))
        })
    }

    /// What would touch the reserve is refused by itself; when the reserve is touched, everything is, until half as
    /// much again is free.
    fn disk_is_short(&self, DiskSpace { free, total }: DiskSpace, largest: u64, size: u64) -> bool {
        let reserve = (total / 100 * DISK_RESERVE_PERCENT).max(largest.saturating_mul(2));
        self.disk.update_free(free, reserve) || free < reserve.saturating_add(size)
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

#[cfg(test)]
mod tests {
    use super::*;
    use store::Options;

    /// Whatever size is declared, and until a good part is free again.
    #[tokio::test]
    async fn bodies_in_memory_keep_more_mail_out() {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open(folder.path(), &Options { body_budget: 50_000, ..Options::default() }).unwrap();
        let room = Room::new();
        let refused = |size| room.refuse(&store, 1000, size).map(|(reply, _)| reply.code());
        let mut bodies = Vec::new();
        for (taken, expected) in [(35_000, None), (7_500, None), (2_500, Some(452))] {
            let mut spool = store.spool();
            spool.write(vec![b'x'; taken].into()).await.unwrap();
            bodies.push(spool);
            assert_eq!((refused(0), refused(10)), (expected, expected), "{taken} more");
        }
        bodies.pop();
        assert_eq!(refused(10), Some(452), "85 % are still many");
        bodies.pop();
        assert_eq!(refused(10), None);
    }

    #[test]
    fn the_disk_s_reserve_is_left_again_when_half_as_much_more_is_free() {
        let room = Room::new();
        // The reserve is 1 % of the disk, or two of the largest messages.
        let mut largest = 40;
        for (free, size, short) in [
            (100, 0, false),
            (119, 20, true),
            (119, 19, false),
            (99, 0, true),
            (149, 0, true),
            (150, 0, false),
            (150, 51, true),
            (150, 50, false),
        ] {
            let space = DiskSpace { free, total: 10_000 };
            assert_eq!(room.disk_is_short(space, largest, size), short, "{free} free, {size} declared");
        }
        largest = 60;
        assert!(room.disk_is_short(DiskSpace { free: 119, total: 10_000 }, largest, 0));
        assert!(!room.disk_is_short(DiskSpace { free: 180, total: 10_000 }, largest, 0));
    }
}
