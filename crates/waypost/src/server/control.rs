//! The control socket: what commands may do to the running server.

use super::Running;
use crate::exit::Failure;
use admin::queue::{Action, QueueAnswer};
use admin::{Operations, Server};
use queue::QueueHandle;
use std::sync::Arc;
use std::time::Instant;
use store::Id;
use tokio::task::JoinSet;

pub(super) fn serve(running: &Running, tasks: &mut JoinSet<()>) -> Result<(), Failure> {
    let socket = admin::control::bind(running.store.folder()).map_err(|e| Failure::no(e.to_string()))?;
    tasks.spawn(admin::control::serve(socket, operations(running), running.shutdown.clone()));
    Ok(())
}

/// All operations, on what runs.
pub(super) fn operations(running: &Running) -> Operations {
    let limits = running.limits.clone();
    let runtime = tokio::runtime::Handle::current().metrics();
    let server = Server {
        started: Instant::now(),
        connections: Arc::new(move || limits.count()),
        tasks: Arc::new(move || runtime.num_alive_tasks()),
        // The process asks itself, so that a command and a signal take one way.
        reload: Arc::new(|| signal_self(rustix::process::Signal::HUP)),
        stop: Arc::new(|| drop(signal_self(rustix::process::Signal::TERM))),
    };
    let queue = Arc::new(Commanded(running.queue.clone()));
    Operations::in_server(running.store.clone(), queue, server).with_zones(Arc::clone(&running.resolver) as _)
}

fn signal_self(signal: rustix::process::Signal) -> Result<(), String> {
    rustix::process::kill_process(rustix::process::getpid(), signal).map_err(|e| e.to_string())
}

#[derive(Debug)]
struct Commanded(QueueHandle);

impl admin::Queue for Commanded {
    fn change(&self, action: Action, message: Id, positions: Vec<u32>, actor: String) -> QueueAnswer<'_> {
        let action = match action {
            Action::Retry => queue::Action::Retry,
            Action::Hold => queue::Action::Hold,
            Action::Release => queue::Action::Release,
            Action::Bounce => queue::Action::Bounce,
            Action::Drop => queue::Action::Drop,
        };
        Box::pin(async move {
            let done = self.0.change_recipients(action, message, &positions, &actor).await?;
            Ok(usize::try_from(done.changed).unwrap_or(usize::MAX))
        })
    }
}
