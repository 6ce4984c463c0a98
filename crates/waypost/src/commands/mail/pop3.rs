//! One POP3 session, command by command: what `pop3::client` says, carried over a stream.

use crate::cli::values::Tls;
use crate::client::place::Protocol;
use crate::client::{connect_any, random};
use crate::config::Peer;
use crate::exit::Failure;
use crate::output;
use address::Secret;
use net::tls::{TlsClient, TlsPolicy};
use net::{NetError, Stream};
use pop3::client::{Capabilities, Command, Config, Event, Session};
use sasl::client::{Credentials, Exchange, choose};
use sasl::{Bindings, Channel, Mechanism, Nonce};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Longest message read, in octets: it is held in memory, and no server takes larger ones by SMTP.
const MAX_MESSAGE: usize = 256 << 20;
/// Most lines of LIST or UIDL.
const MAX_LINES: usize = 1_000_000;

/// A server: `HOST[:PORT]`, `pop3://…` or `pop3s://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub peer: Peer,
    /// TLS from the first octet (RFC 8314 §3.2).
    pub implicit_tls: bool,
}

impl std::str::FromStr for Server {
    type Err = String;

    /// Without a scheme or a port it is POP3 over TLS; the port says it where it is one for that.
    fn from_str(text: &str) -> Result<Self, String> {
        let (peer, implicit_tls) = PROTOCOL.parse(text)?;
        Ok(Self { peer, implicit_tls })
    }
}

const PROTOCOL: Protocol = Protocol {
    name: "POP3",
    plain: ("pop3", &[110, 1110]),
    tls: ("pop3s", &[995, 1995]),
    otherwise_tls: false,
};

/// How to call a server.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    pub(super) server: &'a Server,
    pub(super) tls: Tls,
    pub(super) insecure: bool,
    pub(super) dns: Vec<SocketAddr>,
}

/// A session, logged in or not.
pub(super) struct Connection {
    /// `None` only when a TLS handshake failed.
    stream: Option<Stream>,
    session: Session,
    early: Vec<Event>,
}

impl Connection {
    /// Connects, starts TLS and logs in.
    pub(super) async fn open(
        settings: &Settings<'_>,
        user: &str,
        password: &Secret<String>,
    ) -> Result<Self, Failure> {
        let mut stream = connect_any(&settings.server.peer, &settings.dns).await?;
        let local = stream.peer().ip().is_some_and(|ip| ip.is_loopback());
        let implicit = match settings.tls {
            Tls::Auto => settings.server.implicit_tls,
            Tls::Smtps => true,
            Tls::None | Tls::Starttls => false,
        };
        if implicit {
            stream = settings.handshake(stream, local).await?;
        }
        let config = Config { tls: implicit, allow_clear_login: local };
        let mut connection =
            Self { session: Session::new(config, Instant::now()), stream: Some(stream), early: Vec::new() };
        match connection.next().await {
            Event::Greeting(_) => {}
            event => return Err(said("the greeting", &event)),
        }
        let mut capabilities = connection.capabilities().await?;
        let offered = capabilities.has("STLS");
        let wanted = settings.tls == Tls::Starttls || (settings.tls == Tls::Auto && offered);
        if wanted && !implicit {
            connection.start_tls(settings, local).await?;
            capabilities = connection.capabilities().await?;
        }
        connection.log_in(user, password, local, &capabilities).await?;
        Ok(connection)
    }

    async fn start_tls(&mut self, settings: &Settings<'_>, local: bool) -> Result<(), Failure> {
        match self.ask(Command::Stls).await? {
            Event::StartTls => {}
            event => return Err(said("STLS", &event)),
        }
        let stream = self.stream.take().ok_or_else(|| Failure::try_again("the connection was lost"))?;
        self.stream = Some(settings.handshake(stream, local).await?);
        self.session.tls_started();
        Ok(())
    }

    /// None where the server does not know CAPA.
    async fn capabilities(&mut self) -> Result<Capabilities, Failure> {
        match self.ask(Command::Capa).await? {
            Event::Capabilities(capabilities) => Ok(capabilities),
            Event::Refused { .. } => Ok(Capabilities::default()),
            event => Err(said("CAPA", &event)),
        }
    }

    /// By the best mechanism that both sides know, else by USER and PASS.
    async fn log_in(
        &mut self,
        user: &str,
        password: &Secret<String>,
        local: bool,
        capabilities: &Capabilities,
    ) -> Result<(), Failure> {
        let known: Vec<Mechanism> = capabilities.mechanisms().filter_map(|name| name.parse().ok()).collect();
        let credentials = Credentials::password(user, password.clone());
        let channel = self.channel(local);
        let mut last = match choose(&known, &credentials, &channel) {
            Ok(mechanism) => self.authenticate(mechanism, credentials, &channel).await?,
            Err(_) => {
                let event = self.ask(Command::User(user.to_owned())).await?;
                if !matches!(event, Event::Done(_)) {
                    return Err(said("USER", &event));
                }
                self.ask(Command::Pass(password.clone())).await?
            }
        };
        if let Event::Refused { text, .. } = &mut last {
            return Err(Failure::no(format!("the server refused the login: {}", output::printable(text))));
        }
        if matches!(last, Event::LoggedIn(_)) { Ok(()) } else { Err(said("the login", &last)) }
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
        let command = Command::Auth { mechanism: mechanism.name().to_owned(), initial };
        self.session.command(Instant::now(), command).map_err(misuse)?;
        loop {
            match self.next().await {
                Event::Challenge(challenge) => match exchange.respond(&challenge) {
                    Ok(response) => self.session.respond(Instant::now(), &response).map_err(misuse)?,
                    Err(error) => {
                        self.session.cancel(Instant::now()).map_err(misuse)?;
                        self.next().await;
                        return Err(sasl(error));
                    }
                },
                event @ Event::LoggedIn(_) => {
                    exchange.finish(None).map_err(sasl)?;
                    return Ok(event);
                }
                event => return Ok(event),
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

    /// The numbers of all messages with their octets.
    pub(super) async fn sizes(&mut self) -> Result<Vec<(u64, u64)>, Failure> {
        let last = self.ask(Command::List(None)).await?;
        if !matches!(last, Event::End) {
            return Err(said("LIST", &last));
        }
        Ok(self
            .early
            .drain(..)
            .filter_map(|event| match event {
                Event::Size { number, octets } => Some((number, octets)),
                _ => None,
            })
            .collect())
    }

    /// The numbers of all messages with their lasting names; none where the server has no UIDL.
    pub(super) async fn unique_ids(&mut self) -> Result<Vec<(u64, String)>, Failure> {
        match self.ask(Command::Uidl(None)).await? {
            Event::End => {}
            Event::Refused { .. } => return Ok(Vec::new()),
            event => return Err(said("UIDL", &event)),
        }
        Ok(self
            .early
            .drain(..)
            .filter_map(|event| match event {
                Event::UniqueId { number, unique_id } => Some((number, unique_id)),
                _ => None,
            })
            .collect())
    }

    /// The header of a message: the whole where the server has no TOP.
    pub(super) async fn header(&mut self, number: u64) -> Result<Vec<u8>, Failure> {
        match self.ask(Command::Top(number, 0)).await? {
            Event::End => Ok(self.data()),
            Event::Refused { .. } => self.message(number).await,
            event => Err(said("TOP", &event)),
        }
    }

    pub(super) async fn message(&mut self, number: u64) -> Result<Vec<u8>, Failure> {
        match self.ask(Command::Retr(number)).await? {
            Event::End => Ok(self.data()),
            event => Err(said("RETR", &event)),
        }
    }

    fn data(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        for event in self.early.drain(..) {
            if let Event::Data(piece) = event {
                whole.extend_from_slice(&piece);
            }
        }
        whole
    }

    /// Takes leave. Nothing was changed, so that nothing depends on the answer.
    pub(super) async fn quit(&mut self) {
        let _ = self.ask(Command::Quit).await;
    }

    /// Sends a command; what comes before its last event is kept in `early`.
    async fn ask(&mut self, command: Command) -> Result<Event, Failure> {
        self.early.clear();
        self.session.command(Instant::now(), command).map_err(misuse)?;
        let (mut octets, mut lines) = (0, 0);
        loop {
            let event = self.next().await;
            if event.ends_command() {
                return Ok(event);
            }
            match &event {
                Event::Data(piece) => octets += piece.len(),
                _ => lines += 1,
            }
            if octets > MAX_MESSAGE || lines > MAX_LINES {
                return Err(Failure::no("the server's answer is too long to be one"));
            }
            self.early.push(event);
        }
    }

    async fn next(&mut self) -> Event {
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
            let mut input = vec![0; 16 * 1024];
            let deadline = self
                .session
                .poll_timeout()
                .unwrap_or_else(|| Instant::now() + pop3::client::RESPONSE_TIMEOUT);
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

impl Settings<'_> {
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

fn misuse(error: pop3::Error) -> Failure {
    Failure::no(error.to_string())
}

/// An answer that nobody can go on with.
fn said(what: &str, event: &Event) -> Failure {
    match event {
        Event::Refused { text, .. } => {
            Failure::no(format!("the server refused {what}: {}", output::printable(text)))
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
            ("pop.example.org", "pop.example.org:995", true),
            ("pop.example.org:110", "pop.example.org:110", false),
            ("127.0.0.1:1995", "127.0.0.1:1995", true),
            ("pop3s://pop.example.org", "pop.example.org:995", true),
            ("pop3s://pop.example.org:1234", "pop.example.org:1234", true),
            ("pop3://pop.example.org", "pop.example.org:110", false),
            ("[::1]:1110", "[::1]:1110", false),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!((server.peer.to_string().as_str(), server.implicit_tls), (place, implicit), "{text}");
        }
        for text in ["imaps://x.example", "", "pop3s://", "x:0"] {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
