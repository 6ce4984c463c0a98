//! What all connections share.

use crate::Locks;
use crate::imap::OpenMailboxes;
use directory::Directory;
use net::Shutdown;
use net::tls::TlsServer;
use policy::AuthGuard;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How the ports are served, and the state beneath them. What a reload may change, the directory and TLS hold.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who may log in, and how the host is called; through it, the store.
    pub directory: Directory,
    /// What follows from failed logins; shared with the other servers.
    pub guard: Arc<AuthGuard>,
    /// Certificates. Without them STLS is not offered and ports of implicit TLS serve nobody.
    pub tls: Option<TlsServer>,
    /// Whether nobody logs in without TLS. If not, those may who come from this machine; from elsewhere it is
    /// needed always.
    pub require_tls: bool,
    /// Who has which maildrop open.
    pub locks: Locks,
    /// The folders that IMAP sessions have open.
    pub mailboxes: OpenMailboxes,
    /// Octets of the largest message that IMAP takes (RFC 7889).
    pub message_size: Arc<AtomicU64>,
    /// Whether one IMAP connection may serve one account after another (UNAUTHENTICATE, RFC 8437).
    pub unauthenticate: Arc<AtomicBool>,
    /// How often a client that waits for the end of a long command hears that it goes on (RFC 9585).
    pub sign_of_life: Duration,
    /// Ends sessions between two commands.
    pub shutdown: Shutdown,
}

/// What clients find neither long nor much: for [`Context::sign_of_life`].
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

impl Context {
    pub(crate) fn message_size(&self) -> u64 {
        self.message_size.load(Ordering::Relaxed)
    }
}
