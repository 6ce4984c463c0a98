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
use net::tls::{TlsClient, TlsInfo, TlsPolicy};
use net::{Endpoint, Peer, Stream};
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
    /// Which certificates will do, where it is not `tls` that says it.
    pub certificate: Option<TlsPolicy>,
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
            certificate: None,
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
    hello: Option<Reply>,
    starttls_refused: Option<Reply>,
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

    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        self.stream.peer()
    }

    pub fn is_authenticated(&self) -> bool {
        self.session.is_authenticated()
    }

    /// The server's first words.
    pub fn greeting(&self) -> Option<&Reply> {
        self.greeting.as_ref()
    }

    /// Its reply to the last EHLO (or LHLO, HELO).
    pub fn hello(&self) -> Option<&Reply> {
        self.hello.as_ref()
    }

    /// Its reply to STARTTLS, where it refused that and the call went on without.
    pub fn starttls_refused(&self) -> Option<&Reply> {
        self.starttls_refused.as_ref()
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

    /// STARTTLS, because a person typed it when all before it was answered. Behind it, or behind the server's refusal, the
    /// person goes on typing. Of `call` only the name and the certificates count.
    ///
    /// # Errors
    /// The session ended, or the handshake failed.
    pub async fn raw_starttls(mut self, call: &Call, tls: &TlsClient) -> Result<Self, OpenError> {
        self.session.raw_starttls(now())?;
        loop {
            match self.next().await {
                Event::StartTls => return self.handshake(call, tls).await,
                Event::Reply(_) => return Ok(self),
                Event::Ended(why) => return Err(why.into()),
                _ => {}
            }
        }
    }

    /// The connection, for what is no SMTP any more. What the server sent beyond its last reply is lost.
    pub fn into_stream(self) -> Stream {
        self.stream
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
