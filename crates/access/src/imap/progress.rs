//! A sign of life during long commands (RFC 9585).

use super::connection::Driver;
use super::stop::Outcome;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// How often a client that waits hears that it is not forgotten.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

impl Driver {
    /// Waits for `work`, and tells the client every now and then that it goes on.
    pub(super) async fn with_progress<T>(&mut self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let mut work = pin!(work);
        loop {
            if let Ok(done) = timeout(SIGN_OF_LIFE, work.as_mut()).await {
                return done;
            }
            self.session.progress(None, None);
            self.flush().await?;
        }
    }
}
