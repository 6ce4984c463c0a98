//! Signing keys: what goes on with those that are rotated, while the server runs.

use crate::config::Config;
use admin::Operations;
use net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often the keys of a rotation under way are looked after: who has just published a record soon sees it used. Each look
/// asks each name server of the domain once a key.
const INTERVAL: Duration = Duration::from_secs(30);
/// Every so many looks (an hour) all keys are looked at: those that are old enough, and those whose record may have gone.
const FULL_EVERY: u32 = 120;

/// `dkim.rotate-every` of the configuration as it is now.
#[derive(Debug, Clone)]
pub(super) struct Rotation(Arc<AtomicU64>);

impl Rotation {
    pub(super) fn new(config: &Config) -> Self {
        let rotation = Self(Arc::default());
        rotation.set(config);
        rotation
    }

    pub(super) fn set(&self, config: &Config) {
        let every = config.dkim.rotate_every.unwrap_or_default();
        self.0.store(every.as_secs(), Ordering::Relaxed);
    }

    /// After how long keys are rotated; none: only by command.
    fn every(&self) -> Option<Duration> {
        let seconds = self.0.load(Ordering::Relaxed);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }
}

/// Until the server stops.
pub(super) async fn run(operations: Operations, rotation: Rotation, shutdown: Shutdown) {
    for look in 0_u32.. {
        let all = look.is_multiple_of(FULL_EVERY);
        let every = rotation.every().filter(|_| all);
        if let Err(error) = operations.tend_keys(every, all).await {
            tracing::warn!(%error, "signing keys are not looked after now");
        }
        tokio::select! {
            () = shutdown.wait() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
