//! A sign of life during long commands (RFC 9585).

use super::connection::Driver;
use super::stop::Outcome;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::{Instant, timeout_at};

/// How far a command is, as who does the work says. It never goes back.
#[derive(Debug, Default)]
pub(super) struct Progress {
    done: AtomicU64,
    /// 0: not known.
    total: AtomicU64,
}

impl Progress {
    /// What there is to do, in whatever is counted.
    pub(super) fn of(total: u64) -> Self {
        Self { total: total.into(), ..Self::default() }
    }

    pub(super) fn reach(&self, done: u64) {
        self.done.fetch_max(done, Ordering::Relaxed);
    }

    /// What is done and what there is to do, the latter not below the former.
    pub(super) fn numbers(&self) -> (Option<u32>, Option<u32>) {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        match total {
            0 => (None, None),
            total => (Some(number(done.min(total))), Some(number(total))),
        }
    }
}

impl Driver {
    /// Waits for `work`, and tells the client every now and then that it goes on.
    pub(super) async fn with_progress<T>(
        &mut self,
        progress: &Progress,
        work: impl Future<Output = Outcome<T>>,
    ) -> Outcome<T> {
        let mut work = pin!(work);
        let mut due = Instant::now() + self.context.sign_of_life;
        loop {
            if due <= Instant::now() {
                let (done, total) = progress.numbers();
                self.session.progress(done, total);
                self.flush().await?;
                due = Instant::now() + self.context.sign_of_life;
            }
            if let Ok(done) = timeout_at(due, work.as_mut()).await {
                return done;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_never_go_back_and_never_past_the_end() {
        let progress = Progress::of(10);
        let mut told = Vec::new();
        for done in [0, 4, 2, 11] {
            progress.reach(done);
            told.push(progress.numbers());
        }
        assert_eq!(told, [0, 4, 4, 10].map(|done| (Some(done), Some(10))));
        assert_eq!(Progress::default().numbers(), (None, None));
        assert_eq!(Progress::of(u64::MAX).numbers(), (Some(0), Some(u32::MAX)));
    }
}
