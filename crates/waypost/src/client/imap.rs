//! One IMAP session: what `imap::client` says, carried over a stream.

use super::place::Protocol;
use super::{connect_any, random};
use crate::cli::values::Tls;
use crate::config::Peer;
use crate::exit::Failure;
use crate::output;
use address::Secret;
use imap::client::{Command, Config, Event, Reason, Session};
use imap::response::{Status, StatusKind};
use net::tls::{TlsClient, TlsPolicy};
use net::{NetError, Stream};
use sasl::client::{Credentials, Exchange, choose};
use sasl::{Bindings, Channel, Mechanism, Nonce};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Untagged answers to one command that are kept.
const MAX_ANSWERS: usize = 4_000_000;
/// Octets read from the network at once.
const BUFFER: usize = 64 << 10;

/// A server: `imaps://HOST[:PORT]`, `imap://HOST[:PORT]` or `HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub peer: Peer,
    /// TLS from the first octet (RFC 8314 §3.2); else STARTTLS.
    pub implicit_tls: bool,
}

impl std::str::FromStr for Server {
    type Err = String;

    /// Without a scheme or a port it is IMAP over TLS; the port says it where it is one for that.
    fn from_str(text: &str) -> Result<Self, String> {
        let (peer, implicit_tls) = PROTOCOL.parse(text)?;
        Ok(Self { peer, implicit_tls })
    }
}

const PROTOCOL: Protocol = Protocol {
    name: "IMAP",
    plain: ("imap", &[143, 1143]),
    tls: ("imaps", &[993, 1993]),
    otherwise_tls: true,
};

/// How to call a server.
#[derive(Debug, Clone)]
pub struct Settings {
    pub server: Server,
    pub tls: Tls,
    /// Take any certificate.
    pub insecure: bool,
    pub dns: Vec<SocketAddr>,
}

/// A session that is logged in.
#[derive(Debug)]
pub struct Connection {
    stream: Option<Stream>,
    pub session: Session,
}

impl Connection {
    /// Connects, starts TLS and logs in. Passwords go over TLS only, but for servers on this machine.
    ///
    /// # Errors
    /// Nobody answers (try again), or the server refuses.
    pub async fn open(settings: &Settings, user: &str, password: &Secret<String>) -> Result<Self, Failure> {
        let implicit = match settings.tls {
            Tls::Auto => settings.server.implicit_tls,
            Tls::Smtps => true,
            Tls::None | Tls::Starttls => false,
        };
        let mut stream = connect_any(&settings.server.peer, &settings.dns).await?;
        let local = stream.peer().ip().is_some_and(|ip| ip.is_loopback());
        if implicit {
            stream = settings.handshake(stream, local).await?;
        }
        let config = Config { tls: implicit, allow_clear_login: local, stream_from: 0 };
        let session = Session::new(config, Instant::now());
        let mut connection = Self { stream: Some(stream), session };
        let greeting = match connection.next().await {
            Event::Greeting(greeting) => greeting,
            event => return Err(said("the greeting", &event)),
        };
        connection.capabilities().await?;
        let offered = connection.session.has("STARTTLS");
        let wanted = settings.tls == Tls::Starttls || (settings.tls == Tls::Auto && offered);
        if wanted && !implicit {
            connection.start_tls(settings, local).await?;
            connection.capabilities().await?;
        }
        if greeting.kind != StatusKind::PreAuth {
            connection.log_in(user, password, local).await?;
            connection.capabilities().await?;
        }
        Ok(connection)
    }

    async fn start_tls(&mut self, settings: &Settings, local: bool) -> Result<(), Failure> {
        match self.ask(Command::StartTls).await?.1 {
            Event::StartTls => {}
            event => return Err(said("STARTTLS", &event)),
        }
        let stream = self.stream.take().ok_or_else(|| Failure::try_again("the connection was lost"))?;
        self.stream = Some(settings.handshake(stream, local).await?);
        self.session.tls_started();
        Ok(())
    }

    /// Asks what the server can do, unless it has said so.
    async fn capabilities(&mut self) -> Result<(), Failure> {
        if self.session.capabilities().is_empty() {
            self.done(Command::Capability).await?;
        }
        Ok(())
    }

    /// By the best mechanism that both sides know, else by LOGIN.
    async fn log_in(&mut self, user: &str, password: &Secret<String>, local: bool) -> Result<(), Failure> {
        let known: Vec<Mechanism> = self.session.mechanisms().filter_map(|name| name.parse().ok()).collect();
        let credentials = Credentials::password(user, password.clone());
        let channel = self.channel(local);
        let last = match choose(&known, &credentials, &channel) {
            Ok(mechanism) => self.authenticate(mechanism, credentials, &channel).await?,
            Err(_) => {
                let command = Command::Login { user: user.to_owned(), password: password.clone() };
                self.ask(command).await?.1
            }
        };
        if matches!(last, Event::Done(_)) { Ok(()) } else { Err(said("the login", &last)) }
    }

    async fn authenticate(
        &mut self,
        mechanism: Mechanism,
        credentials: Credentials,
        channel: &Channel,
    ) -> Result<Event, Failure> {
        let sasl = |error: sasl::Error| Failure::no(error.to_string());
        let mut exchange =
            Exchange::new(mechanism, credentials, channel, Nonce::new(random()?)).map_err(sasl)?;
        let initial = if mechanism.is_client_first() { exchange.initial() } else { None };
        self.send(Command::Authenticate { mechanism: mechanism.name().to_owned(), initial })?;
        loop {
            match self.next().await {
                Event::Challenge(challenge) => match exchange.respond(&challenge) {
                    Ok(response) => self.session.respond(Instant::now(), &response).map_err(misuse)?,
                    Err(error) => {
                        self.session.cancel(Instant::now()).map_err(misuse)?;
                        while !self.next().await.ends_command() {}
                        return Err(sasl(error));
                    }
                },
                event @ Event::Done(_) => {
                    exchange.finish(None).map_err(sasl)?;
                    return Ok(event);
                }
                event if event.ends_command() => return Ok(event),
                _ => {}
            }
        }
    }

    fn channel(&self, local: bool) -> Channel {
        match self.stream.as_ref().and_then(Stream::tls) {
            Some(tls) => Channel::Tls(Bindings {
                exporter: tls.bindings.exporter,
                server_end_point: tls.bindings.server_end_point.clone(),
            }),
            None if local => Channel::Local,
            None => Channel::Clear,
        }
    }

    /// Sends a command; its answers are to be taken with [`next`](Self::next).
    pub fn send(&mut self, command: Command) -> Result<(), Failure> {
        self.session.command(Instant::now(), command).map_err(misuse)
    }

    /// Sends a command; returns what comes before its last event, and that.
    pub async fn ask(&mut self, command: Command) -> Result<(Vec<Event>, Event), Failure> {
        self.send(command)?;
        let mut answers = Vec::new();
        loop {
            let event = self.next().await;
            if event.ends_command() {
                return Ok((answers, event));
            }
            if answers.len() >= MAX_ANSWERS {
                return Err(Failure::no("the server's answer is too long to be one"));
            }
            answers.push(event);
        }
    }

    /// As [`ask`](Self::ask), for a command that the server must carry out.
    pub async fn done(&mut self, command: Command) -> Result<Vec<Event>, Failure> {
        let (answers, last) = self.ask(command).await?;
        if matches!(last, Event::Done(_)) { Ok(answers) } else { Err(said("a command", &last)) }
    }

    /// Takes leave. Nothing was changed, so that nothing depends on the answer.
    pub async fn quit(&mut self) {
        let _ = self.ask(Command::Logout).await;
    }

    /// The next event, when it comes.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.session.poll_event() {
                return event;
            }
            let Some(stream) = &mut self.stream else {
                self.session.handle_end();
                continue;
            };
            let mut wrote = false;
            while let Some(bytes) = self.session.poll_transmit() {
                wrote = true;
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    self.session.handle_end();
                }
            }
            if wrote {
                continue;
            }
            let mut input = vec![0; BUFFER];
            let deadline = self
                .session
                .poll_timeout()
                .unwrap_or_else(|| Instant::now() + imap::client::RESPONSE_TIMEOUT);
            match tokio::time::timeout_at(deadline.into(), stream.read(&mut input)).await {
                Ok(Ok(count @ 1..)) => {
                    self.session.handle_input(Instant::now(), input.get(..count).unwrap_or_default());
                }
                Ok(_) => self.session.handle_end(),
                Err(_) => self.session.handle_timeout(Instant::now()),
            }
        }
    }
}

impl Settings {
    async fn handshake(&self, stream: Stream, local: bool) -> Result<Stream, Failure> {
        let any = self.insecure || local;
        let policy = if any { TlsPolicy::Opportunistic } else { TlsPolicy::Verified };
        let host = &self.server.peer.host;
        stream.connect_tls(&TlsClient::new(), host, &policy).await.map_err(|error: NetError| {
            match error.refused_certificate() {
                Some(_) => Failure::no(format!(
                    "the server's certificate is not valid for {host}: {error} (--insecure takes any certificate)"
                )),
                None => Failure::try_again(error.to_string()),
            }
        })
    }
}

fn misuse(error: imap::client::Error) -> Failure {
    match error {
        imap::client::Error::Closed => Failure::try_again("the connection was lost"),
        other => Failure::no(other.to_string()),
    }
}

/// An answer that nobody can go on with.
pub fn said(what: &str, event: &Event) -> Failure {
    match event {
        Event::Refused(Status { text, .. }) => {
            Failure::no(format!("the server refused {what}: {}", output::printable(text)))
        }
        Event::Closed(Reason::Unprotected) => {
            Failure::no("the server wants no login before TLS, which can then not be started")
        }
        Event::Closed(reason) => Failure::try_again(format!("the session ended at {what}: {reason:?}")),
        _ => Failure::no(format!("the server answered {what} with what is no answer to it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_written_in_three_ways() {
        for (text, place, implicit) in [
            ("imap.example.org", "imap.example.org:993", true),
            ("imap.example.org:143", "imap.example.org:143", false),
            ("127.0.0.1:1993", "127.0.0.1:1993", true),
            ("imaps://imap.example.org/", "imap.example.org:993", true),
            ("imaps://imap.example.org:1234", "imap.example.org:1234", true),
            ("imap://imap.example.org", "imap.example.org:143", false),
            ("[::1]:1143", "[::1]:1143", false),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!((server.peer.to_string().as_str(), server.implicit_tls), (place, implicit), "{text}");
        }
        for text in ["pop3s://x.example", "", "imaps://", "x:0"] {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
