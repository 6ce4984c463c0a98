//! A graceful stop: say it once, wait until the sessions are over.

use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Tells everybody that it is time to stop, and counts who is still at work. Clones are the same.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<State>);

#[derive(Debug)]
struct State {
    triggered: watch::Sender<bool>,
    running: watch::Sender<usize>,
}

impl Shutdown {
    pub fn new() -> Self {
        Self(Arc::new(State { triggered: watch::Sender::new(false), running: watch::Sender::new(0) }))
    }

    /// Says that it is time to stop. Once said, it stays said.
    pub fn trigger(&self) {
        self.0.triggered.send_replace(true);
    }

    pub fn is_triggered(&self) -> bool {
        *self.0.triggered.borrow()
    }

    /// Returns when it is time to stop.
    pub async fn wait(&self) {
        // The sender lives in `self`, so that this cannot fail.
        let _ = self.0.triggered.subscribe().wait_for(|triggered| *triggered).await;
    }

    /// Counts a session until the value is dropped.
    pub fn track(&self) -> Tracked {
        self.0.running.send_modify(|running| *running += 1);
        Tracked(Arc::clone(&self.0))
    }

    /// Sessions at work now.
    pub fn running(&self) -> usize {
        *self.0.running.borrow()
    }

    /// Waits until no session is at work; `false` if some still were at the deadline.
    pub async fn wait_idle(&self, deadline: Instant) -> bool {
        let mut running = self.0.running.subscribe();
        timeout_at(deadline, running.wait_for(|running| *running == 0)).await.is_ok()
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

/// A session at work, as [`Shutdown::wait_idle`] counts it.
#[derive(Debug)]
pub struct Tracked(Arc<State>);

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running = running.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_it_is_said_and_the_last_session_is_over() {
        let shutdown = Shutdown::new();
        let session = shutdown.track();
        let worker = tokio::spawn({
            let shutdown = shutdown.clone();
            async move {
                shutdown.wait().await;
                drop(session);
            }
        });
        let soon = || Instant::now() + Duration::from_secs(1);
        assert!(!shutdown.wait_idle(soon()).await);
        assert!(!shutdown.is_triggered() && shutdown.running() == 1);
        shutdown.trigger();
        assert!(shutdown.wait_idle(soon()).await);
        shutdown.wait().await;
        worker.await.unwrap();
    }
}
