//! MTA-STS policies of other domains are fetched anew each day, so that none ends for want of mail (RFC 8461 §3.3).

use net::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use transport::Transport;

/// How often the old ones are sought.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Until the server stops.
pub(super) async fn run(transport: Arc<Transport>, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.wait() => return,
            () = tokio::time::sleep(INTERVAL) => transport.refresh_policies().await,
        }
    }
}
