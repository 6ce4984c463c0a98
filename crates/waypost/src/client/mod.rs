//! Calling an SMTP server: what `send`, `sendmail`, the checks and `bench` share.
//!
//! [`Client`] carries one [`smtp::client::Session`] over one [`net::Stream`], a step at a time, and keeps a
//! [`Transcript`] of it. The steps, each of which says whether it is the caller's turn ([`Turn`]):
//!
//! 1. [`Client::connect`] with [`Settings`]: names, addresses, TLS from the start where the port wants it;
//! 2. [`Client::greet`]: the greeting and EHLO;
//! 3. [`Client::secure`]: STARTTLS, where the settings want it and the server has it;
//! 4. [`Client::log_in`];
//! 5. [`Client::send`], as often as one likes, or [`Client::raw_line`] and [`Client::reply`];
//! 6. [`Client::quit`].
//!
//! It must not know what is sent, nor why. Unlike `transport`, which retries, pools and reuses, it does one thing
//! once and shows it.

mod dial;
mod error;
mod here;
mod login;
mod transcript;

pub use dial::{Place, Settings, connect_any, place_of};
pub use error::Error;
pub use here::Here;
pub use login::Login;
pub use transcript::{Entry, Transcript, Who};

use crate::exit::Failure;
use net::Stream;
use net::tls::TlsInfo;
use smtp::Reply;
use smtp::client::{Capabilities, Ended, Event, Outcome, SendError, Session, Stage, Transaction};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Octets of a body handed over at once.
pub const PIECE: usize = 64 * 1024;
/// How long the last words of a server that has closed the connection are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One dialogue with one server.
#[derive(Debug)]
pub struct Client {
    /// `None` only when a TLS handshake failed, and the dialogue with it.
    stream: Option<Stream>,
    session: Session,
    transcript: Transcript,
}

/// Where a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The server's last words; it is the caller's turn.
    Ready(Reply),
    /// The server refused this step and the session goes on.
    Refused { at: Stage, reply: Reply },
    /// The stage to stop after was reached: only [`Client::raw_line`] and [`Client::quit`] remain.
    Stopped(Stage),
}

/// What came of [`Client::send`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    Outcome(Outcome),
    /// The stage to stop after was reached.
    Stopped(Stage),
}

impl Client {
    /// A dialogue over a connection that stands.
    pub fn new(stream: Stream, config: smtp::client::Config, transcript: Transcript) -> Self {
        Self { session: Session::new(config, Instant::now()), stream: Some(stream), transcript }
    }

    /// What the server offers, by its last reply to EHLO.
    pub fn capabilities(&self) -> &Capabilities {
        self.session.capabilities()
    }

    /// What was agreed in the TLS handshake; `None` in the clear.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.stream.as_ref().and_then(Stream::tls)
    }

    pub fn transcript(&mut self) -> &mut Transcript {
        &mut self.transcript
    }

    /// Gives up the dialogue: the lines of it so far.
    pub fn into_transcript(self) -> Transcript {
        self.transcript
    }

    /// The connection, for what is no SMTP any more. What the server sent beyond its last reply is lost.
    pub fn into_stream(self) -> Option<Stream> {
        self.stream
    }

    /// Waits for the greeting and says EHLO.
    pub async fn greet(&mut self) -> Result<Turn, Error> {
        self.turn().await
    }

    /// STARTTLS and the EHLO after it, if `settings` want it; `None` if nothing was to be done.
    pub async fn secure(&mut self, settings: &Settings) -> Result<Option<Turn>, Error> {
        use crate::cli::values::Tls;
        let offered = self.capabilities().starttls;
        let wanted = match settings.tls {
            Tls::Auto => offered && settings.place.is_tcp(),
            Tls::Starttls => true,
            Tls::None | Tls::Smtps => false,
        };
        if !wanted || self.session.is_tls() {
            return Ok(None);
        }
        if !offered {
            return Err(Error::NoStartTls);
        }
        self.session.starttls(Instant::now()).map_err(Error::from)?;
        match self.next().await? {
            Event::StartTls => {}
            event => return self.end_of_step(event).map(Some),
        }
        let stream = self.stream.take().ok_or(Error::Ended(Ended::Lost(Stage::StartTls)))?;
        self.stream = Some(settings.handshake(stream, &mut self.transcript).await?);
        self.session.tls_started(Instant::now())?;
        self.turn().await.map(Some)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// What the message needs and the server lacks ([`Error::Send`]); then nothing was said.
    pub async fn send(&mut self, transaction: Transaction, body: &[u8]) -> Result<Sent, Error> {
        self.send_parts(transaction, &[body]).await
    }

    /// As [`Client::send`], for a message that lies in parts.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_parts(&mut self, transaction: Transaction, parts: &[&[u8]]) -> Result<Sent, Error> {
        self.session.send(Instant::now(), transaction).map_err(|error| match error {
            SendError::Misuse(misuse) => Error::Misuse(misuse),
            error => Error::Send(error),
        })?;
        let mut pieces = parts.iter().flat_map(|part| part.chunks(PIECE));
        loop {
            match self.next().await? {
                Event::WantBody { .. } => {
                    let piece = pieces.next().unwrap_or_default();
                    self.session.provide_body(Instant::now(), piece)?;
                }
                Event::Outcome(outcome) => return Ok(Sent::Outcome(outcome)),
                Event::Stopped(stage) => return Ok(Sent::Stopped(stage)),
                Event::Ended(ended) => return Err(ended.into()),
                _ => {}
            }
        }
    }

    /// Whether another message can be sent over this connection.
    pub fn takes_more(&self) -> bool {
        self.session.is_ready() && !self.session.is_used_up()
    }

    /// Sends a line as a person typed it, without waiting for an answer.
    pub async fn raw_line(&mut self, line: &str) -> Result<(), Error> {
        self.session.raw_line(Instant::now(), line)?;
        self.show_events();
        self.write().await;
        Ok(())
    }

    /// Waits for the answer to a raw line.
    pub async fn reply(&mut self) -> Result<Reply, Error> {
        loop {
            match self.next().await? {
                Event::Reply(reply) => return Ok(reply),
                Event::Ended(ended) => return Err(ended.into()),
                _ => {}
            }
        }
    }

    /// Takes leave. Nothing depends on the answer, so that there is nothing to report.
    pub async fn quit(&mut self) {
        if self.session.quit(Instant::now()).is_err() {
            return;
        }
        while !matches!(self.next().await, Ok(Event::Ended(_)) | Err(_)) {}
    }

    /// Goes on until it is the caller's turn.
    async fn turn(&mut self) -> Result<Turn, Error> {
        loop {
            match self.next().await? {
                Event::Greeting(_) => {}
                event => return self.end_of_step(event),
            }
        }
    }

    fn end_of_step(&self, event: Event) -> Result<Turn, Error> {
        match event {
            Event::Ready { reply, .. } => Ok(Turn::Ready(reply)),
            Event::Refused { at, reply } => Ok(Turn::Refused { at, reply }),
            Event::Stopped(stage) => Ok(Turn::Stopped(stage)),
            Event::Ended(ended) => Err(ended.into()),
            _ => Err(Error::Ended(Ended::Aborted)),
        }
    }

    /// The next event but lines, which go to the transcript.
    async fn next(&mut self) -> Result<Event, Error> {
        loop {
            while let Some(event) = self.session.poll_event() {
                match event {
                    Event::Sent(line) => self.transcript.add(Who::Client, &line),
                    Event::Received(line) => self.transcript.add(Who::Server, &line),
                    event => {
                        self.write().await;
                        return Ok(event);
                    }
                }
            }
            if !self.write().await {
                self.read().await;
            }
        }
    }

    fn show_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Sent(line) => self.transcript.add(Who::Client, &line),
                Event::Received(line) => self.transcript.add(Who::Server, &line),
                _ => {}
            }
        }
    }

    /// Writes what is to be written, reading meanwhile: a server that cannot get rid of its replies stops
    /// reading. Returns whether there was anything.
    async fn write(&mut self) -> bool {
        let mut any = false;
        while let Some(block) = self.session.poll_transmit() {
            any = true;
            let Some(stream) = &mut self.stream else { break };
            let mut rest = &block[..];
            while !rest.is_empty() {
                let (mut reader, mut writer) = tokio::io::split(&mut *stream);
                let mut input = [0; 4096];
                tokio::select! {
                    written = writer.write(rest) => match written {
                        Ok(count @ 1..) => rest = rest.get(count..).unwrap_or_default(),
                        Ok(0) | Err(_) => {
                            last_words(stream, &mut self.session).await;
                            return true;
                        }
                    },
                    read = reader.read(&mut input) => match read {
                        Ok(count @ 1..) => self.session.handle_input(Instant::now(), input.get(..count).unwrap_or_default()),
                        Ok(0) | Err(_) => {
                            self.session.handle_closed(Instant::now());
                            return true;
                        }
                    },
                    () = until(self.session.poll_timeout()) => self.session.handle_timeout(Instant::now()),
                }
            }
            if stream.flush().await.is_err() {
                self.session.handle_closed(Instant::now());
            }
        }
        any
    }

    async fn read(&mut self) {
        let Some(stream) = &mut self.stream else { return self.session.handle_closed(Instant::now()) };
        let mut input = [0; 4096];
        tokio::select! {
            read = stream.read(&mut input) => match read {
                Ok(count @ 1..) => self.session.handle_input(Instant::now(), input.get(..count).unwrap_or_default()),
                Ok(0) | Err(_) => self.session.handle_closed(Instant::now()),
            },
            () = until(self.session.poll_timeout()) => self.session.handle_timeout(Instant::now()),
        }
    }
}

/// A server that refuses and closes is often noticed by the write that fails: what it said still waits.
async fn last_words(stream: &mut Stream, session: &mut Session) {
    let mut input = [0; 4096];
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(LAST_WORDS, stream.read(&mut input)).await {
        session.handle_input(Instant::now(), input.get(..count).unwrap_or_default());
    }
    session.handle_closed(Instant::now());
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// Runs a command's asynchronous part to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::try_again(format!("cannot begin: {error}")))?;
    runtime.block_on(work)
}

/// Random octets for message identifiers, nonces and the order of hosts.
pub fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets)
        .map_err(|_| Failure::try_again("the system gives no random numbers"))?;
    Ok(octets)
}
