//! What both servers do before a session and at its logins; each says it in its protocol's words.

use crate::Context;
use crate::socket::{Unserved, handshake, is_local, say};
use net::Stream;
use policy::{Gate, Outcome, Refused, Visitor};
use std::sync::Arc;
use std::time::Instant;
use store::Id;
use store::directory::AccountRecord;

/// How a port receives its clients.
pub(crate) struct Entrance {
    /// As the log names it.
    pub(crate) protocol: &'static str,
    pub(crate) implicit_tls: bool,
    /// What those hear, where it is in the clear, who may not come in for now.
    pub(crate) shut_out: &'static [u8],
}

/// A client that may speak.
pub(crate) struct Guest {
    pub(crate) stream: Stream,
    pub(crate) gate: Gate,
    /// What this host is called.
    pub(crate) hostname: String,
    /// Whether it has to start TLS before it logs in.
    pub(crate) needs_tls: bool,
}

impl Entrance {
    /// Does what comes before the greeting.
    pub(crate) async fn receive(
        &self,
        mut stream: Stream,
        context: &Context,
        id: Id,
    ) -> Result<Guest, Unserved> {
        let address = stream.peer().ip();
        if context.guard.check(address, Instant::now()).is_err() {
            if !self.implicit_tls {
                say(&mut stream, self.shut_out).await;
            }
            return Err(Unserved::ShutOut);
        }
        if self.implicit_tls {
            stream = handshake(stream, context).await?;
        }
        let hostname = context.directory.host().to_string();
        let visitor = Visitor { protocol: self.protocol, session: id, address, hostname: hostname.clone() };
        let guard = Arc::clone(&context.guard);
        let mut gate = Gate::new(context.directory.clone(), guard, context.shutdown.clone(), visitor);
        gate.connected(&stream, is_local(&stream));
        let needs_tls = context.require_tls || !gate.is_private();
        Ok(Guest { stream, gate, hostname, needs_tls })
    }
}

/// What a client is told of its login.
pub(crate) enum Verdict {
    Challenge(Vec<u8>),
    LoggedIn(Box<AccountRecord>),
    /// With `last` the connection ends then.
    Refused {
        why: Why,
        last: bool,
    },
    /// The address may not try at all: the connection ends.
    ShutOut,
}

/// Why a login is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Why {
    Credentials,
    Malformed,
    Temporary,
    Permanent,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        let refused = |why| Self::Refused { why, last: false };
        match outcome {
            Outcome::Challenge(text) => Self::Challenge(text),
            Outcome::LoggedIn(login) => Self::LoggedIn(Box::new(login.account)),
            Outcome::Refused(Refused::Credentials { shut_out }) => {
                Self::Refused { why: Why::Credentials, last: shut_out.is_some() }
            }
            Outcome::Refused(Refused::ShutOut(_)) => Self::ShutOut,
            Outcome::Refused(Refused::NotUnderstood(_)) => refused(Why::Malformed),
            Outcome::Refused(Refused::Unavailable { lasting: false }) => refused(Why::Temporary),
            Outcome::Refused(Refused::Unavailable { lasting: true }) => refused(Why::Permanent),
        }
    }
}

impl From<Why> for imap::server::Refusal {
    fn from(why: Why) -> Self {
        match why {
            Why::Credentials => Self::Credentials,
            Why::Malformed => Self::Malformed,
            Why::Temporary => Self::Temporary,
            Why::Permanent => Self::Permanent,
        }
    }
}

impl From<Why> for pop3::server::Refusal {
    fn from(why: Why) -> Self {
        match why {
            Why::Credentials => Self::Credentials,
            Why::Malformed => Self::Malformed,
            Why::Temporary => Self::Temporary,
            Why::Permanent => Self::Permanent,
        }
    }
}
