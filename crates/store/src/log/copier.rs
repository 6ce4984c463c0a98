//! The thread that copies logs beside the committer.

use super::Logs;
use crate::StoreError;
use crate::committer::AbortOnPanic;
use crate::database::{Kind, open_copier};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// Copies what it is told to, one log at a time. Dropping it ends the thread after that.
pub(crate) struct Copier {
    orders: Option<mpsc::Sender<Kind>>,
    failed: Arc<Mutex<Option<StoreError>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Copier {
    pub(crate) fn start(folder: PathBuf, logs: Arc<Logs>) -> Result<Self, StoreError> {
        let (orders, received) = mpsc::channel();
        let failed = Arc::<Mutex<Option<StoreError>>>::default();
        let failures = Arc::clone(&failed);
        let work = move || {
            let _abort = AbortOnPanic;
            for kind in received {
                let log = if kind == Kind::Main { &logs.main } else { &logs.bodies };
                // A connection for each time: after trouble nothing is left of what a file was before.
                if let Err(error) = log.copy(|| open_copier(kind, &folder)) {
                    *failures.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("copier".into())
            .spawn(work)
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Self { orders: Some(orders), failed, thread: Some(thread) })
    }

    /// At most one order for each log is under way.
    pub(super) fn copy(&self, kind: Kind) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(kind);
        }
    }

    /// What went wrong since it was asked last.
    pub(super) fn failed(&self) -> Result<(), StoreError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.map_or(Ok(()), Err)
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
