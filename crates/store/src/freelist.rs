//! Pages of a database that nothing needs any more go back to the system, by and by.
//!
//! Mail comes and goes, and pages that became free are soon used again: to give each back and let the file grow again would
//! cost every message. So only what was free all of the last minute goes, a piece at a time.

use crate::StoreError;
use rusqlite::Connection;
use std::time::{Duration, Instant};

/// Which pages go.
#[derive(Debug, Clone, Copy)]
pub struct FreelistLimits {
    /// What nothing needed for so long.
    pub unused: Duration,
    /// But for so many octets in each database, which what comes will need.
    pub kept: u64,
}

impl Default for FreelistLimits {
    fn default() -> Self {
        Self { unused: Duration::from_secs(60), kept: 16 << 20 }
    }
}

/// Octets given back in one transaction: its pages are written anew nearer to the beginning, which mail may wait for.
const PIECE: u64 = 1 << 20;
/// The time between two pieces.
const REST: Duration = Duration::from_millis(200);

/// The free pages of one database (SQLite's freelist).
#[derive(Debug)]
pub(crate) struct Freelist {
    limits: FreelistLimits,
    /// When the last look was.
    looked: Option<Instant>,
    /// When the fewest began to be counted.
    since: Option<Instant>,
    /// The fewest free pages since then.
    fewest: u64,
    /// Pages that are to go now.
    surplus: u64,
    /// There are more free pages than are kept.
    much: bool,
}

impl Freelist {
    pub(crate) fn new(limits: FreelistLimits) -> Self {
        Self { limits, looked: None, since: None, fewest: 0, surplus: 0, much: false }
    }

    /// To be looked at again, also when nothing is written.
    pub(crate) fn wants(&self) -> bool {
        self.much
    }

    /// Gives the next piece back, if there is something to give; whether that was the last: the file is shorter once its log
    /// is copied. Outside of a transaction.
    pub(crate) fn look(&mut self, database: &Connection, now: Instant) -> Result<bool, StoreError> {
        if self
            .looked
            .is_some_and(|looked| now.saturating_duration_since(looked) < REST.min(self.limits.unused))
        {
            return Ok(false);
        }
        self.looked = Some(now);
        let free = count(database, "PRAGMA freelist_count")?;
        let page = count(database, "PRAGMA page_size")?.max(1);
        self.judge(free, self.limits.kept / page, now);
        if self.surplus == 0 {
            return Ok(false);
        }
        let pages = self.surplus.min((PIECE / page).max(1));
        let mut statement = database.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        // A row for each page.
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        self.surplus -= pages;
        Ok(self.surplus == 0)
    }

    fn judge(&mut self, free: u64, kept: u64, now: Instant) {
        self.much = free > kept;
        // What is used again while the rest goes is not to go.
        self.surplus = self.surplus.min(free.saturating_sub(kept));
        if self.surplus > 0 || !self.much {
            self.since = None;
            return;
        }
        let since = *self.since.get_or_insert_with(|| {
            self.fewest = free;
            now
        });
        self.fewest = self.fewest.min(free);
        if now.saturating_duration_since(since) >= self.limits.unused {
            self.surplus = self.fewest - kept;
            self.since = None;
        }
    }
}

fn count(database: &Connection, pragma: &str) -> Result<u64, StoreError> {
    let count: i64 = database.prepare_cached(pragma)?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES_KEPT: u64 = 10;

    /// A minute of looks, one a second, each with so many free pages.
    fn after(looks: impl IntoIterator<Item = u64>) -> u64 {
        let mut freelist = Freelist::new(FreelistLimits::default());
        let begun = Instant::now();
        for (second, free) in looks.into_iter().enumerate() {
            freelist.judge(free, PAGES_KEPT, begun + Duration::from_secs(second as u64));
        }
        freelist.surplus
    }

    #[test]
    fn what_was_free_for_a_minute_goes_but_for_what_is_kept() {
        assert_eq!(after([100; 60]), 0, "not yet");
        assert_eq!(after([100; 61]), 90);
        assert_eq!(after((0..61).map(|n| 100 + n)), 90);
        assert_eq!(after((0..61).map(|n| if n == 30 { 40 } else { 100 })), 30, "the fewest of the minute");
        assert_eq!(after([PAGES_KEPT; 200]), 0);
    }

    #[test]
    fn a_moment_with_few_begins_the_minute_anew() {
        let looks = |few: usize| (0..few + 60).map(move |n| if n == few { 5 } else { 100 });
        assert_eq!(after(looks(40)), 0);
        assert_eq!(after(looks(40).chain([100; 2])), 90);
    }

    #[test]
    fn what_is_used_again_stays() {
        assert_eq!(after([100; 61].into_iter().chain([50])), 40);
        assert_eq!(after([100; 61].into_iter().chain([3])), 0);
    }
}
