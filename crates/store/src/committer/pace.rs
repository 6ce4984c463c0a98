//! How much bulk work there may be, so that mail need not wait for it.

use super::job::{Job, Part};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Who wrote will write again: so many batches of bulk work alone are small after one in which others wrote, and rest after each.
const WARY: u32 = 100;
/// Such a rest, in times of what the work before it took: mail has two thirds of the time for itself.
const BULK_REST: u32 = 2;

/// What others have written lately.
#[derive(Default)]
pub(super) struct Pace {
    /// Batches from now on in which others are expected.
    wary: Cell<u32>,
    /// Until when bulk work rests.
    rest: Cell<Option<Instant>>,
}

impl Pace {
    /// Whether others write too, or are expected to.
    pub(super) fn is_shared(&self, batch: &[Box<dyn Job>]) -> bool {
        // Without jobs there is time for what is left to do.
        batch.len() > 1 || (self.wary.get() > 0 && !batch.is_empty())
    }

    /// A batch was begun then, and has ended now.
    pub(super) fn note(&self, batch: &[Box<dyn Job>], began: Instant) {
        let has = |part| batch.iter().any(|job| job.part() == part);
        self.wary.set(if has(Part::Only) { WARY } else { self.wary.get().saturating_sub(1) });
        if has(Part::Next) && self.wary.get() > 0 {
            self.rest.set(Some(Instant::now() + began.elapsed() * BULK_REST));
        }
    }

    /// How long bulk work rests from now on.
    pub(super) fn rest(&self) -> Option<Duration> {
        self.rest.get()?.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero())
    }
}
