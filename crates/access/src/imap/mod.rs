//! One IMAP connection, from its greeting to its end.
//!
//! The protocol is [`::imap::server::Session`]'s; this drives it over a socket. One task a connection: an idle one holds no buffer of
//! its own. A file a verb; what is between them:
//!
//! - [`open`]: the folders that sessions have open, one state each, kept up with the store's changes;
//! - [`view`]: one of them as one client knows it; sequence numbers are its;
//! - [`news`]: what a client is told of others' doing; [`watch`], with [`notify`]: in folders that it has not open;
//! - [`pages`]: rows of the store, a page at a time: every command that goes through a folder does so with them;
//! - [`user`], [`rights`]: which folders a name means, and what may be done there;
//! - [`stop`]: where faults become answers.

mod acl;
mod append;
mod command;
mod connection;
mod content;
mod criteria;
mod deflate;
mod fetch;
mod flags;
mod folder;
mod formula;
mod found;
mod list;
mod matching;
mod message;
mod metadata;
mod news;
mod notify;
mod open;
mod pages;
mod progress;
mod quota;
mod rights;
mod search;
mod select;
mod stop;
mod transfer;
mod user;
mod view;
mod watch;
mod wire;
mod words;

pub use open::OpenMailboxes;

use crate::Context;
use crate::socket::PANICKED;
use connection::{Driver, End};
use net::{Connection, OverLimit};
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use store::Id;

/// How TLS begins on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// In the clear, with STARTTLS where there is a certificate (port 143).
    Imap,
    /// With the handshake (port 993, RFC 8314 §3.2).
    Imaps,
}

/// For the log.
#[derive(Debug, Default)]
struct Summary {
    user: String,
    fetched: u64,
    appended: u64,
    removed: u64,
}

/// What ID tells (RFC 2971).
fn identity() -> Arc<[(String, String)]> {
    static IDENTITY: LazyLock<Arc<[(String, String)]>> =
        LazyLock::new(|| Arc::new([("name".to_owned(), "Waypost".to_owned())]));
    Arc::clone(&IDENTITY)
}

/// Serves one connection until it ends.
pub async fn serve(connection: Connection, port: Port, context: Arc<Context>) {
    let Connection { stream, guard: _counted } = connection;
    let (session, peer) = (Id::generate(), stream.peer());
    tracing::debug!(protocol = %"imap", %session, %peer, local = %stream.local(), "connected");
    let (end, summary) = match Driver::start(stream, port, context, session).await {
        Ok(driver) => driver.run().await,
        Err(end) => (end, Summary::default()),
    };
    if let End::Panicked(panicked) = &end {
        tracing::error!(protocol = %"imap", %session, %peer, %panicked, "{PANICKED}");
    }
    let Summary { user, fetched, appended, removed } = summary;
    tracing::info!(
        protocol = %"imap", %session, %peer, ?user, fetched, appended, removed, reason = %end, "session ended"
    );
}

/// For [`net::ServeOptions::refusal`] on ports without implicit TLS.
pub fn refusal(_: OverLimit) -> Cow<'static, [u8]> {
    Cow::Borrowed(b"* BYE [UNAVAILABLE] too many connections; try again later\r\n")
}
