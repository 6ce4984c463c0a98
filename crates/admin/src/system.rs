//! The installation as a whole: how it is, whether its data is sound, reload and stop.

use crate::operation::blocking;
use crate::{Actor, AdminError, Operation, Operations};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use store::queue::QueueCount;

/// What a running server lets be done to it. The functions return at once.
#[derive(Clone)]
pub struct Server {
    pub started: Instant,
    /// Connections that are open now.
    pub connections: Arc<dyn Fn() -> usize + Send + Sync>,
    /// Tasks of the process that have not ended.
    pub tasks: Arc<dyn Fn() -> usize + Send + Sync>,
    /// Reads settings and certificates again; what was wrong with them otherwise.
    pub reload: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Begins the graceful stop.
    pub stop: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("started", &self.started).finish_non_exhaustive()
    }
}

impl Operations {
    fn running(&self) -> Result<&Server, AdminError> {
        let none = "no server is running; start it with `waypost serve`";
        self.server.as_ref().ok_or_else(|| AdminError::Refused(none.to_owned()))
    }
}

/// How the installation is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Whether a server answers; if not, the rest of its fields are empty.
    pub running: bool,
    pub uptime_seconds: Option<u64>,
    pub connections: Option<u64>,
    /// What the server does at the same time, by its runtime's count: this question among it.
    pub tasks: Option<u64>,
    pub queue: QueueCount,
    pub disk_free: u64,
    pub disk_size: u64,
    /// Why nothing can be written now.
    pub trouble: Option<String>,
}

impl Operation for Status {
    type Answer = StatusReport;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<StatusReport, AdminError> {
        let (store, server) = (&operations.store, operations.server.as_ref());
        let (disk_free, disk_size) = store.disk_space()?;
        Ok(StatusReport {
            running: server.is_some(),
            uptime_seconds: server.map(|server| server.started.elapsed().as_secs()),
            connections: server.map(|server| (server.connections)() as u64),
            tasks: server.map(|server| (server.tasks)() as u64),
            queue: store.queue_count()?,
            disk_free,
            disk_size,
            trouble: store.trouble(),
        })
    }
}

/// Reads all data once.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckStore {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReport {
    pub ok: bool,
    pub problems: Vec<String>,
}

impl Operation for CheckStore {
    type Answer = StoreReport;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<StoreReport, AdminError> {
        let store = operations.store.clone();
        let problems = blocking(move || Ok(store.check()?)).await?;
        Ok(StoreReport { ok: problems.is_empty(), problems })
    }
}

/// How far the index of words is.
#[derive(Debug, Serialize, Deserialize)]
pub struct SearchStatus {}

impl Operation for SearchStatus {
    type Answer = store::search::SearchStatus;

    fn changes(&self) -> Option<String> {
        None
    }

    async fn run(
        self,
        operations: &Operations,
        _: &Actor,
    ) -> Result<store::search::SearchStatus, AdminError> {
        let store = operations.store.clone();
        blocking(move || Ok(store.search_status()?)).await
    }
}

/// Has the index of words made anew from the messages. Returns at once: [`SearchStatus`] says how far that is.
#[derive(Debug, Serialize, Deserialize)]
pub struct RebuildSearch {}

impl Operation for RebuildSearch {
    type Answer = ();

    fn changes(&self) -> Option<String> {
        Some("the index of words".to_owned())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<(), AdminError> {
        operations.store.rebuild_search();
        Ok(())
    }
}

/// Makes the server read its settings and certificates again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reload {}

impl Operation for Reload {
    type Answer = ();

    fn changes(&self) -> Option<String> {
        Some("settings".to_owned())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<(), AdminError> {
        let reload = Arc::clone(&operations.running()?.reload);
        blocking(move || reload().map_err(AdminError::Refused)).await
    }
}

/// Makes the server finish what is acknowledged, and stop.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stop {}

impl Operation for Stop {
    type Answer = ();

    fn changes(&self) -> Option<String> {
        Some("server".to_owned())
    }

    async fn run(self, operations: &Operations, _: &Actor) -> Result<(), AdminError> {
        (operations.running()?.stop)();
        Ok(())
    }
}
