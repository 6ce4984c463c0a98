//! What is removed by and by, while the server runs: rows of folders and accounts that have gone, messages that
//! nobody brought back in time, those greylisting knew who have been silent for long, and senders of mail that was passed on, to
//! whom no notification will come any more.

use net::Shutdown;
use std::time::Duration;
use store::{Store, clock};

/// How often the store looks for messages that were removed long enough ago, and a failed disk is tried again.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Until the server stops.
pub(super) async fn run(store: Store, shutdown: Shutdown) {
    loop {
        if let Err(error) = store.forget_greylist_passes(clock::millis()).await {
            tracing::warn!(%error, "greylisting remembers too much until the next hour");
        }
        if let Err(error) = store.forget_senders(clock::seconds() as i64).await {
            tracing::warn!(%error, "senders of mail that was passed on stay remembered until the next hour");
        }
        while !shutdown.is_triggered() {
            match store.purge(clock::millis()).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "removed mail stays on the disk until the next hour");
                    break;
                }
            }
        }
        tokio::select! {
            () = shutdown.wait() => return,
            () = store.purge_wanted() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
