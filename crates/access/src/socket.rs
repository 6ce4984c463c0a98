//! What all servers here do with a socket.

use crate::Context;
use net::{NetError, Stream};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

/// How long the client may take for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a last word and the end of TLS may take.
pub(crate) const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// In the log, of a fault that ended one session.
pub(crate) const PANICKED: &str = "a session panicked and was ended; please report this";

/// Why a client is not served, or no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unserved {
    #[error("shut out for too many failed logins")]
    ShutOut,
    #[error("there is no certificate")]
    NoCertificate,
    #[error("the TLS handshake took longer than {HANDSHAKE_TIMEOUT:?}")]
    Slow,
    #[error(transparent)]
    Failed(#[from] NetError),
}

/// Whether it never leaves the machine: nobody else reads along there.
pub(crate) fn is_local(stream: &Stream) -> bool {
    stream.peer().ip().is_none_or(|ip| ip.is_loopback())
}

/// The server's part of a handshake.
pub(crate) async fn handshake(stream: Stream, context: &Context) -> Result<Stream, Unserved> {
    let Some(server) = &context.tls else { return Err(Unserved::NoCertificate) };
    let server = server.asking_client();
    // On the heap for its time only: a handshake's state is much larger than the rest of a connection's.
    let handshake = Box::pin(stream.start_tls(&server));
    Ok(timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| Unserved::Slow)??)
}

/// A last word, if the client takes it.
pub(crate) async fn say(stream: &mut Stream, words: &[u8]) {
    let farewell = async {
        stream.write_all(words).await?;
        stream.shutdown().await
    };
    let _ = timeout(FAREWELL_TIMEOUT, farewell).await;
}
