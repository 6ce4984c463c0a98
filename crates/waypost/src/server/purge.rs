//! What is removed by and by, while the server runs: rows of folders and accounts that have gone, and messages that
//! nobody brought back in time.

use net::Shutdown;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::Store;

/// How often the store looks for messages that were removed long enough ago, and a failed disk is tried again.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Until the server stops.
pub(super) async fn run(store: Store, shutdown: Shutdown) {
    loop {
        while !shutdown.is_triggered() {
            let now =
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
            match store.purge(now).await {
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
