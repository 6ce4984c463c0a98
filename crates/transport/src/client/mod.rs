//! One connection to one server: [`Client`] moves the octets of an [`smtp::client::Session`].
//!
//! Used by the queue's carrier, and alone by whoever wants to talk to a server: to send, check, probe or measure.

mod content;
mod drive;
mod error;
mod login;
mod open;

pub use content::Content;
pub(crate) use error::ended_reply;
pub use error::{OpenError, SendError};

use address::Host;
use bytes::Bytes;
use net::tls::TlsInfo;
use net::{Endpoint, Stream};
use sasl::Mechanism;
use sasl::client::Credentials;
use smtp::Reply;
use smtp::client::{Capabilities, Config, Ended, Event, Misuse, Outcome, Session, Stage, Transaction};
use smtp::command::HelloName;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one address may take to accept a connection. RFC 5321 names no time; TCP alone would wait minutes.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Whom to call, and how to introduce ourselves.
#[derive(Debug, Clone)]
pub struct Call {
    pub endpoint: Endpoint,
    /// Own address to call from, of the endpoint's family.
    pub source: Option<IpAddr>,
    /// The server's name: for SNI, and what its certificate is checked against.
    pub name: Host,
    pub tls: TlsUse,
    /// TLS from the first octet (`smtps`).
    pub implicit_tls: bool,
    pub credentials: Option<Credentials>,
    /// This SASL mechanism and no other.
    pub mechanism: Option<Mechanism>,
    /// Name, protocol, time limits, where to stop. Its `tls` is set by `implicit_tls`, its `trace` by a [`Watcher`].
    pub session: Config,
    pub connect_timeout: Duration,
}

impl Call {
    /// Taking STARTTLS when it is offered, whatever the certificate; without logging in.
    pub fn new(endpoint: Endpoint, name: Host, helo: HelloName) -> Self {
        Self {
            endpoint,
            source: None,
            name,
            tls: TlsUse::Opportunistic,
            implicit_tls: false,
            credentials: None,
            mechanism: None,
            session: Config::new(helo),
            connect_timeout: CONNECT_TIMEOUT,
        }
    }
}

/// What to do about STARTTLS, and about the certificate also of implicit TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsUse {
    /// Not even when it is offered.
    Never,
    /// When it is offered, whatever the certificate. [`OpenError::Handshake`] when that fails: call again with `Never`.
    Opportunistic,
    /// No mail without TLS, whatever the certificate.
    Required,
    /// No mail without a valid certificate for the server's name.
    Verified,
}

/// Something for a person to see.
#[derive(Debug, Clone)]
pub enum Seen {
    Connected {
        local: Endpoint,
        peer: Endpoint,
    },
    Secured(Box<TlsInfo>),
    /// A line left; secrets are masked.
    Sent(String),
    Received(String),
}

/// Is told, in order, all that happens on a connection.
pub type Watcher = Arc<dyn Fn(Seen) + Send + Sync>;

/// A connection on which a server has greeted us. Dropping it closes it without QUIT.
pub struct Client {
    session: Session,
    stream: Stream,
    /// Octets that the session gave and the socket has not taken.
    pending: Bytes,
    flushing: bool,
    /// The peer takes nothing any more; what it said before may still be read.
    write_failed: bool,
    watcher: Option<Watcher>,
    greeting: Option<Reply>,
    stopped: Option<Stage>,
    ended: Option<Ended>,
    messages: u32,
}

/// What came of [`Client::send`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    Done(Outcome),
    /// The stage to stop after was reached, and nothing was refused up to there.
    Stopped(Stage),
}

impl Client {
    /// What the server offers.
    pub fn capabilities(&self) -> &Capabilities {
        self.session.capabilities()
    }

    pub fn tls(&self) -> Option<&TlsInfo> {
        self.stream.tls()
    }

    /// Our end of the connection.
    pub fn local(&self) -> &Endpoint {
        self.stream.local()
    }

    pub fn is_authenticated(&self) -> bool {
        self.session.is_authenticated()
    }

    /// The server's first words.
    pub fn greeting(&self) -> Option<&Reply> {
        self.greeting.as_ref()
    }

    /// The stage after which the dialogue was stopped.
    pub fn stopped(&self) -> Option<Stage> {
        self.stopped
    }

    /// Why the session is over, once it is.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// Transactions so far.
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// Whether another message can be sent, as far as we know.
    pub fn is_ready(&self) -> bool {
        self.session.is_ready() && !self.session.is_used_up()
    }

    /// Sends a message to its recipients.
    ///
    /// # Errors
    /// What the message needs and the server lacks, and then nothing was said; or the body could not be read, and then the
    /// session is over and nobody got anything.
    pub async fn send(&mut self, transaction: Transaction, content: &Content) -> Result<Sent, SendError> {
        self.session.send(now(), transaction)?;
        self.messages = self.messages.saturating_add(1);
        let mut source = content.source();
        loop {
            match self.next().await {
                Event::WantBody { remaining } => {
                    if let Err(error) = self.provide(source.next(remaining).await) {
                        self.session.abort();
                        return Err(SendError::Body(error));
                    }
                }
                Event::Outcome(outcome) => {
                    self.ended.clone_from(&outcome.ended);
                    return Ok(Sent::Done(outcome));
                }
                Event::Stopped(stage) => {
                    self.stopped = Some(stage);
                    return Ok(Sent::Stopped(stage));
                }
                _ => {}
            }
        }
    }

    fn provide(&mut self, piece: std::io::Result<Bytes>) -> std::io::Result<()> {
        self.session.provide_body(now(), &piece?).map_err(std::io::Error::other)
    }

    /// Queues a line that a person typed; it leaves while [`next_reply`](Self::next_reply) waits. From now on only lines and
    /// replies pass.
    ///
    /// # Errors
    /// Not now (a session that is over), or a line with a line end in it.
    pub fn raw_line(&mut self, line: &str) -> Result<(), Misuse> {
        self.session.raw_line(now(), line)
    }

    /// The next reply to a raw line; waits for ever, and can be given up and called again.
    ///
    /// # Errors
    /// Why the session ended.
    pub async fn next_reply(&mut self) -> Result<Reply, Ended> {
        loop {
            match self.next().await {
                Event::Reply(reply) => return Ok(reply),
                Event::Ended(why) => return Err(why),
                _ => {}
            }
        }
    }

    /// Takes leave, and waits for the reply to QUIT.
    pub async fn quit(mut self) {
        if self.session.quit(now()).is_ok() {
            while !matches!(self.next().await, Event::Ended(_)) {}
        }
    }

    /// Takes leave without making the caller wait.
    pub fn dismiss(self) {
        tokio::spawn(self.quit());
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("session", &self.session).finish_non_exhaustive()
    }
}

/// By tokio's clock, so that a test can stop it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
