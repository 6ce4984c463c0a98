//! The run loop: socket, session, store.

use super::Port;
use super::header::AsciiHeader;
use super::maildrop::{Fault, Maildrop};
use crate::Context;
use crate::login::{Entrance, Guest, Verdict};
use crate::socket::{FAREWELL_TIMEOUT, Unserved, handshake, is_local, say};
use net::{Panicked, Stream};
use policy::{Gate, Outcome};
use pop3::server::{Config, Decision, Event, IDLE_TIMEOUT, MessageFlow, Reason, Refusal, Session};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;
use store::Id;
use store::directory::AccountRecord;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::{sleep_until, timeout};

/// Octets taken from the socket at once. They pass over the stack, so that an idle connection holds no buffer.
const READ: usize = 4 * 1024;
/// Octets of a message handed to the session at once; it buffers them.
const PIECE: usize = 32 * 1024;

const STOPPING: &[u8] = b"-ERR [SYS/TEMP] the server is stopping; try again later\r\n";
const SHUT_OUT: &[u8] = b"-ERR [SYS/TEMP] too many failed logins from your address; try again later\r\n";

/// The last word of a session that panicked.
const FAULT: &[u8] = b"-ERR [SYS/TEMP] a fault here ends this session; try again later\r\n";

/// One connection.
pub(super) struct Driver {
    stream: Stream,
    session: Session,
    gate: Gate,
    client: Client,
    context: Arc<Context>,
    id: Id,
    summary: Summary,
}

/// How far the client has come.
enum Client {
    Unknown,
    LoggedIn(Box<AccountRecord>),
    Reading(Maildrop),
}

/// For the log.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) user: String,
    pub(super) retrieved: u64,
    pub(super) octets: u64,
    pub(super) removed: usize,
}

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("{reason:?}")]
    Session { reason: Reason, summary: Summary },
    #[error("the server is stopping")]
    Stopping,
    #[error("the client did not read for {IDLE_TIMEOUT:?}")]
    Stuck,
    #[error(transparent)]
    Unserved(#[from] Unserved),
    #[error("connection lost: {0}")]
    Lost(#[from] io::Error),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// Why serving stops.
enum Pause {
    /// For a handshake, which needs the stream.
    StartTls,
    Closed(Reason),
    End(End),
}

impl Driver {
    /// Does what comes before the greeting.
    pub(super) async fn start(
        stream: Stream,
        port: Port,
        context: Arc<Context>,
        id: Id,
    ) -> Result<Self, End> {
        let entrance = Entrance { protocol: "pop3", implicit_tls: port == Port::Pop3s, shut_out: SHUT_OUT };
        let Guest { stream, gate, hostname, needs_tls } = entrance.receive(stream, &context, id).await?;
        let config = Config {
            tls: stream.tls().is_some(),
            stls: context.tls.is_some(),
            require_tls: needs_tls,
            mechanisms: gate.mechanisms(),
            implementation: Some("Waypost".into()),
            ..Config::new(&hostname)
        };
        let session = Session::new(config, Instant::now());
        Ok(Self { stream, session, gate, client: Client::Unknown, context, id, summary: Summary::default() })
    }

    /// Goes on to the end. What is not committed by then is not removed.
    pub(super) async fn run(mut self) -> End {
        loop {
            match net::contain(self.serve()).await {
                Ok(Pause::StartTls) => match self.start_tls().await {
                    Ok(secured) => self = secured,
                    Err(end) => return end,
                },
                Ok(Pause::Closed(reason)) => {
                    // The maildrop is free before the client can know that the connection is closed.
                    self.client = Client::Unknown;
                    let _ = timeout(FAREWELL_TIMEOUT, self.stream.shutdown()).await;
                    return End::Session { reason, summary: self.summary };
                }
                Ok(Pause::End(end)) => return end,
                Err(panicked) => {
                    if self.session.message_flow() == MessageFlow::Closed {
                        say(&mut self.stream, FAULT).await;
                    }
                    return panicked.into();
                }
            }
        }
    }

    async fn serve(&mut self) -> Pause {
        loop {
            let done = match self.step().await {
                Ok(Some(Event::StartTls)) => return Pause::StartTls,
                Ok(Some(Event::Closed(reason))) => return Pause::Closed(reason),
                Ok(Some(event)) => self.carry_out(event).await,
                Ok(None) => Ok(()),
                Err(end) => Err(end),
            };
            if let Err(end) = done {
                return Pause::End(end);
            }
        }
    }

    /// Writes what there is to write, then gives what is to be done, or waits for the client.
    async fn step(&mut self) -> Result<Option<Event>, End> {
        self.flush().await?;
        if let Some(event) = self.session.poll_event() {
            return Ok(Some(event));
        }
        self.listen().await?;
        Ok(None)
    }

    async fn flush(&mut self) -> Result<(), End> {
        while let Some(bytes) = self.session.poll_transmit() {
            timeout(IDLE_TIMEOUT, self.stream.write_all(&bytes)).await.map_err(|_| End::Stuck)??;
        }
        timeout(IDLE_TIMEOUT, self.stream.flush()).await.map_err(|_| End::Stuck)??;
        Ok(())
    }

    /// Between two commands: the client speaks, or is silent for too long, or it is time to stop.
    async fn listen(&mut self) -> Result<(), End> {
        let shutdown = self.context.shutdown.clone();
        let deadline = self.session.poll_timeout().unwrap_or_else(|| Instant::now() + IDLE_TIMEOUT);
        tokio::select! {
            biased;
            () = shutdown.wait() => {
                say(&mut self.stream, STOPPING).await;
                Err(End::Stopping)
            }
            read = read_into(&mut self.stream, &mut self.session) => Ok(read?),
            () = sleep_until(deadline.into()) => {
                self.session.handle_timeout(Instant::now());
                Ok(())
            }
        }
    }

    async fn start_tls(mut self) -> Result<Self, End> {
        self.flush().await?;
        // What came in the clear is thrown away by the session; nothing is read between here and the handshake.
        let stream = handshake(self.stream, &self.context).await?;
        self.gate.connected(&stream, is_local(&stream));
        let mechanisms = self.gate.mechanisms();
        self.session.answer(Instant::now(), Decision::TlsStarted { mechanisms });
        Ok(Self { stream, ..self })
    }

    async fn carry_out(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Login { user, password } => {
                let outcome = self.gate.password(&user, &password).await;
                self.conclude(outcome).await
            }
            Event::Auth { mechanism, initial } => {
                let initial = initial.as_ref().map(|secret| secret.reveal().as_slice());
                let outcome = self.gate.begin(&mechanism, initial).await;
                self.conclude(outcome).await
            }
            Event::AuthResponse(response) => {
                let outcome = self.gate.respond(response.reveal()).await;
                self.conclude(outcome).await
            }
            Event::OpenMaildrop => {
                let decision = self.open().await;
                self.answer(decision);
                Ok(())
            }
            Event::Fetch { index, utf8, .. } => self.fetch(index, utf8).await,
            Event::Commit { deleted } => {
                let all = self.commit(&deleted).await;
                self.answer(Decision::Committed { all });
                Ok(())
            }
            // The session asks something that this driver has not learnt.
            _ => {
                self.answer(Decision::Refused(Refusal::Permanent));
                Ok(())
            }
        }
    }

    fn answer(&mut self, decision: Decision) {
        self.session.answer(Instant::now(), decision);
    }

    /// Tells the client what came of its login.
    async fn conclude(&mut self, outcome: Outcome) -> Result<(), End> {
        match Verdict::from(outcome) {
            Verdict::Challenge(text) => self.answer(Decision::Challenge(text)),
            Verdict::LoggedIn(account) => {
                self.summary.user = account.address.to_string();
                self.client = Client::LoggedIn(account);
                self.answer(Decision::LoggedIn);
            }
            Verdict::Refused { why, last } => {
                self.answer(Decision::Refused(why.into()));
                if last {
                    self.flush().await?;
                    return Err(Unserved::ShutOut.into());
                }
            }
            Verdict::ShutOut => {
                say(&mut self.stream, SHUT_OUT).await;
                return Err(Unserved::ShutOut.into());
            }
        }
        Ok(())
    }

    async fn open(&mut self) -> Decision {
        let Client::LoggedIn(account) = std::mem::replace(&mut self.client, Client::Unknown) else {
            return Decision::Refused(Refusal::Permanent);
        };
        let Some(lock) = self.context.locks.take(account.id) else {
            tracing::info!(protocol = %"pop3", session = %self.id, user = ?self.summary.user, "maildrop in use");
            return Decision::Refused(Refusal::InUse);
        };
        match Maildrop::open(self.context.directory.store().clone(), &account, lock).await {
            Ok((maildrop, messages)) => {
                self.client = Client::Reading(maildrop);
                Decision::Maildrop(messages)
            }
            Err(fault) => self.refuse("the maildrop cannot be listed", &fault),
        }
    }

    /// Sends a message, in pieces, as fast as the client takes them.
    async fn fetch(&mut self, index: usize, utf8: bool) -> Result<(), End> {
        let found = match &self.client {
            Client::Reading(maildrop) => maildrop.message(index).await,
            _ => Ok(None),
        };
        let message = match found {
            Ok(Some(message)) => message,
            Ok(None) => {
                self.answer(Decision::Refused(Refusal::Gone));
                return Ok(());
            }
            Err(fault) => {
                let refusal = self.refuse("the message cannot be read", &fault);
                self.answer(refusal);
                return Ok(());
            }
        };
        self.answer(Decision::Message);
        self.summary.retrieved += 1;
        let mut header = (!utf8).then(AsciiHeader::new);
        self.feed(&message.prefix, header.as_mut()).await?;
        let mut reader = message.body.reader();
        while self.session.message_flow() != MessageFlow::Closed {
            match reader.next().await {
                Ok(Some(piece)) => self.feed(&piece, header.as_mut()).await?,
                Ok(None) => self.session.finish_message(Instant::now()),
                Err(error) => {
                    tracing::error!(protocol = %"pop3", session = %self.id, %error, "a message was cut short");
                    self.session.abort_message();
                }
            }
        }
        Ok(())
    }

    /// Hands a part of a message to the session, until it needs no more.
    async fn feed(&mut self, part: &[u8], mut header: Option<&mut AsciiHeader>) -> Result<(), End> {
        for piece in part.chunks(PIECE) {
            if self.session.message_flow() == MessageFlow::Closed {
                break;
            }
            let replaced = header.as_mut().and_then(|header| header.replace(piece));
            self.session.handle_message(Instant::now(), replaced.as_deref().unwrap_or(piece));
            self.summary.octets += piece.len() as u64;
            self.flush().await?;
        }
        Ok(())
    }

    /// Removes what was marked and lets the maildrop go; whether all of it is gone.
    async fn commit(&mut self, deleted: &[usize]) -> bool {
        let Client::Reading(maildrop) = std::mem::replace(&mut self.client, Client::Unknown) else {
            return deleted.is_empty();
        };
        match maildrop.remove(deleted).await {
            Ok(removed) => {
                self.summary.removed = removed;
                true
            }
            Err(fault) => {
                tracing::error!(protocol = %"pop3", session = %self.id, %fault, "messages were not all removed");
                false
            }
        }
    }

    fn refuse(&self, what: &str, fault: &Fault) -> Decision {
        tracing::error!(protocol = %"pop3", session = %self.id, %fault, "{what}");
        Decision::Refused(fault.refusal())
    }
}

/// Reads once. The buffer is on the stack while there is something to read, and nowhere while there is not.
async fn read_into(stream: &mut Stream, session: &mut Session) -> io::Result<()> {
    poll_fn(|cx| {
        let mut buffer = [0; READ];
        let mut buffer = ReadBuf::new(&mut buffer);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
        match buffer.filled() {
            [] => session.handle_end(),
            bytes => session.handle_input(Instant::now(), bytes),
        }
        Poll::Ready(Ok(()))
    })
    .await
}
