//! What a session is told at its start.

/// What the server offers on this connection.
#[derive(Clone, Debug)]
pub struct Config {
    /// Named in the greeting and the farewell.
    pub hostname: String,
    /// TLS protects the connection from its start (port 995).
    pub tls: bool,
    /// STLS is offered while there is no TLS.
    pub stls: bool,
    /// Nobody logs in without TLS.
    pub require_tls: bool,
    /// SASL mechanisms offered now, in upper case; those under STLS come with
    /// [`Decision::TlsStarted`](super::Decision::TlsStarted).
    pub mechanisms: Vec<String>,
    /// How long messages stay at least (RFC 2449 §6.7).
    pub expire: Option<Expire>,
    /// Seconds that must lie between logins (RFC 2449 §6.5); the driver enforces them with
    /// [`Refusal::LoginDelay`](super::Refusal::LoginDelay).
    pub login_delay: Option<u32>,
    /// Shown to users who are logged in (RFC 2449 §6.9).
    pub implementation: Option<String>,
}

/// The argument of the EXPIRE capability (RFC 2449 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expire {
    /// The server removes nothing by itself.
    Never,
    /// The server may remove messages after this many days.
    Days(u32),
}

impl Config {
    /// The safe choices: no TLS yet, STLS offered and required, no SASL, messages stay.
    pub fn new(hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            tls: false,
            stls: true,
            require_tls: true,
            mechanisms: Vec::new(),
            expire: Some(Expire::Never),
            login_delay: None,
            implementation: None,
        }
    }

    pub(super) fn offers_stls(&self) -> bool {
        self.stls && !self.tls
    }

    pub(super) fn may_login(&self) -> bool {
        self.tls || !self.require_tls
    }

    /// The lines of CAPA (RFC 2449 §5). What AUTHORIZATION shows, TRANSACTION shows too, but for STLS, which is
    /// shown where it is permitted (RFC 2595 §4).
    pub(super) fn capabilities(&self, logged_in: bool) -> Vec<String> {
        let mut lines: Vec<String> =
            ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8 USER"]
                .map(String::from)
                .into();
        if self.may_login() {
            lines.push("USER".into());
            if !self.mechanisms.is_empty() {
                lines.push(format!("SASL {}", self.mechanisms.join(" ")));
            }
        }
        if self.offers_stls() && !logged_in {
            lines.push("STLS".into());
        }
        match self.expire {
            Some(Expire::Never) => lines.push("EXPIRE NEVER".into()),
            Some(Expire::Days(days)) => lines.push(format!("EXPIRE {days}")),
            None => {}
        }
        lines.extend(self.login_delay.map(|seconds| format!("LOGIN-DELAY {seconds}")));
        if logged_in {
            lines.extend(self.implementation.as_ref().map(|name| format!("IMPLEMENTATION {name}")));
        }
        lines
    }
}
