//! The server's end of the control socket.

use super::{Hello, Lines, PROTOCOL, endpoint};
use crate::{Actor, AdminError, Operations, Request, Response};
use net::{Connection, LimitSettings, Limits, Listener, NetError, Peer, ServeOptions, Shutdown};
use std::path::Path;
use std::time::Duration;

/// Access to the socket: its owner's.
const MODE: u32 = 0o600;
/// Connections at the same time: a few people, and scripts in parallel.
const MAX_CONNECTIONS: usize = 64;
/// How long a connection may be idle between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// Opens the socket in the data folder, once the data's lock is held. Must be called within a tokio runtime, by the
/// user that the server runs as.
///
/// # Errors
/// As [`Listener::bind`].
pub fn bind(data: &Path) -> Result<Listener, NetError> {
    Listener::bind(&endpoint(data), Some(MODE))
}

/// Answers until `shutdown` is triggered; what was begun is finished.
pub async fn serve(listener: Listener, operations: Operations, shutdown: Shutdown) {
    let own = rustix::process::geteuid().as_raw();
    let limits = Limits::new(LimitSettings { total: MAX_CONNECTIONS, ..LimitSettings::default() });
    let options = ServeOptions::new(limits, shutdown.clone());
    net::serve(listener, options, move |connection: Connection| {
        let (operations, shutdown) = (operations.clone(), shutdown.clone());
        async move {
            let _guard = connection.guard;
            let (peer, mut lines) = (connection.stream.peer(), Lines::new(connection.stream));
            session(&mut lines, peer, own, &operations, &shutdown).await;
        }
    })
    .await;
}

/// One connection, to its end; what ends it early is told to both sides.
pub(crate) async fn session(
    lines: &mut Lines,
    peer: Peer,
    own: u32,
    operations: &Operations,
    shutdown: &Shutdown,
) {
    if let Err(error) = converse(lines, peer, own, operations, shutdown).await {
        tracing::warn!(target: "admin", %peer, %error, "control connection closed");
        let _ = lines.write(&Response::Error(error)).await;
    }
}

/// Who it is, the first lines, then requests.
async fn converse(
    lines: &mut Lines,
    peer: Peer,
    own: u32,
    operations: &Operations,
    shutdown: &Shutdown,
) -> Result<(), AdminError> {
    if !peer.uid().is_some_and(|uid| uid == 0 || uid == own) {
        let text = format!("{peer} may not use the control socket: only root and the server's own user may");
        return Err(AdminError::Denied(text));
    }
    if !begun(lines, shutdown).await? {
        return Ok(());
    }
    let Hello { protocol } = lines.read().await?;
    if protocol != PROTOCOL {
        let text = format!(
            "the running server speaks control protocol {PROTOCOL}, the command {protocol}: restart the server after an upgrade"
        );
        return Err(AdminError::Refused(text));
    }
    lines.write(&Response::of(Ok(Hello { protocol: PROTOCOL }))).await?;
    while begun(lines, shutdown).await? {
        let request: Request = lines.read().await?;
        let response = operations.answer(&Actor::Root, request).await;
        match lines.write(&response).await {
            Err(error @ AdminError::Refused(_)) => lines.write(&Response::Error(error)).await?,
            written => written?,
        }
    }
    Ok(())
}

/// Waits for the next line; `false` when there will be none.
async fn begun(lines: &mut Lines, shutdown: &Shutdown) -> Result<bool, AdminError> {
    tokio::select! {
        () = shutdown.wait() => Ok(false),
        waited = tokio::time::timeout(IDLE_TIMEOUT, lines.wait()) => waited.unwrap_or(Ok(false)),
    }
}
