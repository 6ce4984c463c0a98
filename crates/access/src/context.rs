//! What all connections share.

use crate::Locks;
use directory::Directory;
use net::Shutdown;
use net::tls::TlsServer;
use policy::AuthGuard;
use std::sync::Arc;

/// One consistent set of settings and the state beneath them. A reload makes another, with the same directory,
/// guard, locks and shutdown, for the connections that come after it.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who may log in; through it, the store.
    pub directory: Directory,
    /// What follows from failed logins; shared with the other servers.
    pub guard: Arc<AuthGuard>,
    /// Named in the greeting.
    pub hostname: String,
    /// Certificates. Without them STLS is not offered and ports of implicit TLS serve nobody.
    pub tls: Option<TlsServer>,
    /// Whether nobody logs in without TLS. If not, those may who come from this machine; from elsewhere it is
    /// needed always.
    pub require_tls: bool,
    /// Who has which maildrop open.
    pub locks: Locks,
    /// Ends sessions between two commands.
    pub shutdown: Shutdown,
}
