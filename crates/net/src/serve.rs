//! The loop of one listener.

use crate::{Guard, Limits, Listener, NetError, OverLimit, Peer, Shutdown, Stream};
use ipnet::IpNet;
use rustix::io::Errno;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};

/// How long a proxy may take for its header.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long accepting pauses when the handles have run out: sessions need them to end.
const PAUSE: Duration = Duration::from_millis(250);

/// A connection that was let in.
#[derive(Debug)]
pub struct Connection {
    pub stream: Stream,
    /// Counts the connection; to be kept as long as the stream.
    pub guard: Guard,
}

/// How a listener is served.
#[derive(Clone)]
pub struct ServeOptions {
    pub limits: Limits,
    pub shutdown: Shutdown,
    /// Networks whose connections begin with a PROXY header, always.
    pub proxy_from: Vec<IpNet>,
    refusal: Arc<dyn Fn(OverLimit) -> Cow<'static, [u8]> + Send + Sync>,
}

impl ServeOptions {
    /// No proxies, and no words to those who are not let in.
    pub fn new(limits: Limits, shutdown: Shutdown) -> Self {
        Self { limits, shutdown, proxy_from: Vec::new(), refusal: Arc::new(|_| Cow::Borrowed(b"")) }
    }

    #[must_use]
    pub fn proxy_from(mut self, networks: Vec<IpNet>) -> Self {
        self.proxy_from = networks;
        self
    }

    /// What is written to those who are not let in (a 421 line). Not for listeners that begin with TLS.
    #[must_use]
    pub fn refusal(
        mut self,
        words: impl Fn(OverLimit) -> Cow<'static, [u8]> + Send + Sync + 'static,
    ) -> Self {
        self.refusal = Arc::new(words);
        self
    }

    fn is_proxy(&self, peer: Peer) -> bool {
        peer.ip().is_some_and(|ip| self.proxy_from.iter().any(|network| network.contains(&ip)))
    }

    fn refuse(&self, stream: &Stream, error: OverLimit) {
        tracing::warn!(peer = %stream.peer(), local = %stream.local(), %error, "connection refused");
        stream.try_write(&(self.refusal)(error));
    }
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeOptions").field("proxy_from", &self.proxy_from).finish_non_exhaustive()
    }
}

/// Accepts until `shutdown` is triggered, giving each connection a task of its own, then closes the listener and
/// returns when the last session is over. A panic ends its session only; a handler that wants to say so to its client has
/// [`contain`](crate::contain). Dropping the future ends all sessions.
pub async fn serve<H, F>(listener: Listener, options: ServeOptions, handler: H)
where
    H: Fn(Connection) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = options.shutdown.wait() => break,
            Some(ended) = sessions.join_next() => {
                report(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => admit(stream, &options, &handler, &mut sessions),
            Err(error) if is_exhaustion(&error) => {
                tracing::error!(local = %listener.local(), %error, "cannot accept; pausing");
                // Sessions go on meanwhile; their ends are reported afterwards.
                tokio::time::sleep(PAUSE).await;
            }
            // The client was gone before we came, or the network failed: nothing to do about it.
            Err(error) => tracing::debug!(local = %listener.local(), %error, "a connection was lost"),
        }
    }
    drop(listener);
    while let Some(ended) = sessions.join_next().await {
        report(ended);
    }
}

fn admit<H, F>(stream: Stream, options: &ServeOptions, handler: &H, sessions: &mut JoinSet<()>)
where
    H: Fn(Connection) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let proxied = options.is_proxy(stream.peer());
    let guard = match options.limits.admit(stream.peer().ip().filter(|_| !proxied)) {
        Ok(guard) => guard,
        Err(error) => return options.refuse(&stream, error),
    };
    let (handler, tracked) = (handler.clone(), options.shutdown.track());
    if !proxied {
        sessions.spawn(async move {
            let _tracked = tracked;
            handler(Connection { stream, guard }).await;
        });
        return;
    }
    let options = options.clone();
    sessions.spawn(async move {
        let _tracked = tracked;
        match unwrap_proxy(stream, guard, &options).await {
            Ok(Some(connection)) => handler(connection).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "connection dropped"),
        }
    });
}

/// Reads the PROXY header, and counts the connection for the client it names.
async fn unwrap_proxy(
    stream: Stream,
    mut guard: Guard,
    options: &ServeOptions,
) -> Result<Option<Connection>, NetError> {
    let stream = stream.accept_proxy(PROXY_TIMEOUT).await?;
    // The proxy's own connections (LOCAL: health checks) count in all only.
    if let (Some(ip), Some(_)) = (stream.peer().ip(), stream.proxied_by())
        && let Err(error) = guard.set_address(ip)
    {
        options.refuse(&stream, error);
        return Ok(None);
    }
    Ok(Some(Connection { stream, guard }))
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a session panicked and was ended; please report this");
    }
}

/// Whether accept failed for want of something that others must give back first.
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}
