//! What is said before TLS begins, in the three protocols of mail.

use crate::cli::values::Tls;
use crate::client::{Error, Here, Place, Settings, Transcript, connect_any};
use crate::config::{Peer, SMTPS_PORT};
use crate::exit::Failure;
use net::Stream;
use serde::Serialize;
use smtp::client::Stage;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// Ports at which TLS comes first: the registered ones for mail, and those of `waypost dev`.
const IMPLICIT: [u16; 6] = [SMTPS_PORT, 993, 995, 1465, 1993, 1995];
/// A server that says nothing for so long is waiting for TLS.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest line of POP3 and IMAP that is read, in octets: RFC 1939 §3 allows 512, and RFC 9051 §4 names no bound to those
/// that list capabilities.
const MAX_LINE: usize = 8192;
/// Most lines that may come before the one that answers.
const MAX_LINES: usize = 100;

/// How a server is brought to the point where a TLS handshake may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::commands::check) enum Before {
    /// By nothing: TLS comes first, whatever is spoken in it.
    Nothing,
    /// STARTTLS (RFC 3207).
    Smtp,
    /// STLS (RFC 2595 §4).
    Pop3,
    /// STARTTLS (RFC 9051 §6.2.1).
    Imap,
}

/// How to reach a server.
pub(in crate::commands::check) struct Reaching<'a> {
    pub(in crate::commands::check) server: &'a Peer,
    pub(in crate::commands::check) here: &'a Here,
    pub(in crate::commands::check) dns: Vec<SocketAddr>,
}

impl Reaching<'_> {
    /// By the port where it is one that says it, else by the first line of the server.
    pub(super) async fn before(&self) -> Result<Before, Failure> {
        match self.server.port {
            port if IMPLICIT.contains(&port) => return Ok(Before::Nothing),
            25 | 587 => return Ok(Before::Smtp),
            110 => return Ok(Before::Pop3),
            143 => return Ok(Before::Imap),
            _ => {}
        }
        let mut stream = self.connect().await?;
        Ok(match timeout(SILENCE, read_line(&mut stream)).await {
            Err(_) => Before::Nothing,
            Ok(Ok(greeting)) if greeting.starts_with("+OK") => Before::Pop3,
            Ok(Ok(greeting)) if greeting.starts_with("* ") => Before::Imap,
            // Whatever is wrong with it is best said by a dialogue.
            Ok(_) => Before::Smtp,
        })
    }

    /// A connection on which the handshake may begin.
    pub(in crate::commands::check) async fn stream(&self, before: Before) -> Result<Stream, Failure> {
        match before {
            Before::Nothing => self.connect().await,
            Before::Smtp => Ok(self.smtp().await?),
            Before::Pop3 => self.ask("STLS", |line| Some(line.starts_with("+OK"))).await,
            Before::Imap => self.ask("a STARTTLS", tagged).await,
        }
    }

    async fn connect(&self) -> Result<Stream, Failure> {
        Ok(connect_any(self.server, &self.dns).await?)
    }

    async fn smtp(&self) -> Result<Stream, Error> {
        let settings = Settings {
            dns: self.dns.clone(),
            tls: Tls::None,
            ..Settings::new(Place::Tcp(self.server.clone()), self.here.helo(None))
        };
        let mut client = settings.open(&Transcript::silent()).await?;
        if !client.capabilities().starttls {
            client.quit().await;
            return Err(Error::NoStartTls);
        }
        client.raw_line("STARTTLS")?;
        let reply = client.next_reply().await?;
        match reply.is_positive() {
            true => Ok(client.into_stream()),
            false => Err(Error::Refused { at: Stage::StartTls, reply }),
        }
    }

    /// Says `command` after the greeting. `granted` says of a line how it answers, if it does.
    async fn ask(&self, command: &str, granted: impl Fn(&str) -> Option<bool>) -> Result<Stream, Failure> {
        let mut stream = self.connect().await?;
        let dialogue = async {
            read_line(&mut stream).await?;
            stream.write_all(format!("{command}\r\n").as_bytes()).await?;
            stream.flush().await?;
            for _ in 0..MAX_LINES {
                let line = read_line(&mut stream).await?;
                if let Some(granted) = granted(&line) {
                    return Ok((granted, line));
                }
            }
            Err(io::Error::other(format!("no answer to {command}")))
        };
        match timeout(PATIENCE, dialogue).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok((true, _)) => Ok(stream),
            Ok((false, line)) => Err(Failure::no(format!("the server refused {command}: {line}"))),
            Err(error) => Err(Failure::try_again(format!("{}: {error}", self.server))),
        }
    }
}

/// The answer to the command `a` of IMAP.
fn tagged(line: &str) -> Option<bool> {
    let answer = line.strip_prefix("a ")?;
    Some(answer.get(..2).is_some_and(|word| word.eq_ignore_ascii_case("OK")))
}

/// The next line without its end. Octet by octet, so that nothing behind it is taken from the handshake.
async fn read_line(stream: &mut Stream) -> io::Result<String> {
    let mut line = Vec::new();
    while line.len() < MAX_LINE {
        match stream.read_u8().await? {
            b'\n' => break,
            octet => line.push(octet),
        }
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
