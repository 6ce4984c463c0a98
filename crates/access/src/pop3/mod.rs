//! One POP3 connection, from its greeting to its end.
//!
//! The protocol is [`::pop3::server::Session`]'s; this drives it over a socket. One task a connection: an idle one
//! holds no buffer of its own, reads go from the stack into the session, a message goes out in pieces as fast as
//! the client takes them.

mod connection;
mod header;
mod maildrop;

pub use maildrop::MAX_MAILDROP;

use crate::Context;
use crate::socket::PANICKED;
use connection::{Driver, End};
use net::{Connection, OverLimit};
use std::borrow::Cow;
use std::sync::Arc;
use store::Id;

/// How TLS begins on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// In the clear, with STLS where there is a certificate (port 110).
    Pop3,
    /// With the handshake (port 995, RFC 8314 §3.2).
    Pop3s,
}

/// Serves one connection until it ends.
pub async fn serve(connection: Connection, port: Port, context: Arc<Context>) {
    let Connection { stream, guard: _counted } = connection;
    let (session, peer) = (Id::generate(), stream.peer());
    tracing::debug!(protocol = %"pop3", %session, %peer, local = %stream.local(), "connected");
    let end = match Driver::start(stream, port, context, session).await {
        Ok(driver) => driver.run().await,
        Err(end) => end,
    };
    if let End::Panicked(panicked) = &end {
        tracing::error!(protocol = %"pop3", %session, %peer, %panicked, "{PANICKED}");
    }
    match end {
        End::Session { reason, summary } => {
            tracing::info!(
                protocol = %"pop3", %session, %peer, user = ?summary.user, retrieved = summary.retrieved,
                octets = summary.octets, removed = summary.removed, ?reason, "session ended"
            );
        }
        other => tracing::info!(protocol = %"pop3", %session, %peer, reason = %other, "session ended"),
    }
}

/// For [`net::ServeOptions::refusal`] on ports without implicit TLS.
pub fn refusal(_: OverLimit) -> Cow<'static, [u8]> {
    Cow::Borrowed(b"-ERR [SYS/TEMP] too many connections; try again later\r\n")
}
