//! What a session is told at its start.

use std::sync::Arc;

/// What the server offers on this connection.
#[derive(Clone, Debug)]
pub struct Config {
    /// Named in the greeting and the farewell.
    pub hostname: String,
    /// TLS protects the connection from its start (port 993).
    pub tls: bool,
    /// STARTTLS is offered while there is no TLS.
    pub starttls: bool,
    /// Nobody logs in without TLS: LOGINDISABLED, and no `AUTH=`.
    pub require_tls: bool,
    /// LOGIN is taken at all. Without, clients must use AUTHENTICATE.
    pub login: bool,
    /// SASL mechanisms offered now, in upper case; those under STARTTLS come with
    /// [`Decision::TlsStarted`](super::Decision::TlsStarted).
    pub mechanisms: Vec<String>,
    /// LITERAL+, else LITERAL-: whether a literal for which the client does not wait may be longer than 4,096 octets
    /// (RFC 7888).
    pub literal_plus: bool,
    /// COMPRESS=DEFLATE is offered (RFC 4978).
    pub compress: bool,
    /// Octets of the largest message that APPEND and REPLACE take (RFC 7889).
    pub append_limit: Option<u64>,
    /// There are quotas: `QUOTA=RES-STORAGE` (RFC 9208).
    pub quota: bool,
    /// UNAUTHENTICATE is offered. A proxy that looks at logins alone would miss the second of a connection (RFC 8437 §8).
    pub unauthenticate: bool,
    /// Answers ID (RFC 2971): pairs as `("name", "Waypost")`. The same for all sessions, so they share it.
    pub id: Arc<[(String, String)]>,
}

impl Config {
    /// The safe choices: no TLS yet, STARTTLS offered and required, no SASL; everything else is on.
    pub fn new(hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            tls: false,
            starttls: true,
            require_tls: true,
            login: true,
            mechanisms: Vec::new(),
            literal_plus: true,
            compress: true,
            append_limit: None,
            quota: true,
            unauthenticate: true,
            id: Arc::new([]),
        }
    }

    pub(super) fn offers_starttls(&self) -> bool {
        self.starttls && !self.tls
    }

    /// Whether a password or a mechanism may be tried on this connection now.
    pub(super) fn may_authenticate(&self) -> bool {
        self.tls || !self.require_tls
    }

    pub(super) fn may_login(&self) -> bool {
        self.login && self.may_authenticate()
    }
}
